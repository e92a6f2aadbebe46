//! The wire of production: every program by the services' own host names, over TLS 1.3, without an endpoint setting. The
//! names must lead to this machine and port 443 must be free, so the tests run in a network and a mount namespace of
//! their own: this program starts itself again in there.

mod day;
mod handshake;
mod namespace;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use stories::Stage;
use tokio::runtime::Runtime;

/// A trial by its name, which is the sentence that it proves.
macro_rules! trials {
    ($runtime:expr, $stage:expr, [$($module:ident :: $trial:ident),* $(,)?]) => {
        vec![$({
            let (runtime, stage) = (Arc::clone($runtime), Arc::clone($stage));
            Trial::test(concat!(stringify!($module), "::", stringify!($trial)), move || {
                runtime.block_on($module::$trial(&stage)).map_err(|error| Failed::from(format!("{error:#}")))
            })
        }),*]
    };
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if arguments.list {
        return ExitCode::SUCCESS;
    }
    match namespace::enter() {
        Ok(namespace::Where::Inside) => inside(arguments),
        Ok(namespace::Where::Outside(ended)) => ended,
        Err(error) => {
            println!("production: skipped, no namespace can be made here: {error:#}");
            ExitCode::SUCCESS
        }
    }
}

/// One after the other: there is one port 443.
fn inside(mut arguments: Arguments) -> ExitCode {
    arguments.test_threads = Some(1);
    let set = Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| {
        let stage = runtime.block_on(Stage::set())?;
        Ok((Arc::new(runtime), Arc::new(stage)))
    });
    let (runtime, stage) = match set {
        Ok(set) => set,
        Err(error) => {
            eprintln!("set the stage: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let trials = trials!(
        &runtime,
        &stage,
        [
            day::runs_by_the_names_of_production_and_every_request_is_verified,
            handshake::with_a_certificate_of_an_unknown_authority_is_refused_by_every_program,
            handshake::with_the_certificate_of_another_host_is_refused,
            handshake::that_is_cut_now_and_then_costs_nothing,
        ]
    );
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(stage); // stops the emulators
    conclusion.exit_code()
}
