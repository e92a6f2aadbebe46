//! bigquery-to-s3, a Cloud Run job: publishes the result of a BigQuery query to S3, whole or not at all, and writes
//! only what changed. See `docs/spec/bigquery-to-s3.md`.

pub mod counters;
pub mod json;
pub mod price;
pub mod put;
pub mod syncs;
