//! Run-time parameters in a transfer's path and table name. They are UTC: trap T1.
//! <https://docs.cloud.google.com/bigquery/docs/gcs-transfer-parameters>

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Duration, Utc};

/// `prod-{run_time+9h|"%Y%m%d"}/`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    RunTime { offset: Duration, format: String },
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (parameter, after) =
                after.split_once('}').ok_or_else(|| format!("the parameter {{{after} has no closing brace"))?;
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(parse_parameter(parameter.trim())?);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    pub(super) fn at(&self, run_time: DateTime<Utc>) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::RunTime { offset, format } => (run_time + *offset).format(format).to_string(),
        };
        self.0.iter().map(piece).collect()
    }
}

fn parse_parameter(parameter: &str) -> Result<Piece, String> {
    if parameter == "run_date" {
        return Ok(Piece::RunTime { offset: Duration::zero(), format: "%Y%m%d".into() });
    }
    let unknown = || format!("the parameter {{{parameter}}} is not run_date or run_time[+-offset]|\"format\"");
    let (offset, format) =
        parameter.strip_prefix("run_time").and_then(|rest| rest.split_once('|')).ok_or_else(unknown)?;
    let format = format.trim().strip_prefix('"').and_then(|format| format.strip_suffix('"')).ok_or_else(unknown)?;
    if StrftimeItems::new(format).any(|item| item == Item::Error) {
        return Err(format!("{format:?} is not a time format"));
    }
    Ok(Piece::RunTime { offset: parse_offset(offset.trim())?, format: format.to_owned() })
}

/// `+9h`, `-30m`, `+1.5h`; nothing is no offset. There are no days.
fn parse_offset(text: &str) -> Result<Duration, String> {
    if text.is_empty() {
        return Ok(Duration::zero());
    }
    let invalid = || format!("the offset {text:?} is not a number of hours (h), minutes (m) or seconds (s)");
    let (unit_at, unit) = text.char_indices().next_back().ok_or_else(invalid)?;
    let seconds_each = match unit {
        'h' => 3600.0,
        'm' => 60.0,
        's' => 1.0,
        _ => return Err(invalid()),
    };
    let signed = text.starts_with(['+', '-']);
    let number: f64 = text[..unit_at].parse().map_err(|_| invalid())?;
    let milliseconds = number * seconds_each * 1000.0;
    // A century is more than any path needs and far from what a time can hold.
    if !signed || !milliseconds.is_finite() || milliseconds.abs() > 3.2e12 {
        return Err(invalid());
    }
    #[allow(clippy::cast_possible_truncation)] // bounded above
    Ok(Duration::milliseconds(milliseconds as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(template: &str, run_time: &str) -> String {
        Template::parse(template).unwrap().at(run_time.parse().unwrap())
    }

    #[test]
    fn t1_midnight_in_tokyo_is_still_the_day_before_in_a_path() {
        let midnight = "2026-11-21T15:00:00Z"; // 2026-11-22 00:00 in Tokyo
        assert_eq!(at(r#"prod-{run_time|"%Y%m%d"}/"#, midnight), "prod-20261121/");
        assert_eq!(at("prod-{run_date}/", midnight), "prod-20261121/");
        assert_eq!(at(r#"prod-{run_time+9h|"%Y%m%d"}/"#, midnight), "prod-20261122/");
    }

    #[test]
    fn t1_six_in_the_morning_in_tokyo_is_still_the_day_before_in_a_path() {
        let six = "2026-11-21T21:00:00Z";
        assert_eq!(at(r#"prod-{run_time|"%Y%m%d"}/"#, six), "prod-20261121/");
        assert_eq!(at(r#"prod-{run_time+9h|"%Y%m%d"}/"#, six), "prod-20261122/");
    }

    #[test]
    fn offsets_are_hours_minutes_or_seconds() {
        let noon = "2026-11-22T12:00:00Z";
        assert_eq!(at(r#"{run_time-30m|"%H:%M:%S"}"#, noon), "11:30:00");
        assert_eq!(at(r#"{run_time+1.5h|"%H:%M:%S"}"#, noon), "13:30:00");
        assert_eq!(at(r#"{run_time-90s|"%H:%M:%S"}"#, noon), "11:58:30");
        assert_eq!(at(r#"{ run_time + 9h | "%H" }x{run_time|"%d"}"#.replace(" + ", "+").as_str(), noon), "21x22");
        assert_eq!(at("no/parameter/*.parquet", noon), "no/parameter/*.parquet");
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        for bad in [
            r#"{run_time+1d|"%Y"}"#,
            r#"{run_time9h|"%Y"}"#,
            r#"{run_time+h|"%Y"}"#,
            r#"{run_time+1e30h|"%Y"}"#,
            r#"{run_time+9時|"%Y"}"#,
            "{run_time|%Y}",
            r#"{run_time|"%Q"}"#,
            r#"{run_date+1h|"%Y"}"#,
            "{run_time}",
            "{today}",
            "{run_date",
        ] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
