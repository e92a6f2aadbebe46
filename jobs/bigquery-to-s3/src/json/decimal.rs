//! NUMERIC and BIGNUMERIC: a string with every digit and no more. Most readers would round a JSON number to a double.

use std::iter::repeat_n;

use super::digits;

/// `unscaled` is the value times ten to the power of `scale`.
pub(super) fn push(unscaled: i128, scale: i8, out: &mut Vec<u8>) {
    match u64::try_from(unscaled.unsigned_abs()) {
        Ok(magnitude) => {
            out.extend_from_slice(if unscaled < 0 { b"\"-" } else { b"\"" });
            let start = out.len();
            digits::push(magnitude, out);
            set_point(start, scale, out);
            out.push(b'"');
        }
        Err(_) => push_text(&unscaled.to_string(), scale, out),
    }
}

/// The same for an unscaled value that was too wide and is text already.
pub(super) fn push_text(unscaled: &str, scale: i8, out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len() + usize::from(unscaled.starts_with('-'));
    out.extend_from_slice(unscaled.as_bytes());
    set_point(start, scale, out);
    out.push(b'"');
}

/// `out[start..]` are the digits.
fn set_point(start: usize, scale: i8, out: &mut Vec<u8>) {
    let fraction = usize::from(scale.unsigned_abs());
    if fraction == 0 {
        return;
    }
    let missing = (fraction + 1).saturating_sub(out.len() - start);
    out.splice(start..start, repeat_n(b'0', missing));
    out.insert(out.len() - fraction, b'.');
    while out.ends_with(b"0") {
        out.pop();
    }
    if out.ends_with(b".") {
        out.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(unscaled: i128, scale: i8) -> String {
        let mut out = b"before".to_vec();
        push(unscaled, scale, &mut out);
        let mut by_text = b"before".to_vec();
        push_text(&unscaled.to_string(), scale, &mut by_text);
        assert_eq!(out, by_text);
        String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned()
    }

    #[test]
    fn a_decimal_has_no_digit_too_many() {
        assert_eq!(text(1_500_000_000, 9), r#""1.5""#);
        assert_eq!(text(100_000_000_000, 9), r#""100""#);
        assert_eq!(text(0, 9), r#""0""#);
        assert_eq!(text(-1, 9), r#""-0.000000001""#);
        assert_eq!(text(-10_000_000, 9), r#""-0.01""#);
        assert_eq!(text(123, 0), r#""123""#);
        assert_eq!(text(1200, 0), r#""1200""#);
    }

    #[test]
    fn a_decimal_keeps_every_digit_at_both_ends_of_its_range() {
        let nines = 10_i128.pow(38) - 1;
        assert_eq!(text(nines, 9), r#""99999999999999999999999999999.999999999""#);
        assert_eq!(text(-nines, 9), r#""-99999999999999999999999999999.999999999""#);
        assert_eq!(text(nines, 38), r#""0.99999999999999999999999999999999999999""#);
        assert_eq!(text(i128::from(u64::MAX), 9), r#""18446744073.709551615""#);
        assert_eq!(text(i128::from(u64::MAX) + 1, 9), r#""18446744073.709551616""#);
    }
}
