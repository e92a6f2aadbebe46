//! What the footers of a whole export say, table by table.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::Error;
use crate::bucket::Bucket;
use crate::footer::{self, Footer, PartColumn};
use crate::inventory::Folder;
use crate::parquet_type::Kind;
use crate::task::Task;

/// Footers in flight. S3 answers 5,500 reads a second for a prefix; the memory is 64 footers of some kilobytes.
pub(crate) const READS_AT_ONCE: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Count<'a> {
    pub(crate) rows: u64,
    /// The key of the first part, and its columns, with what all parts say about them.
    pub(crate) columns: Option<(&'a str, Vec<PartColumn>)>,
}

/// One count for each folder, nothing where the table was not exported. Only counts and extremes are kept: the footers
/// of a big export together are much larger than what they say.
pub(crate) async fn count<'a>(
    bucket: Bucket<'_>,
    task: &Task,
    exported: &[bool],
    folders: &[Folder<'a>],
) -> Result<Vec<Count<'a>>, Error> {
    let mut counts: Vec<Count<'a>> = folders.iter().map(|_| Count::default()).collect();
    let exported = folders.iter().enumerate().filter(|(place, _)| exported[*place]);
    let parts = exported.flat_map(|(place, folder)| folder.parts.iter().map(move |part| (place, *part)));
    let reads = stream::iter(parts).map(|(place, part)| async move {
        let footer = footer::read(bucket, task, part).await?;
        Ok::<_, Error>((place, part, footer))
    });
    // In the order of the parts, so that an error names the same part each time.
    let mut reads = std::pin::pin!(reads.buffered(READS_AT_ONCE));
    while let Some((place, part, footer)) = reads.try_next().await? {
        add(&mut counts[place], task, &part.key, footer)?;
    }
    Ok(counts)
}

fn add<'a>(count: &mut Count<'a>, task: &Task, key: &'a str, footer: Footer) -> Result<(), Error> {
    count.rows += footer.rows;
    let Some((first, columns)) = &mut count.columns else {
        count.columns = Some((key, footer.columns));
        return Ok(());
    };
    if let Some(difference) = difference(columns, &footer.columns) {
        let (key, first) = (key.to_owned(), (*first).to_owned());
        return Err(Error::PartMismatch { key, first, difference, again: task.again() });
    }
    for (place, more) in footer.columns.into_iter().enumerate() {
        let in_place = columns.get(place).is_some_and(|column| column.name == more.name);
        let place = if in_place { Some(place) } else { columns.iter().position(|column| column.name == more.name) };
        if let Some(column) = place.and_then(|place| columns.get_mut(place)) {
            column.statistics.add(more.statistics);
        }
    }
    Ok(())
}

fn difference(first: &[PartColumn], other: &[PartColumn]) -> Option<String> {
    let mut names = first.iter().chain(other).map(|column| &column.name);
    let named = names.find_map(|name| match (kind_of(first, name), kind_of(other, name)) {
        (Some(one), Some(two)) if one == two => None,
        (Some(one), Some(two)) => Some(format!("{name} is {two} and not {one}")),
        (Some(_), None) => Some(format!("{name} is missing")),
        (None, _) => Some(format!("{name} is new")),
    });
    named.or_else(|| (first.len() != other.len()).then(|| "a column is named twice".into()))
}

fn kind_of<'c>(columns: &'c [PartColumn], name: &str) -> Option<&'c Kind> {
    columns.iter().find(|column| column.name == name).map(|column| &column.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::ColumnStatistics;
    use parquet::basic::Type::{INT32, INT64};

    fn columns(columns: &[(&str, Kind)]) -> Vec<PartColumn> {
        let column = |(name, kind): &(&str, Kind)| PartColumn {
            name: (*name).into(),
            kind: kind.clone(),
            statistics: ColumnStatistics::NONE,
        };
        columns.iter().map(column).collect()
    }

    #[test]
    fn parts_of_one_table_have_the_same_columns_in_any_order() {
        let id = || ("id", Kind::Physical(INT64, 0));
        let note = || ("note", Kind::Text("STRING"));
        let first = columns(&[id(), note()]);
        let told = |other: &[(&str, Kind)]| difference(&first, &columns(other));
        assert_eq!(told(&[note(), id()]), None);
        assert_eq!(told(&[id()]), Some("note is missing".into()));
        assert_eq!(told(&[("id", Kind::Physical(INT32, 0)), note()]), Some("id is INT32 and not INT64".into()));
        assert_eq!(told(&[id(), note(), ("x", Kind::Date)]), Some("x is new".into()));
        assert_eq!(told(&[id(), note(), id()]), Some("a column is named twice".into()));
    }
}
