//! A square for each day: of each table, of each sync. Told apart by form as well as by colour.

use super::{capital, table};
use crate::picture::escaped;
use crate::status::history::{Cell, History, Row};

const STEP: usize = 13;
const SIDE: usize = 11;
const NAMES: usize = 165;
const LONGEST_NAME: usize = 23;
const TOP: usize = 22;
const LINE: usize = 17;

pub fn calendar(history: &History) -> String {
    let groups = [("tables", &history.tables), ("syncs", &history.syncs)];
    let groups = groups.iter().filter(|(_, rows)| !rows.is_empty());
    let picture: String = groups.map(|(kind, rows)| group(kind, rows, history)).collect();
    if picture.is_empty() {
        return String::new();
    }
    let legend = [Cell::InTime, Cell::Late, Cell::Failed, Cell::None].map(|cell| {
        let square = square(cell, 0, 0);
        format!("<li><svg width=\"{SIDE}\" height=\"{SIDE}\" aria-hidden=\"true\">{square}</svg> {}</li>", cell.word())
    });
    let rows: String = history.tables.iter().chain(&history.syncs).map(|row| counted(row, history)).collect();
    format!(
        "<ul class=\"legend\">{}</ul>\n{picture}<details><summary>The calendar in words</summary>\n{}</details>\n",
        legend.concat(),
        table("The calendar in words", &["name", "#days in time", "late on", "failed on"], &rows)
    )
}

/// The names stay where they are while the days are scrolled.
fn group(kind: &str, rows: &[Row], history: &History) -> String {
    let (width, height) = (history.days.len() * STEP, TOP + rows.len() * LINE);
    let (mut names, mut drawn) = (String::new(), months(history));
    for (n, row) in rows.iter().enumerate() {
        let y = TOP + n * LINE;
        names.push_str(&format!("<text x=\"0\" y=\"{}\">{}</text>\n", y + SIDE - 1, escaped(&short(&row.name))));
        drawn.extend(row.cells.iter().enumerate().map(|(day, cell)| square(*cell, day * STEP, y)));
        drawn.push('\n');
    }
    format!(
        "<h3>{}</h3>\n<div class=\"beside\"><svg width=\"{NAMES}\" height=\"{height}\" aria-hidden=\"true\">\n{names}</svg>\
         <div class=\"scroll right\" role=\"region\" aria-label=\"Sixty days of {kind}\" tabindex=\"0\">\
         <svg width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"A square for each day of {} {kind}; the same in \
         words is below\">\n{drawn}</svg></div></div>\n",
        capital(kind),
        rows.len(),
    )
}

/// Where a month begins, and at the left end unless the next one would stand on it.
fn months(history: &History) -> String {
    let first = |(n, day): &(usize, &handoff::ExportDate)| *n == 0 || day.to_string().ends_with("-01");
    let months: Vec<_> = history.days.iter().enumerate().filter(first).collect();
    let crowded = months.get(1).is_some_and(|(n, _)| n * STEP < 60);
    let label = |(n, day): &(usize, &handoff::ExportDate)| {
        format!("<text class=\"soft\" x=\"{}\" y=\"12\">{}</text>\n", n * STEP, &day.to_string()[..7])
    };
    months.iter().skip(usize::from(crowded)).map(label).collect()
}

fn square(cell: Cell, x: usize, y: usize) -> String {
    let half = SIDE / 2;
    match cell {
        Cell::InTime => {
            format!("<rect class=\"good\" x=\"{x}\" y=\"{y}\" width=\"{SIDE}\" height=\"{SIDE}\" rx=\"2\"/>")
        }
        // Half of it: a triangle.
        Cell::Late => format!("<path class=\"late\" d=\"M{x} {}v-{SIDE}l{SIDE} {SIDE}z\"/>", y + SIDE),
        // A cross.
        Cell::Failed => {
            let (left, top, right, low) = (x + 1, y + 1, x + SIDE - 1, y + SIDE - 1);
            format!("<path class=\"failed\" d=\"M{left} {top}L{right} {low}M{right} {top}L{left} {low}\"/>")
        }
        Cell::None => format!("<circle class=\"none\" cx=\"{}\" cy=\"{}\" r=\"1.5\"/>", x + half, y + half),
    }
}

fn short(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= LONGEST_NAME {
        return name.to_owned();
    }
    letters[..LONGEST_NAME - 1].iter().collect::<String>() + "…"
}

fn counted(row: &Row, history: &History) -> String {
    let days = |wanted: Cell| -> Vec<String> {
        let of_kind = row.cells.iter().zip(&history.days).filter(|(cell, _)| **cell == wanted);
        of_kind.map(|(_, day)| day.to_string()).collect()
    };
    let listed = |wanted| {
        let days = days(wanted);
        if days.is_empty() { "–".to_owned() } else { days.join(", ") }
    };
    format!(
        "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>\n",
        escaped(&row.name),
        days(Cell::InTime).len(),
        listed(Cell::Late),
        listed(Cell::Failed)
    )
}
