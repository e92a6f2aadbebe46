//! A complete export, read back: what RDS announced, what stands in the bucket, and what the footers count.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use handoff::{Column, ExportKey, Statistics, TableName, TableState};
use tracing::info;

use crate::Error;
use crate::bucket::{Bucket, Object};
use crate::count::{Count, READS_AT_ONCE, count};
use crate::export_info::{self, Announced};
use crate::inventory::{self, Folder};
use crate::task::Task;
use crate::task_warning::task_warnings;

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
    let incomplete = |problem| Error::ExportIncomplete { task: task.id.clone(), problem, again: task.again() };
    let listing = bucket.list(&ExportKey::TaskPrefix(&task.id).to_string()).await?;
    let (announced, news) = announced(bucket, task, &listing).await?;
    let names: Vec<&TableName> = announced.iter().map(|table| &table.name).collect();
    let folders = inventory::sort(&task.id, &names, &listing).map_err(incomplete)?;
    let exported: Vec<bool> = announced.iter().map(|table| table.exported).collect();
    let counts = count(bucket, task, &exported, &folders).await?;
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
    let incomplete = |problem| Error::ExportIncomplete { task: task.id.clone(), problem, again: task.again() };
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
    files.insert(0, task.warning.as_deref().map(task_warnings).unwrap_or_default());
    let (tables, news): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    // The same is said in the task's warning and in the list.
    let news: BTreeSet<String> = news.into_iter().flatten().collect();
    Ok((export_info::merge(tables), news.into_iter().collect()))
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
    use crate::footer::PartColumn;
    use crate::parquet_type::Kind;
    use crate::samples;
    use crate::statistics::ColumnStatistics;

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
        let part = samples::object("k", 9);
        let with_part = Folder { parts: vec![&part], marked: true };
        let id = PartColumn {
            name: "ID".into(),
            kind: Kind::Decimal { precision: 20, scale: 0 },
            statistics: ColumnStatistics::NONE,
        };
        let counted = |rows| Count { rows, columns: Some(("k", vec![id.clone()])) };
        let table = settle(&announced(true, None), &with_part, counted(3));
        assert_eq!((table.state, table.rows, table.parts.len()), (TableState::Exported, 3, 1));
        assert_eq!(
            (&*table.columns[0].source_type, &*table.columns[0].parquet_type),
            ("bigint unsigned", "DECIMAL(20,0)")
        );

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
