//! Rows as JSON.
