//! The file as text: where in it something is wrong, in words for the one who wrote it.

use std::path::Path;

use super::{InvalidTableList, TableList};

impl TableList {
    /// Reads the file; what is wrong with its form is told with the line.
    pub fn read(file: &Path) -> Result<Self, InvalidTableList> {
        let name = file.display();
        let text =
            std::fs::read_to_string(file).map_err(|error| InvalidTableList::File(format!("read {name}: {error}")))?;
        Self::parse(&text).map_err(|(place, problem)| InvalidTableList::File(format!("{name}{place}: {problem}")))
    }

    /// On failure the place (`:3:5`) and what is wrong there.
    fn parse(text: &str) -> Result<Self, (String, String)> {
        serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location().map_or(String::new(), |at| format!(":{}:{}", at.line(), at.column()));
            (place, in_our_words(&error.without_snippet().to_string()))
        })
    }
}

/// The parser repeats the place, and gives advice to programmers.
fn in_our_words(text: &str) -> String {
    let text = text.lines().next().unwrap_or_default();
    let text = text.split(" at line ").next().unwrap_or(text);
    let text = text.split(", set DuplicateKeyPolicy").next().unwrap_or(text);
    text.replace("expected mapping start", "expected names with settings; a table without any is written `orders: {}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_list_that_is_wrong_is_told_with_its_line() {
        let refused = |text: &str| TableList::parse(text).map(|_| ()).unwrap_err();
        let pairs = "expected names with settings; a table without any is written `orders: {}`";
        let cases = [
            (
                "databases:\n  shop:\n    tables:\n      orders: {destnation: x}\n",
                ":4:16",
                "unknown field `destnation`, expected one of destination, pattern",
            ),
            (
                "databases:\n  shop:\n    tabels: {}\n",
                ":3:5",
                "unknown field `tabels`, expected one of dataset, exclude, tables",
            ),
            ("databases:\n  shop:\n    tables: [orders]\n", ":3:13", pairs),
            ("databases:\n  shop:\n    tables:\n      orders:\n", ":4:13", pairs),
            ("databases:\n  shop: {\n", ":2:9", "unclosed bracket '{'"),
            ("tables: {}\n", ":1:1", "unknown field `tables`, expected one of databases"),
            ("databases:\n  shop:\n    tables:\n      a: {}\n      a: {}\n", ":5:7", "duplicate mapping key: a"),
            ("", ":1:1", "unexpected end of input"),
        ];
        for (text, place, problem) in cases {
            assert_eq!(refused(text), (place.into(), problem.into()), "{text:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = TableList::read(Path::new("no/tables.yaml")).unwrap_err().to_string();
        assert_eq!(error, "read no/tables.yaml: No such file or directory (os error 2)");
    }
}
