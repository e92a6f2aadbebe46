//! An export task, and how it is shown.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::wire::{Xml, bare};
use crate::export::Export;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Starting,
    InProgress,
    Complete,
    Failed,
    Canceling,
    Canceled,
}

/// A task, as `DescribeExportTasks` shows it.
#[derive(Debug, Clone)]
pub struct ExportTask {
    pub export: Export,
    pub status: Status,
    pub percent: u8,
    pub started: Option<DateTime<Utc>>,
    pub ended: Option<DateTime<Utc>>,
    pub bytes: u64,
    pub failure: Option<String>,
    pub warning: Option<String>,
    pub(super) cancel: Arc<Notify>,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::InProgress => "IN_PROGRESS",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
            Self::Canceling => "CANCELING",
            Self::Canceled => "CANCELED",
        }
    }

    pub fn has_ended(self) -> bool {
        matches!(self, Self::Complete | Self::Failed | Self::Canceled)
    }
}

impl ExportTask {
    pub(super) fn xml(&self) -> Xml {
        let only = self.export.only.iter().map(|entry| bare(entry));
        Xml::default()
            .text("ExportTaskIdentifier", &self.export.task)
            .text("SourceArn", &self.export.source_arn)
            .list("ExportOnly", "member", only)
            .time("SnapshotTime", self.export.snapshot_time)
            .time("TaskStartTime", self.started)
            .time("TaskEndTime", self.ended)
            .text("S3Bucket", &self.export.bucket)
            .text("S3Prefix", &self.export.prefix)
            .text("IamRoleArn", &self.export.role_arn)
            .text("KmsKeyId", &self.export.kms_key_id)
            .text("Status", self.status.as_str())
            .text("PercentProgress", self.percent.to_string())
            .text("TotalExtractedDataInGB", (self.bytes >> 30).to_string())
            .maybe("FailureCause", self.failure.as_ref())
            .maybe("WarningMessage", self.warning.as_ref())
            .text("SourceType", if self.export.is_of_a_live_cluster() { "CLUSTER" } else { "SNAPSHOT" })
    }
}
