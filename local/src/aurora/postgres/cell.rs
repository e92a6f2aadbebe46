//! A value of PostgreSQL as the export takes it, from the text that the server shows.

use anyhow::{Context, Result, ensure};

use crate::export::{Cell, Exported};

pub(super) fn cell(text: Option<&str>, exported: Exported) -> Result<Cell> {
    let Some(text) = text else { return Ok(Cell::NULL) };
    let read = match exported {
        Exported::Int16 | Exported::Int32 | Exported::Int64 => text.parse().map(Cell::Int).map_err(Into::into),
        // NaN and the infinities read as they are written.
        Exported::Float => text.parse().map(Cell::Float).map_err(Into::into),
        Exported::Double => text.parse().map(Cell::Double).map_err(Into::into),
        Exported::Boolean => Ok(Cell::Int((text == "t").into())),
        Exported::Bytes => bytes(text).map(Cell::Bytes),
        Exported::Text | Exported::Decimal(..) | Exported::TimestampMicros => Ok(Cell::Bytes(text.into())),
    };
    read.with_context(|| format!("read {text:?}"))
}

/// `\x00ff`
fn bytes(text: &str) -> Result<Vec<u8>> {
    let digits = text.strip_prefix("\\x").context("a bytea is shown in hexadecimal digits after \\x")?.as_bytes();
    ensure!(digits.len() % 2 == 0, "an odd number of hexadecimal digits");
    let byte = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    digits.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_value_is_read_from_its_text() {
        let read = |text, exported| cell(Some(text), exported).unwrap();
        assert_eq!(read("-32768", Exported::Int16), Cell::Int(-32768));
        assert_eq!(read("9223372036854775807", Exported::Int64), Cell::Int(i64::MAX));
        assert_eq!(read("-Infinity", Exported::Double), Cell::Double(f64::NEG_INFINITY));
        assert!(matches!(read("NaN", Exported::Float), Cell::Float(number) if number.is_nan()));
        assert_eq!((read("t", Exported::Boolean), read("f", Exported::Boolean)), (Cell::Int(1), Cell::Int(0)));
        assert_eq!(read("\\x00fF", Exported::Bytes), Cell::Bytes(vec![0, 255]));
        assert_eq!(read("\\x", Exported::Bytes), Cell::Bytes(Vec::new()));
        assert_eq!(read("{1,NULL}", Exported::Text), Cell::from("{1,NULL}"));
        assert_eq!(cell(None, Exported::Text).unwrap(), Cell::NULL);
    }

    #[test]
    fn what_is_no_such_value_is_an_error_and_not_a_null() {
        for (text, exported) in [("x", Exported::Int32), ("00", Exported::Bytes), ("\\x0", Exported::Bytes)] {
            assert!(cell(Some(text), exported).is_err(), "{text}");
        }
    }
}
