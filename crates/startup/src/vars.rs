//! Environment variables, all read before anything is done, all problems told at once.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

/// Reads variables and remembers what is wrong with them:
///
/// ```
/// # use startup::{InvalidVars, Vars};
/// # fn read(mut vars: Vars) -> Result<(String, u32), InvalidVars> {
/// let (Some(bucket), Some(hours)) = (vars.required("BUCKET"), vars.or("MAX_AGE_HOURS", 24)) else {
///     return Err(vars.invalid());
/// };
/// # Ok((bucket, hours)) }
/// # assert!(read(Vars::from_pairs([("MAX_AGE_HOURS", "x")])).unwrap_err().to_string().contains("BUCKET"));
/// ```
pub struct Vars {
    values: HashMap<String, String>,
    problems: Vec<String>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("environment: {}", .0.join("; "))]
pub struct InvalidVars(Vec<String>);

impl Vars {
    pub fn from_env() -> Self {
        // A variable that is not Unicode reads as missing, and is named as such if it is needed.
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { values: std::env::vars_os().filter_map(unicode).collect(), problems: Vec::new() }
    }

    pub fn from_pairs<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let values = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { values, problems: Vec::new() }
    }

    /// `None` is a problem: the variable is missing, empty or malformed.
    pub fn required<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        if self.text(name).is_none() {
            self.problems.push(format!("{name} is not set"));
            return None;
        }
        self.parse(name)
    }

    /// The outer `None` is a problem; the inner one says that the variable is not set.
    #[allow(clippy::option_option)] // both are told apart by every caller
    pub fn optional<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<Option<T>> {
        if self.text(name).is_none() {
            return Some(None);
        }
        self.parse(name).map(Some)
    }

    /// `None` is a problem: the variable is set but malformed.
    pub fn or<T: FromStr<Err: Display>>(&mut self, name: &str, default: T) -> Option<T> {
        self.optional(name).map(|value| value.unwrap_or(default))
    }

    pub fn invalid(self) -> InvalidVars {
        InvalidVars(self.problems)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn parse<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        match self.text(name)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(format!("{name}: {error}"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let mut vars = Vars::from_pairs([("HOURS", "soon"), ("EMPTY", "  "), ("GOOD", " x ")]);
        assert_eq!(vars.required::<String>("GOOD"), Some("x".to_owned()));
        assert_eq!(vars.required::<String>("MISSING"), None);
        assert_eq!(vars.required::<String>("EMPTY"), None);
        assert_eq!(vars.or::<u32>("HOURS", 24), None);
        assert_eq!(vars.or::<u32>("UNSET", 24), Some(24));
        assert_eq!(vars.optional::<u32>("UNSET"), Some(None));
        assert_eq!(
            vars.invalid().to_string(),
            "environment: MISSING is not set; EMPTY is not set; HOURS: invalid digit found in string"
        );
    }
}
