//! publish-export against S3, RDS and SNS over the wire: one program, linked once.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod cloud;
mod engine;
mod faults;
mod lambda;
mod load_start;
mod once;
mod publish;
mod wild;
