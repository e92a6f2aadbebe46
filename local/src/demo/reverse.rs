//! The way back: bigquery-to-s3 publishes two queries, three times: first, without any change, after a small one.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use handoff::ExportDate;
use serde::{Deserialize, Serialize};

use super::layers;
use super::lookup::{self, Application};
use super::steps::{Steps, grouped};
use super::sync::{FILES, LATE, Layout, SYNCS, Sync, is_row};
use crate::bigquery::PROJECT;
use crate::cloud::Cloud;
use crate::wire::{Keep, Recorded};

/// The plane that is gone with its only flight.
const GONE: &str = "N505SW";

/// A sync's rows at both ends, and what each run wrote.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Published {
    pub(super) layout: Layout,
    pub(super) bigquery: u64,
    pub(super) s3: u64,
    /// Rows that have the same values at both ends.
    pub(super) equal: u64,
    /// One that has not.
    #[serde(skip)]
    pub(super) difference: Option<String>,
    pub(super) first: Written,
    pub(super) unchanged: Written,
    pub(super) changed: Written,
}

/// What one run did with one sync, in its own words, and the PUTs of rows that S3 saw of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    #[serde(skip_deserializing)]
    pub(super) puts: u64,
}

impl Written {
    pub(super) fn rows(self) -> u64 {
        self.created + self.updated + self.deleted
    }
}

/// By the name of the sync.
type Run = BTreeMap<String, Written>;

pub(super) async fn reverse(
    steps: &mut Steps,
    cloud: &Cloud,
    date: ExportDate,
) -> Result<(BTreeMap<String, Published>, Application)> {
    let first = steps.run("publish", "bigquery-to-s3 (Cloud Run job)", run(cloud, "first", date), told).await?;
    let unchanged = steps.run("publish_unchanged", "bigquery-to-s3 again", run(cloud, "unchanged", date), told).await?;
    let mut application = lookup::ask(steps, cloud).await?;
    steps
        .run("change", "change a few flights in BigQuery (SQL)", change(cloud), |()| {
            format!("{LATE} is late at Boston, {GONE} never flew")
        })
        .await?;
    steps.run("dbt_again", "dbt again", layers::build(cloud), |()| "every sync is fresh".into()).await?;
    let changed = steps.run("publish_changed", "bigquery-to-s3 again", run(cloud, "changed", date), told).await?;
    lookup::ask_again(steps, &mut application).await?;
    let mut published = BTreeMap::new();
    for sync in &SYNCS {
        let of = |run: &Run| run.get(sync.name).copied().with_context(|| format!("the job left out {}", sync.name));
        let runs = [of(&first)?, of(&unchanged)?, of(&changed)?];
        published.insert(sync.name.to_owned(), compare(sync, cloud, runs).await?);
    }
    Ok((published, application))
}

/// What a deployment does: the list and its queries, and the dataset for query results.
pub(super) async fn prepare(cloud: &Cloud) -> Result<()> {
    for (name, text) in FILES {
        let file = cloud.syncs_file().with_file_name(name);
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    }
    cloud.wires.s3.keep(Keep::Heads);
    cloud.emulators.bigquery.create_dataset(&cloud.scratch_dataset()).await
}

/// As the workflow starts it, behind the gates.
async fn run(cloud: &Cloud, name: &str, date: ExportDate) -> Result<Run> {
    cloud.wires.s3.forget();
    let job = cloud.bigquery_to_s3()?.with("CLOUD_RUN_EXECUTION", &format!("bigquery-to-s3-{name}"));
    let job = job.with("GATES_FILE", &cloud.artifacts().join("gates.json").display().to_string());
    let finished = job.run(&["--export-date", &date.to_string(), "--json"]).await?;
    ensure!(finished.exit_code == Some(0), "bigquery-to-s3 ended with {:?}\n{}", finished.exit_code, finished.log);
    let mut run = answer(&finished.log).with_context(|| finished.log)?;
    let requests = cloud.wires.s3.requests();
    for (sync, written) in &mut run {
        written.puts = puts(&requests, &format!("/{}/{sync}/", cloud.app_bucket));
    }
    Ok(run)
}

/// The job's JSON object is a line of its log.
fn answer(log: &str) -> Option<Run> {
    #[derive(Deserialize)]
    struct Answer {
        syncs: Vec<Outcome>,
    }
    #[derive(Deserialize)]
    struct Outcome {
        sync: String,
        #[serde(flatten)]
        written: Written,
    }
    let answer = log.lines().rev().find_map(|line| serde_json::from_str::<Answer>(line).ok())?;
    Some(answer.syncs.into_iter().map(|outcome| (outcome.sync, outcome.written)).collect())
}

/// Rows, shards and lists of changed keys; the few objects that say what is published are not counted.
fn puts(requests: &[Recorded], prefix: &str) -> u64 {
    let puts = requests.iter().filter(|request| request.method == "PUT" && request.path.starts_with(prefix));
    puts.filter(|put| is_row(&put.path[prefix.len() - 1..]) || put.path.ends_with(".parquet")).count() as u64
}

async fn change(cloud: &Cloud) -> Result<()> {
    let flights = format!("`{PROJECT}.raw_nycflights13.flights`");
    let late = format!("UPDATE {flights} SET dep_delay = dep_delay + 60 WHERE tailnum = '{LATE}' AND dest = 'BOS'");
    let gone = format!("DELETE FROM {flights} WHERE tailnum = '{GONE}'");
    for sql in [late, gone] {
        cloud.emulators.bigquery.query(&sql).await?;
    }
    Ok(())
}

/// Row by row, value by value.
async fn compare(sync: &Sync, cloud: &Cloud, [first, unchanged, changed]: [Written; 3]) -> Result<Published> {
    let (bigquery, s3) = (sync.in_bigquery(cloud).await?, sync.in_s3(cloud)?);
    let (equal, other): (Vec<_>, Vec<_>) = bigquery.iter().partition(|(key, row)| s3.get(*key) == Some(*row));
    let difference = other.first().map(|(key, row)| match s3.get(*key) {
        Some(found) => format!("{row} in BigQuery, {found} in S3"),
        None => format!("{row} is not in S3"),
    });
    let (bigquery, s3, equal) = (bigquery.len() as u64, s3.len() as u64, equal.len() as u64);
    Ok(Published { layout: sync.layout, bigquery, s3, equal, difference, first, unchanged, changed })
}

/// `planes 1 updated, 1 deleted; routes nothing`
fn told(run: &Run) -> String {
    let syncs = run.iter().map(|(sync, Written { created, updated, deleted, .. })| {
        let counts = [(created, "created"), (updated, "updated"), (deleted, "deleted")];
        let counts = counts.iter().filter(|(count, _)| **count > 0);
        let counts: Vec<_> = counts.map(|(count, what)| format!("{} {what}", grouped(**count))).collect();
        if counts.is_empty() { format!("{sync} nothing") } else { format!("{sync} {}", counts.join(", ")) }
    });
    syncs.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_found_among_the_lines_of_the_log() {
        let log = "{\"severity\":\"INFO\",\"syncs\":1}\n\
                   {\"ok\":true,\"syncs\":[{\"sync\":\"planes\",\"created\":4043,\"updated\":0,\"deleted\":0,\"puts\":7}]}\nbye";
        let planes = Written { created: 4043, ..Written::default() };
        assert_eq!(answer(log), Some(BTreeMap::from([("planes".to_owned(), planes)])));
        assert_eq!(answer("{\"ok\":true,\"syncs\":[{\"sync\":\"planes\",\"state\":\"already_published\"}]}"), None);
    }

    #[test]
    fn a_line_says_what_became_of_each_sync() {
        let planes = Written { created: 4043, deleted: 1, ..Written::default() };
        let run = BTreeMap::from([("planes".to_owned(), planes), ("routes".to_owned(), Written::default())]);
        assert_eq!(told(&run), "planes 4,043 created, 1 deleted; routes nothing");
    }

    #[test]
    fn puts_of_rows_and_shards_count_and_those_of_the_publication_do_not() {
        let request =
            |method: &str, path: &str| Recorded { method: method.into(), path: path.into(), ..Recorded::default() };
        let requests = [
            request("PUT", "/demo-app/planes/0110/N14228.json"),
            request("PUT", "/demo-app/planes/g/20261125T190000Z/00003.parquet"),
            request("PUT", "/demo-app/planes/CURRENT"),
            request("PUT", "/demo-app/planes/g/20261125T190000Z/manifest.json"),
            request("GET", "/demo-app/planes/0110/N14228.json"),
            request("PUT", "/demo-app/routes/g/20261125T190000Z/00003.parquet"),
        ];
        assert_eq!(puts(&requests, "/demo-app/planes/"), 2);
    }
}
