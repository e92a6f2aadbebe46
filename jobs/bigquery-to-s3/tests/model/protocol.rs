//! What can happen next: any task goes on, time passes, processes die and start again. One that pauses is not scheduled.

use crate::at::{At, Task};
use crate::task::Step;
use crate::world::{NONE, TASKS, World};

/// The time that a lease is good for, and the longest attempt of a request.
pub const LEASE: u8 = 2;
pub const ATTEMPT: u8 = 1;

/// What is so in the protocol, each with what was so before.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    /// Or a flag that any answered renewal sets, however late.
    pub gate_is_a_deadline: bool,
    /// Or rows only.
    pub all_writes_are_gated: bool,
    /// Or a resumed generation goes on over whatever is `CURRENT` now.
    pub base_is_named: bool,
    /// Or the same words are taken for one's own.
    pub winner_is_known_by_name: bool,
    /// Or the lease's end by one's own wall clock.
    pub others_are_watched: bool,
    /// Or it is given back while other tasks of the execution believe in it.
    pub shared_lease_runs_out: bool,
    /// Or whoever comes late begins anew.
    pub superseded_are_known: bool,
    /// `CURRENT` is written once more by who takes the lease from one that did not give it back.
    pub fence: bool,
    /// Or the newest by name.
    pub kept_by_what_was_named: bool,
    /// Or what was written once is believed for ever.
    pub runs_look: bool,
}

/// What the world may do that no gate can help against.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    pub end: u8,
    /// How far the wall clock of execution 2 is ahead.
    pub skew: u8,
    /// As if one task did the work of both of execution 2: its lease is given back when both have ended.
    pub second_has_one_task: bool,
    /// A process may pause between the gate and the request, or the network hold it: the flip comes at any time.
    pub flips_come_late: bool,
    pub rows_come_late: bool,
    /// Rows are sent with the `ETag` that the base has under the key.
    pub rows_have_etags: bool,
}

pub const NEW: Protocol = Protocol {
    gate_is_a_deadline: true,
    all_writes_are_gated: true,
    base_is_named: true,
    winner_is_known_by_name: true,
    others_are_watched: true,
    shared_lease_runs_out: true,
    superseded_are_known: true,
    fence: true,
    kept_by_what_was_named: true,
    runs_look: true,
};

pub type Label = (u8, &'static str);
pub type Next<'a> = &'a mut Vec<(Label, World)>;

pub fn steps(world: &World, protocol: &Protocol, weather: &Weather, next: Next<'_>) {
    // Time that passes while nobody waits for a lease changes nothing that anybody could see.
    let waits = |task: &Task| task.watching != NONE || (!protocol.others_are_watched && task.at == At::Start);
    if world.time < weather.end && world.tasks.iter().any(waits) {
        next.push(((NONE, "time passes"), tick(*world, weather)));
    }
    for task in 0..TASKS {
        let step = Step { world, protocol, weather, task };
        step.own(next);
        step.renewal(next);
        step.kill(next);
    }
}

/// An attempt that took too long is cut off: then it is made again.
fn tick(mut world: World, weather: &Weather) -> World {
    world.time += 1;
    for task in &mut world.tasks {
        let late = match task.at {
            At::Flip => weather.flips_come_late,
            At::Row => weather.rows_come_late,
            _ => false,
        };
        if task.sent < world.time && !late {
            task.sent = NONE;
        }
    }
    world
}
