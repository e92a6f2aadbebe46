//! The generations that have begun: what each is made of, and what it was compared with. Which one an execution makes
//! is decided here.

use anyhow::{Context, Result};
use handoff::sync::{Current, Destination, Generation, Layout, SyncKey};
use serde::{Deserialize, Serialize};

use crate::bucket::Bucket;
use crate::claim::Superseded;

/// Written before anything else of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    pub version: u32,
    pub sync: String,
    pub execution: String,
    pub layout: Layout,
    pub shards: u32,
    pub query_sha256: String,
    /// What all of it is compared with; none where nothing was published.
    #[serde(default)]
    pub base: Option<Base>,
}

/// A `CURRENT` that nobody has written since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    pub generation: Generation,
    pub etag: String,
}

/// What an execution has to do where the lease is not its own (any more, or not yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Begin a generation.
    Begin,
    /// Go on with its own: nobody has written since.
    GoOn(Generation),
    /// Its own was published, and others have begun since.
    Published(Generation),
    /// Its own can no longer be published: what it was compared with is no more.
    Superseded { own: Generation, by: String },
}

impl Turn {
    /// `begun`: the newest first. `superseded`: those that lost the lease; what they began may be collected by now.
    /// `current` with its `ETag`.
    pub fn decide(
        execution: &str,
        begun: &[(Generation, Started)],
        superseded: &[Superseded],
        current: Option<(&Current, &str)>,
    ) -> Self {
        let own = begun.iter().position(|(_, started)| started.execution == execution);
        let Some((n, (own, started))) = own.map(|n| (n, &begun[n])) else {
            let own = superseded.iter().find(|superseded| superseded.execution == execution);
            return own.map_or(Self::Begin, |own| Self::lost(&own.generation, current.map(|(current, _)| current)));
        };
        let newer = n.checked_sub(1).map(|_| &begun[0].1.execution);
        let (current, etag) = (current.map(|(current, _)| current), current.map(|(_, etag)| etag));
        let named = current.map(|current| &current.generation);
        if named == Some(own) && newer.is_none() {
            return Self::GoOn(own.clone());
        }
        let before = current.and_then(|current| current.before.as_ref());
        if named == Some(own) || before.is_some_and(|before| before.contains(own)) {
            return Self::Published(own.clone());
        }
        let base = started.base.as_ref().map(|base| base.etag.as_str());
        match newer {
            Some(newer) => Self::Superseded { own: own.clone(), by: format!("execution {newer}") },
            None if base != etag => {
                let by = named.map_or("nothing: CURRENT was deleted".to_owned(), |named| format!("generation {named}"));
                Self::Superseded { own: own.clone(), by }
            }
            None => Self::GoOn(own.clone()),
        }
    }

    fn lost(own: &Generation, current: Option<&Current>) -> Self {
        let named = current.iter().flat_map(|current| current.before.iter().flatten().chain([&current.generation]));
        if named.into_iter().any(|named| named == own) {
            return Self::Published(own.clone());
        }
        Self::Superseded { own: own.clone(), by: "another execution".into() }
    }
}

/// The newest first.
pub async fn begun(
    bucket: &Bucket,
    destination: &Destination,
    generations: &[Generation],
) -> Result<Vec<(Generation, Started)>> {
    let mut begun = Vec::new();
    for generation in generations.iter().rev() {
        begun.extend(started(bucket, destination, generation).await?.map(|started| (generation.clone(), started)));
    }
    Ok(begun)
}

pub async fn started(bucket: &Bucket, destination: &Destination, generation: &Generation) -> Result<Option<Started>> {
    let key = destination.key(&SyncKey::Started(generation));
    let Some(object) = bucket.get(&key).await? else { return Ok(None) };
    let started = serde_json::from_slice(&object.bytes).with_context(|| format!("s3://{}/{key}", bucket.name))?;
    Ok(Some(started))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "etag-0";

    fn generation(n: u32) -> Generation {
        format!("20261125T19000{n}Z").parse().unwrap()
    }

    fn started(n: u32, execution: &str) -> (Generation, Started) {
        let base = Some(Base { generation: generation(0), etag: BASE.into() });
        let (version, sync, query_sha256) = (1, "users".into(), "cd".into());
        let (execution, layout) = (execution.into(), Layout::Objects);
        (generation(n), Started { version, sync, execution, layout, shards: 4, query_sha256, base })
    }

    fn current(n: u32, before: &[u32]) -> Current {
        let destination = Destination { bucket: "acme".into(), prefix: "users".into() };
        let before = before.iter().map(|n| generation(*n)).collect();
        Current { before: Some(before), ..Current::new(&destination, &generation(n)) }
    }

    #[test]
    fn an_execution_goes_on_only_where_nobody_has_written_since() {
        let decide = |begun: &[(Generation, Started)], current: &Current, etag: &str| {
            Turn::decide("e1", begun, &[], Some((current, etag)))
        };
        let (mine, other) = (started(1, "e1"), started(2, "e2"));
        let base = current(0, &[]);
        assert_eq!(decide(&[], &base, BASE), Turn::Begin);
        assert_eq!(decide(std::slice::from_ref(&other), &base, BASE), Turn::Begin);
        assert_eq!(decide(std::slice::from_ref(&mine), &base, BASE), Turn::GoOn(generation(1)));
        assert_eq!(
            decide(&[other.clone(), mine.clone()], &base, BASE),
            Turn::Superseded { own: generation(1), by: "execution e2".into() },
            "the other one may have written over what ours has finished"
        );
        assert_eq!(
            decide(std::slice::from_ref(&mine), &base, "etag-1"),
            Turn::Superseded { own: generation(1), by: "generation 20261125T190000Z".into() },
            "the same generation, flipped to and fro"
        );
        assert!(matches!(Turn::decide("e1", std::slice::from_ref(&mine), &[], None), Turn::Superseded { .. }));
        // Published: what is left to do is done, unless somebody has begun since.
        assert_eq!(decide(std::slice::from_ref(&mine), &current(1, &[0]), "etag-1"), Turn::GoOn(generation(1)));
        assert_eq!(decide(&[other.clone(), mine.clone()], &current(1, &[0]), "e"), Turn::Published(generation(1)));
        assert_eq!(decide(&[other, mine], &current(2, &[1, 0]), "e"), Turn::Published(generation(1)));
    }

    #[test]
    fn an_execution_whose_generation_is_collected_is_known_by_the_lease() {
        let lost = [Superseded { execution: "e1".into(), generation: generation(1) }];
        let decide = |execution, current: &Current| Turn::decide(execution, &[], &lost, Some((current, "e")));
        let superseded = Turn::Superseded { own: generation(1), by: "another execution".into() };
        assert_eq!(decide("e1", &current(2, &[0])), superseded);
        assert_eq!(decide("e1", &current(2, &[1, 0])), Turn::Published(generation(1)));
        assert_eq!(decide("e3", &current(2, &[0])), Turn::Begin);
    }
}
