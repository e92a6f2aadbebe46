//! What a wire does to a request, and to which.

use std::time::Duration;

use super::record::Recorded;

#[derive(Debug, Clone)]
pub enum Effect {
    /// Answers with this status and body; the endpoint never sees the request.
    Refuse(u16, String),
    /// Closes the connection; the endpoint never sees the request.
    Reset,
    /// The endpoint carries the request out, and the connection closes before the answer.
    LoseAnswer,
    /// Holds the request before the endpoint sees it, until it is released: the moment to kill the program.
    HoldRequest,
    /// The endpoint carries the request out, and the answer is held until it is released.
    HoldAnswer,
    /// The request waits before the endpoint sees it.
    Delay(Duration),
}

pub(super) type Matches = Box<dyn Fn(&Recorded) -> bool + Send + Sync>;

pub(super) struct Fault {
    pub(super) effect: Effect,
    pub(super) turn: Turn,
    pub(super) matches: Matches,
}

/// Which of the matching requests it is for.
pub(super) enum Turn {
    Next { skip: usize, times: usize },
    Share { share: f64, due: f64 },
}

/// The faults that are still to come.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<Fault>);

impl Faults {
    /// The effect on this request. The first fault that matches and is not used up decides, except that a share lets
    /// what is not its own go on to the faults behind it.
    pub(super) fn meet(&mut self, request: &Recorded) -> Option<Effect> {
        for fault in &mut self.0 {
            if fault.turn.over() || !(fault.matches)(request) {
                continue;
            }
            if fault.turn.take() {
                return Some(fault.effect.clone());
            }
            if matches!(fault.turn, Turn::Next { .. }) {
                return None;
            }
        }
        None
    }
}

impl Turn {
    fn over(&self) -> bool {
        matches!(self, Self::Next { times: 0, .. })
    }

    /// Whether it is this request's turn.
    fn take(&mut self) -> bool {
        match self {
            Self::Next { skip: 0, times } => {
                *times -= 1;
                true
            }
            Self::Next { skip, .. } => {
                *skip -= 1;
                false
            }
            Self::Share { share, due } => {
                *due += *share;
                // Tenths do not add up to one: 0.1 ten times is a little less.
                let mine = *due > 1.0 - 1e-9;
                *due -= if mine { 1.0 } else { 0.0 };
                mine
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(faults: &mut Faults, requests: usize) -> Vec<usize> {
        (0..requests).filter(|_| faults.meet(&Recorded::default()).is_some()).collect()
    }

    #[test]
    fn a_share_comes_evenly_and_lets_the_others_meet_the_next_fault() {
        let fault = |turn| Fault { effect: Effect::Reset, turn, matches: Box::new(|_| true) };
        for (share, expected) in [(0.25, vec![3, 7, 11]), (0.1, vec![9]), (1.0, (0..12).collect()), (0.0, vec![])] {
            assert_eq!(met(&mut Faults(vec![fault(Turn::Share { share, due: 0.0 })]), 12), expected, "{share}");
        }
        let both = vec![fault(Turn::Share { share: 0.25, due: 0.0 }), fault(Turn::Next { skip: 1, times: 2 })];
        assert_eq!(met(&mut Faults(both), 8), [1, 2, 3, 7]);
    }

    #[test]
    fn a_fault_waits_comes_and_is_over() {
        let turn = Turn::Next { skip: 2, times: 2 };
        let mut faults = Faults(vec![Fault { effect: Effect::Reset, turn, matches: Box::new(|_| true) }]);
        assert_eq!(met(&mut faults, 8), [2, 3]);
    }
}
