//! Where a task is.

use crate::world::NONE;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    Start,
    /// Its row is to be listed and written.
    Row,
    /// It looks whether all are done.
    Look,
    Flip,
    /// Flipped: what vanished goes, what is old is collected, the lease ends.
    Delete,
    /// Ended with 0: published, or its share done, or found published.
    Well,
    Failed,
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Task {
    pub at: At,
    pub generation: u8,
    pub base: u8,
    /// What it takes to stand under its key.
    pub belief: u8,
    /// The lease is its own until then, by its own monotonic clock.
    pub until: u8,
    /// When a renewal was sent that is under way.
    pub renewing: u8,
    /// When the request under way is cut off.
    pub sent: u8,
    /// Since when another's lease was seen unchanged.
    pub watching: u8,
    pub saw_life: bool,
    /// It believes that it flipped.
    pub won: bool,
    /// Goes back to a generation instead of making one.
    pub rolls_back: bool,
}

impl Task {
    pub fn is_alive(&self) -> bool {
        !matches!(self.at, At::Well | At::Failed | At::Dead)
    }

    /// It holds the lease, or believes that it does.
    pub fn is_at_work(&self) -> bool {
        self.is_alive() && self.at != At::Start
    }

    /// Without what no longer matters, so that states that are alike are one.
    pub fn normal(self) -> Self {
        match self.at {
            At::Start => Self { watching: self.watching, saw_life: self.saw_life, ..Self::kept(self) },
            At::Well | At::Failed | At::Dead => Self::kept(self),
            At::Row => self,
            At::Look | At::Flip => Self { belief: 0, ..self },
            At::Delete => Self { belief: 0, base: 0, ..self },
        }
    }

    fn kept(self) -> Self {
        let Self { at, generation, won, rolls_back, .. } = self;
        Self { generation: if won { generation } else { 0 }, won, rolls_back, ..Self::at(at) }
    }

    pub fn at(at: At) -> Self {
        Self {
            at,
            generation: 0,
            base: 0,
            belief: 0,
            until: 0,
            renewing: NONE,
            sent: NONE,
            watching: NONE,
            saw_life: false,
            won: false,
            rolls_back: false,
        }
    }
}
