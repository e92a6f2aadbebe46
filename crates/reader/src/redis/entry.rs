//! A value in Redis. A header tells what it is, and its first bytes of SHA-256 that it is what was written: another
//! program's value, one of another version, or one that was cut off counts as none.

use std::sync::Arc;

use bytes::Bytes;
use handoff::sync::Generation;
use sha2::{Digest, Sha256};

use crate::Row;

/// The last one is the version.
const MAGIC: &[u8; 3] = b"is1";
const ABSENT: u8 = 0;
const PRESENT: u8 = 1;
/// `20261125T190000Z`
const STAMP_BYTES: usize = 16;
const CHECK_BYTES: usize = 8;
const HEADER_BYTES: usize = MAGIC.len() + 1 + STAMP_BYTES + CHECK_BYTES;

/// What was found under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) row: Option<Row>,
    /// The generation under which it was read.
    pub(crate) stamp: Arc<Generation>,
}

impl Row {
    pub(crate) fn new(body: Bytes) -> Self {
        let sha256 = Sha256::digest(&body).into();
        Self { body, sha256 }
    }
}

impl Entry {
    /// magic, kind, stamp, check, body
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, body) = self.row.as_ref().map_or((ABSENT, &[][..]), |row| (PRESENT, &row.body[..]));
        let mut value = Vec::with_capacity(HEADER_BYTES + body.len());
        value.extend_from_slice(MAGIC);
        value.push(kind);
        value.extend_from_slice(self.stamp.as_str().as_bytes());
        value.extend_from_slice(&check(&value, body));
        value.extend_from_slice(body);
        value
    }

    pub(crate) fn decode(value: &Bytes) -> Option<Self> {
        if value.len() < HEADER_BYTES || !value.starts_with(MAGIC) {
            return None;
        }
        let (head, body) = (&value[..HEADER_BYTES - CHECK_BYTES], value.slice(HEADER_BYTES..));
        if value[HEADER_BYTES - CHECK_BYTES..HEADER_BYTES] != check(head, &body) {
            return None;
        }
        let stamp = std::str::from_utf8(&head[MAGIC.len() + 1..]).ok()?.parse().ok()?;
        let row = match head[MAGIC.len()] {
            PRESENT => Some(Row::new(body)),
            ABSENT if body.is_empty() => None,
            _ => return None,
        };
        Some(Self { row, stamp: Arc::new(stamp) })
    }
}

fn check(head: &[u8], body: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = Sha256::new().chain_update(head).chain_update(body).finalize();
    std::array::from_fn(|n| hash[n])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(body: Option<&'static str>) -> Entry {
        let row = body.map(|body| Row::new(Bytes::from_static(body.as_bytes())));
        Entry { row, stamp: Arc::new("20261125T190000Z".parse().unwrap()) }
    }

    #[test]
    fn an_entry_comes_back_as_it_was_written() {
        for body in [None, Some(""), Some("{\"名\":\"✈\"}")] {
            assert_eq!(Entry::decode(&entry(body).encode().into()), Some(entry(body)));
        }
    }

    #[test]
    fn what_was_not_written_so_is_no_entry() {
        let good = entry(Some("{\"a\":1}")).encode();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(Entry::decode(&bad.into()), None, "byte {at}");
            assert_eq!(Entry::decode(&Bytes::copy_from_slice(&good[..at])), None, "cut off at {at}");
        }
        assert_eq!(Entry::decode(&Bytes::from_static(b"somebody else's")), None);
    }
}
