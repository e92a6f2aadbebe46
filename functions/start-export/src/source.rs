//! What is exported: a cluster snapshot or the live cluster.

use std::fmt;
use std::str::FromStr;

use aws_sdk_rds::types::{DbCluster, DbClusterSnapshot};
use chrono::{DateTime, Utc};

use crate::tables::Engine;

/// What an event asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Wanted {
    #[default]
    NewestSnapshot,
    LiveCluster,
    Named(SourceArn),
}

/// What RDS has, and what a task exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub arn: String,
    /// Not known of a live cluster.
    pub created_at: Option<DateTime<Utc>>,
    pub engine: Engine,
}

impl Source {
    /// `None` where RDS does not tell the ARN.
    pub(crate) fn of_snapshot(snapshot: &DbClusterSnapshot) -> Option<Self> {
        let arn = snapshot.db_cluster_snapshot_arn()?.to_owned();
        let created_at = snapshot.snapshot_create_time().and_then(utc);
        Some(Self { arn, created_at, engine: Engine::of(snapshot.engine()) })
    }

    pub(crate) fn of_cluster(cluster: &DbCluster) -> Option<Self> {
        Some(Self { arn: cluster.db_cluster_arn()?.to_owned(), created_at: None, engine: Engine::of(cluster.engine()) })
    }

    pub fn is_live(&self) -> bool {
        self.arn.parse::<SourceArn>().is_ok_and(|arn| arn.is_cluster())
    }
}

pub(crate) fn utc(time: &aws_sdk_rds::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos())
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceArn(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is not the ARN of a cluster snapshot or of a cluster: \
     arn:aws:rds:REGION:ACCOUNT:cluster-snapshot:NAME or arn:aws:rds:REGION:ACCOUNT:cluster:NAME"
)]
pub struct InvalidSourceArn(String);

impl SourceArn {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A live one; otherwise it is a snapshot.
    pub fn is_cluster(&self) -> bool {
        self.0.split(':').nth(5) == Some("cluster")
    }

    /// The name of an automated snapshot has a colon of its own: `rds:shop-2026-11-21-18-10`.
    pub fn name(&self) -> &str {
        self.0.splitn(7, ':').last().unwrap_or_default()
    }

    /// Whether the name alone says that it is an automated snapshot of this cluster, and not one of `{cluster}-2`.
    pub fn is_automated_snapshot_of(&self, cluster: &str) -> bool {
        let of_cluster = || self.name().strip_prefix("rds:")?.strip_prefix(cluster)?.strip_prefix('-');
        let minute = |text: &str| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d-%H-%M").is_ok();
        !self.is_cluster() && of_cluster().is_some_and(minute)
    }
}

impl FromStr for SourceArn {
    type Err = InvalidSourceArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.splitn(7, ':').collect();
        let valid = match words[..] {
            ["arn", partition, "rds", region, account, "cluster-snapshot" | "cluster", name] => {
                partition.starts_with("aws")
                    && !region.is_empty()
                    && account.len() == 12
                    && account.bytes().all(|b| b.is_ascii_digit())
                    && !name.is_empty()
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b':')
            }
            _ => false,
        };
        valid.then(|| Self(text.to_owned())).ok_or_else(|| InvalidSourceArn(text.to_owned()))
    }
}

impl fmt::Display for SourceArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNAPSHOT: &str = "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:";

    #[test]
    fn snapshots_and_clusters_of_every_partition_are_sources() {
        for (good, is_cluster, name) in [
            (&format!("{SNAPSHOT}rds:shop-2026-11-21-18-10")[..], false, "rds:shop-2026-11-21-18-10"),
            (&format!("{SNAPSHOT}before-migration"), false, "before-migration"),
            ("arn:aws:rds:ap-northeast-1:123456789012:cluster:shop", true, "shop"),
            ("arn:aws-cn:rds:cn-north-1:123456789012:cluster-snapshot:rds:a-b", false, "rds:a-b"),
        ] {
            let arn: SourceArn = good.parse().unwrap();
            assert_eq!((arn.as_str(), arn.is_cluster(), arn.name()), (good, is_cluster, name));
        }
    }

    #[test]
    fn anything_else_is_refused_before_rds_sees_it() {
        for bad in [
            "",
            "rds:shop-2026-11-21-18-10",
            "arn:aws:rds:ap-northeast-1:123456789012:snapshot:rds:shop-2026-11-21-18-10",
            "arn:aws:rds:ap-northeast-1:123456789012:db:shop",
            "arn:aws:s3:::acme-export",
            "arn:aws:rds:ap-northeast-1:1234:cluster:shop",
            "arn:aws:rds::123456789012:cluster:shop",
            "arn:aws:rds:ap-northeast-1:123456789012:cluster:",
            "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:a b",
        ] {
            assert_eq!(bad.parse::<SourceArn>(), Err(InvalidSourceArn(bad.into())), "{bad}");
        }
    }

    #[test]
    fn an_automated_snapshot_carries_the_name_of_its_cluster() {
        let of = |name: &str, cluster| {
            format!("{SNAPSHOT}{name}").parse::<SourceArn>().unwrap().is_automated_snapshot_of(cluster)
        };
        assert!(of("rds:shop-2026-11-21-18-10", "shop") && of("rds:shop-2-2026-11-21-18-10", "shop-2"));
        for (name, cluster) in [
            ("rds:shop-2-2026-11-21-18-10", "shop"),
            ("rds:shop-2026-11-21-18-10", "sho"),
            ("rds:shop-2026-11-21-18-10", "hr"),
            ("rds:shop-2026-11-31-18-10", "shop"),
            ("shop-2026-11-21-18-10", "shop"),
            ("rds:shop", "shop"),
        ] {
            assert!(!of(name, cluster), "{name} of {cluster}");
        }
        let live: SourceArn = "arn:aws:rds:ap-northeast-1:123456789012:cluster:shop".parse().unwrap();
        assert!(!live.is_automated_snapshot_of("shop"));
    }
}
