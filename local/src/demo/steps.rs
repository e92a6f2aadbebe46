//! What the demo says while it works: a line a step, with a spinner where a person watches.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// The steps so far, each with its seconds.
#[derive(Default)]
pub(super) struct Steps(Vec<(&'static str, f64)>);

impl Steps {
    /// Does `work` as the step `key`, told to people as `title`; `outcome` is what its line ends with.
    pub(super) async fn run<T>(
        &mut self,
        key: &'static str,
        title: &str,
        work: impl Future<Output = Result<T>>,
        outcome: impl FnOnce(&T) -> String,
    ) -> Result<T> {
        let (began, spinner) = (Instant::now(), spinner(title));
        let done = work.await.with_context(|| title.to_owned());
        spinner.finish_and_clear();
        let done = done?;
        let seconds = began.elapsed().as_secs_f64();
        eprintln!("  {title:<44} {seconds:>6.1} s   {}", outcome(&done));
        self.0.push((key, seconds));
        Ok(done)
    }

    /// The seconds of each step, and of all.
    pub(super) fn total(&self) -> BTreeMap<&'static str, f64> {
        let total = self.0.iter().map(|(_, seconds)| seconds).sum();
        self.0.iter().copied().chain([("total", total)]).collect()
    }
}

fn spinner(title: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{spinner} {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let spinner = ProgressBar::new_spinner().with_style(style).with_message(title.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// 336,776
pub(super) fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}
