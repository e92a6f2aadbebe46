//! Names that stand in SQL, so nothing else is let in.

use std::fmt;
use std::str::FromStr;

/// `isthmus_scratch`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetId(String);

impl DatasetId {
    /// The default of a setting; it must be a name that would parse.
    pub fn from_static(name: &'static str) -> Self {
        Self(name.to_owned())
    }
}

impl FromStr for DatasetId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        word.then(|| Self(text.to_owned()))
            .ok_or_else(|| format!("{text:?} is not a BigQuery dataset: letters, digits and underscores only"))
    }
}

impl fmt::Display for DatasetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `acme-prod`; older ones carry a domain, `example.com:acme`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectId(String);

impl FromStr for ProjectId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:".contains(&b));
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        (letters && begins).then(|| Self(text.to_owned())).ok_or_else(|| format!("{text:?} is not a project id"))
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_could_end_a_quotation_is_a_name() {
        for bad in ["", "a-b", "a`b", "a.b", "a b", "本番"] {
            assert!(bad.parse::<DatasetId>().is_err(), "{bad}");
        }
        for bad in ["", "Acme", "acme`prod", "1acme", "acme prod"] {
            assert!(bad.parse::<ProjectId>().is_err(), "{bad}");
        }
        assert_eq!("raw_shop".parse::<DatasetId>().unwrap().to_string(), "raw_shop");
        assert_eq!("example.com:acme".parse::<ProjectId>().unwrap().to_string(), "example.com:acme");
    }
}
