use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A lease of this version has another `nonce` in every document that was ever written.
pub(crate) const VERSION: u32 = 2;

/// What stands in the object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    pub version: u32,
    pub holder: String,
    /// Given back: whoever comes next need not wait.
    pub released: bool,
    /// When this holder took it, by its own clock: for people; and another one each time that it is taken.
    pub since: DateTime<Utc>,
    /// Whoever sees this very document unchanged for so long may take the lease.
    pub time_ms: u64,
    /// So that no two documents, and no two `ETag`s, are ever the same.
    pub nonce: String,
    pub payload: Value,
}

impl Document {
    pub(crate) fn new(holder: &str, since: DateTime<Utc>, time: Duration, payload: Value) -> Self {
        let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (holder, nonce) = (holder.to_owned(), fresh_nonce());
        Self { version: VERSION, holder, released: false, since, time_ms, nonce, payload }
    }

    /// The same lease in a document that was never written before.
    pub(crate) fn again(&self) -> Self {
        Self { nonce: fresh_nonce(), ..self.clone() }
    }

    /// None for what another version, or somebody by hand, has put there.
    pub fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(json).ok().filter(|document| document.version == VERSION)
    }

    pub(crate) fn time(&self) -> Duration {
        Duration::from_millis(self.time_ms)
    }
}

fn fresh_nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_back_and_what_is_none_is_none() {
        let document = Document::new("job-1", Utc::now(), Duration::from_mins(1), serde_json::json!({"day": 1}));
        let json = serde_json::to_vec(&document).unwrap();
        assert_eq!(Document::parse(&json), Some(document.clone()));
        assert_eq!(document.time(), Duration::from_mins(1));
        for other in ["", "{}", r#"{"version":1,"execution":"a","expires_at":"2026-11-26T00:00:00Z","finished":true}"#]
        {
            assert_eq!(Document::parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn no_two_documents_are_the_same() {
        let document = Document::new("job-1", Utc::now(), Duration::from_mins(1), Value::Null);
        assert_ne!(document.again(), document);
        assert_ne!(document.again().nonce, document.again().nonce);
    }
}
