//! The built program between real databases and the BigQuery emulator, all started once.
#![allow(clippy::unwrap_used)]

mod stage;

mod commands;
mod faults;
mod full;
mod incremental;
mod keyless;
mod kill;
mod private;
mod program;
mod source;
mod types;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use stage::Stage;

/// A test mostly waits: for a lease to end, a connection to break, a program to start.
const AT_ONCE: usize = 4;

/// The functions by their names; a name is the sentence that the test proves.
macro_rules! stories {
    ($runtime:expr, $stage:expr, [$($module:ident :: $story:ident),* $(,)?]) => {
        vec![$({
            let (runtime, stage) = (Arc::clone($runtime), $stage.cloned());
            Trial::test(concat!(stringify!($module), "::", stringify!($story)), move || {
                let Some(stage) = stage else { return Err(Failed::from("the stage is not set")) };
                runtime.block_on($module::$story(&stage)).map_err(|error| Failed::from(format!("{error:#}")))
            })
        }),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let runtime = Arc::new(Runtime::new().unwrap());
    let stage = if arguments.list { None } else { Some(Arc::new(runtime.block_on(Stage::set()).unwrap())) };
    let conclusion = libtest_mimic::run(&arguments, all(&runtime, stage.as_ref()));
    drop(stage); // stops the servers
    conclusion.exit_code()
}

/// Without a stage there is only a list of them. The longest begins first.
fn all(runtime: &Arc<Runtime>, stage: Option<&Arc<Stage>>) -> Vec<Trial> {
    stories!(
        runtime,
        stage,
        [
            kill::by_sigkill_at_twenty_points_both_sides_end_right,
            full::replaces_a_table_and_proves_it_on_the_second_day_as_on_the_first,
            full::of_an_empty_table_leaves_no_row_of_yesterday,
            full::of_ten_times_the_rows_takes_no_more_memory,
            incremental::merges_what_was_written_since_and_what_was_committed_late,
            incremental::without_news_reads_the_last_rows_again_and_changes_nothing,
            incremental::with_reconcile_deletes_what_is_gone_from_the_source,
            incremental::of_a_partitioned_table_reads_the_partitions_that_the_rows_are_in_and_go_to,
            incremental::is_not_led_astray_by_a_row_from_the_future,
            incremental::follows_a_new_column_keeps_a_dropped_one_and_loads_a_retyped_one_in_full,
            incremental::of_a_table_without_primary_key_says_so,
            private::columns_are_left_out_or_masked_before_a_byte_reaches_the_disk,
            private::a_rule_for_a_column_that_is_not_there_stops_the_table,
            private::values_that_bigquery_cannot_hold_are_null_counted_and_guarded,
            private::a_table_that_drifted_is_left_where_the_policy_says_so,
            faults::cut_an_upload_at_every_chunk_and_each_byte_is_stored_once,
            faults::forget_an_upload_whose_job_was_made_and_the_job_is_found_again,
            faults::lose_the_answer_of_every_call_and_the_rows_are_there_once,
            faults::refuse_an_upload_and_the_table_says_why,
            keyless::of_an_ecs_task_loads_as_the_service_account_and_has_no_key,
            keyless::of_another_role_are_refused_and_told_which_it_is,
            kill::while_it_reads_leaves_no_transaction_open,
            kill::no_two_executions_load_a_table_at_once,
            kill::nor_does_one_execution_load_a_table_twice,
            kill::no_sleeper_that_wakes_late_puts_older_rows_over_newer_ones,
            source::ends_a_connection_and_the_table_is_read_again_from_a_new_snapshot,
            source::takes_too_long_and_the_transaction_ends_in_time,
            source::alters_a_table_after_the_snapshot_and_it_is_read_once_more,
            source::holds_a_table_for_ten_seconds_and_it_is_asked_again,
            source::ends_a_read_for_its_replay_and_says_which_setting_helps,
            source::is_written_to_five_thousand_times_a_second_and_every_snapshot_is_whole,
            source::shows_its_certificate_or_is_not_talked_to,
            commands::plan_says_what_a_run_would_do_and_does_nothing,
            commands::check_tells_everything_that_is_wrong_at_once,
            commands::discover_proposes_what_the_list_does_not_have,
            commands::a_wrong_list_or_a_table_that_nobody_knows_ends_with_2,
            program::fill_a_table_with_the_same_proof,
            program::that_fail_or_stop_half_way_replace_nothing,
            types::of_mysql_arrive_as_the_server_shows_them,
            types::of_postgresql_arrive_as_the_server_shows_them,
        ]
    )
}
