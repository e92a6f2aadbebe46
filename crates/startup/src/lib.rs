//! How every program of isthmus starts: its variables are read and checked at once, its log is set up for where it
//! runs, its AWS clients share one configuration. Below `main` nothing reads the environment.

mod aws;
mod cause;
mod logging;
mod vars;

pub use aws::aws_config;
pub use cause::with_causes;
pub use logging::{LogFormat, start_logging};
pub use vars::{InvalidVars, Vars};
