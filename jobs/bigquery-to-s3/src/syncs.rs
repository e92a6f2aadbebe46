//! The list of syncs.
