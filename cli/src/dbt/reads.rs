//! What the query of a sync reads: as its text says, and as BigQuery itself says where it can be asked.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use lineage::{Sync, analyze};

use crate::clouds::Google;

/// Tables as `dataset.table`, or what is wrong with the query.
pub type Reads = Result<BTreeSet<String>, Vec<String>>;

/// BigQuery's list of a query's tables ends with this many.
const LONGEST_LIST: usize = 50;

/// By the text of their queries; where a project and a location are named, BigQuery is asked too.
pub async fn reads(syncs: Vec<Sync>, bigquery: Option<(&str, &str)>) -> Result<Vec<(Sync, Reads)>> {
    let google = bigquery.map(|_| Google::connect()).transpose()?;
    let asked = bigquery.zip(google).map(|((project, location), google)| Asked { google, project, location });
    let mut all = Vec::with_capacity(syncs.len());
    for sync in syncs {
        let reads = match &asked {
            Some(asked) => asked.reads(&sync).await?,
            None => by_its_text(&sync),
        };
        all.push((sync, reads));
    }
    Ok(all)
}

pub(super) fn by_its_text(sync: &Sync) -> Reads {
    let query = analyze(sync.query.trim().trim_end_matches(';'), &|_| None).map_err(|error| vec![error.to_string()])?;
    Ok(query.reads)
}

/// By dry runs, which cost nothing.
struct Asked<'a> {
    google: Google,
    project: &'a str,
    location: &'a str,
}

impl Asked<'_> {
    /// As its text says, where BigQuery agrees; as BigQuery says, where the text is not understood.
    async fn reads(&self, sync: &Sync) -> Result<Reads> {
        let referenced = self.google.referenced_tables(self.project, self.location, &sync.query).await;
        let referenced = match referenced {
            Ok(referenced) => referenced,
            Err(error) => return Ok(Err(vec![format!("BigQuery refuses the query: {error:#}")])),
        };
        let Ok(named) = by_its_text(sync) else { return Ok(Ok(referenced)) };
        let mut views = BTreeSet::new();
        for table in named.difference(&referenced) {
            if self.is_view(table).await? {
                views.insert(table.clone());
            }
        }
        let problems = disagreement(&named, &referenced, &views);
        Ok(if problems.is_empty() { Ok(named) } else { Err(problems) })
    }

    async fn is_view(&self, table: &str) -> Result<bool> {
        let (dataset, name) = table.split_once('.').with_context(|| format!("{table} has no dataset"))?;
        let path = format!("projects/{}/datasets/{dataset}/tables/{name}", self.project);
        let found = self.google.bigquery(&path).await.with_context(|| format!("look at {table}"))?;
        Ok(found.is_some_and(|found| found["type"].as_str().is_some_and(|kind| kind.ends_with("VIEW"))))
    }
}

/// BigQuery names the tables that a view reads, and need not name the view.
fn disagreement(named: &BTreeSet<String>, referenced: &BTreeSet<String>, views: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    if referenced.len() < LONGEST_LIST {
        let unread = named.difference(referenced).filter(|table| !views.contains(*table));
        problems.extend(unread.map(|table| format!("names {table}, which BigQuery does not read for it")));
    }
    if views.is_empty() {
        let unnamed = referenced.difference(named);
        problems.extend(unnamed.map(|table| format!("reads {table} in BigQuery, and its text does not say so")));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(tables: &[&str]) -> BTreeSet<String> {
        tables.iter().map(|table| (*table).to_owned()).collect()
    }

    fn told(named: &[&str], referenced: &[&str], views: &[&str]) -> Vec<String> {
        disagreement(&set(named), &set(referenced), &set(views))
    }

    #[test]
    fn bigquery_has_to_read_what_the_text_names_and_nothing_else() {
        assert!(told(&["mart.a", "mart.b"], &["mart.a", "mart.b"], &[]).is_empty());
        assert_eq!(
            told(&["mart.a", "mart.b"], &["mart.b", "mart.c"], &[]),
            [
                "names mart.a, which BigQuery does not read for it",
                "reads mart.c in BigQuery, and its text does not say so"
            ]
        );
    }

    #[test]
    fn a_view_stands_for_what_it_reads() {
        assert!(told(&["mart.v"], &["raw.t"], &["mart.v"]).is_empty());
        assert_eq!(told(&["mart.v", "mart.a"], &["raw.t"], &["mart.v"]).len(), 1, "mart.a is none");
    }

    #[test]
    fn a_list_that_bigquery_cut_short_proves_nothing_of_what_is_not_in_it() {
        let many: Vec<String> = (0..=LONGEST_LIST).map(|n| format!("mart.t{n}")).collect();
        let named: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(told(&named, &named[..LONGEST_LIST], &[]).is_empty());
        assert_eq!(told(&named[..3], &named[..2], &[]).len(), 1);
    }
}
