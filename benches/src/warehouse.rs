//! The warehouse: how long the demo's build takes, and a lineage where there are many tables, models and syncs.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lineage::{Column, DbtManifest, Direction, Lineage, NodeId, Sync};
use serde_json::{Map, Value, json};

use crate::Figures;

const TABLES: usize = 300;
const MODELS: usize = 500;
const SYNCS: usize = 50;
const COLUMNS: usize = 30;
/// The time that a person does not notice. What is slower is told.
const GOAL_MS: f64 = 500.0;

/// Of the demo: parsed, the freshness of its sources, six models and their tests on the laptop's BigQuery.
pub fn build() -> Result<Figures> {
    let mut demo = Command::new(local::tools::program("local")?);
    let output = demo.args(["demo", "--json"]).stderr(Stdio::inherit()).output().context("run the demo")?;
    ensure!(output.status.success(), "the demo ended with {}", output.status);
    let printed = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(printed.lines().last().unwrap_or_default()).context("read its report")?;
    let seconds = report["seconds"]["dbt"].as_f64().context("the demo built no layers")?;
    Ok(Figures::from([("dbt_build_seconds", seconds)]))
}

/// After the files are parsed: every query is read, and a column and a sync are followed.
pub fn lineage() -> Result<Figures> {
    let manifest = manifest().to_string();
    let dbt = DbtManifest::read(manifest.as_bytes())?;
    let syncs: Vec<Sync> = (0..SYNCS).map(sync).collect();
    let began = Instant::now();
    let (lineage, unknown) = Lineage::of(&dbt, &syncs, None);
    let column = Column { node: NodeId::Table("shop.table_0".to_owned()), name: "c1".to_owned() };
    let down = lineage.trace_column(&column);
    let up = lineage.trace(&NodeId::Sync("sync-0".to_owned()), Direction::Up);
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    ensure!(unknown.is_empty(), "{unknown:?}");
    ensure!(down.nodes.iter().any(|traced| matches!(traced.id, NodeId::Sync(_))), "the column reaches no sync");
    let tables = up.nodes.iter().filter(|traced| matches!(traced.id, NodeId::Table(_))).count();
    ensure!(tables > 1, "a sync of {tables} tables");
    if ms > GOAL_MS {
        eprintln!("bench: lineage took {ms:.0} ms, the goal is {GOAL_MS}");
    }
    Ok(Figures::from([("lineage_ms", ms)]))
}

/// A staging model for each table; then marts, each a join of two models before it with a window and a condition.
fn manifest() -> Value {
    let columns: Vec<String> = (0..COLUMNS).map(|n| format!("c{n}")).collect();
    let (mut sources, mut nodes) = (Map::new(), Map::new());
    for n in 0..TABLES {
        let named: Map<_, _> = columns.iter().map(|name| (name.clone(), json!({"name": name}))).collect();
        let source = json!({"schema": "raw_shop", "identifier": format!("table_{n}"), "columns": named,
                            "meta": {"isthmus_table": format!("shop.table_{n}")}});
        sources.insert(format!("source.{n}"), source);
        let list = columns.join(", ");
        let sql = format!("SELECT {list}, CAST(c0 AS INT64) AS id FROM `p`.`raw_shop`.`table_{n}`");
        nodes.insert(format!("model.{n}"), model("staging", n, &sql, &[format!("source.{n}")]));
    }
    for n in TABLES..MODELS {
        let (a, b) = (n - TABLES, (n * 7 + 1) % TABLES);
        let sums: Vec<String> = (2..COLUMNS).map(|c| format!("SUM(a.c{c} * b.c{c}) AS c{c}")).collect();
        let sql = format!(
            "WITH a AS (SELECT * FROM `p`.`staging`.`model_{a}` QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY c1) = 1)
            SELECT a.id, a.c1, {} FROM a LEFT JOIN `p`.`staging`.`model_{b}` AS b ON a.id = b.id
            WHERE a.c0 > (SELECT MIN(x.c0) FROM `p`.`staging`.`model_{b}` AS x) GROUP BY a.id, a.c1",
            sums.join(", ")
        );
        nodes.insert(format!("model.{n}"), model("mart", n, &sql, &[format!("model.{a}"), format!("model.{b}")]));
    }
    json!({"sources": sources, "nodes": nodes})
}

fn model(schema: &str, n: usize, sql: &str, parents: &[String]) -> Value {
    json!({"resource_type": "model", "schema": schema, "alias": format!("model_{n}"), "compiled_code": sql,
           "depends_on": {"nodes": parents}})
}

fn sync(n: usize) -> Sync {
    let (name, query) = (format!("sync-{n}"), format!("SELECT id, c1, c2 FROM mart.model_{}", TABLES + n));
    Sync { prefix: name.clone(), name, query, key: "id".to_owned(), layout: "packed".to_owned(), bucket: None }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_graph_that_is_measured_is_whole() -> anyhow::Result<()> {
        assert!(super::lineage()?.contains_key("lineage_ms"));
        Ok(())
    }
}
