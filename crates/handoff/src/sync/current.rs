use serde::{Deserialize, Serialize};

use super::{Destination, Generation, SYNC_VERSION, SyncKey};

/// `CURRENT`: the one object that a publication replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    pub version: u32,
    pub generation: Generation,
    /// The key of its manifest.
    pub manifest: String,
    /// Whose it is, where that is no longer what the manifest says: it was adopted since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The generations that it named before, the last one first: these can be gone back to. None where a version wrote
    /// it that did not list them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Vec<Generation>>,
    /// Another one in each document that is written, so that no two have the same `ETag` and whose a document is can be
    /// told where an answer was lost.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nonce: String,
    /// This generation took the lease from one that may still be at work, and wrote `CURRENT` once more: what the other
    /// one knew of it is no longer true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<Generation>,
}

/// The sync that a prefix belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub sync: String,
    /// The scratch dataset of its list; none where a version published that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch: Option<String>,
}

impl Current {
    pub fn new(destination: &Destination, generation: &Generation) -> Self {
        Self {
            version: SYNC_VERSION,
            generation: generation.clone(),
            manifest: destination.key(&SyncKey::Manifest(generation)),
            owner: None,
            before: Some(Vec::new()),
            nonce: String::new(),
            fence: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_first_version_wrote_is_read_and_what_it_read_is_still_there() {
        let old =
            r#"{"version":1,"generation":"20261125T190000Z","manifest":"users/g/20261125T190000Z/manifest.json"}"#;
        let read: Current = serde_json::from_str(old).unwrap();
        assert_eq!((&read.before, &read.owner, read.nonce.as_str()), (&None, &None, ""));
        assert_eq!(serde_json::to_string(&read).unwrap(), old);
        let destination = Destination { bucket: "acme".into(), prefix: "users".into() };
        let new = Current { nonce: "n".into(), ..Current::new(&destination, &read.generation) };
        assert_eq!((new.manifest, new.before), (read.manifest, Some(Vec::new())));
    }
}
