//! An environment, from nothing or from where the last try stopped: which commands make it ([`first`], [`then`]), as data
//! that is printed as a shell script ([`shell`]) or run ([`Run`]). What is there already is asked of the clouds, not
//! remembered.

mod environment;
mod facts;
mod first_day;
mod images;
mod run;
mod script;
mod states;
mod steps;

pub use environment::{Environment, Samples, incomplete};
pub use facts::{Facts, Key, wrong_account};
pub use first_day::first_day;
pub use images::Images;
pub use run::{Answer, Run};
pub use script::{Act, Command, Step, shell};
pub use steps::{check_key, first, look, look_first, then, tools};
