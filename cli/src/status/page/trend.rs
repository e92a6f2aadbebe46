//! Rows, day by day.

use handoff::ExportDate;

use super::table;
use crate::status::facts::Load;
use crate::status::history::{DAYS, History};
use crate::status::judge::grouped;

const HEIGHT: u64 = 120;
const TOP: u64 = 20;
/// Of the width, in percent: a bar and the gap behind it.
const STEP: f64 = 100.0 / DAYS as f64;

/// A bar for each day, as wide as there is room.
pub fn rows(history: &History) -> String {
    let most = history.rows.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let bar = |(n, rows): (u32, &u64)| {
        // A day with few rows is not a day without any.
        let height = if *rows > 0 { (HEIGHT * rows / most).max(1) } else { 0 };
        let (x, y, width) = (f64::from(n) * STEP, TOP + HEIGHT - height, STEP * 0.75);
        format!("<rect class=\"bar\" x=\"{x:.2}%\" y=\"{y}\" width=\"{width:.2}%\" height=\"{height}\" rx=\"1\"/>")
    };
    let bars: String = (0..).zip(&history.rows).map(bar).collect();
    let days = history.days.iter().zip(&history.rows).rev().filter(|(_, rows)| **rows > 0);
    let row = |(day, rows): (&ExportDate, &u64)| {
        format!("<tr><th scope=\"row\">{day}</th><td class=\"number\">{}</td></tr>\n", grouped(*rows))
    };
    let (rows, most) = (days.map(row).collect::<String>(), grouped(most));
    let (low, height) = (TOP + HEIGHT, TOP + HEIGHT + 22);
    format!(
        "<svg class=\"wide\" height=\"{height}\" role=\"img\" aria-label=\"Rows that were loaded of each day, {most} at most; \
         the same as a table is below\">\n<text class=\"soft\" x=\"0\" y=\"12\">{most} rows</text>\
         <line class=\"tick\" x1=\"0\" x2=\"100%\" y1=\"{TOP}\" y2=\"{TOP}\"/><line class=\"tick\" x1=\"0\" x2=\"100%\" \
         y1=\"{low}\" y2=\"{low}\"/>\n{bars}\n{}</svg>\n<details><summary>Rows a day as a table</summary>\n{}</details>\n",
        ends(history, low + 16),
        table("Rows a day as a table", &["day", "#rows"], &rows),
    )
}

fn ends(history: &History, y: u64) -> String {
    let Some((first, last)) = history.days.first().zip(history.days.last()) else { return String::new() };
    format!(
        "<text class=\"soft\" x=\"0\" y=\"{y}\">{first}</text>\
         <text class=\"soft\" x=\"100%\" y=\"{y}\" text-anchor=\"end\">{last}</text>\n"
    )
}

/// A line over the sixty days between a table's fewest and most rows, and a dot where it ends.
pub fn spark(loads: &[&Load], days: &[ExportDate]) -> String {
    let rows = || loads.iter().filter_map(|load| load.rows);
    let (fewest, most) = (rows().min().unwrap_or(0), rows().max().unwrap_or(0));
    let point = |load: &&Load| {
        let day = days.iter().position(|day| *day == load.day)?;
        let above = (load.rows? - fewest) * 18;
        Some((day * 2, 20 - above.checked_div(most - fewest).unwrap_or(9)))
    };
    let points: Vec<(usize, u64)> = loads.iter().filter_map(point).collect();
    let Some((x, y)) = points.last() else { return "–".to_owned() };
    let line: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
    format!(
        "<svg class=\"spark\" width=\"124\" height=\"24\" viewBox=\"-2 -1 124 24\" aria-hidden=\"true\">\
         <polyline points=\"{}\"/><circle cx=\"{x}\" cy=\"{y}\" r=\"2\"/></svg>",
        line.join(" ")
    )
}
