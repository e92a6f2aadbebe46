//! The JSON Schema: the file is the code's, and no name that the reader refuses is let in. What the documents show works.

use std::path::{Path, PathBuf};

use super::parse;
use crate::extracts::{Extracts, schema};

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

#[test]
fn the_schema_file_is_what_the_code_says() {
    let file = repository("config/extracts.schema.json");
    let current = format!("{:#}\n", schema());
    if std::env::var_os("WRITE_SCHEMA").is_some() {
        std::fs::write(&file, &current).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == current,
        "extracts.schema.json is not what the code says; WRITE_SCHEMA=1 cargo test -p database-to-bigquery schema_file writes it"
    );
}

#[test]
fn the_schema_knows_the_names_that_the_reader_knows() {
    let schema = schema();
    let names = |shape: &str| {
        let properties = schema["definitions"][shape]["properties"].as_object().unwrap();
        assert_eq!(schema["definitions"][shape]["additionalProperties"], false, "{shape}");
        properties.keys().cloned().collect::<Vec<_>>()
    };
    // What the reader expects, in its own words.
    let told = |text: &str| {
        let told = parse(text).unwrap_err().to_string();
        let (_, list) = told.split_once("no such setting, expected ").unwrap();
        let mut names: Vec<String> =
            list.lines().next().unwrap().replace(" or ", ", ").split(", ").map(str::to_owned).collect();
        names.sort();
        names
    };
    let database = |settings: &str| format!("databases: {{a: {{engine: mysql, tables: {{t: {{}}}}, {settings}}}}}\n");
    assert_eq!(told(&database("x: 1")), names("Database"));
    assert_eq!(told(&database("defaults: {x: 1}")), names("Defaults"));
    assert_eq!(told(&database("defaults: {guards: {x: 1}}")), names("Guards"));
    assert_eq!(told("databases: {a: {engine: mysql, tables: {t: {x: 1}}}}\n"), names("Table"));
}

#[test]
fn the_sample_file_is_good() {
    let extracts = Extracts::read(&repository("config/extracts.yaml")).unwrap();
    let targets: Vec<_> = extracts.tables().map(crate::extracts::Table::target).collect();
    assert_eq!(targets, ["direct_shop.orders", "direct_shop.order_events", "direct_shop.customers"]);
}

#[test]
fn the_samples_of_the_documents_are_good() {
    let mut samples = 0;
    for page in ["docs/spec/extracts.md", "docs/spec/database-to-bigquery.md", "README.md"] {
        let text = std::fs::read_to_string(repository(page)).unwrap();
        for sample in text.split("```yaml\n").skip(1) {
            let sample = sample.split("```").next().unwrap();
            if sample.contains("databases:") && (sample.contains("engine:") || sample.contains("exec:")) {
                parse(sample).unwrap_or_else(|wrong| panic!("{page}: {wrong}"));
                samples += 1;
            }
        }
    }
    assert!(samples >= 2, "the documents show {samples}");
}

#[test]
fn what_the_document_says_of_a_wrong_file_is_what_is_said() {
    let text = std::fs::read_to_string(repository("docs/spec/extracts.md")).unwrap();
    let block = |language: &str| text.split_once(language).unwrap().1.split_once("```").unwrap().0.to_owned();
    let said = parse(&block("```yaml wrong\n")).unwrap_err().to_string();
    assert_eq!(said, block("```text\n").trim_end());
}
