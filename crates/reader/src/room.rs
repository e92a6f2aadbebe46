//! How many bytes of bodies one answer may still have.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{ReadError, Row};

pub(crate) struct Room {
    limit: u64,
    taken: AtomicU64,
}

impl Room {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, taken: AtomicU64::new(0) }
    }

    /// For one row: whoever asks for it by its key wants it however large it is.
    pub(crate) fn for_one() -> Self {
        Self::new(u64::MAX)
    }

    /// For a body of so many bytes. An error is the end of the whole answer.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), ReadError> {
        let taken = self.taken.fetch_add(bytes, Relaxed).saturating_add(bytes);
        let (limit, alone) = (self.limit, bytes > self.limit);
        if taken <= limit { Ok(()) } else { Err(ReadError::TooLarge { limit, alone }) }
    }

    pub(crate) fn take_for(&self, row: Option<&Row>) -> Result<(), ReadError> {
        self.take(row.map_or(0, |row| row.body.len() as u64))
    }

    /// Whether an error that says so is about this answer, and not about one that happened to want the same row.
    pub(crate) fn is_spent(&self) -> bool {
        self.taken.load(Relaxed) > self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_told_and_so_is_a_row_that_alone_does_not() {
        let room = Room::new(10);
        assert!(room.take(4).is_ok() && room.take(6).is_ok() && room.take(0).is_ok() && !room.is_spent());
        assert!(matches!(room.take(1), Err(ReadError::TooLarge { limit: 10, alone: false })) && room.is_spent());
        assert!(matches!(Room::new(10).take(11), Err(ReadError::TooLarge { limit: 10, alone: true })));
        assert!(Room::for_one().take(1 << 40).is_ok());
    }
}
