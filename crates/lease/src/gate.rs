//! What every write asks just before it is sent.

use std::time::Duration;

use tokio::sync::watch;

use crate::Moment;

/// Another one has the lease, or ours was given back. It never comes back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Open,
    /// In doubt, for now: the lease may be ours again.
    Closed,
    Lost,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Ours for `time` after `since`.
    Held {
        since: Moment,
        time: Duration,
    },
    Lost(Lost),
}

/// A cheap check; clones ask the same keeper.
#[derive(Debug, Clone)]
pub struct Gate(watch::Receiver<State>);

/// The other side of a [`Gate`].
#[derive(Debug)]
pub struct Gatekeeper(watch::Sender<State>);

impl Gatekeeper {
    pub fn new(since: Moment, time: Duration) -> Self {
        Self(watch::Sender::new(State::Held { since, time }))
    }

    pub fn gate(&self) -> Gate {
        Gate(self.0.subscribe())
    }

    /// The lease is ours for `time` after `since`, which is no later than the moment from which others count.
    pub fn hold(&self, since: Moment, time: Duration) {
        self.set(State::Held { since, time });
    }

    pub fn lose(&self, why: impl Into<String>) {
        self.set(State::Lost(Lost(why.into())));
    }

    fn set(&self, next: State) {
        self.0.send_if_modified(|state| {
            let final_one = matches!(state, State::Lost(_));
            if !final_one {
                *state = next;
            }
            !final_one
        });
    }
}

impl Gate {
    /// Whether an attempt that is over within `limit`, whatever comes, may be sent now.
    pub fn check(&self, limit: Duration) -> Verdict {
        self.0.borrow().verdict(Moment::now(), limit)
    }

    /// Why the gate will never open again, where that is so.
    pub fn lost(&self) -> Option<Lost> {
        match &*self.0.borrow() {
            State::Held { .. } => None,
            State::Lost(lost) => Some(lost.clone()),
        }
    }

    /// Waits until an attempt that is over within `limit` may be sent, for as long as the lease may still be ours.
    pub async fn passes(&self, limit: Duration) -> Result<(), Lost> {
        let mut states = self.0.clone();
        let state = states.wait_for(|state| state.verdict(Moment::now(), limit) != Verdict::Closed).await;
        match state.as_deref() {
            Ok(State::Held { .. }) => Ok(()),
            Ok(State::Lost(lost)) => Err(lost.clone()),
            Err(_) => Err(Lost("nobody renews the lease any more".into())),
        }
    }

    /// Waits until the lease is lost; for ever where it never is.
    pub async fn until_lost(&self) -> Lost {
        let mut states = self.0.clone();
        let state = states.wait_for(|state| matches!(state, State::Lost(_))).await.map(|state| state.clone());
        match state {
            Ok(State::Lost(lost)) => lost,
            _ => std::future::pending().await,
        }
    }
}

impl State {
    fn verdict(&self, now: Moment, limit: Duration) -> Verdict {
        match self {
            Self::Held { since, time } if since.age(now) + limit < *time => Verdict::Open,
            Self::Held { .. } => Verdict::Closed,
            Self::Lost(_) => Verdict::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn after(begin: Moment, seconds: u32) -> Moment {
        Moment { monotonic: begin.monotonic + seconds * SECOND, wall: begin.wall + seconds * SECOND }
    }

    #[test]
    fn a_gate_is_open_for_what_ends_before_the_lease_does() {
        let begin = Moment::now();
        let state = State::Held { since: begin, time: 10 * SECOND };
        for (now, limit, verdict) in [
            (0, 9, Verdict::Open),
            (0, 10, Verdict::Closed),
            (5, 4, Verdict::Open),
            (5, 5, Verdict::Closed),
            (10, 0, Verdict::Closed),
        ] {
            assert_eq!(state.verdict(after(begin, now), limit * SECOND), verdict, "{now} {limit}");
        }
    }

    #[test]
    fn it_opens_again_when_the_lease_is_ours_again_and_never_once_it_is_lost() {
        let keeper = Gatekeeper::new(Moment::now(), Duration::ZERO);
        let gate = keeper.gate();
        assert_eq!(gate.check(Duration::ZERO), Verdict::Closed);
        keeper.hold(Moment::now(), 10 * SECOND);
        assert_eq!(gate.check(SECOND), Verdict::Open);
        keeper.lose("somebody has it");
        keeper.hold(Moment::now(), 10 * SECOND);
        assert_eq!(gate.check(SECOND), Verdict::Lost);
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_the_lease_is_ours_again_and_ends_when_it_is_lost() {
        let keeper = Gatekeeper::new(Moment::now(), Duration::ZERO);
        let waiting = |gate: Gate| tokio::spawn(async move { gate.passes(SECOND).await });
        let first = waiting(keeper.gate());
        tokio::task::yield_now().await;
        assert!(!first.is_finished());
        keeper.hold(Moment::now(), 10 * SECOND);
        assert_eq!(first.await.unwrap(), Ok(()));
        keeper.hold(Moment::now(), Duration::ZERO);
        let second = waiting(keeper.gate());
        keeper.lose("job-2 has it");
        assert_eq!(second.await.unwrap(), Err(Lost("job-2 has it".into())));
    }

    #[tokio::test]
    async fn a_gate_without_a_keeper_is_good_until_its_time_is_over_and_then_for_nobody() {
        let keeper = Gatekeeper::new(Moment::now(), Duration::ZERO);
        let gate = keeper.gate();
        drop(keeper);
        assert!(gate.passes(SECOND).await.is_err());
    }
}
