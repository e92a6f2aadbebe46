//! What the tests of this package have in common.

use chrono::DateTime;
use handoff::{MANIFEST_VERSION, Manifest, Table, TableState};

use crate::bucket::Object;
use crate::task::{Status, Task};

pub(crate) fn object(key: &str, size: u64) -> Object {
    Object { key: key.into(), size, last_modified: None }
}

pub(crate) fn task(id: &str, snapshot_time: &str) -> Task {
    let snapshot_time = snapshot_time.parse().unwrap();
    Task {
        id: id.parse().unwrap(),
        source_arn: "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:rds:shop-2026-11-21-17-05".into(),
        snapshot_time,
        started_at: snapshot_time,
        status: Status::Complete,
        export_only: Vec::new(),
        failure_cause: None,
        warning: None,
        kms_key_id: None,
    }
}

pub(crate) fn manifest(task: &Task) -> Manifest {
    Manifest {
        version: MANIFEST_VERSION,
        env: task.id.environment().clone(),
        export_date: task.id.date(),
        task_id: task.id.clone(),
        tasks: Vec::new(),
        snapshot_arn: task.source_arn.clone(),
        snapshot_time: task.snapshot_time,
        published_at: DateTime::UNIX_EPOCH,
        tables: Vec::new(),
        drift: Vec::new(),
        warnings: Vec::new(),
    }
}

pub(crate) fn table(name: &str, rows: u64, parts: u64, bytes: u64) -> Table {
    let state = if rows > 0 { TableState::Exported } else { TableState::Empty };
    Table {
        name: name.parse().unwrap(),
        prefix: String::new(),
        state,
        rows,
        bytes,
        parts,
        task_id: None,
        snapshot_time: None,
        newest_part_at: None,
        columns: Vec::new(),
    }
}
