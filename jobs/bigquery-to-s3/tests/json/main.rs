//! Rows as JSON, as `docs/spec/json.md` promises them: hand-built batches, the emulator, and Google's evaluator.
#![allow(clippy::unwrap_used)]

mod arrow;
mod batch;
mod emulator;
mod googlesql;
mod literals;
mod page;
mod refused;
mod rest;
mod values;
