//! The stages of the day, one below the other, over the hours. As wide as there is room: places are parts of the width.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use handoff::ExportDate;

use super::table;
use crate::picture::escaped;
use crate::status::clock::{Clock, length};
use crate::status::history::{History, Span};

const NAMES: usize = 165;
const LINE: usize = 26;
const TOP: usize = 26;
/// Seconds between two ticks.
const STEPS: [i64; 16] = [1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 28_800, 86_400];
const TICKS: i64 = 4;

pub fn timeline(history: &History, clock: &Clock, day: ExportDate) -> String {
    // The snapshot is hours older: it would press the rest against the edge.
    let spans: Vec<&Span> = history.timeline.iter().filter(|span| span.name != "snapshot").collect();
    let ends = spans.iter().map(|span| span.from).min().zip(spans.iter().map(|span| span.to).max());
    let Some((from, to)) = ends else { return String::new() };
    let scale = Scale { from, to: to.max(from + TimeDelta::seconds(1)) };
    let height = TOP + LINE * spans.len();
    let (mut names, mut drawn) = (String::new(), ticks(&scale, height, clock));
    for (n, span) in spans.iter().enumerate() {
        let y = TOP + n * LINE;
        names.push_str(&format!("<text x=\"0\" y=\"{}\">{}</text>\n", y + 15, escaped(&span.name)));
        drawn.push_str(&bar(span, &scale, y));
    }
    format!(
        "<div class=\"beside\"><svg width=\"{NAMES}\" height=\"{height}\" aria-hidden=\"true\">\n{names}</svg>\
         <svg class=\"wide\" height=\"{height}\" role=\"img\" aria-label=\"When each stage of the day began and ended; the same \
         as a table is below\">\n{drawn}</svg></div>\n<details><summary>The stages as a table</summary>\n{}</details>\n",
        as_table(history, clock, day)
    )
}

fn as_table(history: &History, clock: &Clock, day: ExportDate) -> String {
    let row = |span: &Span| {
        let (name, from, to) = (escaped(&span.name), clock.time(span.from, day), clock.time(span.to, day));
        let lasted = if span.from == span.to { "–".to_owned() } else { exact(span.to - span.from) };
        format!(
            "<tr><th scope=\"row\">{name}</th><td>{from}</td><td>{to}</td><td class=\"number\">{lasted}</td></tr>\n"
        )
    };
    let rows: String = history.timeline.iter().map(row).collect();
    table("The stages as a table", &["stage", "from", "to", "#lasted"], &rows)
}

struct Scale {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Scale {
    /// In percent, with room at both ends for the marks of moments.
    #[allow(clippy::cast_precision_loss)] // milliseconds of a day
    fn x(&self, at: DateTime<Utc>) -> f64 {
        let (whole, part) = (self.to - self.from, at - self.from);
        2.0 + 96.0 * part.num_milliseconds() as f64 / whole.num_milliseconds().max(1) as f64
    }
}

fn bar(span: &Span, scale: &Scale, y: usize) -> String {
    let (from, to) = (scale.x(span.from), scale.x(span.to));
    if span.from == span.to {
        return format!("<circle class=\"moment\" cx=\"{from:.2}%\" cy=\"{}\" r=\"5\"/>\n", y + 11);
    }
    // So that the shortest stage is seen.
    let width = (to - from).max(0.6);
    format!("<rect class=\"bar\" x=\"{from:.2}%\" y=\"{}\" width=\"{width:.2}%\" height=\"14\" rx=\"3\"/>\n", y + 4)
}

/// At times that are round in the zone.
fn ticks(scale: &Scale, height: usize, clock: &Clock) -> String {
    let whole = (scale.to - scale.from).num_seconds();
    let step = STEPS.into_iter().find(|step| whole / step <= TICKS).unwrap_or(86_400);
    let format = if step < 60 { "%H:%M:%S" } else { "%H:%M" };
    let local = scale.from.with_timezone(&clock.zone);
    let Ok(first) = local.duration_trunc(TimeDelta::seconds(step)) else { return String::new() };
    let times = (1..=TICKS + 1).map(|n| first + TimeDelta::seconds(step * n)).filter(|at| *at <= scale.to);
    let tick = |at: DateTime<chrono_tz::Tz>| {
        let (x, time) = (scale.x(at.to_utc()), at.format(format));
        let anchor = if x > 90.0 { "end" } else { "middle" };
        format!(
            "<line class=\"tick\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"18\" y2=\"{height}\"/>\
             <text class=\"soft\" x=\"{x:.2}%\" y=\"12\" text-anchor=\"{anchor}\">{time}</text>\n"
        )
    };
    times.map(tick).collect()
}

/// Stages of a small day last seconds.
fn exact(duration: TimeDelta) -> String {
    match duration.num_milliseconds() {
        #[allow(clippy::cast_precision_loss)]
        millis if millis < 60_000 => format!("{:.1} s", millis as f64 / 1e3),
        _ => length(duration),
    }
}
