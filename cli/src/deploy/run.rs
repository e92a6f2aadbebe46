//! Runs steps, one command after the other, and stops at the first that fails. Whatever ran is safe to run again.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{self, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::script::{Act, Command, Step, line};

/// What becomes of a change that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Do,
    Stop,
}

type Agree<'a> = Box<dyn FnMut(&str) -> Result<Answer> + 'a>;

pub struct Run<'a> {
    root: &'a Path,
    /// Between two looks at what is waited for.
    pause: Duration,
    asked: BTreeMap<&'static str, String>,
    /// Asked for each change.
    agree: Agree<'a>,
}

impl<'a> Run<'a> {
    pub fn new(root: &'a Path, pause: Duration, agree: impl FnMut(&str) -> Result<Answer> + 'a) -> Self {
        Self { root, pause, asked: BTreeMap::new(), agree: Box::new(agree) }
    }

    /// What an [`Act::Ask`] found.
    pub fn answer(&self, name: &str) -> Option<&str> {
        self.asked.get(name).map(String::as_str)
    }

    pub fn steps(&mut self, steps: &[Step]) -> Result<()> {
        for step in steps {
            eprintln!("\n== {}", step.title);
            self.questions(&step.acts)?;
            for act in &step.acts {
                self.act(act).with_context(|| format!("stopped at: {}", step.title))?;
            }
        }
        Ok(())
    }

    /// What a command prints.
    pub fn output(&self, command: &Command) -> Result<String> {
        let output = self.process(command)?.stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("start {}", command.0[0]))?;
        ensure!(output.status.success(), "{}: {}", self.shown(command), output.status);
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// How a command ends that is only asked, and what it says when it fails.
    pub fn ends(&self, command: &Command) -> Result<(Option<i32>, String)> {
        let output = self.process(command)?.stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("start {}", command.0[0]))?;
        Ok((output.status.code(), last_line(&output.stderr)))
    }

    /// Everything that is missing is told at once.
    fn questions(&mut self, acts: &[Act]) -> Result<()> {
        let mut problems = Vec::new();
        for act in acts {
            let (Act::Check { command, help } | Act::Nothing { command, help } | Act::Ask { command, help, .. }) = act
            else {
                continue;
            };
            match (self.quiet(command)?, act) {
                (Ok(printed), Act::Ask { .. }) if printed.is_empty() || printed == "None" => {
                    problems.push(format!("`{}` finds nothing\n  {help}", self.shown(command)));
                }
                (Ok(printed), Act::Ask { name, .. }) => {
                    self.asked.insert(name, printed);
                }
                (Ok(printed), Act::Nothing { .. }) if !printed.is_empty() => {
                    let some: Vec<&str> = printed.lines().take(5).collect();
                    problems.push(format!("`{}` finds\n{}\n  {help}", self.shown(command), some.join("\n")));
                }
                (Ok(_), _) => {}
                (Err(said), _) => problems.push(format!("`{}` {said}\n  {help}", self.shown(command))),
            }
        }
        ensure!(problems.is_empty(), "before anything is made:\n{}", problems.join("\n"));
        Ok(())
    }

    fn act(&mut self, act: &Act) -> Result<()> {
        match act {
            Act::Check { .. } | Act::Nothing { .. } | Act::Ask { .. } => Ok(()),
            Act::Run(command) => self.run(command),
            Act::Unless { checks, run } => {
                for check in checks {
                    if self.quiet(check)?.is_err() {
                        return run.iter().try_for_each(|command| self.run(command));
                    }
                }
                eprintln!("there already: {}", self.shown(&checks[0]));
                Ok(())
            }
            Act::Change { plan, apply } => self.change(plan, apply),
            Act::Wait { command, done, failed, minutes, help } => {
                self.wait(command, done, failed, *minutes).with_context(|| help.clone())
            }
            Act::Keep { command, file } => {
                let printed = self.output(command)?;
                self.write(file, &printed)
            }
            Act::Write { file, text } => self.write(file, &self.filled_in(text)),
        }
    }

    fn change(&mut self, plan: &Command, apply: &Command) -> Result<()> {
        // -detailed-exitcode: 0 nothing to change, 2 something.
        match self.status(plan)?.code() {
            Some(0) => {
                eprintln!("nothing to change");
                return Ok(());
            }
            Some(2) => {}
            _ => bail!("{} failed", self.shown(plan)),
        }
        match (self.agree)("Make these changes?")? {
            Answer::Do => self.run(apply),
            Answer::Stop => bail!("not agreed to; the same command goes on from here"),
        }
    }

    /// Each change of what is printed is a line.
    fn wait(&self, command: &Command, done: &str, failed: &[&str], minutes: u64) -> Result<()> {
        eprintln!("$ {}", self.shown(command));
        let until = Instant::now() + Duration::from_secs(60 * minutes);
        let mut last = String::new();
        loop {
            let found = self.quiet(command)?;
            let shown = found.clone().unwrap_or_else(|said| format!("not yet ({said})")).replace('\t', " ");
            if shown != last {
                eprintln!("  {shown}");
            }
            if let Ok(found) = found {
                if found.starts_with(done) && (done.is_empty() || !found.is_empty()) {
                    return Ok(());
                }
                ensure!(!failed.iter().any(|word| found.starts_with(word)), "it ended as {found}");
            }
            ensure!(Instant::now() < until, "after {minutes} minutes it is {shown}");
            last = shown;
            std::thread::sleep(self.pause);
        }
    }

    fn run(&self, command: &Command) -> Result<()> {
        let status = self.status(command)?;
        // A plan that only looks has something to show.
        let looks = command.0.iter().any(|word| word == "-detailed-exitcode");
        ensure!(status.success() || (looks && status.code() == Some(2)), "{}: {status}", self.shown(command));
        Ok(())
    }

    fn status(&self, command: &Command) -> Result<process::ExitStatus> {
        eprintln!("$ {}", self.shown(command));
        self.process(command)?.status().with_context(|| format!("start {}", command.0[0]))
    }

    /// What it printed, or what it said when it failed. A program that is not there is one that failed.
    fn quiet(&self, command: &Command) -> Result<Result<String, String>> {
        let output = match self.process(command)?.stdin(Stdio::null()).output() {
            Ok(output) => output,
            Err(error) => return Ok(Err(format!("cannot be started: {error}"))),
        };
        if output.status.success() {
            return Ok(Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()));
        }
        Ok(Err(format!("failed ({}): {}", output.status, last_line(&output.stderr))))
    }

    fn process(&self, command: &Command) -> Result<process::Command> {
        let words: Vec<String> = command.0.iter().map(|word| self.filled_in(word)).collect();
        let (program, arguments) = words.split_first().context("an empty command")?;
        // As a shell would find it: in the repository, or in PATH.
        let program = if program.contains('/') { self.root.join(program) } else { program.into() };
        let mut process = process::Command::new(program);
        process.args(arguments).current_dir(self.root);
        Ok(process)
    }

    /// Whole or not at all.
    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.root.join(file);
        let new = path.with_extension("new");
        let written = std::fs::create_dir_all(path.parent().unwrap_or(self.root))
            .and_then(|()| std::fs::write(&new, format!("{text}\n")))
            .and_then(|()| std::fs::rename(&new, &path));
        written.with_context(|| format!("write {file}"))?;
        eprintln!("wrote {file}");
        Ok(())
    }

    fn shown(&self, command: &Command) -> String {
        line(&Command(command.0.iter().map(|word| self.filled_in(word)).collect()))
    }

    fn filled_in(&self, text: &str) -> String {
        self.asked.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
    }
}

fn last_line(said: &[u8]) -> String {
    String::from_utf8_lossy(said).trim().lines().last().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root whose plan ends as `code`.
    fn change(code: &str) -> [Step; 1] {
        let plan = Command::new("sh -c").with(format!("exit {code}"));
        [Step::new("a root", vec![Act::Change { plan, apply: Command::new("touch applied") }])]
    }

    #[test]
    fn a_change_is_made_where_it_is_agreed_to_and_nobody_is_asked_where_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let applied = || folder.path().join("applied").exists();
        let mut asked = 0;
        let mut deploy = |code: &str, answer: Answer| {
            let agree = |_: &str| {
                asked += 1;
                Ok(answer)
            };
            Run::new(folder.path(), Duration::ZERO, agree).steps(&change(code))
        };
        deploy("0", Answer::Do).unwrap();
        assert!(deploy("1", Answer::Do).is_err() && !applied(), "a plan that failed is not applied");
        let told = format!("{:#}", deploy("2", Answer::Stop).unwrap_err());
        assert!(told.contains("a root") && told.contains("goes on from here") && !applied(), "{told}");
        deploy("2", Answer::Do).unwrap();
        assert!(applied());
        assert_eq!(asked, 2);
    }

    #[test]
    fn what_is_waited_for_too_long_is_told_with_how_far_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let command = Command::new("echo STARTING");
        let wait = Act::Wait { command, done: "COMPLETE", failed: &[], minutes: 0, help: "look there".to_owned() };
        let mut run = Run::new(folder.path(), Duration::ZERO, |_| Ok(Answer::Do));
        let told = format!("{:#}", run.steps(&[Step::new("a task", vec![wait])]).unwrap_err());
        assert_eq!(told, "stopped at: a task: look there: after 0 minutes it is STARTING");
    }
}
