//! Each sync as an exposure of dbt: what it reads, found in its query.

use lineage::Sync;

use super::{Project, Reads};

/// The file, or everything that is wrong with the queries.
pub fn exposures(syncs: &[(Sync, Reads)], project: &Project) -> Result<String, Vec<String>> {
    let mut problems = Vec::new();
    let mut text = String::from(
        "# Made by `isthmus dbt exposures` out of config/syncs.yaml and its queries. Do not edit it: a check compares.\n\
         exposures:\n",
    );
    for (sync, reads) in syncs {
        match references(reads, project) {
            Ok(references) => text.push_str(&exposure(sync, &references)),
            Err(wrong) => problems.extend(wrong.into_iter().map(|problem| format!("{}: {problem}", sync.name))),
        }
    }
    if problems.is_empty() { Ok(text) } else { Err(problems) }
}

fn references(reads: &Reads, project: &Project) -> Result<Vec<String>, Vec<String>> {
    let (mut references, mut problems) = (Vec::new(), Vec::new());
    for relation in reads.as_ref().map_err(Clone::clone)? {
        match project.reference(relation) {
            Some(reference) => references.push(reference.to_owned()),
            None => {
                problems.push(format!("reads {relation}, which no model makes and the list of tables does not load"));
            }
        }
    }
    if problems.is_empty() { Ok(references) } else { Err(problems) }
}

fn exposure(sync: &Sync, references: &[String]) -> String {
    let Sync { name, key, prefix, .. } = sync;
    let depends_on: String = references.iter().map(|reference| format!("      - {reference}\n")).collect();
    format!(
        "  - name: sync_{}\n    label: {name}\n    type: application\n    \
         description: \"{prefix}/ in the application bucket, and GET /v1/{name}/{{{key}}}\"\n    \
         owner: {{name: the application}}\n    config:\n      meta: {{isthmus_sync: {name}}}\n    depends_on:\n{depends_on}",
        name.replace('-', "_")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dbt::reads::by_its_text;

    fn sync(query: &str) -> (Sync, Reads) {
        let text = |text: &str| text.to_owned();
        let (name, key, layout, prefix) = (text("user-profiles"), text("user_id"), text("objects"), text("profiles"));
        let sync = Sync { name, query: text(query), key, layout, bucket: None, prefix };
        let reads = by_its_text(&sync);
        (sync, reads)
    }

    #[test]
    fn an_exposure_names_the_models_and_sources_of_the_query() {
        let project = Project::default().with_source("raw_shop", "orders", "shop");
        let text = exposures(&[sync("SELECT user_id FROM raw_shop.orders;")], &project).unwrap();
        assert!(text.contains("- name: sync_user_profiles\n    label: user-profiles\n"), "{text}");
        assert!(text.ends_with("    depends_on:\n      - source('shop', 'orders')\n"), "{text}");
        assert!(text.contains("meta: {isthmus_sync: user-profiles}"), "{text}");
    }

    #[test]
    fn everything_that_no_model_makes_is_named_at_once() {
        let wrong = [sync("SELECT 1 FROM mart.a JOIN b.c USING (x)"), sync("SELECT FROM")];
        let problems = exposures(&wrong, &Project::default()).unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("user-profiles: reads b.c, which no model makes"), "{problems:?}");
        assert!(problems[2].contains("not understood as BigQuery's SQL"), "{problems:?}");
    }
}
