//! How long the job waits for others, and what it says meanwhile.

use std::time::Duration;

use tokio::time::{Instant, sleep};

const SAY_EVERY: Duration = Duration::from_mins(1);

#[derive(Debug, Clone)]
pub struct Wait {
    began: Instant,
    limit: Duration,
    poll: Duration,
    said: Option<Instant>,
}

impl Wait {
    /// From now on.
    pub fn new(limit: Duration, poll: Duration) -> Self {
        Self { began: Instant::now(), limit, poll, said: None }
    }

    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.began.elapsed())
    }

    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// The whole of it, for messages.
    pub fn minutes(&self) -> u64 {
        self.limit.as_secs() / 60
    }

    /// Until the next look. `say` gets the minutes that are left, once a minute.
    pub async fn pause(&mut self, say: impl FnOnce(u64)) {
        if self.said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            self.said = Some(Instant::now());
            say(self.left().as_secs() / 60);
        }
        sleep(self.poll.min(self.left())).await;
    }
}
