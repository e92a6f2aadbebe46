//! `isthmus dbt`: what the dbt project is told, out of the lists.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use handoff::TableList;
use isthmus::dbt::{Generated, Lists, Loaded, Project, exposures, loaded, reads, scaffold_file, source_files};

use crate::read_manifest;

#[derive(Debug, Subcommand)]
pub enum Dbt {
    /// Write the sources: tables, columns, freshness
    Sources(Sources),
    /// Write an exposure for each sync, by what its query reads
    Exposures(Exposures),
    /// Write a staging model for a table, with the cast that each column needs; then it is yours
    Scaffold(Scaffold),
}

#[derive(Debug, Args)]
pub struct Places {
    /// The list of tables
    #[arg(long, value_name = "FILE", default_value = "config/tables.yaml")]
    tables: PathBuf,
    /// The list of database-to-bigquery, where there is one
    #[arg(long, value_name = "FILE", default_value = "config/extracts.yaml")]
    extracts: PathBuf,
    /// The list of federated tables, where there are any
    #[arg(long, value_name = "FILE", default_value = "config/federated.yaml")]
    federated: PathBuf,
    /// The dbt project
    #[arg(long, value_name = "FOLDER", default_value = "warehouse")]
    warehouse: PathBuf,
}

#[derive(Debug, Args)]
pub struct Sources {
    #[command(flatten)]
    places: Places,
    /// The manifest of an export, for the columns; without it they stay as they are. `-` reads standard input
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Write nothing, and fail where a file is not what it should be
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Args)]
pub struct Exposures {
    #[command(flatten)]
    places: Places,
    /// The list of syncs
    #[arg(long, value_name = "FILE", default_value = "config/syncs.yaml")]
    syncs: PathBuf,
    /// Ask BigQuery what each query reads, by dry runs in this project, which cost nothing
    #[arg(long, value_name = "ID", requires = "location")]
    project: Option<String>,
    /// Where its datasets are
    #[arg(long, value_name = "LOCATION", env = "BIGQUERY_LOCATION")]
    location: Option<String>,
    /// Write nothing, and fail where the file is not what it should be
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Args)]
pub struct Scaffold {
    /// As the source database names it: `shop.orders`
    table: String,
    #[command(flatten)]
    places: Places,
    /// The manifest of an export; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
}

pub fn run(command: &Dbt) -> Result<bool> {
    match command {
        Dbt::Sources(Sources { places, manifest, check }) => {
            let manifest = manifest.as_deref().map(read_manifest).transpose()?;
            finish(
                &source_files(&sources(places)?, manifest.as_ref(), &places.warehouse)?,
                *check,
                "isthmus dbt sources",
            )
        }
        Dbt::Exposures(exposures) => match exposures.file()? {
            Ok(file) => finish(&[file], exposures.check, "isthmus dbt exposures"),
            Err(problems) => {
                for problem in &problems {
                    eprintln!("{problem}");
                }
                Ok(false)
            }
        },
        Dbt::Scaffold(Scaffold { table, places, manifest }) => {
            let list = TableList::read(&places.tables)?;
            let file = scaffold_file(&list, &read_manifest(manifest)?, table, &places.warehouse)?;
            file.write()?;
            println!("{}: name its columns as you speak of them, and test its key", file.path.display());
            Ok(true)
        }
    }
}

fn sources(places: &Places) -> Result<BTreeMap<String, Vec<Loaded>>> {
    let (tables, Places { extracts, federated, .. }) = (TableList::read(&places.tables)?, places);
    loaded(Lists { tables: &tables, extracts, federated })
}

impl Exposures {
    fn file(&self) -> Result<Result<Generated, Vec<String>>> {
        let mut project = Project::read(&self.places.warehouse);
        for (source, tables) in sources(&self.places)? {
            for table in tables {
                project = project.with_source(&table.dataset, &table.table, &source);
            }
        }
        let syncs = lineage::syncs(&self.syncs).context("the list of syncs")?;
        let bigquery = self.project.as_deref().zip(self.location.as_deref());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let reads = runtime.block_on(reads(syncs, bigquery))?;
        let path = self.places.warehouse.join("models/_syncs.yml");
        Ok(exposures(&reads, &project).map(|text| Generated { path, text }))
    }
}

fn finish(files: &[Generated], check: bool, command: &str) -> Result<bool> {
    if !check {
        files.iter().try_for_each(Generated::write)?;
        for file in files {
            println!("{}", file.path.display());
        }
        return Ok(true);
    }
    let differences: Vec<String> = files.iter().filter_map(Generated::difference).collect();
    for difference in &differences {
        eprintln!("{difference}");
    }
    if !differences.is_empty() {
        eprintln!("`{command}` writes them as they should be");
    }
    Ok(differences.is_empty())
}
