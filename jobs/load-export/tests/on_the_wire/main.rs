//! load-export against its endpoints over the wire: one program, linked once.
#![allow(clippy::unwrap_used)]

mod audit;
mod cloud;
mod load;
mod proof;
mod repeat;
mod standing;
mod turn;
