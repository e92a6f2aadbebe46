//! What a load is compared with beside the number of rows: what the manifest knows of the columns, and BigQuery's answer
//! to the same questions. Pure.

mod comparable;

use chrono::{DateTime, TimeDelta, Utc};
use google_cloud_bigquery_v2::model::TableFieldSchema;
use google_cloud_wkt::Struct;
use handoff::{Column, Proof};

use comparable::Comparable;

/// What every load is compared with.
pub const ROWS: &str = "rows";
/// How many differences stand in a message.
const TOLD: usize = 3;

/// One query, and what it should answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questions {
    proof: Proof,
    asked: Vec<Question>,
    /// In the manifest, and not in BigQuery.
    lacking: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    /// As BigQuery spells it.
    column: String,
    what: What,
    expected: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Nulls,
    Min(Comparable),
    Max(Comparable),
}

impl Questions {
    pub fn of(proof: Proof, columns: &[Column], fields: &[TableFieldSchema], snapshot: DateTime<Utc>) -> Self {
        let columns: Vec<&Column> = match proof {
            Proof::Counts => newest_time(columns, fields, snapshot).into_iter().collect(),
            Proof::Statistics => columns.iter().collect(),
        };
        let (mut asked, mut lacking) = (Vec::new(), Vec::new());
        for column in columns {
            match field_of(fields, &column.name) {
                Some(field) if proof == Proof::Statistics => asked.extend(all(column, field)),
                Some(field) => asked.extend(max(column, field)),
                None => lacking.push(column.name.clone()),
            }
        }
        Self { proof, asked, lacking }
    }

    /// What is compared, in words.
    pub fn proof(&self) -> String {
        let mut columns: Vec<&str> = self.asked.iter().map(|question| question.column.as_str()).collect();
        columns.dedup();
        match (self.proof, &columns[..]) {
            (_, []) => ROWS.to_owned(),
            (Proof::Counts, columns) => format!("{ROWS} and the newest {}", columns.join(", ")),
            (Proof::Statistics, columns) => format!("{ROWS}, nulls and extremes of {} columns", columns.len()),
        }
    }

    /// `None` where nothing is asked.
    pub fn sql(&self, table: &str) -> Option<String> {
        let asked = self.asked.iter().enumerate().map(|(n, question)| format!("{} AS c{n}", question.sql()));
        let asked: Vec<String> = asked.collect();
        (!asked.is_empty()).then(|| format!("SELECT {} FROM {table}", asked.join(", ")))
    }

    /// Each answer that is another, in words.
    pub fn differences(&self, answers: &[Option<String>]) -> Vec<String> {
        let lacking = self.lacking.iter().map(|column| format!("there is no column {column}"));
        let answers = answers.iter().map(Option::as_deref).chain(std::iter::repeat(None));
        lacking
            .chain(self.asked.iter().zip(answers).filter_map(|(question, found)| question.difference(found)))
            .collect()
    }
}

impl Question {
    fn sql(&self) -> String {
        let column = format!("`{}`", self.column.replace('`', "\\`"));
        match self.what {
            What::Nulls => format!("COUNTIF({column} IS NULL)"),
            What::Min(comparable) => comparable.sql(&format!("MIN({column})")),
            What::Max(comparable) => comparable.sql(&format!("MAX({column})")),
        }
    }

    fn difference(&self, found: Option<&str>) -> Option<String> {
        let Self { column, what, expected } = self;
        let found_text = found.unwrap_or("nothing");
        match what {
            What::Nulls if found_text == expected => None,
            What::Nulls => Some(format!("{column} has {found_text} nulls, in the export {expected}")),
            What::Min(comparable) | What::Max(comparable) => {
                let end = if matches!(what, What::Min(_)) { "smallest" } else { "largest" };
                let same = found.is_some_and(|found| comparable.same(expected, found));
                let (found, expected) = (short(&comparable.readable(found_text)), short(expected));
                (!same).then(|| format!("the {end} {column} is {found}, in the export {expected}"))
            }
        }
    }
}

fn all(column: &Column, field: &TableFieldSchema) -> Vec<Question> {
    let ask = |what, expected: &Option<String>| {
        expected.clone().map(|expected| Question { column: field.name.clone(), what, expected })
    };
    // A list has no null of its own: an empty one stands for it.
    let nulls = column.statistics.nulls.filter(|_| field.mode != "REPEATED").map(|nulls| nulls.to_string());
    let ends = Comparable::of(&column.parquet_type, &field.r#type).into_iter().flat_map(|comparable| {
        let min = ask(What::Min(comparable), &column.statistics.min);
        [min, ask(What::Max(comparable), &column.statistics.max)]
    });
    [ask(What::Nulls, &nulls)].into_iter().chain(ends).flatten().collect()
}

fn max(column: &Column, field: &TableFieldSchema) -> Option<Question> {
    all(column, field).into_iter().find(|question| matches!(question.what, What::Max(_)))
}

/// The column that tells best whether the rows are those of the day: of the times, the one whose newest value is nearest
/// before the snapshot. A day that is yet to come (an expiry, 9999-12-31) is the same yesterday.
fn newest_time<'a>(columns: &'a [Column], fields: &[TableFieldSchema], snapshot: DateTime<Utc>) -> Option<&'a Column> {
    // A wall clock is written as if it were UTC, so it may be some hours ahead.
    let latest = (snapshot + TimeDelta::days(1)).format("%Y-%m-%d").to_string();
    let is_time = |column: &&Column| ["datetime", "timestamp"].iter().any(|kind| column.source_type.starts_with(kind));
    let asked = |column: &&Column| field_of(fields, &column.name).is_some_and(|field| max(column, field).is_some());
    let newest = |column: &&Column| column.statistics.max.clone();
    let times: Vec<&Column> = columns.iter().filter(is_time).filter(asked).collect();
    let past = times.iter().copied().filter(|column| newest(column).is_some_and(|max| max.get(..10) <= Some(&*latest)));
    past.max_by_key(newest).or_else(|| times.first().copied())
}

/// BigQuery's names are the same whatever their case.
fn field_of<'a>(fields: &'a [TableFieldSchema], name: &str) -> Option<&'a TableFieldSchema> {
    fields.iter().find(|field| field.name.to_lowercase() == name.to_lowercase())
}

pub fn answers(row: &Struct) -> Vec<Option<String>> {
    crate::bigquery::cells(row).map(|cell| cell.map(str::to_owned)).collect()
}

pub fn told(differences: &[String]) -> String {
    let more = differences.len().saturating_sub(TOLD);
    let told = differences.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
    let more = if more == 0 { String::new() } else { format!("; and {more} more differences") };
    format!("as many rows as the export, and not the same: {told}{more}")
}

fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
