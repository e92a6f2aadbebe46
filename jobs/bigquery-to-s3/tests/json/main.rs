//! Rows as JSON, as `docs/spec/json.md` promises them: hand-built batches, and the emulator.
#![allow(clippy::unwrap_used)]

mod arrow;
mod batch;
mod emulator;
mod literals;
mod page;
mod refused;
mod rest;
mod values;
