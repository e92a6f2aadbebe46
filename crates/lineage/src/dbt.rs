//! dbt's manifest.json, as far as lineage goes. <https://schemas.getdbt.com/dbt/manifest/v12.json>

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub struct DbtManifest {
    pub(crate) nodes: BTreeMap<String, DbtNode>,
    pub(crate) sources: BTreeMap<String, DbtSource>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DbtNode {
    pub(crate) resource_type: String,
    pub(crate) schema: String,
    pub(crate) alias: String,
    /// Only after `dbt compile` or `dbt build`.
    pub(crate) compiled_code: Option<String>,
    #[serde(default)]
    pub(crate) columns: BTreeMap<String, DbtColumn>,
    #[serde(default)]
    pub(crate) depends_on: DependsOn,
    #[serde(default)]
    pub(crate) original_file_path: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct DependsOn {
    #[serde(default)]
    pub(crate) nodes: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DbtSource {
    pub(crate) schema: String,
    pub(crate) identifier: String,
    #[serde(default)]
    pub(crate) columns: BTreeMap<String, DbtColumn>,
    #[serde(default)]
    pub(crate) meta: Meta,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DbtColumn {
    pub(crate) name: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Meta {
    /// The table's name in the source database: `isthmus dbt sources` writes it.
    pub(crate) isthmus_table: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("not a manifest of dbt: {0}")]
pub struct InvalidDbtManifest(#[from] serde_json::Error);

impl DbtManifest {
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidDbtManifest> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// Models, seeds and snapshots, each after those that it depends on.
    pub(crate) fn in_order(&self) -> Vec<(&String, &DbtNode)> {
        let mut order = Vec::new();
        let mut done = std::collections::BTreeSet::new();
        for name in self.nodes.keys() {
            self.visit(name, &mut done, &mut order);
        }
        order
    }

    /// dbt has refused circles.
    fn visit<'a>(
        &'a self,
        name: &'a String,
        done: &mut std::collections::BTreeSet<&'a String>,
        order: &mut Vec<(&'a String, &'a DbtNode)>,
    ) {
        let Some(node) = self.nodes.get(name) else { return };
        let is_relation = matches!(node.resource_type.as_str(), "model" | "seed" | "snapshot");
        if !is_relation || !done.insert(name) {
            return;
        }
        for parent in &node.depends_on.nodes {
            self.visit(parent, done, order);
        }
        order.push((name, node));
    }
}
