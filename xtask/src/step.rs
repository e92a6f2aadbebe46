//! One step of a task: a name, and what it does. A step says in a few words what it found, or fails.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::progress::{Outcome, Progress};
use crate::workspace::Workspace;

pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&mut Running<'_>) -> Result<String>,
}

impl Step {
    pub(crate) fn run(&self, workspace: &Workspace, progress: &Progress) -> Outcome {
        self.run_in(Line::Main, workspace, progress)
    }

    pub(crate) fn run_in(&self, line: Line, workspace: &Workspace, progress: &Progress) -> Outcome {
        let started = Instant::now();
        progress.begin(self.name);
        let result =
            Running::open(self.name, line, workspace, progress).and_then(|mut running| (self.run)(&mut running));
        let outcome = Outcome { name: self.name, took: started.elapsed(), result };
        progress.end(&outcome, &workspace.log(self.name));
        outcome
    }
}

/// The programs of a step beside others leave the processor to theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Main,
    Beside,
}

/// A step under way: where it is, and the log that its programs print into.
pub(crate) struct Running<'a> {
    pub(crate) name: &'static str,
    pub(crate) workspace: &'a Workspace,
    line: Line,
    progress: &'a Progress,
    log: File,
}

impl<'a> Running<'a> {
    fn open(name: &'static str, line: Line, workspace: &'a Workspace, progress: &'a Progress) -> Result<Self> {
        let path = workspace.log(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { name, workspace, line, progress, log })
    }

    /// A program that starts in the root of the repository.
    pub(crate) fn program(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = match self.line {
            Line::Main => Command::new(program),
            Line::Beside => {
                let mut nice = Command::new("nice");
                nice.args(["-n", "10"]).arg(program);
                nice
            }
        };
        command.current_dir(&self.workspace.root);
        command
    }

    /// Runs a program to its end; what it prints goes to the log, line by line to the progress, and to the caller.
    pub(crate) fn finish(&mut self, command: &mut Command) -> Result<String> {
        let shown = shown(command);
        writeln!(self.log, "$ {shown}")?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {shown}"))?;
        let (sender, lines) = mpsc::channel();
        read_lines(child.stdout.take(), sender.clone());
        read_lines(child.stderr.take(), sender);
        let printed = self.follow(&lines)?;
        let status = child.wait().with_context(|| format!("lost {shown}"))?;
        if !status.success() {
            bail!("{shown}: {status}");
        }
        Ok(printed)
    }

    /// Ends when both pipes are closed; ticks meanwhile, so that a silent program is seen to be alive.
    fn follow(&mut self, lines: &mpsc::Receiver<String>) -> Result<String> {
        let mut printed = String::new();
        loop {
            match lines.recv_timeout(Duration::from_millis(200)) {
                Ok(line) => {
                    writeln!(self.log, "{line}")?;
                    self.progress.tell(self.name, &line);
                    printed.push_str(&line);
                    printed.push('\n');
                }
                Err(mpsc::RecvTimeoutError::Timeout) => self.progress.tick(),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(printed),
            }
        }
    }
}

fn read_lines(pipe: Option<impl Read + Send + 'static>, sender: mpsc::Sender<String>) {
    let Some(pipe) = pipe else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}
