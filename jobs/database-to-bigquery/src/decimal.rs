//! Decimals as Arrow holds them: a whole number of the scale's smallest unit. A number that does not fit exactly is none.

use arrow_buffer::i256;

/// 10 to the power of `n`.
fn power(n: u32) -> Option<i256> {
    let mut power = i256::ONE;
    for _ in 0..n {
        power = power.checked_mul(i256::from_i128(10))?;
    }
    Some(power)
}

/// Source: Arrow, decimal types: so many digits are in 128 bits.
const POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut n = 1;
    while n < 39 {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

fn fits(value: i128, precision: u8) -> bool {
    POWERS.get(usize::from(precision)).is_some_and(|limit| value.abs() < *limit)
}

pub fn of_whole(value: i128, precision: u8, scale: i8) -> Option<i128> {
    let factor = POWERS.get(usize::try_from(scale).ok()?)?;
    value.checked_mul(*factor).filter(|value| fits(*value, precision))
}

/// `value` in units of the scale.
pub fn scaled(value: i256, scale: i8, precision: u8) -> Option<i256> {
    let value = value.checked_mul(power(scale.try_into().ok()?)?)?;
    (value.checked_abs()? < power(precision.into())?).then_some(value)
}

/// The sign, and the digits with as many zeros behind them as the scale wants.
fn digits(text: &[u8], scale: i8) -> Option<(bool, impl Iterator<Item = Option<u8>>)> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let point = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
    let (whole, fraction) = (&text[..point], text.get(point + 1..).unwrap_or_default());
    let scale = usize::try_from(scale).ok()?;
    let (kept, beyond) = fraction.split_at(fraction.len().min(scale));
    if whole.is_empty() || beyond.iter().any(|byte| *byte != b'0') {
        return None;
    }
    let zeros = std::iter::repeat_n(&b'0', scale - kept.len());
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| byte - b'0');
    Some((negative, whole.iter().chain(kept).chain(zeros).map(digit)))
}

pub fn of_text(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let (negative, digits) = digits(text, scale)?;
    let mut value: i128 = 0;
    for digit in digits {
        value = value.checked_mul(10)?.checked_add(digit?.into())?;
    }
    fits(value, precision).then_some(if negative { -value } else { value })
}

pub fn of_long_text(text: &[u8], precision: u8, scale: i8) -> Option<i256> {
    let (negative, digits) = digits(text, scale)?;
    let mut value = i256::ZERO;
    for digit in digits {
        value = value.checked_mul(i256::from_i128(10))?.checked_add(i256::from_i128(digit?.into()))?;
    }
    (value < power(precision.into())?).then_some(if negative { value.checked_neg()? } else { value })
}

/// `PostgreSQL`'s number: digits to the base 10,000, the first of which stands for 10,000 to the power of `weight`.
/// Source: `PostgreSQL`, `src/backend/utils/adt/numeric.c`, `numeric_send`.
#[derive(Debug, Clone, Copy)]
pub struct Wire<'a> {
    weight: i16,
    sign: u16,
    digits: &'a [u8],
}

const NEGATIVE: u16 = 0x4000;

impl<'a> Wire<'a> {
    pub fn read(wire: &'a [u8]) -> Option<Self> {
        let word = |n: usize| Some(u16::from_be_bytes(wire.get(n..n + 2)?.try_into().ok()?));
        let (count, weight, sign) = (word(0)?, word(2)?.cast_signed(), word(4)?);
        let digits = wire.get(8..)?;
        (digits.len() == usize::from(count) * 2).then_some(Self { weight, sign, digits })
    }

    /// Neither not-a-number nor infinite.
    pub fn finite(self) -> Option<Self> {
        matches!(self.sign, 0 | NEGATIVE).then_some(self)
    }

    pub fn to_i128(self, precision: u8, scale: i8) -> Option<i128> {
        let mut value: i128 = 0;
        let up = self.add_up(scale, |factor, digit| {
            value = value.checked_mul(factor)?.checked_add(digit)?;
            Some(())
        })?;
        let value = value.checked_mul(*POWERS.get(usize::try_from(up).ok()?)?)?;
        fits(value, precision).then_some(if self.sign == NEGATIVE { -value } else { value })
    }

    pub fn to_i256(self, precision: u8, scale: i8) -> Option<i256> {
        let mut value = i256::ZERO;
        let up = self.add_up(scale, |factor, digit| {
            value = value.checked_mul(i256::from_i128(factor))?.checked_add(i256::from_i128(digit))?;
            Some(())
        })?;
        let value = value.checked_mul(power(up)?)?;
        let fits = value < power(precision.into())?;
        fits.then_some(if self.sign == NEGATIVE { value.checked_neg()? } else { value })
    }

    /// Gives the digits from the highest on, each with what the sum so far is multiplied by. Returns the power of ten that
    /// the sum lacks of units of the scale. None where a digit below the scale is not zero.
    fn add_up(self, scale: i8, mut add: impl FnMut(i128, i128) -> Option<()>) -> Option<u32> {
        let mut lacks = 0;
        let places = (0..).map(|n| (i32::from(self.weight) - n) * 4 + i32::from(scale));
        for (digit, place) in self.digits.chunks_exact(2).zip(places) {
            let digit = i128::from(u16::from_be_bytes(digit.try_into().ok()?));
            match place {
                0.. => add(10_000, digit)?,
                // The scale ends within these four digits.
                -3..0 => {
                    let below = POWERS[usize::try_from(-place).ok()?];
                    (digit % below == 0).then_some(())?;
                    add(10_000 / below, digit / below)?;
                }
                _ => (digit == 0).then_some(())?,
            }
            lacks = place.max(0);
        }
        u32::try_from(lacks).ok()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::types::{Decimal256Type, DecimalType};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_taken_exactly_or_not_at_all() {
        assert_eq!(of_text(b"-12.5", 12, 2), Some(-1250));
        assert_eq!(of_text(b"12.500", 12, 2), Some(1250));
        assert_eq!(of_text(b"0.001", 12, 2), None);
        assert_eq!(of_text(b"10000000000", 12, 2), None);
        assert_eq!((of_text(b"1e3", 12, 2), of_text(b"", 12, 2), of_text(b"-", 12, 2)), (None, None, None));
        let longest = "9".repeat(35) + "." + &"9".repeat(30);
        assert_eq!(of_long_text(longest.as_bytes(), 65, 30).unwrap().to_string(), "9".repeat(65));
        assert_eq!(of_long_text(("1".to_owned() + &longest).as_bytes(), 65, 30), None);
        assert_eq!(of_whole(u64::MAX.into(), 20, 0), Some(u64::MAX.into()));
    }

    /// As PostgreSQL sends `digits` to the base 10,000.
    fn wire(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
        let head = [u16::try_from(digits.len()).unwrap(), weight.cast_unsigned(), sign, 2];
        head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn a_number_on_postgresql_s_wire_is_taken_exactly_or_not_at_all() {
        let number = |bytes: &[u8], scale| Wire::read(bytes).unwrap().finite().map(|wire| wire.to_i128(38, scale));
        assert_eq!(number(&wire(1, NEGATIVE, &[1, 2345, 6700]), 2), Some(Some(-1_234_567)));
        assert_eq!(number(&wire(1, 0, &[1, 2345, 6789]), 2), Some(None));
        assert_eq!(number(&wire(2, 0, &[7]), 0), Some(Some(700_000_000)));
        assert_eq!(number(&wire(-1, 0, &[5000]), 1), Some(Some(5)));
        assert_eq!(number(&wire(0, 0, &[]), 9), Some(Some(0)));
        assert_eq!((number(&wire(0, 0xC000, &[]), 9), number(&wire(0, 0xD000, &[]), 9)), (None, None));
        assert!(Wire::read(&[0, 1, 0, 0]).is_none());
        let long = wire(9, 0, &[9999; 19]);
        assert_eq!(Wire::read(&long).unwrap().to_i256(76, 36).unwrap().to_string(), "9".repeat(76));
        assert_eq!(Wire::read(&long).unwrap().to_i128(38, 0), None);
        let full = wire(7, 0, &[9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9900]);
        assert_eq!(number(&full, 6), Some(Some(10_i128.pow(38) - 1)));
    }

    proptest! {
        #[test]
        fn short_and_long_decimals_are_read_alike(value in -10_i128.pow(30)..10_i128.pow(30), scale in 0_i8..9) {
            let text = i256::from_i128(value);
            let written = Decimal256Type::format_decimal(text, 60, scale);
            let short = of_text(written.as_bytes(), 38, scale);
            prop_assert_eq!(short, Some(value));
            prop_assert_eq!(of_long_text(written.as_bytes(), 60, scale), Some(text));
        }
    }
}
