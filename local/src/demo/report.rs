//! What the demo ends with: the proof, the figures, and how to look around.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Serialize;

use super::source::DATABASE;
use crate::bigquery::PROJECT;
use crate::cloud::Cloud;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) tables: BTreeMap<String, Counts>,
    pub(super) seconds: BTreeMap<&'static str, f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) source: u64,
    pub(super) manifest: u64,
    pub(super) bigquery: u64,
}

impl Report {
    pub(super) fn print(&self) {
        eprintln!("\n  {:<24}{:>12}{:>12}{:>12}", "table", "MariaDB", "manifest", "BigQuery");
        for (table, counts) in &self.tables {
            let numbers = [counts.source, counts.manifest, counts.bigquery].map(grouped);
            let mark = if counts.agree() { "✓" } else { "✗" };
            eprintln!("  {table:<24}{:>12}{:>12}{:>12}  {mark}", numbers[0], numbers[1], numbers[2]);
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong: Vec<&str> = self.tables.iter().filter(|(_, c)| !c.agree()).map(|(name, _)| name.as_str()).collect();
        ensure!(wrong.is_empty(), "row counts differ for {}", wrong.join(", "));
        Ok(())
    }
}

impl Counts {
    fn agree(self) -> bool {
        self.source == self.manifest && self.manifest == self.bigquery
    }
}

/// 336,776
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Commands that work as they stand while the demo is kept running.
pub(super) fn look_around(cloud: &Cloud, mariadb_port: u16) -> String {
    let (s3, rds) = (cloud.s3.endpoint(), cloud.rds.endpoint());
    let (transfer, bigquery) = (cloud.transfer.endpoint(), cloud.emulators.bigquery.endpoint());
    let day = format!("s3://{}/", cloud.bucket);
    format!(
        "Look around (Ctrl-C stops everything):
  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=ap-northeast-1
  export CLOUDSDK_AUTH_ACCESS_TOKEN=local
  aws --endpoint-url {rds} rds describe-export-tasks
  aws --endpoint-url {s3} s3 ls --recursive {day}
  bq --api {bigquery} --project_id {PROJECT} query --nouse_legacy_sql \\
    'SELECT * FROM {audit}.loads ORDER BY table_name'
  bq --api {bigquery} --project_id {PROJECT} query --nouse_legacy_sql \\
    'SELECT dest, COUNT(*) AS flights FROM raw_{DATABASE}.flights GROUP BY dest ORDER BY flights DESC LIMIT 5'
  curl {transfer}/v1/projects/{PROJECT}/locations/asia-northeast1/transferConfigs
  mariadb --host 127.0.0.1 --port {mariadb_port} --user root {DATABASE}
",
        audit = cloud.audit_dataset(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 336_776, 1_234_567].map(grouped), ["0", "999", "1,000", "336,776", "1,234,567"]);
    }

    #[test]
    fn a_count_that_differs_anywhere_fails_the_demo_and_names_the_table() {
        let right = Counts { source: 1, manifest: 1, bigquery: 1 };
        for wrong in [Counts { source: 2, ..right }, Counts { manifest: 2, ..right }, Counts { bigquery: 0, ..right }] {
            let tables = BTreeMap::from([("planes".to_owned(), right), ("flights".to_owned(), wrong)]);
            let report = Report { tables, seconds: BTreeMap::new() };
            assert_eq!(report.check().unwrap_err().to_string(), "row counts differ for flights");
        }
    }
}
