//! Stories across programs: the built binaries, on the laptop cloud.

mod day;
mod faults;
mod kill;
mod publication;
mod redelivery;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use stories::Stage;
use tokio::runtime::Runtime;

/// The functions by their names; a name is the sentence that the story proves.
macro_rules! stories {
    ($runtime:expr, $stage:expr, [$($module:ident :: $story:ident),* $(,)?]) => {
        vec![$({
            let (runtime, stage) = (Arc::clone(&$runtime), $stage.clone());
            Trial::test(concat!(stringify!($module), "::", stringify!($story)), move || {
                let Some(stage) = stage else { return Err(Failed::from("the stage is not set")) };
                runtime.block_on($module::$story(&stage)).map_err(|error| Failed::from(format!("{error:#}")))
            })
        }),*]
    };
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let runtime = match Runtime::new() {
        Ok(runtime) => Arc::new(runtime),
        Err(error) => return failed(&error),
    };
    let stage = if arguments.list {
        None
    } else {
        match runtime.block_on(Stage::set()) {
            Ok(stage) => Some(Arc::new(stage)),
            Err(error) => return failed(&format!("{error:#}")),
        }
    };
    let stories = stories!(
        runtime,
        stage,
        [
            day::flows_from_aurora_to_bigquery_and_every_row_is_proven,
            day::after_it_brings_drift_an_emptied_table_and_no_row_of_yesterday,
            day::is_replaced_by_a_spot_export_without_a_doubled_row,
            day::that_drifted_is_not_loaded_where_the_policy_says_fail,
            day::with_a_skipped_a_missing_and_an_unlisted_table_names_all_three,
            day::waits_for_the_manifest_however_late_it_is,
            redelivery::of_every_event_changes_nothing,
            redelivery::of_the_schedule_at_the_same_moment_starts_one_export,
            kill::publish_export_at_every_write_and_the_next_poll_finishes,
            kill::publish_export_in_the_middle_of_a_spot_export_and_nobody_reads_half_of_it,
            kill::load_export_anywhere_and_the_next_run_ends_the_same,
            faults::between_start_export_and_rds_cost_nothing,
            faults::between_publish_export_and_its_endpoints_cost_nothing,
            faults::between_load_export_and_its_endpoints_cost_nothing,
            publication::holds_every_row_of_the_query_and_then_only_writes_what_changed,
            faults::that_last_fail_with_the_name_of_what_failed,
        ]
    );
    let conclusion = libtest_mimic::run(&arguments, stories);
    drop(stage); // stops the emulators
    conclusion.exit_code()
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("set the stage for the stories: {error}");
    ExitCode::FAILURE
}
