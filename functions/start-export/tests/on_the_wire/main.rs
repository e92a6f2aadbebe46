//! start-export against RDS over the wire: one program, linked once.
#![allow(clippy::unwrap_used)]

mod answers;
mod contract;
mod lambda;
mod laptop;
mod scripted;
mod spot;
mod tries;
