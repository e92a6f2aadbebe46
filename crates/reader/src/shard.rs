//! Rows out of the Parquet objects of layout packed. See `docs/spec/packed.md`.

mod index;
mod page;
mod shelf;

pub(crate) use shelf::{ShardObject, Shelf};
