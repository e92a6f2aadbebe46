//! Which syncs are served, and where they are published.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use reader::Source;

/// `user-profiles=s3://acme-app/user-profiles,item-prices=s3://acme-app/prices`
#[derive(Debug, Clone)]
pub struct Syncs(pub Vec<Source>);

/// Every entry that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct InvalidSyncs(Vec<String>);

impl FromStr for Syncs {
    type Err = InvalidSyncs;

    fn from_str(text: &str) -> Result<Self, InvalidSyncs> {
        let (mut sources, mut problems, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match source(entry) {
                Ok(source) if !names.insert(source.sync.clone()) => {
                    problems.push(format!("{} is given twice", source.sync));
                }
                Ok(source) => sources.push(source),
                Err(problem) => problems.push(format!("{entry:?} {problem}")),
            }
        }
        if sources.is_empty() && problems.is_empty() {
            problems.push("no sync is given".to_owned());
        }
        if problems.is_empty() { Ok(Self(sources)) } else { Err(InvalidSyncs(problems)) }
    }
}

impl fmt::Display for Syncs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = |source: &Source| format!("{}=s3://{}/{}", source.sync, source.bucket, source.prefix);
        f.write_str(&self.0.iter().map(entry).collect::<Vec<_>>().join(","))
    }
}

fn source(entry: &str) -> Result<Source, &'static str> {
    let (sync, place) = entry.split_once('=').ok_or("is not NAME=s3://BUCKET/PREFIX")?;
    let place = place.trim().strip_prefix("s3://").ok_or("names no s3:// address")?;
    let (bucket, prefix) = place.split_once('/').ok_or("has no prefix after its bucket")?;
    let (sync, prefix) = (sync.trim(), prefix.trim_end_matches('/'));
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if sync.is_empty() || !sync.bytes().all(letter) {
        return Err("has a name that is not lower-case letters, digits and hyphens");
    }
    if bucket.is_empty() {
        return Err("has no bucket");
    }
    if prefix.is_empty() || prefix.starts_with('/') {
        return Err("has no prefix after its bucket");
    }
    Ok(Source { sync: sync.to_owned(), bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places_are_read() {
        let text = "user-profiles=s3://acme-app/user-profiles, item-prices = s3://acme-app/a/b/ ,";
        let syncs: Syncs = text.parse().unwrap();
        assert_eq!(syncs.to_string(), "user-profiles=s3://acme-app/user-profiles,item-prices=s3://acme-app/a/b");
    }

    #[test]
    fn every_wrong_entry_is_told_at_once() {
        let text = "users, Users=s3://b/p, a=b/p, b=s3://b, c=s3:///p, d=s3://b/, e=s3://b/p, e=s3://b/q";
        assert_eq!(
            text.parse::<Syncs>().unwrap_err().to_string(),
            "\"users\" is not NAME=s3://BUCKET/PREFIX; \"Users=s3://b/p\" has a name that is not lower-case letters, \
             digits and hyphens; \"a=b/p\" names no s3:// address; \"b=s3://b\" has no prefix after its bucket; \
             \"c=s3:///p\" has no bucket; \"d=s3://b/\" has no prefix after its bucket; e is given twice"
        );
        assert_eq!(" , ".parse::<Syncs>().unwrap_err().to_string(), "no sync is given");
    }
}
