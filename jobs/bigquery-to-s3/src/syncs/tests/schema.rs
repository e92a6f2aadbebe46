//! The JSON Schema: the file is the code's, and it is as strict as the reader.

use std::path::Path;

use regex_lite::Regex;
use serde_json::Value;

use crate::syncs::schema;

#[test]
fn the_schema_file_is_what_the_code_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/syncs.schema.json");
    let current = format!("{:#}\n", schema());
    if std::env::var_os("WRITE_SCHEMA").is_some() {
        std::fs::write(&file, &current).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == current,
        "syncs.schema.json is not what the code says; WRITE_SCHEMA=1 cargo test -p bigquery-to-s3 schema_file writes it"
    );
}

#[test]
fn no_mapping_of_settings_lets_in_other_names() {
    let mut closed = 0;
    visit(&schema(), &mut |part| {
        if part.get("type").is_some_and(|name| name == "object") && part.get("properties").is_some() {
            assert_eq!(part["additionalProperties"], false, "{part:#}");
            closed += 1;
        }
    });
    assert_eq!(closed, 6, "file, sync, destination, json, guards, limit");
}

#[test]
fn nothing_may_be_null() {
    visit(&schema(), &mut |part| assert!(part.get("type").is_none_or(|name| !name.to_string().contains("null"))));
}

fn visit(part: &Value, look: &mut impl FnMut(&Value)) {
    look(part);
    match part {
        Value::Object(map) => map.values().for_each(|part| visit(part, look)),
        Value::Array(list) => list.iter().for_each(|part| visit(part, look)),
        _ => {}
    }
}

/// As much of JSON Schema as the file uses; a word that is not known here fails the test.
pub fn allows(root: &Value, schema: &Value, value: &Value) -> bool {
    let rules = schema.as_object().unwrap();
    rules.iter().all(|(word, rule)| match word.as_str() {
        "$schema" | "title" | "description" | "default" | "format" | "definitions" => true,
        "additionalProperties" => others(schema, value).all(|other| rule != false && allows(root, rule, other)),
        _ => keeps(root, word, rule, value),
    })
}

fn keeps(root: &Value, word: &str, rule: &Value, value: &Value) -> bool {
    let any = |rule: &Value| rule.as_array().unwrap().iter().filter(|rule| allows(root, rule, value)).count();
    let map = value.as_object();
    match word {
        "$ref" => allows(root, root.pointer(&rule.as_str().unwrap()[1..]).unwrap(), value),
        "allOf" => any(rule) == rule.as_array().unwrap().len(),
        "anyOf" => any(rule) > 0,
        "oneOf" => any(rule) == 1,
        "not" => !allows(root, rule, value),
        "const" => rule == value,
        "enum" => rule.as_array().unwrap().contains(value),
        "type" => is_a(rule.as_str().unwrap(), value),
        "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| Regex::new(rule.as_str().unwrap()).unwrap().is_match(text)),
        "minLength" => length(value).is_none_or(|length| length >= rule.as_u64().unwrap()),
        "maxLength" => length(value).is_none_or(|length| length <= rule.as_u64().unwrap()),
        "minProperties" => map.is_none_or(|map| map.len() as u64 >= rule.as_u64().unwrap()),
        "required" => {
            map.is_none_or(|map| rule.as_array().unwrap().iter().all(|name| map.contains_key(name.as_str().unwrap())))
        }
        "propertyNames" => map.is_none_or(|map| map.keys().all(|name| allows(root, rule, &name.as_str().into()))),
        "properties" => map.is_none_or(|map| {
            map.iter().all(|(name, value)| rule.get(name).is_none_or(|rule| allows(root, rule, value)))
        }),
        other => panic!("{other} is not known here"),
    }
}

/// The values whose names the schema does not have.
fn others<'a>(schema: &'a Value, value: &'a Value) -> impl Iterator<Item = &'a Value> {
    let known = |name: &str| schema["properties"].get(name).is_some();
    value.as_object().into_iter().flatten().filter(move |(name, _)| !known(name)).map(|(_, value)| value)
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("{other} is not known here"),
    }
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}
