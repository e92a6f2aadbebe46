//! The built program over the wire, in both of its modes: one program, linked once.
#![allow(clippy::unwrap_used)]

mod answers;
mod batches;
mod drain;
mod function;
mod openapi;
mod outages;
mod published;
mod redis;
mod refusals;
mod running;
mod start;
mod token;
