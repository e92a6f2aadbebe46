//! Stories across programs: the built binaries, on the laptop cloud.

mod back;
mod completion;
mod day;
mod deploy;
mod doctor;
mod engine;
mod faults;
mod federated;
mod healing;
mod infrastructure;
mod kill;
mod late;
mod lost;
mod outages;
mod plan;
mod proof;
mod publication;
mod query;
mod races;
mod redelivery;
mod reload;
mod repair;
mod resume;
mod status;
mod warehouse;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use stories::Stage;
use tokio::runtime::Runtime;

/// A story mostly waits: for a lease to end, an outage to be over, a program to start.
const AT_ONCE: usize = 6;

/// The functions by their names; a name is the sentence that the story proves.
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
    let conclusion = libtest_mimic::run(&arguments, all(&runtime, stage.as_ref()));
    drop(stage); // stops the emulators
    conclusion.exit_code()
}

/// Without a stage there is only a list of them. Those that take longest begin first; those that build the layers wait for
/// each other (`Warehouse::begin`), so they stand apart.
#[allow(clippy::too_many_lines)] // one for each story
fn all(runtime: &Arc<Runtime>, stage: Option<&Arc<Stage>>) -> Vec<Trial> {
    let mut stories = stories!(
        runtime,
        stage,
        [
            federated::tables_are_proven_like_all_others_and_one_that_is_down_holds_back_what_is_made_of_it,
            reload::of_days_in_turn_brings_each_days_rows_whatever_was_done_in_between,
            resume::after_sigkill_at_twenty_points_ends_with_exactly_the_rows,
            races::of_an_outage_longer_than_the_lease_are_lost_by_who_had_it,
            outages::of_all_of_s3_for_a_minute_are_waited_out,
            outages::of_sts_and_credentials_that_run_out_again_and_again_lose_nothing,
            status::of_a_whole_day_is_good_and_ends_with_0,
            status::of_a_day_with_a_missing_table_names_it_and_what_helps,
            status::with_one_cloud_down_tells_what_the_other_one_says,
            status::is_asked_by_names_that_nobody_typed_and_so_is_what_is_run_by_hand,
            doctor::finds_on_a_whole_day_what_is_assumed,
            doctor::names_what_is_not_as_assumed_and_what_to_set,
            day::flows_from_aurora_to_bigquery_and_every_row_is_proven,
            day::after_it_brings_drift_an_emptied_table_and_no_row_of_yesterday,
            day::is_replaced_by_a_spot_export_without_a_doubled_row,
            day::that_drifted_is_not_loaded_where_the_policy_says_fail,
            day::with_a_skipped_a_missing_and_an_unlisted_table_names_all_three,
            day::waits_for_the_manifest_however_late_it_is,
            engine::of_aurora_mysql_carries_every_value_to_bigquery,
            warehouse::holds_back_the_sync_whose_column_was_dropped_and_publishes_the_others,
            engine::of_aurora_postgresql_carries_every_value_to_bigquery,
            engine::of_aurora_postgresql_has_a_spot_export_of_one_table_and_the_others_stay,
            engine::of_aurora_postgresql_brings_drift_and_an_emptied_table_on_the_next_day,
            engine::of_aurora_postgresql_may_have_a_schema_with_the_name_of_the_database,
            late::is_the_backup_and_the_first_try_that_finds_it_makes_the_day_s_export,
            late::is_the_backup_and_its_event_starts_the_export_at_once,
            late::past_the_last_try_is_one_error_that_says_why,
            completion::of_an_export_after_the_clock_gave_up_starts_the_load,
            completion::that_google_did_not_hear_of_is_loaded_by_the_clock_and_started_by_a_poll,
            proof::of_yesterdays_rows_with_todays_count_fails_where_content_is_compared,
            reload::of_an_older_day_while_another_is_loaded_waits_or_is_refused_by_name,
            reload::of_a_spot_export_waits_for_it_and_transfers_its_table_alone,
            reload::of_a_table_with_a_dot_in_its_name_reads_its_own_folder,
            warehouse::holds_back_the_sync_whose_test_failed_or_whose_table_is_late,
            redelivery::of_every_event_changes_nothing,
            redelivery::of_the_schedule_at_the_same_moment_starts_one_export,
            repair::of_a_broken_day_is_the_event_that_the_error_names,
            kill::publish_export_at_every_write_and_the_next_poll_finishes,
            kill::publish_export_in_the_middle_of_a_spot_export_and_nobody_reads_half_of_it,
            kill::load_export_anywhere_and_the_next_run_ends_the_same,
            faults::between_start_export_and_rds_cost_nothing,
            faults::between_publish_export_and_its_endpoints_cost_nothing,
            faults::between_load_export_and_its_endpoints_cost_nothing,
            publication::holds_every_row_of_the_query_and_then_only_writes_what_changed,
            publication::is_held_back_by_each_guard_and_the_last_good_one_stays,
            publication::leaves_out_the_rows_that_cannot_be_published_and_says_why,
            publication::names_rows_by_the_text_of_their_keys_and_takes_none_that_a_time_zone_changes,
            warehouse::is_built_by_one_execution_at_a_time_and_goes_on_after_a_kill,
            publication::can_be_cut_into_another_number_of_shards_and_written_in_full,
            publication::is_planned_without_a_write_listed_collected_and_rolled_back,
            publication::in_layout_packed_is_read_by_the_python_of_the_document,
            publication::is_explained_by_doctor_where_aws_refuses_it,
            plan::tells_that_a_run_would_be_held_back_while_its_gate_is_closed,
            query::that_ends_in_a_comment_behind_its_semicolon_is_published,
            query::that_is_wrong_is_told_with_the_lines_of_its_file,
            resume::after_a_run_that_was_given_up_leaves_nothing_of_it,
            resume::after_two_runs_that_never_published_writes_and_lists_every_key_that_they_touched,
            resume::after_two_runs_that_never_published_publishes_the_rows_of_the_first,
            resume::while_another_execution_writes_says_who_it_is_and_changes_nothing,
            resume::by_four_tasks_of_which_one_is_killed_is_published_once_by_the_last,
            resume::after_somebody_else_took_the_lease_or_flipped_current_gives_up,
            resume::that_is_told_to_stop_ends_in_time_and_the_next_attempt_goes_on,
            warehouse::of_the_repository_follows_what_changes_from_night_to_night,
            races::of_a_holder_that_slept_before_its_flip_are_lost_by_it,
            races::of_a_flip_that_comes_late_are_lost_by_it,
            races::of_two_tasks_that_finish_together_have_one_winner_and_one_line_in_the_log,
            races::of_a_task_that_comes_late_change_nothing_and_it_says_so,
            races::of_a_clock_that_is_ahead_take_no_lease_that_lives,
            races::of_a_holder_that_slept_amid_its_rows_write_none_of_them_late,
            races::of_a_rollback_and_a_run_keep_what_was_read_a_moment_ago,
            races::of_another_sync_on_the_prefix_write_nothing_until_it_adopts_it,
            races::of_a_rollback_and_settings_that_changed_end_as_it_was_or_with_the_reason,
            healing::of_fifty_objects_that_were_changed_by_hand_is_found_and_done,
            healing::comes_by_itself_within_the_runs_of_a_round,
            healing::that_is_killed_amid_its_writes_is_done_by_whoever_comes_next,
            healing::is_refused_while_a_run_writes_and_takes_nothing_of_it_for_a_fault,
            healing::of_a_shard_s_own_file_stops_no_run,
            healing::in_a_bucket_with_a_kms_key_asks_for_each_object_once,
            back::over_another_version_of_the_program_are_the_rows_of_then,
            lost::a_list_that_a_run_needs_and_does_not_find_is_written_anew_although_no_row_changed,
            lost::a_list_that_is_gone_lets_no_more_keys_vanish_than_the_guard_does,
            lost::a_list_of_changes_stops_no_run_and_the_objects_that_it_named_go,
            outages::of_single_puts_lose_nothing_and_leave_nothing_extra,
            outages::of_a_stream_are_resumed_at_the_row_where_it_was_cut,
            outages::of_a_read_session_that_expires_are_read_anew,
            deploy::of_an_environment_is_whole_at_once_and_changes_nothing_the_second_time,
            infrastructure::of_a_transfer_key_is_rotated_and_its_secret_is_never_shown,
            infrastructure::of_aws_is_applied_once_allows_what_a_day_does_and_is_destroyed,
            faults::that_last_fail_with_the_name_of_what_failed,
        ]
    );
    let by_hand = stories!(runtime, stage, [outages::of_sts_for_five_minutes_lose_nothing]);
    stories.extend(by_hand.into_iter().map(|story| story.with_ignored_flag(true)));
    stories
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("set the stage for the stories: {error}");
    ExitCode::FAILURE
}
