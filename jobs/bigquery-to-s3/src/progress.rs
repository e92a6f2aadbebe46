//! What a run says while it works: a bar where a person watches, a line every ten seconds elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;
use tracing::info;

use crate::counters::Counters;

const LINE_EVERY: Duration = Duration::from_secs(10);
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Gone from the screen when it is dropped.
pub struct Progress {
    shown: Arc<Shown>,
    ticker: JoinHandle<()>,
}

struct Shown {
    sync: String,
    counters: Arc<Counters>,
    expected: AtomicU64,
    began: Instant,
    bar: ProgressBar,
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.ticker.abort();
        self.shown.bar.finish_and_clear();
    }
}

impl Progress {
    pub fn start(sync: &str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let shown = Arc::new(Shown {
            sync: sync.to_owned(),
            counters: Arc::default(),
            expected: AtomicU64::new(0),
            began: Instant::now(),
            bar: if terminal { bar(sync) } else { ProgressBar::hidden() },
        });
        let every = if terminal { DRAW_EVERY } else { LINE_EVERY };
        let ticker = tokio::spawn(tick(Arc::clone(&shown), terminal, every));
        Self { shown, ticker }
    }

    /// What the run is doing when it is not writing rows.
    pub fn say(&self, what: &'static str) {
        self.shown.bar.set_message(what);
    }

    /// How many more rows there are to do.
    pub fn expect_more(&self, rows: u64) {
        let before = self.shown.expected.fetch_add(rows, Ordering::Relaxed);
        self.shown.bar.set_length(before + rows);
    }

    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shown.counters)
    }

    pub fn elapsed(&self) -> Duration {
        self.shown.began.elapsed()
    }
}

fn bar(sync: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {prefix} {wide_bar:.cyan/dim} {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_prefix(sync.to_owned())
}

async fn tick(shown: Arc<Shown>, terminal: bool, every: Duration) {
    let (mut puts, mut bytes) = (0, 0);
    loop {
        tokio::time::sleep(every).await;
        let counters = &shown.counters;
        let (puts_now, bytes_now) = (counters.puts.get(), counters.put_bytes.get());
        let rates = (rate(puts_now - puts, every), rate(bytes_now - bytes, every));
        (puts, bytes) = (puts_now, bytes_now);
        if terminal { shown.draw(rates) } else { shown.line(rates) }
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a figure for people
fn rate(n: u64, every: Duration) -> u64 {
    (n as f64 / every.as_secs_f64()) as u64
}

impl Shown {
    fn left(&self) -> Option<Duration> {
        let (done, expected) = (self.counters.rows_done.get(), self.expected.load(Ordering::Relaxed));
        let left = u32::try_from(expected.saturating_sub(done)).ok()?;
        (done > 0).then(|| self.began.elapsed().saturating_mul(left) / u32::try_from(done).unwrap_or(u32::MAX))
    }

    fn draw(&self, (puts, bytes): (u64, u64)) {
        let expected = self.expected.load(Ordering::Relaxed);
        self.bar.tick();
        if expected == 0 {
            return;
        }
        let (done, slow_downs) = (self.counters.rows_done.get(), self.counters.slow_downs.get());
        self.bar.set_position(done);
        let left = self.left().map_or(String::new(), |left| format!(", {:#} left", HumanDuration(left)));
        let slow = if slow_downs > 0 { format!(", {slow_downs} times 503") } else { String::new() };
        let (done, expected, puts, bytes) =
            (HumanCount(done), HumanCount(expected), HumanCount(puts), HumanBytes(bytes));
        self.bar.set_message(format!("{done}/{expected} rows, {puts} objects/s, {bytes}/s{slow}{left}"));
    }

    fn line(&self, (puts, bytes): (u64, u64)) {
        let (rows, expected) = (self.counters.rows_done.get(), self.expected.load(Ordering::Relaxed));
        let (slow_downs, retries) = (self.counters.slow_downs.get(), self.counters.put_retries.get());
        let seconds_left = self.left().map(|left| left.as_secs());
        let sync = &self.sync;
        info!(
            event = "progress",
            sync,
            rows,
            expected,
            objects_per_s = puts,
            bytes_per_s = bytes,
            slow_downs,
            retries,
            seconds_left,
            "{sync}: {rows} of {expected} rows, {puts} objects/s"
        );
    }
}
