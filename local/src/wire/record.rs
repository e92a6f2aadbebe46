//! What passed a wire.

use bytes::Bytes;
use http::HeaderMap;

/// A request that passed, and what became of it.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// `None` where the program got no answer.
    pub status: Option<u16>,
    pub answered_bytes: usize,
}

/// How much of each request stays in memory. A million small PUTs are a gigabyte even without their bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keep {
    #[default]
    Everything,
    /// All but the bodies.
    Heads,
    Nothing,
}

#[derive(Default)]
pub(super) struct Record {
    pub(super) keep: Keep,
    pub(super) requests: Vec<Recorded>,
    pub(super) passed: usize,
}

impl Recorded {
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn range(&self) -> Option<&str> {
        self.headers.get("range")?.to_str().ok()
    }
}

impl Record {
    pub(super) fn push(&mut self, mut request: Recorded) {
        self.passed += 1;
        match self.keep {
            Keep::Everything => {}
            Keep::Heads => request.body = Bytes::new(),
            Keep::Nothing => return,
        }
        self.requests.push(request);
    }
}
