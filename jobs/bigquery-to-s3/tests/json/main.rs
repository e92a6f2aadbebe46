//! Rows as JSON, as `docs/spec/json.md` promises them: hand-built batches, and the emulator.
#![allow(clippy::unwrap_used)]

mod batch;
mod page;
mod refused;
mod values;
