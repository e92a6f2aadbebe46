//! Redis answers, and the answer is an error. Each is counted; each kind is told, and not more often than is of use.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::{ConnectionAddr, ServerError, ServerErrorKind};
use tracing::warn;

/// Of one kind.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// What has to be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The row is read from S3; nothing else.
    Nothing,
    /// This connection will not get better: the node takes no writes any more, or does not know us.
    Leave,
    /// The key is another node's.
    LookForNodes,
}

pub(super) fn remedy(error: &ServerError) -> Remedy {
    match error.kind() {
        Some(ServerErrorKind::ReadOnly) => Remedy::Leave,
        Some(ServerErrorKind::Moved) => Remedy::LookForNodes,
        None if error.code() == "NOAUTH" => Remedy::Leave,
        _ => Remedy::Nothing,
    }
}

fn advice(code: &str) -> &'static str {
    match code {
        "READONLY" => "this node has become a replica, its connection is left",
        "MOVED" => "its slots have moved, the nodes are looked up",
        "NOAUTH" | "WRONGPASS" => "it does not know this program, its connection is left",
        "NOPERM" => "this program's user needs the commands GET, SET and CLUSTER SLOTS, and the keys isthmus:*",
        "OOM" => "it is full: set maxmemory-policy to allkeys-lru, or give it more memory",
        "CLUSTERDOWN" => "slots have no node",
        _ => "rows are read from S3 meanwhile",
    }
}

/// When each kind was told last.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<String, Instant>>);

impl Refusals {
    pub(super) fn tell(&self, node: &ConnectionAddr, error: &ServerError) {
        let code = error.code();
        if self.is_due(code, Instant::now()) {
            warn!(code, %node, "Redis at {node} answers {code} {}: {}", error.details().unwrap_or(""), advice(code));
        }
    }

    fn is_due(&self, code: &str, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.get(code).is_none_or(|last| now - *last >= TOLD_EVERY);
        if due {
            told.insert(code.to_owned(), now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_is_told_once_a_minute() {
        let refusals = Refusals::default();
        let began = Instant::now();
        let due = |code, seconds| refusals.is_due(code, began + Duration::from_secs(seconds));
        assert_eq!([due("OOM", 0), due("OOM", 59), due("MOVED", 59), due("OOM", 60)], [true, false, true, true]);
    }
}
