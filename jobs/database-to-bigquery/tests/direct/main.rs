//! The built program between real databases and the BigQuery emulator, all started once.
#![allow(clippy::unwrap_used)]

mod stage;

mod full;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use stage::Stage;

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
    let arguments = Arguments::from_args();
    let runtime = Arc::new(Runtime::new().unwrap());
    let stage = match arguments.list {
        true => None,
        false => Some(Arc::new(runtime.block_on(Stage::set()).unwrap())),
    };
    let conclusion = libtest_mimic::run(&arguments, all(&runtime, stage.as_ref()));
    drop(stage); // stops the servers
    conclusion.exit_code()
}

/// Without a stage there is only a list of them.
fn all(runtime: &Arc<Runtime>, stage: Option<&Arc<Stage>>) -> Vec<Trial> {
    stories!(
        runtime,
        stage,
        [
            full::replaces_a_table_and_proves_it_on_the_second_day_as_on_the_first,
            full::of_an_empty_table_leaves_no_row_of_yesterday,
        ]
    )
}
