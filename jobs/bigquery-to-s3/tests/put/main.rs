//! The PUT engine against the laptop cloud: an S3 that verifies signatures, and a wire that breaks.
#![allow(clippy::unwrap_used)]

mod abandoned;
mod cloud;
mod faults;
mod flow;
mod gate;
mod refusals;
mod signatures;
