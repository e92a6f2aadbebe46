//! Memory that chunks share.

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So much of it, shared out in KiB. Clones share the same.
#[derive(Clone)]
pub struct Room {
    kib: u32,
    free: Arc<Semaphore>,
}

impl Room {
    pub fn of(bytes: u64) -> Self {
        let kib = u32::try_from(bytes >> 10).unwrap_or(u32::MAX);
        Self { kib, free: Arc::new(Semaphore::new(kib as usize)) }
    }

    /// Waits until so much is free. Whoever needs more than there is waits for all of it, and has it alone.
    pub async fn take(&self, bytes: u64) -> Result<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes >> 10).unwrap_or(u32::MAX).clamp(1, self.kib);
        Ok(Arc::clone(&self.free).acquire_many_owned(kib).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn who_finds_no_room_waits_and_who_needs_more_than_there_is_has_it_alone() {
        let room = Room::of(100 << 10);
        let (small, half) = (room.take(1).await.unwrap(), room.take(50 << 10).await.unwrap());
        assert!(room.take(50 << 10).now_or_never().is_none(), "49 KiB are left");
        drop(small);
        let other_half = room.take(50 << 10).now_or_never().unwrap().unwrap();
        let mut alone = Box::pin(room.take(u64::MAX));
        assert!((&mut alone).now_or_never().is_none());
        drop((half, other_half));
        let alone = alone.now_or_never().unwrap().unwrap();
        assert!(room.take(0).now_or_never().is_none(), "nothing is left beside it");
        drop(alone);
        assert!(room.take(0).now_or_never().is_some());
    }
}
