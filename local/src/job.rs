//! A Cloud Run job's task: a process with the variables that Cloud Run sets.
//! <https://cloud.google.com/run/docs/container-contract#jobs-env-vars>

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::process::Process;

const MEASURE_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug, Clone)]
pub struct Job {
    name: String,
    program: PathBuf,
    /// Before those of an execution: what the image's entry point has.
    leading: Vec<String>,
    variables: BTreeMap<String, String>,
    logs: PathBuf,
}

/// A task under way. Dropping it kills the process as SIGKILL does.
pub struct Task {
    process: Process,
    began: Instant,
}

#[derive(Debug)]
pub struct Finished {
    pub exit_code: Option<i32>,
    pub elapsed: Duration,
    /// The most memory that it had resident, as far as it was looked at.
    pub peak_memory_kib: u64,
    /// Both outputs of the program.
    pub log: String,
}

impl Job {
    /// `logs` is a folder for the logs of the tasks.
    pub fn new(program: &Path, logs: &Path, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (variables, logs) = (variables.into_iter().collect(), logs.into());
        Self { name, program: program.into(), leading: Vec::new(), variables, logs }
    }

    /// A program that another one runs, such as Python: with a name of its own, and the arguments that name it.
    #[must_use]
    pub fn started_by(mut self, name: &str, leading: &[&str]) -> Self {
        name.clone_into(&mut self.name);
        self.leading = leading.iter().map(ToString::to_string).collect();
        self
    }

    /// The same job with one variable set otherwise.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same job without one variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub async fn run(&self, arguments: &[&str]) -> Result<Finished> {
        self.start(arguments)?.finish().await
    }

    pub fn start(&self, arguments: &[&str]) -> Result<Task> {
        let mut command = Command::new(&self.program);
        command.args(&self.leading).args(arguments).env_clear().env("HOME", &self.logs).envs([
            ("CLOUD_RUN_JOB", self.name.as_str()),
            ("CLOUD_RUN_EXECUTION", "local-1"),
            ("CLOUD_RUN_TASK_INDEX", "0"),
            ("CLOUD_RUN_TASK_COUNT", "1"),
            ("CLOUD_RUN_TASK_ATTEMPT", "0"),
        ]);
        command.envs(&self.variables);
        let log = self.logs.join(format!("{}-{}.log", self.name, uuid::Uuid::new_v4()));
        Ok(Task { process: Process::spawn(&self.name, command, &log)?, began: Instant::now() })
    }
}

impl Task {
    pub async fn finish(mut self) -> Result<Finished> {
        let mut peak_memory_kib = 0;
        let exit_code = loop {
            peak_memory_kib = self.process.peak_memory_kib().unwrap_or_default().max(peak_memory_kib);
            if let Ok(ended) = tokio::time::timeout(MEASURE_EVERY, self.process.wait()).await {
                break ended?;
            }
        };
        Ok(Finished { exit_code, elapsed: self.began.elapsed(), peak_memory_kib, log: self.process.log() })
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The most memory that it had resident so far; nothing once it has ended.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        self.process.peak_memory_kib()
    }

    pub fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }
}
