//! `isthmus status`: how the day stands, from both clouds. Facts are gathered, each by a question of its own; what they
//! mean is decided without any call; then it is shown as text, as JSON or as a page.

pub mod arguments;
pub(crate) mod clock;
pub mod facts;
pub mod history;
pub(crate) mod judge;
mod page;
pub(crate) mod probe;
pub mod report;
mod text;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::Utc;

pub use arguments::StatusArguments;
use clock::Clock;
use facts::Facts;
use history::History;
use report::{Report, State};

/// The exit code.
pub async fn run(arguments: &StatusArguments) -> Result<u8> {
    loop {
        let clock = Clock { now: Utc::now(), zone: arguments.place.timezone.zone(), ready_by: arguments.ready_by };
        let facts = probe::facts(arguments, &clock).await;
        let report = judge::judge(&facts, &clock);
        let again = arguments.watch.filter(|_| matches!(report.state, State::Waiting | State::Unknown));
        show(arguments, &facts, &report, &clock)?;
        let Some(pause) = again else { return Ok(report.exit_code) };
        tokio::time::sleep(pause).await;
    }
}

fn show(arguments: &StatusArguments, facts: &Facts, report: &Report, clock: &Clock) -> Result<()> {
    if arguments.json {
        println!("{}", serde_json::json!({"report": report, "facts": facts}));
        return Ok(());
    }
    if let Some(file) = &arguments.html {
        let page = page::html(report, facts, &History::of(facts, clock), clock);
        whole(file, &page).with_context(|| format!("write {}", file.display()))?;
    }
    // A terminal shows one state, a log all of them.
    if arguments.watch.is_some() && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        print!("\x1b[2J\x1b[H");
    }
    print!("{}", text::text(report, clock.zone));
    std::io::stdout().flush().context("print the status")
}

/// Whoever reads the page meanwhile sees the old one or the new one.
fn whole(file: &Path, page: &str) -> std::io::Result<()> {
    let new = file.with_extension(format!("new-{}", std::process::id()));
    std::fs::write(&new, page)?;
    std::fs::rename(&new, file)
}
