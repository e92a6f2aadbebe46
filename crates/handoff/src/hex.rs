/// The bytes of a hash in hexadecimal; none where it is no hash of this length.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::from_hex;

    #[test]
    fn a_hash_comes_back_from_its_digits_and_nothing_else_does() {
        assert_eq!(from_hex("00ff7F"), Some([0x00, 0xff, 0x7f]));
        for other in ["", "00ff7", "00ff7f00", "00ff7x", "00ff+1", "00f\u{e9}1"] {
            assert_eq!(from_hex::<3>(other), None, "{other}");
        }
    }
}
