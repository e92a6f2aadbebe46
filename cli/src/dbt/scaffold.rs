//! A staging model to begin with: every column of a table, with the type that it means.

use handoff::Column;

use super::cast::cast;

pub fn scaffold(source: &str, table: &str, columns: &[Column]) -> String {
    let last = columns.len().saturating_sub(1);
    let mut text = String::from("SELECT\n");
    for (place, column) in columns.iter().enumerate() {
        let (expression, why) = cast(column);
        let comma = if place == last { "" } else { "," };
        let why = why.map_or_else(String::new, |why| format!(" -- {why}"));
        text.push_str(&format!("    {expression}{comma}{why}\n"));
    }
    text + &format!("FROM {{{{ source('{source}', '{table}') }}}}\n")
}
