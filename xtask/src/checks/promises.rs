//! A test that a document names (`races::of_a_flip_that_comes_late_are_lost_by_it`) exists, and so does a check.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::step::Running;

/// A sentence has more words than the path of a type or a function.
const LEAST_WORDS: usize = 5;

pub(super) fn check(step: &mut Running<'_>) -> Result<String> {
    let mut tests = BTreeSet::new();
    for source in step.workspace.files(".rs") {
        tests.extend(tests_of(&source, &crate::read(&source)?));
    }
    let (mut problems, mut count) = (Vec::new(), 0);
    for document in step.workspace.files(".md") {
        let text = crate::read(&document)?;
        for name in checks_named(&text).filter(|name| !super::all().any(|step| step.name == *name)) {
            problems.push(format!("{} names the check {name}, which does not exist", step.workspace.short(&document)));
        }
        for (module, name) in named(&text) {
            count += 1;
            if !tests.contains(&(module.to_owned(), name.to_owned())) {
                let document = step.workspace.short(&document);
                problems.push(format!("{document} names the test {module}::{name}, which does not exist"));
            }
        }
    }
    super::verdict(&problems, format!("{count} tests are named"))
}

/// `module::a_sentence_of_five_words` as code in prose.
fn named(text: &str) -> Vec<(&str, &str)> {
    let prose = text.split("```").step_by(2);
    let code = prose.flat_map(|part| part.split('`').skip(1).step_by(2));
    code.filter_map(|code| code.split_once("::")).filter(|(_, name)| is_sentence(name)).collect()
}

/// `cargo xtask test --only fmt clippy`
fn checks_named(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let commands = text.split("cargo xtask test --only ").skip(1);
    let words = commands.filter_map(|rest| rest.split(['`', '\n']).next());
    words.flat_map(move |words| words.split(' ').take_while(is_name))
}

fn is_sentence(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.split('_').count() >= LEAST_WORDS && name.split('_').all(is_word)
}

/// The tests of a file, each with every name that its module may go by: the file's, and those of its folders.
fn tests_of(file: &Path, text: &str) -> Vec<(String, String)> {
    let folders = file.with_extension("");
    let modules: Vec<String> = folders.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let mut tests = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
            let name = rest.split('(').next().unwrap_or_default();
            tests.extend(modules.iter().map(|module| (module.clone(), name.to_owned())));
        }
        // Between the attribute and its function others may stand.
        is_test =
            line.starts_with("#[test]") || line.starts_with("#[tokio::test") || (is_test && line.starts_with("#["));
        // Stories are listed: `races::of_a_flip_that_comes_late_are_lost_by_it,`
        let listed = line.strip_suffix(',').and_then(|line| line.split_once("::"));
        tests.extend(listed.filter(|(_, name)| is_sentence(name)).map(|(module, name)| (module.into(), name.into())));
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_behind_a_module_is_the_name_of_a_test() {
        let text =
            "By `delta::only_what_differs_is_written`, `handoff::sync`, `put::gate`.\n```\n`a::b_c_d_e_f`\n```\n";
        assert_eq!(named(text), [("delta", "only_what_differs_is_written")]);
    }

    #[test]
    fn the_words_behind_only_are_names_of_checks() {
        let text =
            "`cargo xtask test --only browser` does.\n```sh\ncargo xtask test --only fmt sam-lint # quick\n```\n";
        assert_eq!(checks_named(text).collect::<Vec<_>>(), ["browser", "fmt", "sam-lint"]);
    }

    #[test]
    fn tests_are_found_by_their_attribute_or_in_the_list_of_stories() {
        let text =
            "#[tokio::test]\n#[cfg(unix)]\nasync fn it_is_so(stage: u8) {\n}\nfn helper() {}\n  a::of_a_b_that_c_d,\n";
        let found = tests_of(Path::new("src/put/gate.rs"), text);
        let pair = |module: &str, name: &str| (module.to_owned(), name.to_owned());
        assert!(found.contains(&pair("gate", "it_is_so")) && found.contains(&pair("put", "it_is_so")));
        assert!(found.contains(&pair("a", "of_a_b_that_c_d")));
        assert!(!found.iter().any(|(_, name)| name == "helper"));
    }
}
