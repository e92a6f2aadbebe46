//! One mapping of the file, read name by name. What is wrong is noted, and the reading goes on.

use serde_saphyr::{Location, Spanned};

use crate::node::{Node, place};
use crate::problem::Problem;

/// A name in a mapping, and its value.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub name: &'a str,
    pub at: Location,
    pub value: &'a Spanned<Node>,
}

pub struct Fields<'a> {
    /// `user-profiles.guards`: what an error begins with; empty at the top.
    path: String,
    /// Where an error about something missing points.
    at: Location,
    entries: Vec<Entry<'a>>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Fields<'a> {
    /// `None` is a problem: there is no mapping.
    pub fn new(
        path: &str,
        at: Location,
        node: &'a Spanned<Node>,
        known: &[&str],
        problems: &'a mut Vec<Problem>,
    ) -> Option<Self> {
        let entries = entries(path, node, problems)?;
        for unknown in entries.iter().filter(|entry| !known.contains(&entry.name)) {
            let path = join(path, unknown.name);
            problems.push(Problem::at(unknown.at, format!("{path}: no such setting, expected {}", either(known))));
        }
        Some(Self { path: path.to_owned(), at, entries, problems })
    }

    /// `None` is a problem: the value is missing or wrong.
    pub fn required<T>(&mut self, name: &str, read: impl FnOnce(&Node) -> Result<T, String>) -> Option<T> {
        let Some(entry) = self.entry(name) else {
            self.missing(name);
            return None;
        };
        self.read(entry, read)
    }

    /// `None` is a problem: the value is there but wrong.
    pub fn or<T>(&mut self, name: &str, default: T, read: impl FnOnce(&Node) -> Result<T, String>) -> Option<T> {
        match self.entry(name) {
            Some(entry) => self.read(entry, read),
            None => Some(default),
        }
    }

    /// `None` is a problem: the mapping is missing or none.
    pub fn mapping(&mut self, name: &str, known: &[&str]) -> Option<Fields<'_>> {
        if !self.has(name) {
            self.missing(name);
            return None;
        }
        self.section(name, known)
    }

    /// Without any entry where it is left out. `None` is a problem: it is there but no mapping.
    pub fn section(&mut self, name: &str, known: &[&str]) -> Option<Fields<'_>> {
        let path = join(&self.path, name);
        match self.entry(name) {
            Some(Entry { at, value, .. }) => Fields::new(&path, at, value, known, self.problems),
            None => Some(Fields { path, at: self.at, entries: Vec::new(), problems: self.problems }),
        }
    }

    /// A list, each wrong item of which is noted at its place; empty where it is left out. `None` is a problem.
    pub fn list<T>(&mut self, name: &str, read: impl Fn(&Node) -> Result<T, String>) -> Option<Vec<T>> {
        let Some(entry) = self.entry(name) else { return Some(Vec::new()) };
        let Node::List(items) = &entry.value.value else {
            return self.read(entry, |node| Err(not("a list", node)));
        };
        let read = items.iter().map(|item| self.read(Entry { value: item, ..entry }, &read));
        read.collect::<Vec<_>>().into_iter().collect()
    }

    /// A mapping whose names are anyone's choice; empty where it is left out. `None` is a problem.
    pub fn choices<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str, &Node) -> Result<T, String>,
    ) -> Option<Vec<(String, T)>> {
        let path = join(&self.path, name);
        let Some(entry) = self.entry(name) else { return Some(Vec::new()) };
        let entries = entries(&path, entry.value, self.problems)?;
        let read = entries.into_iter().map(|entry| {
            let noted =
                |text| self.problems.push(Problem::at(place(entry.value), format!("{path}.{}: {text}", entry.name)));
            Some((entry.name.to_owned(), read(entry.name, &entry.value.value).map_err(noted).ok()?))
        });
        read.collect::<Vec<_>>().into_iter().collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Something is wrong with the mapping as a whole.
    pub fn wrong<T>(&mut self, text: &str) -> Option<T> {
        self.problems.push(Problem::at(self.at, format!("{}: {text}", self.path)));
        None
    }

    /// The value of `name` does not go with the others.
    pub fn wrong_in<T>(&mut self, name: &str, text: &str) -> Option<T> {
        match self.entry(name) {
            Some(entry) => self.read(entry, |_| Err(text.to_owned())),
            None => self.wrong(text),
        }
    }

    fn missing(&mut self, name: &str) {
        self.problems.push(Problem::at(self.at, format!("{}: missing", join(&self.path, name))));
    }

    fn entry(&self, name: &str) -> Option<Entry<'a>> {
        self.entries.iter().find(|entry| entry.name == name).copied()
    }

    fn read<T>(&mut self, entry: Entry<'a>, read: impl FnOnce(&Node) -> Result<T, String>) -> Option<T> {
        let noted = |text| {
            let path = join(&self.path, entry.name);
            self.problems.push(Problem::at(place(entry.value), format!("{path}: {text}")));
        };
        read(&entry.value.value).map_err(noted).ok()
    }
}

/// The names of a mapping with their values, each name once. `None` is a problem: there is no mapping.
pub fn entries<'a>(path: &str, node: &'a Spanned<Node>, problems: &mut Vec<Problem>) -> Option<Vec<Entry<'a>>> {
    let begin = if path.is_empty() { String::new() } else { format!("{path}: ") };
    let Node::Mapping(pairs) = &node.value else {
        let text = not("a mapping (`name: value`)", &node.value);
        problems.push(Problem::at(place(node), begin + &text));
        return None;
    };
    let mut entries: Vec<Entry<'a>> = Vec::new();
    for (key, value) in pairs {
        let at = place(key);
        let Some(name) = key.value.text() else {
            problems.push(Problem::at(at, format!("{begin}{}", not("a name", &key.value))));
            continue;
        };
        if let Some(first) = entries.iter().find(|entry| entry.name == name) {
            let line = first.at.line();
            problems.push(Problem::at(at, format!("{}: is there already, on line {line}", join(path, name))));
            continue;
        }
        entries.push(Entry { name, at, value });
    }
    Some(entries)
}

/// An error's text: what was expected, and what is there.
pub fn not(expected: &str, found: &Node) -> String {
    format!("expected {expected}, found {found}")
}

/// `objects or packed`.
pub fn either(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => words.concat(),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
