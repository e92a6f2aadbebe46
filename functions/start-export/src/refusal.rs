//! A call that RDS did not carry out: what was attempted, why it was refused, what to do about it.

use std::error::Error;
use std::fmt::{self, Debug};

use aws_sdk_rds::config::http::HttpResponse;
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};

use crate::config::Config;

#[derive(Debug, thiserror::Error)]
#[error("could not {attempt}: {advice}")]
pub struct Refusal {
    attempt: String,
    pub reason: Reason,
    advice: String,
    #[source]
    cause: Box<dyn Error + Send + Sync>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    SnapshotNotFound,
    SnapshotNotReady,
    InvalidTables,
    BucketRefused,
    RoleNotFound,
    RoleRefused,
    KeyRefused,
    TooManyExports,
    InvalidName,
    Denied,
    Throttled,
    Unreachable,
    RdsFailed,
}

/// What RDS said, as it said it.
#[derive(Debug)]
struct Answer {
    code: Option<String>,
    message: Option<String>,
    status: u16,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RDS answered {} {}", self.status, self.code.as_deref().unwrap_or("without a code"))?;
        self.message.iter().try_for_each(|message| write!(f, ", {message}"))
    }
}

impl Error for Answer {}

impl Refusal {
    /// `attempt` continues "could not": `start export task prod-20261122 of arn:…`.
    pub fn new<E>(attempt: String, error: SdkError<E, HttpResponse>, config: &Config) -> Box<Self>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let (reason, cause): (Reason, Box<dyn Error + Send + Sync>) = match status {
            Some(status) => {
                let (code, message) = (error.code().map(str::to_owned), error.message().map(str::to_owned));
                (Reason::of(code.as_deref().unwrap_or_default()), Box::new(Answer { code, message, status }))
            }
            None if never_answered(&error) => (Reason::Unreachable, Box::new(error)),
            None => (Reason::RdsFailed, Box::new(error)),
        };
        Box::new(Self { attempt, reason, advice: reason.advice(config), cause })
    }
}

fn never_answered<E>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::TimeoutError(_) => true,
        // A connection that closes before its answer is "other", and marked as worth a retry.
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout() || failure.as_other().is_some(),
        _ => false,
    }
}

impl Reason {
    /// By the code on the wire. Some are not modelled (`InvalidParameterValue`), some differ from the name of their
    /// shape, and some are spelt with and without `Fault`: hence the beginnings. The code of the sixth export at once is
    /// not documented: whatever speaks of a quota or a limit is taken for it.
    pub fn of(code: &str) -> Self {
        let begins = |words: &[&str]| words.iter().any(|word| code.starts_with(word));
        let speaks_of = |words: &[&str]| words.iter().any(|word| code.contains(word));
        match code {
            _ if begins(&["DBClusterSnapshotNotFound", "DBSnapshotNotFound", "DBClusterNotFound"]) => {
                Self::SnapshotNotFound
            }
            _ if begins(&["InvalidExportSourceState"]) => Self::SnapshotNotReady,
            _ if begins(&["InvalidExportOnly"]) => Self::InvalidTables,
            _ if begins(&["InvalidS3Bucket"]) => Self::BucketRefused,
            _ if begins(&["IamRoleNotFound"]) => Self::RoleNotFound,
            _ if begins(&["IamRoleMissingPermissions"]) => Self::RoleRefused,
            _ if begins(&["KMSKeyNotAccessible"]) => Self::KeyRefused,
            _ if begins(&["InvalidParameter"]) => Self::InvalidName,
            _ if begins(&["AccessDenied", "UnauthorizedOperation", "NotAuthorized"]) => Self::Denied,
            _ if speaks_of(&["Throttl", "RequestLimitExceeded", "TooManyRequests", "SlowDown"]) => Self::Throttled,
            _ if speaks_of(&["Quota", "Limit", "TooMany"]) => Self::TooManyExports,
            _ => Self::RdsFailed,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::SnapshotNotFound => "SnapshotNotFound",
            Self::SnapshotNotReady => "SnapshotNotReady",
            Self::InvalidTables => "InvalidTables",
            Self::BucketRefused => "BucketRefused",
            Self::RoleNotFound => "RoleNotFound",
            Self::RoleRefused => "RoleRefused",
            Self::KeyRefused => "KeyRefused",
            Self::TooManyExports => "TooManyExports",
            Self::InvalidName => "InvalidName",
            Self::Denied => "Denied",
            Self::Throttled => "Throttled",
            Self::Unreachable => "Unreachable",
            Self::RdsFailed => "RdsFailed",
        }
    }

    fn advice(self, config: &Config) -> String {
        let Config { cluster, export_role_arn: role, bucket, kms_key_id: key, .. } = config;
        match self {
            Self::SnapshotNotFound => format!(
                "RDS has no such cluster snapshot or cluster in this account and region: list them with `aws rds \
                 describe-db-cluster-snapshots --db-cluster-identifier {cluster}`, and check DB_CLUSTER_IDENTIFIER"
            ),
            Self::SnapshotNotReady => "the source is still being made, or another export of it is running: send the \
                                       same event again when that has ended"
                .into(),
            Self::InvalidTables => "`tables` must name tables that are in the source, as database.table for MySQL and \
                                    database.schema.table for PostgreSQL"
                .into(),
            Self::BucketRefused => {
                format!(
                    "bucket {bucket} (S3_BUCKET_NAME) must exist in the region of the cluster, and RDS must reach it"
                )
            }
            Self::RoleNotFound => {
                format!("role {role} (EXPORT_ROLE_ARN) must exist and trust export.rds.amazonaws.com")
            }
            Self::RoleRefused => format!(
                "grant role {role} s3:PutObject*, s3:GetObject*, s3:DeleteObject*, s3:ListBucket and \
                 s3:GetBucketLocation on {bucket} and {bucket}/*"
            ),
            Self::KeyRefused => format!(
                "key {key} (KMS_KEY_ID) must be enabled, and this function needs kms:DescribeKey and kms:CreateGrant on \
                 it"
            ),
            Self::TooManyExports => {
                "an account runs five export tasks at once: wait for one to end, then send the same \
                                     event again"
                    .into()
            }
            Self::InvalidName => {
                format!("RDS refuses a value: check S3_BUCKET_NAME {bucket}, EXPORT_ROLE_ARN {role}, KMS_KEY_ID {key}")
            }
            Self::Denied => format!(
                "grant this function rds:DescribeDBClusters, rds:DescribeDBClusterSnapshots, rds:DescribeExportTasks, \
                 rds:StartExportTask, iam:PassRole on {role}, kms:DescribeKey and kms:CreateGrant on {key}"
            ),
            Self::Throttled => "RDS limits the calls of this account: send the same event again in a minute".into(),
            Self::Unreachable => "no answer came: check the way from this function to RDS (in a VPC: NAT or an \
                                  interface endpoint), then send the same event again, which finds a task that was \
                                  started all the same"
                .into(),
            Self::RdsFailed => {
                "RDS failed in a way that is not known here: send the same event again, and look up the \
                                code if that fails too"
                    .into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_on_the_wire_has_its_word() {
        for (code, word) in [
            ("DBClusterSnapshotNotFoundFault", "SnapshotNotFound"),
            ("DBSnapshotNotFound", "SnapshotNotFound"),
            ("DBClusterNotFoundFault", "SnapshotNotFound"),
            ("InvalidExportSourceState", "SnapshotNotReady"),
            ("InvalidExportSourceStateFault", "SnapshotNotReady"),
            ("InvalidExportOnly", "InvalidTables"),
            ("InvalidS3BucketFault", "BucketRefused"),
            ("IamRoleNotFound", "RoleNotFound"),
            ("IamRoleMissingPermissions", "RoleRefused"),
            ("KMSKeyNotAccessibleFault", "KeyRefused"),
            ("InvalidParameterValue", "InvalidName"),
            ("InvalidParameterCombination", "InvalidName"),
            ("AccessDenied", "Denied"),
            ("AccessDeniedException", "Denied"),
            ("UnauthorizedOperation", "Denied"),
            ("Throttling", "Throttled"),
            ("ThrottlingException", "Throttled"),
            ("RequestLimitExceeded", "Throttled"),
            ("ExportTaskQuotaExceeded", "TooManyExports"),
            ("ExportTaskLimitExceededFault", "TooManyExports"),
            ("ExportTaskLimitReachedFault", "TooManyExports"),
            ("TooManyExportTasks", "TooManyExports"),
            ("InternalFailure", "RdsFailed"),
            ("", "RdsFailed"),
        ] {
            assert_eq!(Reason::of(code).word(), word, "{code}");
        }
    }
}
