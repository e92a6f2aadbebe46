//! When an invocation was asked for, the same for every try of it.

use chrono::{DateTime, Duration, Utc};

/// Lambda repeats a failed asynchronous invocation twice, one and two minutes later; each try may last a minute.
/// Source: Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation".
/// A trace that is older was begun by someone else, an hour-long workflow for example, and says nothing of this call.
const RETRIES_WITHIN: Duration = Duration::minutes(15);

/// The trace's root, `Root=1-{time in hex}-{random}`, has the second in which the invocation was asked for. Where every
/// try carries the same trace, every try so derives the same spot id and export date. Where it does not, `now` is taken
/// and the search for a running spot task is what keeps a second one from being started.
/// Source of the form: X-Ray developer guide, "Tracing header".
pub fn invoked_at(trace: Option<&str>, now: DateTime<Utc>) -> DateTime<Utc> {
    let recent = |at: &DateTime<Utc>| *at <= now && now - at <= RETRIES_WITHIN;
    trace.and_then(root_time).filter(recent).unwrap_or(now)
}

fn root_time(trace: &str) -> Option<DateTime<Utc>> {
    let root = trace.split(';').find_map(|word| word.trim().strip_prefix("Root="))?;
    let seconds = root.strip_prefix("1-")?.split('-').next()?;
    DateTime::from_timestamp(i64::from_str_radix(seconds, 16).ok()?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0x6a1fe380 is 2026-06-03T08:19:12Z.
    const TRACE: &str = "Root=1-6a1fe380-ad49b0e87f6ef6c87fc2e700;Parent=53995c3f42cd8ad8;Sampled=1";

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn every_try_of_an_invocation_has_its_first_second() {
        let asked = at("2026-06-03T08:19:12Z");
        for now in ["2026-06-03T08:19:12.9Z", "2026-06-03T08:21:20Z", "2026-06-03T08:25:00Z"] {
            assert_eq!(invoked_at(Some(TRACE), at(now)), asked);
        }
    }

    #[test]
    fn an_old_a_future_or_an_unreadable_trace_says_nothing() {
        let (late, early) = (at("2026-06-03T09:00:00Z"), at("2026-06-03T08:00:00Z"));
        assert_eq!(invoked_at(Some(TRACE), late), late);
        assert_eq!(invoked_at(Some(TRACE), early), early);
        for trace in [None, Some(""), Some("Root=2-6a1fe380-x"), Some("Root=1-zz-x"), Some("Self=1-6a1fe380-x")] {
            assert_eq!(invoked_at(trace, late), late);
        }
    }
}
