//! Settings files that people write. A file is read as a tree that knows its lines ([`Node`]), each mapping of it name by
//! name ([`Fields`]), and whatever is wrong is noted as a [`Problem`], so that all of it is told at once.

mod fields;
mod node;
mod problem;
mod schema;
mod values;

use std::path::Path;

pub use fields::{Entry, Fields, either, entries, not};
pub use node::{Node, parse, place};
pub use problem::{InvalidFile, Problem};
pub use schema::schema_of;
pub use serde_saphyr::{Location, Spanned};
pub use values::{fraction, text, whole, word};

/// The text of a file, or what keeps it from being one.
pub fn read(file: &Path) -> Result<String, InvalidFile> {
    let wrong = |text: String| InvalidFile::new(file, vec![Problem::of_the_file(text)]);
    let bytes = std::fs::read(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    String::from_utf8(bytes).map_err(|error| wrong(format!("is not UTF-8: {}", error.utf8_error())))
}
