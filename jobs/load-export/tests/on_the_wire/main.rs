//! load-export against its endpoints over the wire: one program, linked once.
#![allow(clippy::unwrap_used)]

mod cloud;
mod load;
mod repeat;
