//! Redis Cluster: the slot of a key, and which node has which slots.

use std::ops::RangeInclusive;

use redis::{Value, from_redis_value_ref};

/// Source: Redis Cluster specification, "Key distribution model".
pub(super) const SLOTS: u16 = 16_384;

/// Slots that are one node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) slots: RangeInclusive<u16>,
    /// None: it is whoever answered.
    pub(super) host: Option<String>,
    pub(super) port: u16,
}

pub(super) fn slot_of(key: &str) -> u16 {
    crc16(hash_tag(key.as_bytes())) % SLOTS
}

/// What stands in the first pair of braces decides alone, unless nothing does.
fn hash_tag(key: &[u8]) -> &[u8] {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        rest.iter().position(|byte| *byte == b'}').map(|close| &rest[..close])
    });
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| (crc << 8) ^ CRC_OF_BYTE[usize::from(crc >> 8) ^ usize::from(*byte)])
}

const CRC_OF_BYTE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte: u16 = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte << 8, 0);
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
};

/// The answer to `CLUSTER SLOTS`, in the order of the slots: for each range its first and last slot, its primary, and
/// replicas. None where it is another answer.
pub(super) fn shares(answer: &Value, tls: bool) -> Option<Vec<Share>> {
    let Value::Array(ranges) = answer else { return None };
    let mut shares: Vec<Share> = ranges.iter().map(|range| share(range, tls)).collect::<Option<_>>()?;
    shares.sort_unstable_by_key(|share| *share.slots.start());
    Some(shares)
}

fn share(range: &Value, tls: bool) -> Option<Share> {
    let Value::Array(parts) = range else { return None };
    let [first, last, Value::Array(primary), ..] = &parts[..] else { return None };
    let (first, last) = (from_redis_value_ref(first).ok()?, from_redis_value_ref(last).ok()?);
    let port = from_redis_value_ref(primary.get(1)?).ok()?;
    Some(Share { slots: first..=last, host: name(primary, tls), port })
}

/// What the node is called; with TLS by its host name, if it tells one: that is what a certificate is made for.
fn name(node: &[Value], tls: bool) -> Option<String> {
    let text = |value: &Value| from_redis_value_ref::<String>(value).ok().filter(|name| !matches!(&name[..], "" | "?"));
    let more = match node.get(3) {
        Some(Value::Array(more)) if tls => &more[..],
        _ => &[],
    };
    let host_name = more.chunks_exact(2).find(|pair| text(&pair[0]).as_deref() == Some("hostname"));
    host_name.and_then(|pair| text(&pair[1])).or_else(|| text(node.first()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    /// The numbers are those of `CLUSTER KEYSLOT`.
    #[test]
    fn a_key_has_the_slot_that_redis_gives_it() {
        for (key, slot) in [
            ("", 0),
            ("123456789", 12739),
            ("foo", 12182),
            ("{foo}bar", 12182),
            ("a{foo}b{bar}", 12182),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("{", 4092),
            ("isthmus:users:本", 3542),
        ] {
            assert_eq!(slot_of(key), slot, "{key:?}");
        }
    }

    fn answer(primary: Vec<Value>) -> Value {
        let replica = Value::Array(vec![text("10.0.0.9"), Value::Int(6379), text("id")]);
        let upper = vec![Value::Int(8192), Value::Int(16_383), Value::Array(primary), replica.clone()];
        let lower = vec![Value::Int(0), Value::Int(8191), replica];
        Value::Array(vec![Value::Array(upper), Value::Array(lower)])
    }

    fn upper(primary: Vec<Value>, tls: bool) -> Option<Share> {
        let shares = shares(&answer(primary), tls)?;
        assert_eq!((shares[0].slots.clone(), shares[1].slots.clone()), (0..=8191, 8192..=16_383), "in their order");
        assert_eq!((shares[0].port, shares[1].port), (6379, 7000));
        shares.into_iter().next_back()
    }

    #[test]
    fn a_node_is_called_by_its_name_and_one_without_is_who_answered() {
        let more = || Value::Array(vec![text("hostname"), text("node-1.cache")]);
        for (primary, tls, name) in [
            (vec![text("10.0.0.1"), Value::Int(7000), text("id"), more()], false, Some("10.0.0.1")),
            (vec![text("10.0.0.1"), Value::Int(7000), text("id"), more()], true, Some("node-1.cache")),
            (vec![text("10.0.0.1"), Value::Int(7000), text("id"), Value::Array(Vec::new())], true, Some("10.0.0.1")),
            (vec![text(""), Value::Int(7000)], false, None),
            (vec![text("?"), Value::Int(7000)], false, None),
            (vec![Value::Nil, Value::Int(7000)], true, None),
        ] {
            assert_eq!(upper(primary.clone(), tls).unwrap().host.as_deref(), name, "{primary:?} {tls}");
        }
    }

    #[test]
    fn another_answer_is_none() {
        for primary in [vec![text("10.0.0.1")], vec![text("10.0.0.1"), text("port")], vec![]] {
            assert_eq!(upper(primary.clone(), false), None, "{primary:?}");
        }
        assert_eq!(shares(&Value::Okay, false), None);
        assert_eq!(shares(&Value::Array(vec![Value::Okay]), false), None);
    }
}
