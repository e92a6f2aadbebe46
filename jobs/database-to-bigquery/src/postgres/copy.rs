//! The stream of a binary COPY, row by row. Source: PostgreSQL, "COPY", binary format.

use std::ops::Range;

use anyhow::{Result, bail, ensure};
use bytes::{Buf, BytesMut};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// The signature, flags, and the length of an extension that nobody uses.
const HEADER: usize = 19;
/// Instead of a number of fields, at the end.
const TRAILER: i16 = -1;

/// Cut into rows whatever the pieces are that it comes in.
pub struct Tuples {
    columns: usize,
    buffer: BytesMut,
    /// Of the current row, in the buffer; none for null.
    fields: Vec<Option<Range<usize>>>,
    /// How much of the buffer the current row is.
    row: usize,
    begun: bool,
    ended: bool,
}

impl Tuples {
    pub fn new(columns: usize) -> Self {
        let fields = Vec::with_capacity(columns);
        Self { columns, buffer: BytesMut::new(), fields, row: 0, begun: false, ended: false }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Goes to the next row; false where it is not whole yet.
    pub fn advance(&mut self) -> Result<bool> {
        self.buffer.advance(std::mem::take(&mut self.row));
        if !self.begun {
            if self.buffer.len() < HEADER {
                return Ok(false);
            }
            ensure!(self.buffer.starts_with(SIGNATURE), "the server's COPY does not begin as one");
            self.buffer.advance(HEADER);
            self.begun = true;
        }
        let Some(count) = self.buffer.first_chunk().map(|count| i16::from_be_bytes(*count)) else { return Ok(false) };
        if count == TRAILER {
            self.ended = true;
            return Ok(false);
        }
        ensure!(usize::try_from(count).ok() == Some(self.columns), "a row of {count} fields, not {}", self.columns);
        self.fields.clear();
        let mut at = 2;
        for _ in 0..self.columns {
            let Some(length) = self.buffer.get(at..).and_then(<[u8]>::first_chunk) else { return Ok(false) };
            at += 4;
            match i32::from_be_bytes(*length) {
                -1 => self.fields.push(None),
                length => {
                    let length = usize::try_from(length)?;
                    if self.buffer.len() < at + length {
                        return Ok(false);
                    }
                    self.fields.push(Some(at..at + length));
                    at += length;
                }
            }
        }
        self.row = at;
        Ok(true)
    }

    /// Of the current row.
    pub fn field(&self, index: usize) -> Option<&[u8]> {
        self.fields.get(index)?.clone().map(|range| &self.buffer[range])
    }

    /// A stream that ends without its trailer has lost rows.
    pub fn ended(&self) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        bail!("the server's COPY ended before its end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<u8> {
        let mut stream = [SIGNATURE.as_slice(), &[0; 8]].concat();
        for (a, b) in [("x", None), ("", Some("yz"))] {
            stream.extend(2_i16.to_be_bytes());
            for field in [Some(a), b] {
                stream.extend(field.map_or(-1, |field| i32::try_from(field.len()).unwrap()).to_be_bytes());
                stream.extend(field.unwrap_or_default().as_bytes());
            }
        }
        stream.extend(TRAILER.to_be_bytes());
        stream
    }

    fn rows(stream: &[u8], piece: usize) -> Result<Vec<(Option<Vec<u8>>, Option<Vec<u8>>)>> {
        let (mut tuples, mut rows) = (Tuples::new(2), Vec::new());
        for piece in stream.chunks(piece) {
            tuples.push(piece);
            while tuples.advance()? {
                let field = |index| tuples.field(index).map(<[u8]>::to_vec);
                rows.push((field(0), field(1)));
            }
        }
        tuples.ended()?;
        Ok(rows)
    }

    #[test]
    fn rows_are_whole_however_the_stream_is_cut() {
        let expected = vec![(Some(b"x".to_vec()), None), (Some(Vec::new()), Some(b"yz".to_vec()))];
        for piece in 1..stream().len() + 1 {
            assert_eq!(rows(&stream(), piece).unwrap(), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn a_stream_without_its_end_is_an_error() {
        let whole = stream();
        for length in 0..whole.len() - 2 {
            assert!(rows(&whole[..length], 7).is_err(), "{length}");
        }
        assert!(rows(b"no copy of ours at all", 50).is_err());
    }
}
