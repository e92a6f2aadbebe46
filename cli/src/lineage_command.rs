//! `isthmus lineage`: from a table of the database to the application, and back.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use isthmus::picture;
use lineage::{Column, DbtManifest, Direction, Lineage, NodeId, Trace, impact};

use crate::read_manifest;

#[derive(Debug, Args)]
pub struct LineageArguments {
    /// What comes of this table of the database: `shop.orders`
    #[arg(long, value_name = "TABLE", required_unless_present_any = ["sync", "impact"], conflicts_with_all = ["sync", "impact"])]
    table: Option<String>,
    /// Only of this column of the table
    #[arg(long, requires = "table")]
    column: Option<String>,
    /// What this sync is made of
    #[arg(long, value_name = "NAME", conflicts_with = "impact")]
    sync: Option<String>,
    /// What breaks by the drift in the manifest of an export; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    impact: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// What dbt wrote when it compiled or built the project; the job leaves it in the config bucket as dbt/manifest.json
    #[arg(long, value_name = "FILE", default_value = "warehouse/target/manifest.json")]
    dbt: PathBuf,
    /// The list of syncs
    #[arg(long, value_name = "FILE", default_value = "config/syncs.yaml")]
    syncs: PathBuf,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
    Mermaid,
    Html,
}

/// False where a sync reads what nothing makes, or drift breaks something.
pub fn run(arguments: &LineageArguments) -> Result<bool> {
    let bytes = std::fs::read(&arguments.dbt)
        .with_context(|| format!("read {}: `dbt compile` or the job dbt makes it", arguments.dbt.display()))?;
    let dbt = DbtManifest::read(&bytes).with_context(|| arguments.dbt.display().to_string())?;
    let syncs = lineage::syncs(&arguments.syncs).context("the list of syncs")?;
    let (lineage, unknown) = Lineage::of(&dbt, &syncs, None);
    for wrong in &unknown {
        eprintln!("sync {} {}", wrong.sync, wrong.problem);
    }
    if let Some(file) = &arguments.impact {
        return told(&lineage, &read_manifest(file)?, arguments.format).map(|harmless| harmless && unknown.is_empty());
    }
    let (trace, title) = traced(&lineage, arguments)?;
    match arguments.format {
        Format::Text => print!("{}", picture::text(&trace)),
        Format::Json => println!("{}", serde_json::to_string_pretty(&trace)?),
        Format::Mermaid => print!("{}", picture::mermaid(&trace)),
        Format::Html => print!("{}", picture::html(&trace, &title)),
    }
    Ok(unknown.is_empty())
}

fn traced(lineage: &Lineage, arguments: &LineageArguments) -> Result<(Trace, String)> {
    if let Some(sync) = &arguments.sync {
        let id = NodeId::Sync(sync.clone());
        ensure!(lineage.nodes.contains_key(&id), "there is no sync {sync}; there are: {}", names(lineage, &id));
        return Ok((lineage.trace(&id, Direction::Up), format!("sync {sync}")));
    }
    let table = arguments.table.clone().unwrap_or_default();
    let id = NodeId::Table(table.clone());
    let node = lineage.nodes.get(&id);
    let node = node.with_context(|| format!("no source is {table}; there are: {}", names(lineage, &id)))?;
    let Some(column) = &arguments.column else { return Ok((lineage.trace(&id, Direction::Down), table)) };
    let name = column.to_lowercase();
    ensure!(node.columns.contains(&name), "{table} has no column {column}; it has: {}", node.columns.join(", "));
    Ok((lineage.trace_column(&Column { node: id, name }), format!("{table}.{column}")))
}

/// All of the same kind.
fn names(lineage: &Lineage, like: &NodeId) -> String {
    let kind = std::mem::discriminant(like);
    let same = lineage.nodes.keys().filter(|id| std::mem::discriminant(*id) == kind);
    same.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn told(lineage: &Lineage, manifest: &handoff::Manifest, format: Format) -> Result<bool> {
    let impacts = impact(lineage, &manifest.drift);
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&impacts)?),
        _ if impacts.is_empty() => println!("no drift in {}", manifest.task_id),
        _ => impacts.iter().for_each(|impact| println!("{impact}")),
    }
    Ok(impacts.iter().all(|impact| impact.breaks.is_empty()))
}
