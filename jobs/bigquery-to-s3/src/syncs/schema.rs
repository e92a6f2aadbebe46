//! The JSON Schema of the file, for editors and for checks before a deployment: `config/syncs.schema.json`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::rules::{
    BODY_BYTES, BUCKET_ENDS, BUCKET_LENGTH, BUCKET_STARTS, COLUMN_LENGTH, DEFAULT_BODY_BYTES, DEFAULT_DELETES,
    DEFAULT_GENERATIONS, DEFAULT_REJECTS, DEFAULT_SHARDS, DEFAULT_VERIFY_RUNS, GENERATIONS, NAME_LENGTH, PREFIX_LENGTH,
    ROWS, SHARDS, VERIFY_RUNS,
};
use super::{Limit, Mode, OnEmpty, Require};
use crate::json::Int64;

/// As it is written to `config/syncs.schema.json`.
pub fn schema() -> Value {
    yaml::schema_of::<File>()
}

/// The syncs of bigquery-to-s3: queries whose results are published to S3.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "syncs.yaml")]
#[allow(dead_code)] // only their shape is used; the reader tells more than serde could
struct File {
    /// Each by a name of lower-case letters, digits and hyphens, a letter first.
    #[schemars(extend("minProperties" = 1, "propertyNames" = {"pattern": name_pattern()}))]
    syncs: BTreeMap<String, SyncShape>,
}

/// One query whose result is published to one prefix.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Sync", extend("oneOf" = one_query(), "not" = packed_and_full()))]
#[allow(dead_code)]
struct SyncShape {
    /// The query itself.
    #[schemars(extend("pattern" = r"[^\s;]"))]
    query: Option<String>,
    /// A file with the query, beside this one.
    #[schemars(length(min = 1))]
    query_file: Option<String>,
    /// The column of the query's result that names a row.
    #[schemars(length(min = 1, max = COLUMN_LENGTH), extend("not" = {"pattern": NO_COLUMN}))]
    key: String,
    destination: DestinationShape,
    /// What lies in the bucket.
    layout: LayoutShape,
    /// What is written each time.
    #[schemars(extend("default" = "delta"))]
    mode: Option<Mode>,
    /// A power of two; a task of the job works on one shard at a time.
    #[schemars(extend("enum" = powers_of_two(), "default" = DEFAULT_SHARDS))]
    shards: Option<u32>,
    /// The generations that can be gone back to, the current one among them.
    #[schemars(range(min = *GENERATIONS.start(), max = *GENERATIONS.end()), extend("default" = DEFAULT_GENERATIONS))]
    keep_generations: Option<usize>,
    /// Within so many runs all of what stands is compared with what it should be, a part in each; 0: never.
    #[schemars(range(min = *VERIFY_RUNS.start(), max = *VERIFY_RUNS.end()), extend("default" = DEFAULT_VERIFY_RUNS))]
    verify_runs: Option<u32>,
    /// A row whose JSON is longer is rejected.
    #[schemars(range(min = *BODY_BYTES.start(), max = *BODY_BYTES.end()), extend("default" = DEFAULT_BODY_BYTES))]
    max_body_bytes: Option<usize>,
    /// How values are written.
    json: Option<JsonShape>,
    /// What stops a generation before it is published.
    guards: Option<GuardsShape>,
    /// `fresh`, the default where dbt builds marts: published only if it built them today, of loads that were proven.
    require: Option<Require>,
}

/// Where the objects go. No two syncs share a prefix, nor lies one within another's.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Destination")]
#[allow(dead_code)]
struct DestinationShape {
    /// Where it is left out, the variable `S3_BUCKET_NAME` names it, so that one list serves every environment.
    #[schemars(
        length(min = *BUCKET_LENGTH.start(), max = *BUCKET_LENGTH.end()),
        extend("pattern" = "^[a-z0-9][a-z0-9.-]*[a-z0-9]$", "not" = {"pattern": no_bucket()}),
    )]
    bucket: Option<String>,
    /// Letters, digits, `-`, `_` and `.`, divided by single slashes.
    #[schemars(
        length(min = 1, max = PREFIX_LENGTH),
        extend("pattern" = "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", "not" = {"pattern": r"(^|/)\.\.?(/|$)"}),
    )]
    prefix: String,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", rename = "Layout")]
#[allow(dead_code)]
enum LayoutShape {
    /// One object for each row, which an application reads with a plain GET.
    Objects,
    /// One Parquet object for each shard, which `lookup` reads.
    Packed,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Json")]
#[allow(dead_code)]
struct JsonShape {
    /// INT64 columns.
    #[schemars(extend("default" = "number"))]
    int64: Option<Int64>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Guards")]
#[allow(dead_code)]
struct GuardsShape {
    /// When the query has no row.
    #[schemars(extend("default" = "fail"))]
    on_empty: Option<OnEmpty>,
    /// Keys that are published and not in the query's result any more.
    #[schemars(extend("default" = limit(DEFAULT_DELETES)))]
    max_deletes: Option<LimitShape>,
    /// Rows that cannot be published.
    #[schemars(extend("default" = limit(DEFAULT_REJECTS)))]
    max_rejects: Option<LimitShape>,
}

/// So many rows or such a part of all, whichever is more. What is left out allows none.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Limit", extend("minProperties" = 1))]
#[allow(dead_code)]
struct LimitShape {
    #[schemars(range(min = *ROWS.start(), max = *ROWS.end()))]
    rows: Option<u64>,
    #[schemars(range(min = 0, max = 1))]
    fraction: Option<f64>,
}

/// What no column's name has: a digit first, or any ASCII sign but the underscore.
const NO_COLUMN: &str = r"^[0-9]|[\x00-/:-@\[-^`{-\x7f]";

fn name_pattern() -> String {
    format!("^[a-z][a-z0-9-]{{0,{}}}$", NAME_LENGTH - 1)
}

fn no_bucket() -> String {
    let starts = BUCKET_STARTS.join("|");
    let ends = BUCKET_ENDS.join("|").replace('.', r"\.");
    format!(r"\.\.|^({starts})|({ends})$|^[0-9]+(\.[0-9]+){{3}}$")
}

fn powers_of_two() -> Vec<u32> {
    SHARDS.filter(|number| number.is_power_of_two()).collect()
}

fn one_query() -> Value {
    json!([{"required": ["query"]}, {"required": ["query_file"]}])
}

fn packed_and_full() -> Value {
    json!({"required": ["layout", "mode"], "properties": {"layout": {"const": "packed"}, "mode": {"const": "full"}}})
}

fn limit(limit: Limit) -> Value {
    json!({"rows": limit.rows, "fraction": limit.fraction})
}
