//! What a run says while it reads: a bar for each table where a person watches, a line every ten seconds elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use handoff::TableName;
use indicatif::{HumanCount, HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;
use tracing::info;

use crate::order::Meter;

const LINE_EVERY: Duration = Duration::from_secs(10);
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Gone from the screen when it is dropped.
pub struct Progress {
    terminal: bool,
    bars: MultiProgress,
    shown: Arc<Mutex<Vec<Shown>>>,
    ticker: JoinHandle<()>,
}

/// One table under way; it is told of until this is dropped.
pub struct Showing {
    pub meter: Arc<Meter>,
    shown: Arc<Mutex<Vec<Shown>>>,
}

struct Shown {
    table: String,
    meter: Arc<Meter>,
    began: Instant,
    bar: ProgressBar,
}

impl Progress {
    pub fn start() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let shown: Arc<Mutex<Vec<Shown>>> = Arc::default();
        let ticking = Arc::clone(&shown);
        let ticker = tokio::spawn(async move {
            loop {
                tokio::time::sleep(if terminal { DRAW_EVERY } else { LINE_EVERY }).await;
                let shown = ticking.lock().unwrap_or_else(PoisonError::into_inner);
                shown.iter().for_each(|shown| if terminal { shown.draw() } else { shown.line() });
            }
        });
        Self { terminal, bars: MultiProgress::new(), shown, ticker }
    }

    pub fn table(&self, table: &TableName) -> Showing {
        let (table, meter) = (table.to_string(), Arc::<Meter>::default());
        let bar = if self.terminal { self.bars.add(bar(&table)) } else { ProgressBar::hidden() };
        let shown = Shown { table, meter: Arc::clone(&meter), began: Instant::now(), bar };
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).push(shown);
        Showing { meter, shown: Arc::clone(&self.shown) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.ticker.abort();
    }
}

impl Drop for Showing {
    fn drop(&mut self) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in shown.extract_if(.., |shown| Arc::ptr_eq(&shown.meter, &self.meter)) {
            gone.bar.finish_and_clear();
        }
    }
}

fn bar(table: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {prefix} {wide_bar:.cyan/dim} {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_prefix(table.to_owned())
}

impl Shown {
    fn figures(&self) -> (u64, u64, u64, Option<Duration>) {
        let (rows, expected) = (self.meter.read.load(Ordering::Relaxed), self.meter.expected.load(Ordering::Relaxed));
        let elapsed = self.began.elapsed();
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = rows.saturating_mul(1000) / millis;
        let left = expected.checked_sub(rows).filter(|_| rows > 0 && rate > 0);
        (rows, expected, rate, left.map(|left| Duration::from_secs(left / rate)))
    }

    fn draw(&self) {
        let (rows, expected, rate, left) = self.figures();
        self.bar.set_length(expected.max(rows));
        self.bar.set_position(rows);
        let left = left.map_or(String::new(), |left| format!(", {:#} left", HumanDuration(left)));
        self.bar.set_message(format!(
            "{}/~{} rows, {}/s{left}",
            HumanCount(rows),
            HumanCount(expected),
            HumanCount(rate)
        ));
    }

    fn line(&self) {
        let (rows, expected, rows_per_s, left) = self.figures();
        let (table, seconds_left) = (&self.table, left.map(|left| left.as_secs()));
        info!(
            event = "progress",
            table,
            rows,
            expected,
            rows_per_s,
            seconds_left,
            "{table}: {rows} of about {expected} rows, {rows_per_s} rows/s"
        );
    }
}
