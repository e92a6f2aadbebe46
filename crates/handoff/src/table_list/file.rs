//! The file as text: where in it something is wrong, in words for the one who wrote it.

use std::path::Path;

use super::{InvalidTableList, TableList, yaml_words};

impl TableList {
    /// Reads the file; what is wrong with its form is told with the line.
    pub fn read(file: &Path) -> Result<Self, InvalidTableList> {
        let name = file.display();
        let text =
            std::fs::read_to_string(file).map_err(|error| InvalidTableList::File(format!("read {name}: {error}")))?;
        Self::parse(&text).map_err(|problems| {
            let problems = problems.iter().map(|(place, problem)| format!("{name}{place}: {problem}"));
            InvalidTableList::File(problems.collect::<Vec<_>>().join("; "))
        })
    }

    /// On failure each place (`:3:5`) and what is wrong there.
    fn parse(text: &str) -> Result<Self, Vec<(String, String)>> {
        let misread = yaml_words::problems(text);
        if !misread.is_empty() {
            return Err(misread);
        }
        serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location().map_or(String::new(), |at| format!(":{}:{}", at.line(), at.column()));
            vec![(place, in_our_words(&error.without_snippet().to_string()))]
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
        let one = |place: &str, problem: &str| vec![(place.to_owned(), problem.to_owned())];
        let pairs = "expected names with settings; a table without any is written `orders: {}`";
        let cases = [
            (
                "databases:\n  shop:\n    tables:\n      orders: {destnation: x}\n",
                ":4:16",
                "unknown field `destnation`, expected one of destination, pattern, proof, on_missing",
            ),
            (
                "databases:\n  shop:\n    tabels: {}\n",
                ":3:5",
                "unknown field `tabels`, expected one of dataset, engine, exclude, proof, on_missing, tables",
            ),
            ("databases:\n  shop:\n    tables: [orders]\n", ":3:13", pairs),
            ("databases:\n  shop:\n    tables:\n      orders:\n", ":4:13", pairs),
            ("databases:\n  shop: {\n", ":2:9", "unclosed bracket '{'"),
            ("tables: {}\n", ":1:1", "unknown field `tables`, expected one of proof, on_missing, databases"),
            ("databases:\n  shop:\n    tables:\n      a: {}\n      a: {}\n", ":5:7", "duplicate mapping key: a"),
            ("", ":1:1", "unexpected end of input"),
        ];
        for (text, place, problem) in cases {
            assert_eq!(refused(text), one(place, problem), "{text:?}");
        }
    }

    #[test]
    fn every_word_that_terraform_would_read_otherwise_is_told_at_once() {
        let text = "databases:\n  shop:\n    tables:\n      on: {}\n      null: {}\n      010: {}\n";
        let problems = TableList::parse(text).unwrap_err();
        let places: Vec<&str> = problems.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, [":4:7", ":5:7", ":6:7"]);
        let quoted = "databases:\n  shop:\n    tables:\n      \"on\": {}\n      '010': {}\n";
        assert_eq!(TableList::parse(quoted).unwrap().databases["shop"].tables.len(), 2);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = TableList::read(Path::new("no/tables.yaml")).unwrap_err().to_string();
        assert_eq!(error, "read no/tables.yaml: No such file or directory (os error 2)");
    }
}
