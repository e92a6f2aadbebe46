//! What is wrong with a file, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_saphyr::Location;

/// Ordered as they stand in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Line and column from 1; none where it is the file as a whole.
    at: Option<(u64, u64)>,
    text: String,
}

impl Problem {
    pub fn at(at: Location, text: String) -> Self {
        Self { at: Some((at.line(), at.column())), text }
    }

    pub fn of_the_file(text: String) -> Self {
        Self { at: None, text }
    }
}

/// `syncs.yaml:7:13: user-profiles.shards: 1000 …`, a line for each problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidFile {
    file: PathBuf,
    problems: Vec<Problem>,
}

impl InvalidFile {
    /// An alias brings the same text in twice; it is wrong only once.
    pub fn new(file: &Path, mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self { file: file.to_owned(), problems }
    }
}

impl std::error::Error for InvalidFile {}

impl fmt::Display for InvalidFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { at, text }) in self.problems.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{}", self.file.display())?;
            if let Some((line, column)) = at {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {text}")?;
        }
        Ok(())
    }
}
