//! The protocol of `docs/spec/publication.md`, small enough that a machine looks at every way it can go: two executions
//! of two tasks each, that pause, die and start again, lose answers, and have clocks that differ.
// A model is made of choices, and each is a flag; its parts are small and passed as the others are.
#![allow(clippy::struct_excessive_bools, clippy::trivially_copy_pass_by_ref)]

mod arrival;
mod at;
mod explore;
mod lease;
mod protocol;
mod task;
mod world;

use explore::explore;
use protocol::{NEW, Protocol, Weather, steps};
use world::World;

const ALL: [bool; 4] = [true; 4];
const FIRST: [bool; 4] = [true, true, false, false];
const CALM: Weather = Weather {
    end: 2,
    skew: 0,
    second_has_one_task: false,
    flips_come_late: false,
    rows_come_late: false,
    rows_have_etags: false,
};

fn search(world: World, protocol: &Protocol, weather: &Weather) -> Option<String> {
    let began = std::time::Instant::now();
    let found = explore(world, |world, next| steps(world, protocol, weather, next), World::broken);
    let told = found.violation.map(|(broken, way)| {
        let way: Vec<String> = way.iter().map(|(task, what)| format!("  {task}: {what}\n")).collect();
        format!("{broken}\n{}", way.concat())
    });
    println!("{} states in {:.1?}: {}", found.states, began.elapsed(), told.as_deref().unwrap_or("all hold"));
    told
}

#[track_caller]
fn holds(world: World, weather: &Weather) {
    assert_eq!(search(world, &NEW, weather), None);
}

#[track_caller]
fn breaks(world: World, protocol: &Protocol, weather: &Weather, property: &str) {
    let found = search(world, protocol, weather).unwrap_or_else(|| panic!("nothing is found against {property}"));
    assert!(found.starts_with(property), "{found}");
}

mod now {
    use super::*;

    #[test]
    fn two_executions_of_two_tasks_keep_the_claim() {
        holds(World::new(0, 0, ALL), &CALM);
    }

    #[test]
    fn also_when_a_task_is_killed() {
        holds(World::new(1, 0, ALL), &CALM);
    }

    #[test]
    fn also_when_an_answer_is_lost() {
        holds(World::new(0, 1, ALL), &CALM);
    }

    #[test]
    fn also_when_tasks_of_one_execution_are_killed_and_answers_lost_again_and_again() {
        holds(World::new(3, 2, FIRST), &Weather { end: 4, ..CALM });
    }

    #[test]
    fn also_when_one_of_them_goes_back_to_an_older_generation() {
        holds(World::new(1, 1, ALL).with_a_rollback(), &Weather { end: 4, ..CALM });
    }

    #[test]
    fn also_when_a_flip_comes_after_the_lease_is_another_s() {
        holds(World::new(0, 0, ALL), &Weather { flips_come_late: true, ..CALM });
    }
}

/// As `verify --repair`: any run may be one that looks.
mod repair {
    use super::*;

    #[test]
    fn puts_right_what_was_changed_by_hand() {
        holds(World::new(0, 0, ALL).with_objects_changed_by_hand(), &CALM);
    }

    #[test]
    fn that_is_killed_is_done_by_whoever_comes_next() {
        holds(World::new(1, 0, ALL).with_objects_changed_by_hand(), &CALM);
    }

    #[test]
    fn that_is_killed_and_loses_answers_is_done_by_its_next_attempt() {
        holds(World::new(2, 1, FIRST).with_objects_changed_by_hand(), &Weather { end: 4, ..CALM });
    }
}

/// What was so once, or would be so without one part of the protocol: the model finds what it is there for.
mod before {
    use super::*;

    #[test]
    fn a_renewal_that_took_longer_than_the_lease_opened_the_gate() {
        let old = Protocol { gate_is_a_deadline: false, others_are_watched: false, ..NEW };
        breaks(World::new(0, 0, [true, false, true, true]), &old, &Weather { end: 4, ..CALM }, "claim");
    }

    #[test]
    fn what_was_not_gated_and_named_no_base_broke_the_claim() {
        let old = Protocol { all_writes_are_gated: false, base_is_named: false, ..NEW };
        breaks(World::new(0, 0, ALL), &old, &CALM, "claim");
    }

    #[test]
    fn two_tasks_that_finished_together_both_won() {
        let old = Protocol { winner_is_known_by_name: false, ..NEW };
        breaks(World::new(0, 0, FIRST), &old, &CALM, "winner");
    }

    #[test]
    fn a_clock_that_was_ahead_took_a_lease_that_lived() {
        let old = Protocol { others_are_watched: false, ..NEW };
        breaks(World::new(0, 0, ALL), &old, &Weather { skew: 3, ..CALM }, "claim");
    }

    #[test]
    fn a_task_that_came_late_ended_well_and_nothing_was_published() {
        let old = Protocol { superseded_are_known: false, ..NEW };
        breaks(World::new(0, 0, ALL), &old, &Weather { second_has_one_task: true, ..CALM }, "late");
    }

    #[test]
    fn what_was_current_a_moment_ago_was_collected() {
        let old = Protocol { kept_by_what_was_named: false, ..NEW };
        breaks(World::new(0, 0, ALL).with_a_rollback(), &old, &CALM, "kept");
    }

    #[test]
    fn a_lease_that_was_given_back_while_a_task_believed_in_it_broke_the_claim() {
        let old = Protocol { shared_lease_runs_out: false, winner_is_known_by_name: false, ..NEW };
        breaks(World::new(0, 0, ALL), &old, &CALM, "winner");
    }

    /// Nothing that S3 offers helps where a row's request comes after the lease is another's: an `ETag` is that of the
    /// content, and the other one may have left the very content that the late one expects. `docs/research/etags.md`
    /// weighs it.
    #[test]
    fn a_row_that_comes_late_breaks_the_claim_with_etags_too() {
        for rows_have_etags in [false, true] {
            let late = Weather { rows_come_late: true, rows_have_etags, ..CALM };
            breaks(World::new(0, 0, ALL), &NEW, &late, "claim");
        }
    }

    #[test]
    fn what_was_changed_by_hand_stayed_so_for_ever() {
        let old = Protocol { runs_look: false, ..NEW };
        breaks(World::new(0, 0, ALL).with_objects_changed_by_hand(), &old, &CALM, "claim");
    }

    #[test]
    fn without_a_fence_a_late_flip_would_beat_the_one_that_holds_the_lease() {
        let old = Protocol { fence: false, ..NEW };
        breaks(World::new(0, 0, ALL), &old, &Weather { flips_come_late: true, ..CALM }, "beaten");
    }
}
