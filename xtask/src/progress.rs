//! What a person sees while steps run: one line each. In a terminal the line is alive; elsewhere it is printed when the
//! step begins and when it ends.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

/// The live line is cut here, so that it never wraps (a wrapped line cannot be drawn over).
const WIDTH: usize = 100;

/// A failed step prints the end of its log; the file has the rest.
const SHOWN_LINES: usize = 200;

pub(crate) struct Progress {
    terminal: bool,
    width: usize,
    total: usize,
    state: Mutex<State>,
}

/// Two steps may run at once; the live line is of the one that printed last.
struct State {
    running: Vec<Live>,
    begun: usize,
    drawn: Instant,
}

struct Live {
    name: &'static str,
    number: usize,
    started: Instant,
    line: String,
}

pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) took: Duration,
    pub(crate) result: Result<String>,
}

impl Outcome {
    pub(crate) fn failed(&self) -> bool {
        self.result.is_err()
    }
}

impl Progress {
    pub(crate) fn new(names: impl Iterator<Item = &'static str> + Clone) -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            width: names.clone().map(str::len).max().unwrap_or(0),
            total: names.count(),
            state: Mutex::new(State { running: Vec::new(), begun: 0, drawn: Instant::now() }),
        }
    }

    pub(crate) fn begin(&self, name: &'static str) {
        let mut state = self.state();
        state.begun += 1;
        let number = state.begun;
        state.running.push(Live { name, number, started: Instant::now(), line: String::new() });
        if self.terminal {
            self.draw(&mut state);
        } else {
            eprintln!("{number}/{} {name} …", self.total);
        }
    }

    pub(crate) fn tell(&self, name: &str, line: &str) {
        let mut state = self.state();
        if let Some(live) = state.take(name) {
            state.running.push(Live { line: line.trim().to_owned(), ..live });
        }
        self.draw_in_time(&mut state);
    }

    pub(crate) fn tick(&self) {
        self.draw_in_time(&mut self.state());
    }

    pub(crate) fn end(&self, outcome: &Outcome, log: &Path) {
        let mut state = self.state();
        let number = state.take(outcome.name).map_or(0, |live| live.number);
        if self.terminal {
            eprint!("\r\x1b[2K");
        }
        let (width, seconds) = (self.width, outcome.took.as_secs_f64());
        let head = format!("{number}/{} {:width$} {seconds:7.1} s", self.total, outcome.name);
        match &outcome.result {
            Ok(note) => eprintln!("{}", format!("{head}  {note}").trim_end()),
            Err(error) => {
                let printed = tail(log);
                let more =
                    if printed.is_empty() { String::new() } else { format!("\n    all of it: {}", log.display()) };
                eprintln!("{printed}{head}  FAILED: {error:#}{more}");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw_in_time(&self, state: &mut State) {
        if self.terminal && state.drawn.elapsed() > Duration::from_millis(100) {
            self.draw(state);
        }
    }

    fn draw(&self, state: &mut State) {
        state.drawn = Instant::now();
        let Some(Live { name, number, started, line }) = state.running.last() else { return };
        let line = format!("{number}/{} {name} {} s  {}", self.total, started.elapsed().as_secs(), plain(line));
        let line: String = line.chars().take(WIDTH).collect();
        eprint!("\r\x1b[2K{line}");
        let _ = std::io::stderr().flush(); // a lost frame of progress is no harm
    }
}

impl State {
    fn take(&mut self, name: &str) -> Option<Live> {
        let at = self.running.iter().position(|live| live.name == name)?;
        Some(self.running.remove(at))
    }
}

/// The summary: one line for each step.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let width = outcomes.iter().map(|outcome| outcome.name.len()).max().unwrap_or(0);
    let lines = outcomes.iter().map(|outcome| {
        let (word, note) = match &outcome.result {
            Ok(note) => ("passed", note.clone()),
            Err(error) => ("FAILED", format!("{error:#}").lines().next().unwrap_or_default().to_owned()),
        };
        let line = format!("{:width$}  {word}  {:7.1} s  {note}", outcome.name, outcome.took.as_secs_f64());
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
    if end.is_empty() { end } else { end + "\n" }
}

/// Without the escape sequences that programs colour their lines with.
fn plain(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_what_passed_and_the_first_line_of_what_failed() {
        let outcome = |name, result| Outcome { name, took: Duration::from_millis(1500), result };
        let outcomes =
            [outcome("fmt", Ok(String::new())), outcome("clippy", Err(anyhow::anyhow!("exit status: 1\nmore")))];
        let lines = ["fmt     passed      1.5 s", "clippy  FAILED      1.5 s  exit status: 1"];
        assert_eq!(table(&outcomes), lines.join("\n"));
    }

    #[test]
    fn colours_are_taken_out_of_the_live_line() {
        assert_eq!(plain("\x1b[1m\x1b[32m Compiling\x1b[0m handoff"), " Compiling handoff");
    }
}
