//! The PUT engine.
