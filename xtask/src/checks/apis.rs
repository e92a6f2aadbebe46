//! What Terraform makes on Google Cloud waits for the APIs that it needs: a first apply in a fresh project goes through.

use std::collections::{BTreeMap, BTreeSet};

const WAIT: &str = "terraform_data.apis";
/// What the wait itself waits for.
const SWITCH: &str = "google_project_service.api";

/// The resources of Google in what `terraform graph` prints that do not depend on the wait, directly or by others.
pub(super) fn not_waiting(graph: &str) -> Vec<&str> {
    let mut nodes = BTreeSet::new();
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in graph.lines() {
        let names: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        match names[..] {
            [from, to] if line.contains("->") => needs.entry(from).or_default().push(to),
            [node, ..] => {
                nodes.insert(node);
            }
            [] => {}
        }
    }
    let ours = nodes.into_iter().filter(|node| node.starts_with("google_") && *node != SWITCH);
    ours.filter(|node| !reaches(node, &needs)).collect()
}

fn reaches<'a>(from: &'a str, needs: &BTreeMap<&'a str, Vec<&'a str>>) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(node) = next.pop() {
        if node == WAIT {
            return true;
        }
        if seen.insert(node) {
            next.extend(needs.get(node).into_iter().flatten());
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_that_waits_through_nothing_is_named() {
        let graph = r#"digraph G {
  node [shape = rect, fontname = "sans-serif"];
  "data.google_project.this" [label="data.google_project.this"];
  "google_project_service.api" [label="google_project_service.api"];
  "google_service_account.a" [label="google_service_account.a"];
  "google_cloud_run_v2_job.b" [label="google_cloud_run_v2_job.b"];
  "google_monitoring_dashboard.c" [label="google_monitoring_dashboard.c"];
  "terraform_data.apis" -> "google_project_service.api";
  "google_service_account.a" -> "terraform_data.apis";
  "google_cloud_run_v2_job.b" -> "google_service_account.a";
  "google_monitoring_dashboard.c" -> "data.google_project.this";
}"#;
        assert_eq!(not_waiting(graph), ["google_monitoring_dashboard.c"]);
        assert!(not_waiting("").is_empty());
    }
}
