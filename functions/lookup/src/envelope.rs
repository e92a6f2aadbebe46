//! What answers travel in, and what of it limits them.

/// How an answer reaches its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// As it is.
    Http,
    /// As text in the JSON that a function URL takes.
    FunctionUrl,
}

/// Of a whole batch, in either envelope, so that it is answered by both or by none; and of a row in a function URL's.
/// What is larger never reaches its caller. Source: Lambda developer guide, "Lambda quotas", invocation payload: 6 MB.
/// The rest is for what is around the body.
pub const MAX_ANSWER_BYTES: usize = 6 * 1024 * 1024 - 4096;

impl Envelope {
    /// Whether a row's body can be answered.
    pub(crate) fn holds_row(self, body: &[u8]) -> bool {
        self == Self::Http || self.holds(body)
    }

    /// Whether the body of another answer can.
    pub(crate) fn holds(self, body: &[u8]) -> bool {
        let escapes = if self == Self::FunctionUrl { escapes(body) } else { 0 };
        body.len() + escapes <= MAX_ANSWER_BYTES
    }
}

/// How many bytes JSON adds to a text: a backslash before each quote and backslash, five bytes for other controls.
fn escapes(text: &[u8]) -> usize {
    let added = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 1,
        0..=0x1f => 5,
        _ => 0,
    };
    text.iter().map(added).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_measured_as_it_is_sent() {
        let text = |unit: &str, count: usize| unit.repeat(count).into_bytes();
        for (body, http, function_url) in [
            (text("x", MAX_ANSWER_BYTES), true, true),
            (text("x", MAX_ANSWER_BYTES + 1), false, false),
            (text("\"", MAX_ANSWER_BYTES / 2), true, true),
            (text("\\", MAX_ANSWER_BYTES / 2 + 1), true, false),
            (text("\u{1}", MAX_ANSWER_BYTES / 6 + 1), true, false),
        ] {
            assert_eq!((Envelope::Http.holds(&body), Envelope::FunctionUrl.holds(&body)), (http, function_url));
            assert_eq!((Envelope::Http.holds_row(&body), Envelope::FunctionUrl.holds_row(&body)), (true, function_url));
        }
        let row = "{\"text\":\"a\\nb\u{7}\"}";
        assert_eq!(escapes(row.as_bytes()), serde_json::to_string(row).unwrap().len() - 2 - row.len());
    }
}
