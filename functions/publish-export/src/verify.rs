//! A complete export, read back: what RDS announced, what stands in the bucket, and what the footers count.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use handoff::{Column, ExportKey, Statistics, TableName, TableState};
use tracing::info;

use crate::Error;
use crate::bucket::{Bucket, Object};
use crate::export_info::{self, Announced};
use crate::footer::{self, Footer, PartColumn};
use crate::inventory::{self, Folder};
use crate::task::Task;

/// Footers in flight. S3 answers 5,500 reads a second for a prefix; the memory is 64 footers of some kilobytes.
const READS_AT_ONCE: usize = 64;

/// What the manifest can say about an export.
#[derive(Debug)]
pub(crate) struct Verified {
    /// In the order of their names.
    pub(crate) tables: Vec<VerifiedTable>,
    /// What RDS said beyond single tables.
    pub(crate) news: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct VerifiedTable {
    pub(crate) name: TableName,
    pub(crate) state: TableState,
    pub(crate) rows: u64,
    pub(crate) columns: Vec<Column>,
    pub(crate) parts: Vec<Object>,
    pub(crate) warning: Option<String>,
}

pub(crate) async fn verify(bucket: Bucket<'_>, task: &Task) -> Result<Verified, Error> {
    let incomplete = |problem| Error::ExportIncomplete { task: task.id.clone(), problem };
    let listing = bucket.list(&ExportKey::TaskPrefix(&task.id).to_string()).await?;
    let (announced, news) = announced(bucket, task, &listing).await?;
    let names: Vec<&TableName> = announced.iter().map(|table| &table.name).collect();
    let folders = inventory::sort(&task.id, &names, &listing).map_err(incomplete)?;
    let counts = count(bucket, &announced, &folders).await?;
    let tables = announced.iter().zip(folders).zip(counts);
    let tables: Vec<VerifiedTable> = tables.map(|((table, folder), count)| settle(table, &folder, count)).collect();
    let (parts, rows) = tables.iter().fold((0, 0), |(parts, rows), t| (parts + t.parts.len(), rows + t.rows));
    info!(task_id = %task.id, tables = tables.len(), parts, rows, "verified {}", task.id);
    Ok(Verified { tables, news })
}

async fn announced(
    bucket: Bucket<'_>,
    task: &Task,
    listing: &[Object],
) -> Result<(Vec<Announced>, Vec<String>), Error> {
    let incomplete = |problem| Error::ExportIncomplete { task: task.id.clone(), problem };
    let key = ExportKey::ExportInfo(&task.id).to_string();
    let info = bucket.get(&key).await?.ok_or_else(|| incomplete(format!("there is no {key}")))?;
    export_info::check_export_info(&info, &task.id).map_err(incomplete)?;

    let prefix = ExportKey::ExportTablesInfoPrefix(&task.id).to_string();
    let keys = listing.iter().map(|object| &object.key);
    let keys: Vec<&String> = keys.filter(|key| key.starts_with(&prefix)).collect();
    export_info::check_ranges(keys.iter().map(|key| key.as_str())).map_err(incomplete)?;
    let reads = stream::iter(keys).map(|key| async move {
        let file = bucket.get(key).await?.ok_or_else(|| incomplete(format!("{key} is gone")))?;
        export_info::announced_tables(&file).map_err(|problem| incomplete(format!("{key}: {problem}")))
    });
    let mut files: Vec<(Vec<Announced>, Vec<String>)> = reads.buffered(READS_AT_ONCE).try_collect().await?;
    files.insert(0, task.warning.as_deref().map(export_info::task_warnings).unwrap_or_default());
    let (tables, news): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    // The same is said in the task's warning and in the list.
    let news: BTreeSet<String> = news.into_iter().flatten().collect();
    Ok((export_info::merge(tables), news.into_iter().collect()))
}

#[derive(Debug, Default)]
struct Count<'a> {
    rows: u64,
    /// The columns of the first part, and its key.
    columns: Option<(&'a str, Vec<PartColumn>)>,
}

/// Only counts are kept: the footers of a big export together are much larger than what they say.
async fn count<'a>(
    bucket: Bucket<'_>,
    announced: &[Announced],
    folders: &[Folder<'a>],
) -> Result<Vec<Count<'a>>, Error> {
    let mut counts: Vec<Count<'a>> = folders.iter().map(|_| Count::default()).collect();
    let exported = folders.iter().enumerate().filter(|(place, _)| announced[*place].exported);
    let parts = exported.flat_map(|(place, folder)| folder.parts.iter().map(move |part| (place, *part)));
    let reads = stream::iter(parts).map(|(place, part)| async move {
        let footer = footer::read(bucket, part).await?;
        Ok::<_, Error>((place, part, footer))
    });
    // In the order of the parts, so that an error names the same part each time.
    let mut reads = std::pin::pin!(reads.buffered(READS_AT_ONCE));
    while let Some((place, part, footer)) = reads.try_next().await? {
        add(&mut counts[place], &part.key, footer)?;
    }
    Ok(counts)
}

fn add<'a>(count: &mut Count<'a>, key: &'a str, footer: Footer) -> Result<(), Error> {
    count.rows += footer.rows;
    let Some((first, columns)) = &count.columns else {
        count.columns = Some((key, footer.columns));
        return Ok(());
    };
    match difference(columns, &footer.columns) {
        None => Ok(()),
        Some(difference) => Err(Error::PartMismatch { key: key.to_owned(), first: (*first).to_owned(), difference }),
    }
}

fn difference(first: &[PartColumn], other: &[PartColumn]) -> Option<String> {
    let of = |columns: &[PartColumn], name: &str| {
        columns.iter().find(|column| column.name == name).map(|column| column.parquet_type.clone())
    };
    let named = first.iter().chain(other).find_map(|column| match (of(first, &column.name), of(other, &column.name)) {
        (Some(one), Some(two)) if one == two => None,
        (Some(one), Some(two)) => Some(format!("{} is {two} and not {one}", column.name)),
        (Some(_), None) => Some(format!("{} is missing", column.name)),
        (None, _) => Some(format!("{} is new", column.name)),
    });
    named.or_else(|| (first.len() != other.len()).then(|| "a column is named twice".into()))
}

fn settle(table: &Announced, folder: &Folder<'_>, count: Count<'_>) -> VerifiedTable {
    let verified = |state, rows, columns, parts, warning: Option<String>| {
        let (name, warning) = (table.name.clone(), warning.map(|warning| format!("{}: {warning}", table.name)));
        VerifiedTable { name, state, rows, columns, parts, warning }
    };
    if !table.exported {
        // Parts of a table that RDS gave up are no truth about it.
        return verified(TableState::Skipped, 0, Vec::new(), Vec::new(), table.warning.clone());
    }
    match count.columns {
        Some((_, columns)) if count.rows > 0 => {
            let columns = columns.iter().map(|column| column.with_source_type(source_type(table, &column.name)));
            let parts = folder.parts.iter().map(|part| (*part).clone()).collect();
            verified(TableState::Exported, count.rows, columns.collect(), parts, table.warning.clone())
        }
        _ => {
            let no_trace = "RDS left no trace of it in the bucket: taken as empty";
            let unmarked = !folder.marked && folder.parts.is_empty();
            let warning = table.warning.clone().or_else(|| unmarked.then(|| no_trace.into()));
            verified(TableState::Empty, 0, announced_columns(table), Vec::new(), warning)
        }
    }
}

fn source_type<'a>(table: &'a Announced, column: &str) -> &'a str {
    let exact = table.columns.iter().find(|announced| announced.name == column);
    let known = exact.or_else(|| table.columns.iter().find(|a| a.name.eq_ignore_ascii_case(column)));
    known.map_or("unknown", |announced| announced.source_type.as_str())
}

/// Without a part, RDS's announcement is all there is.
fn announced_columns(table: &Announced) -> Vec<Column> {
    let column = |announced: &export_info::AnnouncedColumn| Column {
        name: announced.name.clone(),
        source_type: announced.source_type.clone(),
        parquet_type: announced.expected_type.clone(),
        statistics: Statistics::default(),
    };
    table.columns.iter().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(columns: &[(&str, &str)]) -> Vec<PartColumn> {
        let column = |(name, kind): &(&str, &str)| PartColumn { name: (*name).into(), parquet_type: (*kind).into() };
        columns.iter().map(column).collect()
    }

    #[test]
    fn parts_of_one_table_have_the_same_columns_in_any_order() {
        let first = columns(&[("id", "INT64"), ("note", "STRING")]);
        let told = |other: &[(&str, &str)]| difference(&first, &columns(other));
        assert_eq!(told(&[("note", "STRING"), ("id", "INT64")]), None);
        assert_eq!(told(&[("id", "INT64")]), Some("note is missing".into()));
        assert_eq!(told(&[("id", "INT32"), ("note", "STRING")]), Some("id is INT32 and not INT64".into()));
        assert_eq!(told(&[("id", "INT64"), ("note", "STRING"), ("x", "INT32")]), Some("x is new".into()));
        let twice = [("id", "INT64"), ("note", "STRING"), ("id", "INT64")];
        assert_eq!(told(&twice), Some("a column is named twice".into()));
    }

    fn announced(exported: bool, warning: Option<&str>) -> Announced {
        let column = export_info::AnnouncedColumn {
            name: "id".into(),
            source_type: "bigint unsigned".into(),
            expected_type: "decimal".into(),
        };
        let name = "shop.orders".parse().unwrap();
        Announced { name, exported, warning: warning.map(Into::into), columns: vec![column] }
    }

    #[test]
    fn a_table_is_exported_empty_or_skipped_by_what_was_counted() {
        let part = Object { key: "k".into(), size: 9 };
        let with_part = Folder { parts: vec![&part], marked: true };
        let counted = |rows| Count { rows, columns: Some(("k", columns(&[("ID", "DECIMAL(20,0)")]))) };
        let table = settle(&announced(true, None), &with_part, counted(3));
        assert_eq!((table.state, table.rows, table.parts.len()), (TableState::Exported, 3, 1));
        assert_eq!(table.columns[0].source_type, "bigint unsigned");

        let table = settle(&announced(true, None), &with_part, counted(0));
        assert_eq!((table.state, table.rows, table.parts.len()), (TableState::Empty, 0, 0));

        let marked = Folder { parts: vec![], marked: true };
        let table = settle(&announced(true, None), &marked, Count::default());
        assert_eq!((table.state, table.warning, table.columns.len()), (TableState::Empty, None, 1));

        let table = settle(&announced(true, None), &Folder::default(), Count::default());
        let told = "shop.orders: RDS left no trace of it in the bucket: taken as empty";
        assert_eq!((table.state, table.warning.as_deref()), (TableState::Empty, Some(told)));

        let table = settle(&announced(false, Some("too wide")), &with_part, counted(3));
        assert_eq!((table.state, table.rows, table.parts.len()), (TableState::Skipped, 0, 0));
        assert_eq!(table.warning.as_deref(), Some("shop.orders: too wide"));
    }
}
