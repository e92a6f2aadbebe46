//! What stands in S3, and where each task is. Small numbers only: a state is compared and hashed a million times.

use crate::at::{At, Task};

/// Each task of an execution owns one key.
pub const KEYS: usize = 2;
pub const TASKS: usize = 4;
/// Two of history, and as many as can begin.
pub const GENERATIONS: usize = 5;
/// `keep_generations`
pub const KEEP: usize = 2;
pub const NONE: u8 = u8::MAX;
/// A belief: either value may stand.
pub const DOUBT: u8 = 9;

/// What each key is in: generation 0, generation 1, what execution 1 and what execution 2 make. 0 is no row: execution 1
/// lets a row vanish that execution 2 changes, and changes one that execution 2 leaves alone.
const ROWS: [[u8; KEYS]; 4] = [[5, 5], [1, 1], [2, 0], [1, 3]];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Current {
    pub generation: u8,
    pub etag: u8,
    /// The task whose words they are.
    pub by: u8,
    pub fence: u8,
    pub before: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// An execution; 0 where it was given back.
    pub holder: u8,
    pub generation: u8,
    pub taken_over: bool,
    pub published: bool,
    /// By the wall clock of who wrote it. Only the old protocol reads it.
    pub expires: u8,
    /// Executions that lost it, as bits.
    pub superseded: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation {
    /// Whose rows: an index of `ROWS`.
    pub rows: u8,
    pub started: bool,
    /// The `ETag` of the `CURRENT` that it was compared with.
    pub base: u8,
    /// The list of what will be written stands.
    pub listed: [bool; KEYS],
    pub done: [bool; KEYS],
    pub vanished: [bool; KEYS],
    /// The objects of vanished keys are gone.
    pub swept: bool,
    /// What its manifest names can be read.
    pub readable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct World {
    pub time: u8,
    pub current: Current,
    pub lease: Lease,
    pub objects: [u8; KEYS],
    pub generations: [Generation; GENERATIONS],
    pub tasks: [Task; TASKS],
    /// How many more may happen.
    pub kills: u8,
    pub losses: u8,
    /// What `CURRENT` named, the last one first: what readers may still hold.
    pub named: [u8; KEEP],
    /// Executions that have been published, as bits.
    pub published: u8,
    /// `CURRENT` was flipped under the hands of one that holds the lease and has begun.
    pub beaten: bool,
    /// Objects that somebody has changed by hand, since a publication.
    pub touched: [bool; KEYS],
    /// Layout packed: what readers get is what a manifest names, and no object is ever replaced.
    pub packed: bool,
}

pub fn execution(task: usize) -> u8 {
    if task < 2 { 1 } else { 2 }
}

pub fn row(rows: u8, key: usize) -> u8 {
    ROWS[rows as usize][key]
}

impl World {
    pub fn new(kills: u8, losses: u8, starts: [bool; TASKS]) -> Self {
        let history = |rows| Generation { rows, swept: true, readable: true, ..Generation::unborn() };
        let mut generations = [Generation::unborn(); GENERATIONS];
        (generations[0], generations[1]) = (history(0), history(1));
        let task = Task::at(At::Start);
        let lease = Lease { holder: 0, generation: 1, taken_over: false, published: false, expires: 0, superseded: 0 };
        Self {
            time: 0,
            current: Current { generation: 1, etag: 1, by: NONE, fence: NONE, before: 0 },
            lease,
            objects: [1, 1],
            generations,
            tasks: starts.map(|starts| if starts { task } else { Task { at: At::Dead, ..task } }),
            kills,
            losses,
            named: [1, 0],
            published: 0,
            beaten: false,
            touched: [false; KEYS],
            packed: false,
        }
    }

    /// The only task of execution 2 goes back to generation 0.
    pub fn with_a_rollback(mut self) -> Self {
        self.packed = true;
        self.tasks[2].rolls_back = true;
        self.tasks[3] = Task::at(At::Dead);
        self
    }

    /// With a console: one object is another one, one is gone.
    pub fn with_objects_changed_by_hand(mut self) -> Self {
        (self.objects, self.touched) = ([7, 0], [true; KEYS]);
        self
    }

    /// What the next run would believe of a key: as `standing` works it out.
    pub fn belief(&self, key: usize, before: u8) -> u8 {
        let current = &self.generations[self.current.generation as usize];
        let mut belief = row(current.rows, key);
        if !current.swept && current.vanished[key] {
            belief = DOUBT;
        }
        let first = self.current.generation as usize + 1;
        for generation in &self.generations[first..first.max(before as usize)] {
            let value = row(generation.rows, key);
            if generation.started && generation.listed[key] && value != 0 && value != belief {
                belief = if generation.done[key] { value } else { DOUBT };
            }
        }
        belief
    }

    /// What does not hold.
    pub fn broken(&self) -> Option<String> {
        for key in 0..if self.packed { 0 } else { KEYS } {
            let (belief, stands) = (self.belief(key, self.lease.generation + 1), self.objects[key]);
            if belief != DOUBT && belief != stands && !self.touched[key] {
                return Some(format!("claim: key {key} is {stands}, every later run takes it for {belief}"));
            }
        }
        for generation in 0..GENERATIONS {
            let won = |task: &&Task| task.won && usize::from(task.generation) == generation;
            if self.tasks.iter().filter(won).count() > 1 {
                return Some("winner: two tasks believe that they flipped".into());
            }
        }
        if self.beaten {
            return Some("beaten: CURRENT was flipped while another one held the lease and had begun".into());
        }
        if let Some(gone) = self.named.iter().find(|named| !self.generations[**named as usize].readable) {
            return Some(format!("kept: generation {gone} was CURRENT a moment ago and cannot be read"));
        }
        for tasks in [0..2, 2..4] {
            let all_well = self.tasks[tasks.clone()].iter().all(|task| task.at == At::Well);
            if all_well && self.published & 1 << execution(tasks.start) == 0 {
                return Some(format!("late: execution {} ended well and was never published", execution(tasks.start)));
            }
        }
        None
    }
}

impl Generation {
    fn unborn() -> Self {
        let (no, yes) = ([false; KEYS], true);
        Self { rows: 0, started: false, base: 0, listed: no, done: no, vanished: no, swept: false, readable: yes }
    }
}
