//! What is exported: the ARN of a cluster snapshot or of a live cluster.

use std::fmt;
use std::str::FromStr;

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
}

impl FromStr for SourceArn {
    type Err = InvalidSourceArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The name of an automated snapshot has a colon of its own: rds:shop-2026-11-21-18-10.
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

    #[test]
    fn snapshots_and_clusters_of_every_partition_are_sources() {
        for good in [
            "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:rds:shop-2026-11-21-18-10",
            "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:before-migration",
            "arn:aws:rds:ap-northeast-1:123456789012:cluster:shop",
            "arn:aws-cn:rds:cn-north-1:123456789012:cluster-snapshot:rds:shop-2026-11-21-18-10",
        ] {
            assert_eq!(good.parse::<SourceArn>().unwrap().as_str(), good);
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
}
