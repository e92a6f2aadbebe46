//! The choice of the snapshot.

use aws_sdk_rds::types::DbClusterSnapshot;
use chrono::{DateTime, Utc};
use handoff::ExportDate;

use crate::config::Config;
use crate::error::StartExportError;
use crate::source::{Source, utc};

/// The newest automated snapshot that is complete. RDS promises no order, so all of them are looked at; and "newest"
/// can be yesterday's, when the backup window has not run: its age decides.
pub fn choose(
    snapshots: &[DbClusterSnapshot],
    config: &Config,
    date: ExportDate,
    now: DateTime<Utc>,
) -> Result<Source, StartExportError> {
    let newest =
        snapshots.iter().filter_map(available).max_by_key(|(created_at, source)| (*created_at, source.arn.clone()));
    let Some((created_at, source)) = newest else {
        return Err(StartExportError::NoSnapshot { cluster: config.cluster.clone(), found: snapshots.len() });
    };
    let (age_hours, limit_hours) = ((now - created_at).num_hours(), config.max_snapshot_age_hours.get());
    if now - created_at > chrono::Duration::hours(i64::from(limit_hours)) {
        let (cluster, snapshot) = (config.cluster.clone(), source.arn);
        return Err(StartExportError::StaleSnapshot { cluster, snapshot, date, created_at, age_hours, limit_hours });
    }
    Ok(source)
}

fn available(snapshot: &DbClusterSnapshot) -> Option<(DateTime<Utc>, Source)> {
    let automated = snapshot.snapshot_type().is_none_or(|kind| kind == "automated");
    let complete = snapshot.status() == Some("available");
    let created_at = utc(snapshot.snapshot_create_time()?)?;
    let source = Source::of_snapshot(snapshot)?;
    (automated && complete).then_some((created_at, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::config;

    const NOW: &str = "2026-11-21T19:00:05Z";

    fn snapshot(name: &str, kind: &str, status: &str, at: &str) -> DbClusterSnapshot {
        let at: DateTime<Utc> = at.parse().unwrap();
        DbClusterSnapshot::builder()
            .db_cluster_snapshot_arn(format!("arn:{name}"))
            .snapshot_type(kind)
            .status(status)
            .snapshot_create_time(aws_sdk_rds::primitives::DateTime::from_secs(at.timestamp()))
            .build()
    }

    fn automated(name: &str, at: &str) -> DbClusterSnapshot {
        snapshot(name, "automated", "available", at)
    }

    fn chosen(snapshots: &[DbClusterSnapshot]) -> Result<String, String> {
        let choice = choose(snapshots, &config(), "2026-11-22".parse().unwrap(), NOW.parse().unwrap());
        choice.map(|source| source.arn).map_err(|error| format!("{}: {error}", error.word()))
    }

    #[test]
    fn the_newest_by_time_is_taken_whatever_the_order_and_the_names() {
        let (old, new, middle) = (
            automated("z-old", "2026-11-21T02:00:00Z"),
            automated("a-new", "2026-11-21T18:10:00Z"),
            automated("m", "2026-11-21T10:00:00Z"),
        );
        for order in [[&old, &new, &middle], [&new, &middle, &old], [&middle, &old, &new]] {
            assert_eq!(chosen(&order.map(Clone::clone)), Ok("arn:a-new".into()));
        }
    }

    #[test]
    fn only_complete_automated_snapshots_are_taken() {
        let at = "2026-11-21T18:30:00Z";
        let others = [
            snapshot("creating", "automated", "creating", at),
            snapshot("failed", "automated", "failed", at),
            snapshot("manual", "manual", "available", at),
            snapshot("shared", "shared", "available", at),
            DbClusterSnapshot::builder().status("available").build(),
            automated("good", "2026-11-21T18:10:00Z"),
        ];
        assert_eq!(chosen(&others), Ok("arn:good".into()));
        assert_eq!(
            chosen(&others[..5]),
            Err("NoSnapshot: cluster shop has no available automated snapshot (5 listed): check that \
                 DB_CLUSTER_IDENTIFIER names it, that its backup retention is at least a day, and that a backup is not \
                 still being made"
                .into())
        );
    }

    #[test]
    fn a_snapshot_is_refused_only_once_it_is_older_than_the_limit() {
        assert_eq!(chosen(&[automated("a", "2026-11-20T19:00:05Z")]), Ok("arn:a".into()));
        assert_eq!(
            chosen(&[automated("a", "2026-11-20T19:00:04Z")]),
            Err(
                "StaleSnapshot: the newest automated snapshot of cluster shop, arn:a, was made at 2026-11-20 19:00:04 \
                 UTC, 24 hours ago, and may be 24 (MAX_SNAPSHOT_AGE_HOURS): check whether last night's backup ran, or \
                 export this one on purpose with {\"kind\": \"manual\", \"export_date\": \
                 \"2026-11-22\", \"snapshot_arn\": \"arn:a\"}"
                    .into()
            )
        );
    }

    #[test]
    fn a_clock_that_is_behind_that_of_rds_makes_no_snapshot_stale() {
        assert_eq!(chosen(&[automated("a", "2026-11-21T19:01:00Z")]), Ok("arn:a".into()));
    }
}
