//! What the page draws beside today: sixty days, the day's stages, what publications cost. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use handoff::{ExportDate, ExportTaskId, TaskKind};
use serde::Serialize;

use super::clock::Clock;
use super::facts::{Facts, Load, Sync};
use super::judge::is_good;

/// How far back the calendar goes.
pub const DAYS: u32 = 60;
/// More rows than this are hard to look at: those without a blemish become one.
const MANY: usize = 30;
/// US dollars for 1,000 PUTs to S3 Standard in Tokyo, as bigquery-to-s3 has it.
const PUTS_USD: f64 = 0.0047;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// There by the time of the day.
    InTime,
    /// There, and later than that.
    Late,
    Failed,
    /// Nothing is known of that day.
    None,
}

impl Cell {
    pub fn word(self) -> &'static str {
        match self {
            Self::InTime => "in time",
            Self::Late => "late",
            Self::Failed => "failed or missing",
            Self::None => "not known",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    pub name: String,
    /// The oldest day first.
    pub cells: Vec<Cell>,
}

/// A stage of the day; a moment where both ends are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    pub name: String,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    pub sync: String,
    /// How many publications the figures are of.
    pub publications: usize,
    pub puts_a_month: u64,
    pub usd_a_month: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    pub days: Vec<ExportDate>,
    pub tables: Vec<Row>,
    pub syncs: Vec<Row>,
    /// Rows that were loaded of each day; none where none was.
    pub rows: Vec<u64>,
    pub timeline: Vec<Span>,
    pub costs: Vec<Cost>,
}

impl History {
    pub fn of(facts: &Facts, clock: &Clock) -> Self {
        let days: Vec<ExportDate> = (0..DAYS).rev().map(|before| facts.day.days_before(before)).collect();
        let loads: &[Load] = facts.loads.as_deref().unwrap_or_default();
        let syncs: &[Sync] = facts.syncs.as_deref().unwrap_or_default();
        let rows = |day: &ExportDate| loads.iter().filter(|load| load.day == *day).filter_map(|load| load.rows).sum();
        Self {
            tables: merged(tables(facts, loads, &days, clock)),
            syncs: syncs.iter().map(|sync| published(sync, &days, clock)).collect(),
            rows: days.iter().map(rows).collect(),
            timeline: timeline(facts, loads, syncs),
            costs: syncs.iter().filter_map(cost).collect(),
            days,
        }
    }
}

/// The listed ones, and those that only the audit knows.
fn tables(facts: &Facts, loads: &[Load], days: &[ExportDate], clock: &Clock) -> Vec<Row> {
    let mut names: Vec<&str> = facts.listed.iter().flatten().map(String::as_str).collect();
    names.extend(loads.iter().map(|load| load.table.as_str()));
    names.sort_unstable();
    names.dedup();
    let row = |name: &str| {
        let of_table: Vec<&Load> = loads.iter().filter(|load| load.table == name).collect();
        Row { name: name.to_owned(), cells: days.iter().map(|day| cell(&of_table, *day, clock)).collect() }
    };
    names.into_iter().map(row).collect()
}

fn cell(of_table: &[&Load], day: ExportDate, clock: &Clock) -> Cell {
    match of_table.iter().find(|load| load.day == day) {
        // A day that was loaded once more, weeks later, was in time when it was the first time.
        Some(load) if is_good(&load.state) => in_time(load.first_good_at.unwrap_or(load.loaded_at), day, clock),
        Some(_) => Cell::Failed,
        // Since it is loaded at all, a day without a load is one that failed.
        None if of_table.iter().any(|load| load.day < day) && clock.is_due(day) => Cell::Failed,
        None => Cell::None,
    }
}

fn in_time(at: DateTime<Utc>, day: ExportDate, clock: &Clock) -> Cell {
    if at <= clock.due(day) { Cell::InTime } else { Cell::Late }
}

fn merged(rows: Vec<Row>) -> Vec<Row> {
    if rows.len() <= MANY {
        return rows;
    }
    let blemish = |row: &Row| {
        let first = row.cells.iter().position(|cell| *cell != Cell::None);
        row.cells[first.unwrap_or(0)..].iter().any(|cell| *cell != Cell::InTime)
    };
    let (mut shown, good): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(blemish);
    if !good.is_empty() {
        let any = |n: usize| good.iter().map(|row| row.cells[n]).find(|cell| *cell != Cell::None);
        let cells = (0..good[0].cells.len()).map(|n| any(n).unwrap_or(Cell::None)).collect();
        shown.push(Row { name: format!("{} tables, always in time", good.len()), cells });
    }
    shown
}

fn published(sync: &Sync, days: &[ExportDate], clock: &Clock) -> Row {
    let kept = sync.generations.iter().flatten().map(|generation| generation.published_at);
    let mut moments: Vec<DateTime<Utc>> = kept.chain(sync.published_at.iter().copied()).collect();
    moments.sort_unstable();
    let of_day = |day: ExportDate| {
        let (begins, ends) = (clock.begins(day), clock.begins(day) + TimeDelta::days(1));
        moments.iter().find(|at| (begins..ends).contains(*at)).copied()
    };
    // Older than what S3 keeps: nobody knows.
    let known_since = moments.first().copied();
    let cell = |day: &ExportDate| match (of_day(*day), known_since) {
        (Some(at), _) => in_time(at, *day, clock),
        (None, Some(first)) if clock.begins(*day) > first && clock.is_due(*day) => Cell::Failed,
        _ => Cell::None,
    };
    Row { name: sync.name.clone(), cells: days.iter().map(cell).collect() }
}

fn timeline(facts: &Facts, loads: &[Load], syncs: &[Sync]) -> Vec<Span> {
    let span = |name: &str, from, to| Span { name: name.to_owned(), from, to };
    let moment = |name: &str, at: DateTime<Utc>| span(name, at, at);
    let mut spans = Vec::new();
    if let Ok(Some(snapshot)) = &facts.snapshot {
        spans.push(moment("snapshot", snapshot.created_at));
    }
    for task in facts.tasks.iter().flatten() {
        let name = match task.id.parse().map(|id: ExportTaskId| id.kind()) {
            Ok(TaskKind::Spot(at)) => format!("spot export {}", at.format("%H%M%S")),
            _ => "export".to_owned(),
        };
        spans.extend(task.started_at.zip(task.ended_at).map(|(from, to)| span(&name, from, to)));
    }
    if let Ok(Some(manifest)) = &facts.manifest {
        spans.push(moment("manifest", manifest.published_at));
    }
    // The manual runs of an older day are not of this one.
    let begins = facts.tasks.iter().flatten().filter_map(|task| task.started_at).min();
    let runs = facts.runs.iter().flatten().filter(|run| run.started_at >= begins && begins.is_some());
    let (starts, ends): (Vec<_>, Vec<_>) = runs.filter_map(|run| run.started_at.zip(run.ended_at)).unzip();
    if let Some((from, to)) = starts.into_iter().min().zip(ends.into_iter().max()) {
        spans.push(span("transfer runs", from, to));
    }
    if let Some(proven) = loads.iter().filter(|load| load.day == facts.day).map(|load| load.loaded_at).max() {
        spans.push(moment("rows proven", proven));
    }
    if let Some(Ok(Some(build))) = &facts.dbt
        && build.day == facts.day
    {
        #[allow(clippy::cast_possible_truncation)] // hours at most
        let lasted = TimeDelta::milliseconds((build.seconds * 1e3) as i64);
        spans.push(span("dbt", build.ended_at - lasted, build.ended_at));
    }
    for sync in syncs {
        let newest = sync.generations.as_ref().ok().and_then(|generations| generations.first());
        let of_day = newest.filter(|generation| begins.is_some_and(|begins| generation.began_at >= begins));
        spans.extend(of_day.map(|newest| span(&format!("sync {}", sync.name), newest.began_at, newest.published_at)));
    }
    spans
}

/// As if each day of a month were like the days that are kept.
#[allow(clippy::cast_precision_loss)] // a count of requests is far below 2^52
fn cost(sync: &Sync) -> Option<Cost> {
    let kept = sync.generations.as_ref().ok().filter(|kept| !kept.is_empty())?;
    let puts: u64 = kept.iter().map(|generation| generation.puts).sum();
    let puts_a_month = 30 * puts / kept.len() as u64;
    let usd_a_month = puts_a_month as f64 / 1000.0 * PUTS_USD;
    Some(Cost { sync: sync.name.clone(), publications: kept.len(), puts_a_month, usd_a_month })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::judge::tests::{at, clock, good, load, published as generation};

    /// The newest cells of the only row, the newest last.
    fn last(rows: &[Row], cells: usize) -> &[Cell] {
        let row = &rows[0].cells;
        &row[row.len() - cells..]
    }

    #[test]
    fn a_table_s_day_is_as_its_newest_load_says_and_in_time_as_its_first_good_one() {
        let mut facts = good();
        facts.listed = Ok(vec!["a".into()]);
        let day = |day: &str, state: &str, first: Option<&str>, newest: &str| Load {
            first_good_at: first.map(at),
            loaded_at: at(newest),
            ..load(day, "a", state, 1)
        };
        facts.loads = Ok(vec![
            day("2026-11-19", "loaded", Some("-05:00"), "10:00"), // of a day before: in time long before
            day("2026-11-20", "short", None, "05:00"),
            day("2026-11-21", "loaded", None, "05:00"), // a day too late
            day("2026-11-22", "truncated", Some("05:00"), "10:00"),
        ]);
        // 05:00 of the 21st is after 09:00 of the 19th.
        let history = History::of(&facts, &clock("12:00"));
        assert_eq!(last(&history.tables, 5), [Cell::None, Cell::Late, Cell::Failed, Cell::Late, Cell::InTime]);
        assert_eq!((history.days.len(), history.rows[59], history.rows[0]), (60, 1, 0));
    }

    #[test]
    fn a_sync_s_days_are_known_as_far_back_as_s3_keeps_its_publications() {
        let mut facts = good();
        let sync = &mut facts.syncs.as_mut().unwrap()[0];
        sync.generations = Ok(vec![generation("09:30")]);
        sync.published_at = vec!["2026-11-19T20:30:00Z".parse().unwrap()]; // 05:30 of the 20th
        let history = History::of(&facts, &clock("12:00"));
        assert_eq!(last(&history.syncs, 4), [Cell::None, Cell::InTime, Cell::Failed, Cell::Late]);
    }

    #[test]
    fn of_many_tables_those_without_a_blemish_are_one_row() {
        let mut facts = good();
        facts.listed = Ok((0..40).map(|n| format!("t{n:02}")).collect());
        let mut loads: Vec<Load> = (0..40).map(|n| load("2026-11-22", &format!("t{n:02}"), "loaded", 1)).collect();
        loads[7].state = "short".into();
        facts.loads = Ok(loads);
        let names: Vec<String> = History::of(&facts, &clock("12:00")).tables.into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["t07", "39 tables, always in time"]);
    }

    #[test]
    fn the_stages_of_the_day_follow_each_other() {
        let history = History::of(&good(), &clock("12:00"));
        let spans: Vec<_> = history.timeline.iter().map(|span| (span.name.as_str(), span.from, span.to)).collect();
        let expected = [
            ("snapshot", at("02:05"), at("02:05")),
            ("export", at("04:00"), at("04:36")),
            ("manifest", at("04:40"), at("04:40")),
            ("rows proven", at("05:10"), at("05:10")),
            ("dbt", at("05:15"), at("05:20")),
            ("sync users", at("05:30"), at("05:30")),
        ];
        assert_eq!(spans, expected);
    }

    #[test]
    fn a_month_costs_thirty_times_the_average_publication() {
        let mut facts = good();
        let day = |puts| crate::status::facts::Published { puts, ..generation("05:30") };
        facts.syncs.as_mut().unwrap()[0].generations = Ok(vec![day(250_000), day(5_000_000)]);
        let cost = History::of(&facts, &clock("12:00")).costs.remove(0);
        assert_eq!(
            (cost.publications, cost.puts_a_month, format!("{:.2}", cost.usd_a_month)),
            (2, 78_750_000, "370.12".into())
        );
    }
}
