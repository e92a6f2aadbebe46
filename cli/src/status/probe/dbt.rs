//! What the job dbt left in the config bucket.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use handoff::ExportDate;
use serde::Deserialize;

use super::{Questions, known, why};
use crate::status::facts::{Asked, Build};

#[derive(Deserialize)]
struct Results {
    metadata: Metadata,
    elapsed_time: f64,
    #[serde(rename = "results")]
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Metadata {
    generated_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Node {
    unique_id: String,
    status: String,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Gates {
    export_date: ExportDate,
    syncs: BTreeMap<String, Gate>,
}

#[derive(Deserialize)]
struct Gate {
    fresh: bool,
    #[serde(default)]
    because: Vec<String>,
}

impl Questions<'_> {
    /// Off only where somebody says so: that no build is found means that one is missing.
    pub(super) async fn dbt(&self) -> Option<Asked<Option<Build>>> {
        if self.arguments.no_dbt {
            return None;
        }
        match self.arguments.place.environment() {
            Ok(Some(environment)) if !environment.dbt => None,
            Ok(_) => Some(self.build().await),
            Err(why) => Some(Err(why)),
        }
    }

    async fn build(&self) -> Asked<Option<Build>> {
        let (google, ..) = self.project()?;
        let bucket = known(&self.names.config_bucket)?;
        let read =
            async |name: &str| google.object(bucket, name).await.map_err(why(format!("read gs://{bucket}/{name}")));
        let Some(results) = read("dbt/run_results.json").await? else { return Ok(None) };
        let Some(gates) = read("dbt/gates.json").await? else { return Ok(None) };
        build(&results, &gates).map(Some).map_err(|error| format!("gs://{bucket}/dbt: {error}"))
    }
}

fn build(results: &[u8], gates: &[u8]) -> Result<Build, serde_json::Error> {
    let (results, gates): (Results, Gates) = (serde_json::from_slice(results)?, serde_json::from_slice(gates)?);
    let bad = |node: &&Node| ["error", "fail", "runtime error"].contains(&node.status.as_str());
    let said = |node: &Node| {
        let name = node.unique_id.splitn(3, '.').last().unwrap_or_default().to_owned();
        (name, node.message.clone().unwrap_or_else(|| node.status.clone()).trim().to_owned())
    };
    let not_fresh = gates.syncs.into_iter().filter(|(_, gate)| !gate.fresh);
    Ok(Build {
        day: gates.export_date,
        ended_at: results.metadata.generated_at,
        seconds: results.elapsed_time,
        nodes: results.nodes.len(),
        failed: results.nodes.iter().filter(bad).map(said).collect(),
        not_fresh: not_fresh.map(|(sync, gate)| (sync, gate.because.join("; "))).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_named_with_its_message_and_what_is_not_fresh_with_its_reasons() {
        let results = br#"{"metadata":{"generated_at":"2026-11-21T20:10:00.123456Z"},"elapsed_time":61.5,"results":[
            {"unique_id":"model.acme.fct_orders","status":"success","message":"OK"},
            {"unique_id":"test.acme.unique_orders.ab12","status":"fail","message":"Got 2 results\n"},
            {"unique_id":"model.acme.daily","status":"skipped","message":null}]}"#;
        let gates = br#"{"export_date":"2026-11-22","syncs":{"a":{"fresh":true,"because":[]},
            "b":{"fresh":false,"because":["test unique_orders: Got 2 results","model daily: skipped"]}}}"#;
        let build = build(results, gates).unwrap();
        assert_eq!(build.failed, [("unique_orders.ab12".to_owned(), "Got 2 results".to_owned())]);
        assert_eq!(
            build.not_fresh,
            [("b".to_owned(), "test unique_orders: Got 2 results; model daily: skipped".to_owned())]
        );
        assert_eq!((build.nodes, build.day.to_string().as_str()), (3, "2026-11-22"));
    }
}
