//! An attempt that is late is over, also for a process that was stopped meanwhile.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// None where `work` took longer than `limit`. Unlike `tokio::time::timeout`, what is late is not polled once more: a
/// process that was stopped in the middle of a request must not go on sending it when it is woken.
pub async fn cut_off<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let end = Instant::now() + limit;
    let (mut work, mut timer) = (pin!(work), pin!(sleep_until(end)));
    poll_fn(|context| {
        if Instant::now() >= end || timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        work.as_mut().poll(context).map(Some)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_done_in_time_is_done() {
        assert_eq!(cut_off(Duration::from_secs(10), async { 1 }).await, Some(1));
        assert_eq!(cut_off(Duration::from_millis(5), std::future::pending::<()>()).await, None);
    }

    #[tokio::test]
    async fn who_was_stopped_for_longer_is_not_polled_again() {
        let mut polled = 0;
        let work = poll_fn(|context| {
            polled += 1;
            std::thread::sleep(Duration::from_millis(20)); // as SIGSTOP: nobody notices
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert_eq!(cut_off(Duration::from_millis(5), work).await, None);
        assert_eq!(polled, 1);
    }
}
