//! Digits without `write!`, whose machinery would cost more than the rest of the row.

/// Fills all of `text`, with zeros in front.
pub(super) fn fill(text: &mut [u8], mut number: u32) {
    for byte in text.iter_mut().rev() {
        *byte = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

pub(super) fn push(mut number: u64, out: &mut Vec<u8>) {
    let mut text = [0; 20];
    let mut start = text.len();
    loop {
        start -= 1;
        text[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[start..]);
}

pub(super) fn push_signed(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    push(number.unsigned_abs(), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_integer_is_written_as_the_standard_library_does() {
        for number in [0, 1, 9, 10, 99, 100, -1, -10, 1_234_567_890, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            push_signed(number, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }

    #[test]
    fn zeros_fill_the_front() {
        let mut text = *b"xxxx";
        fill(&mut text, 42);
        assert_eq!(&text, b"0042");
    }
}
