//! What the documents show works.

use std::path::Path;

use serde_json::Value;

use super::schema::allows;
use crate::syncs::{Syncs, schema};
use handoff::sync::Layout;

fn crate_file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_sample_file_is_good() {
    let file = crate_file("../../config/syncs.yaml");
    let syncs = Syncs::read(&file, Some(&"acme-prod-app".parse().unwrap())).unwrap();
    assert!(syncs.get("user-profiles").unwrap().query.contains("user_id"));
    let prices = syncs.get("item-prices").unwrap();
    assert_eq!((prices.layout, prices.destination.bucket.as_str()), (Layout::Packed, "acme-prod-app"));
    let value: Value = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(allows(&schema(), &schema(), &value));
}

#[test]
fn the_sample_of_the_document_is_good() {
    let text = std::fs::read_to_string(crate_file("../../docs/spec/syncs.md")).unwrap();
    let (_, sample) = text.split_once("```yaml\n").unwrap();
    let (sample, _) = sample.split_once("```").unwrap();
    // The query file is the sample's.
    let syncs = Syncs::parse(sample, &crate_file("../../config/syncs.yaml"), None).unwrap();
    assert_eq!(syncs.iter().count(), 1);
    let value: Value = serde_saphyr::from_str(sample).unwrap();
    assert!(allows(&schema(), &schema(), &value));
}

#[test]
fn the_sample_of_the_readme_is_good() {
    let text = std::fs::read_to_string(crate_file("../../README.md")).unwrap();
    let (_, sample) = text.split_once("```yaml\n").unwrap();
    let (sample, _) = sample.split_once("```").unwrap();
    let syncs = Syncs::parse(sample, Path::new("syncs.yaml"), None).unwrap();
    assert_eq!(syncs.get("user-profiles").unwrap().layout, Layout::Objects);
    let value: Value = serde_saphyr::from_str(sample).unwrap();
    assert!(allows(&schema(), &schema(), &value));
}

#[test]
fn what_the_document_says_of_a_wrong_file_is_what_is_said() {
    let text = std::fs::read_to_string(crate_file("../../docs/spec/syncs.md")).unwrap();
    let block = |language: &str| text.split_once(language).unwrap().1.split_once("```").unwrap().0.to_owned();
    let wrong = block("```yaml wrong\n");
    let said = Syncs::parse(&wrong, Path::new("syncs.yaml"), None).unwrap_err().to_string();
    assert_eq!(said, block("```text\n").trim_end());
}
