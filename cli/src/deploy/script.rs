//! Steps as data, and as the shell script that does the same.

use std::time::Duration;

/// A command and its arguments. `$NAME` in a word is what an [`Act::Ask`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command(pub Vec<String>);

impl Command {
    /// Words between spaces. A word that has spaces itself is added with [`Command::with`].
    pub fn new(line: &str) -> Self {
        Self(line.split_whitespace().map(str::to_owned).collect())
    }

    pub fn with(mut self, word: impl Into<String>) -> Self {
        self.0.push(word.into());
        self
    }

    pub fn and(mut self, line: &str) -> Self {
        self.0.extend(line.split_whitespace().map(str::to_owned));
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Must succeed before anything is made; what helps where it does not. Its output is nobody's business.
    Check { command: Command, help: String },
    /// Must print nothing, before anything is made.
    Nothing { command: Command, help: String },
    /// `NAME=$(command)`, which must print something; before anything of its step is made.
    Ask { name: &'static str, command: Command, help: String },
    /// Safe to repeat.
    Run(Command),
    /// Only where one of the checks fails: what it makes is not there yet.
    Unless { checks: Vec<Command>, run: Vec<Command> },
    /// What a root of Terraform would change is shown; it is done where a person agrees.
    Change { plan: Command, apply: Command },
    /// Until what the command prints begins with `done`; it may fail meanwhile.
    Wait { command: Command, done: &'static str, failed: &'static [&'static str], minutes: u64, help: String },
    /// `command > file`
    Keep { command: Command, file: String },
    /// The file with this text, in which `$NAME` is what was asked.
    Write { file: String, text: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub title: String,
    pub acts: Vec<Act>,
}

impl Step {
    pub fn new(title: &str, acts: Vec<Act>) -> Self {
        Self { title: title.to_owned(), acts }
    }
}

/// A script for bash that does what the steps do, but asks nobody. Between two looks at what is waited for it pauses.
pub fn shell(head: &str, steps: &[Step], pause: Duration) -> String {
    let mut lines = vec!["#!/usr/bin/env bash".to_owned(), format!("# {head}"), "set -euo pipefail".to_owned()];
    for step in steps {
        lines.extend([String::new(), format!("# {}", step.title)]);
        lines.extend(step.acts.iter().map(|act| of_act(act, pause)));
    }
    lines.join("\n") + "\n"
}

fn of_act(act: &Act, pause: Duration) -> String {
    match act {
        Act::Check { command, help } => format!("{} >/dev/null # {help}", line(command)),
        Act::Nothing { command, help } => format!("test -z \"$({})\" # {help}", line(command)),
        // None: what aws prints for nothing.
        Act::Ask { name, command, help } => {
            format!("{name}=$({})\n[[ -n ${name} && ${name} != None ]] # {help}", line(command))
        }
        Act::Run(command) => line(command),
        Act::Unless { checks, run } => {
            let checks: Vec<String> = checks.iter().map(|check| format!("{} >/dev/null 2>&1", line(check))).collect();
            let run: Vec<String> = run.iter().map(|command| format!("  {}", line(command))).collect();
            format!("if ! {{ {}; }}; then\n{}\nfi", checks.join(" && "), run.join("\n"))
        }
        // 2: there is something to change.
        Act::Change { plan, apply } => {
            format!("{} || test $? -eq 2\n{}", line(plan), line(apply))
        }
        Act::Wait { command, done, failed, minutes, help } => {
            let done = if done.is_empty() { "-n $FOUND".to_owned() } else { format!("$FOUND == {done}*") };
            let mut give_up = vec![format!("((SECONDS < {}))", 60 * minutes)];
            give_up.extend(failed.iter().map(|word| format!("[[ $FOUND != {word}* ]]")));
            let (command, pause) = (line(command), pause.as_secs());
            // With what fails inside, the script ends.
            format!(
                "SECONDS=0 # {help}\nuntil FOUND=$({command} 2>/dev/null) && [[ {done} ]]; do\n  {}\n  sleep {pause}\ndone",
                give_up.join("\n  ")
            )
        }
        Act::Keep { command, file } => format!("mkdir -p {}\n{} >{file}", folder(file), line(command)),
        Act::Write { file, text } => {
            format!("mkdir -p {}\ncat >{file} <<EOF\n{}\nEOF", folder(file), text.trim_end())
        }
    }
}

fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or(".", |(folder, _)| folder)
}

pub(super) fn line(command: &Command) -> String {
    command.0.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Single quotes where the shell would read something into the word; double quotes where it shall.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else if word.contains('$') {
        format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_reaches_the_shell_as_it_is_and_a_name_is_filled_in() {
        let command = Command::new("a --b=c $X/d").with("it's {\"e\": 1}").with("");
        assert_eq!(line(&command), r#"a --b=c "$X/d" 'it'\''s {"e": 1}' ''"#);
    }
}
