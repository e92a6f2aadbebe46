//! What an operator does by hand, with the same programs that the schedules run.

pub mod invocation;
