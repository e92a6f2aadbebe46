//! The information files of an export. Numbers are sometimes text, as in RDS's own files.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{Export, TableSchema};

/// Few, so that a handful of tables already makes several files. RDS's number is larger and not documented.
pub(super) const TABLES_IN_ONE_FILE: usize = 3;

const BYTES_IN_GB: f64 = 1024.0 * 1024.0 * 1024.0;

/// What became of one table.
pub(super) struct Outcome {
    pub(super) table: TableSchema,
    pub(super) bytes: u64,
    pub(super) parts: usize,
    pub(super) began: DateTime<Utc>,
    pub(super) ended: DateTime<Utc>,
    pub(super) skipped: Option<String>,
}

pub(super) fn export_info(export: &Export, root: &str, began: DateTime<Utc>, bytes: u64) -> Value {
    json!({
        "exportTaskIdentifier": export.task,
        "sourceArn": export.source_arn,
        "exportOnly": export.only,
        "snapshotTime": export.snapshot_time.map(time),
        "taskStartTime": time(began),
        "taskEndTime": time(Utc::now()),
        "s3Bucket": export.bucket,
        "s3Prefix": export.prefix,
        "exportedFilesPath": root.trim_end_matches('/'),
        "iamRoleArn": export.role_arn,
        "kmsKeyId": export.kms_key_id,
        "status": "COMPLETE",
        "percentProgress": 100,
        "totalExportedDataInGB": gb(bytes),
    })
}

/// What RDS says of a database in which it finds no table to export. That a database without tables is the reason is
/// [unverified]; the entry itself has been seen, with any status.
const UNLISTED: &str = "FAILED_TO_EXTRACT_TABLES_LIST_FOR_DATABASE";

/// The keys and bodies of the `export_tables_info` files; `unlisted` databases have an entry without a table.
pub(super) fn tables_info(
    export: &Export,
    root: &str,
    outcomes: &[Outcome],
    unlisted: &[String],
) -> Vec<(String, Value)> {
    let databases = unlisted.iter();
    let databases = databases.map(|name| json!({"target": name, "status": "COMPLETE", "warningMessage": UNLISTED}));
    let entries: Vec<Value> = outcomes.iter().map(status).chain(databases).collect();
    let file = |(index, chunk): (usize, &[Value])| {
        let from = index * TABLES_IN_ONE_FILE + 1;
        let to = from + chunk.len() - 1;
        let key = format!("{root}export_tables_info_{}_from_{from}_to_{to}.json", export.task);
        (key, json!({"perTableStatus": chunk}))
    };
    entries.chunks(TABLES_IN_ONE_FILE).enumerate().map(file).collect()
}

/// The task's `WarningMessage`: JSON in a string. The three lists are those of the sample in the Aurora user guide,
/// "Monitoring snapshot exports"; what an entry of `skippedTables` holds is [unverified].
pub(super) fn warning(outcomes: &[Outcome], unlisted: &[String]) -> Option<String> {
    let skipped = |outcome: &Outcome| {
        let reason = outcome.skipped.as_ref()?;
        Some(json!({"target": outcome.table.target(), "reason": reason}))
    };
    let skipped: Vec<Value> = outcomes.iter().filter_map(skipped).collect();
    let general: Vec<Value> = unlisted.iter().map(|_| json!({"reason": UNLISTED})).collect();
    let something = !(skipped.is_empty() && general.is_empty());
    something.then(|| json!({"skippedTables": skipped, "skippedObjectives": [], "general": general}).to_string())
}

fn status(outcome: &Outcome) -> Value {
    let target = outcome.table.target();
    if let Some(reason) = &outcome.skipped {
        return json!({"target": target, "status": "SKIPPED", "warningMessage": reason});
    }
    let partitions = outcome.parts.to_string();
    json!({
        "target": target,
        "status": "COMPLETE",
        "sizeGB": gb(outcome.bytes),
        "tableStatistics": {
            "extractionStartTime": time(outcome.began),
            "extractionEndTime": time(outcome.ended),
            "partitioningInfo": {"numberOfPartitions": partitions, "numberOfCompletedPartitions": partitions},
        },
        "schemaMetadata": {"originalTypeMappings": mappings(&outcome.table)},
    })
}

fn mappings(table: &TableSchema) -> Vec<Value> {
    let mapping = |(index, (name, kind)): (usize, &(String, super::ColumnType))| {
        let number = |number: u64| if index % 2 == 0 { json!(number) } else { json!(number.to_string()) };
        json!({
            "columnName": name,
            "originalType": kind.original,
            "expectedExportedType": kind.exported.expected(),
            "originalCharMaxLength": number(kind.char_max_length),
            "originalNumPrecision": number(kind.num_precision),
            "originalDateTimePrecision": number(kind.datetime_precision),
        })
    };
    table.columns.iter().enumerate().map(mapping).collect()
}

#[allow(clippy::cast_precision_loss)] // a size in GB for people
fn gb(bytes: u64) -> f64 {
    bytes as f64 / BYTES_IN_GB
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
