//! What a drift breaks, by the models that the last build compiled and the queries of the syncs. It is told beside the drift,
//! before the warehouse is built of it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use handoff::Drift;
use lineage::{DbtManifest, Lineage, impact, syncs};
use tracing::info;

/// By the drift as it is told. Empty where nothing is known of models: a load needs no warehouse.
pub fn breakage(drift: &[Drift], dbt: Option<&Path>, list: Option<&Path>) -> BTreeMap<String, String> {
    let (Some(dbt), Some(list), [_, ..]) = (dbt, list, drift) else { return BTreeMap::new() };
    read(drift, dbt, list).unwrap_or_else(|error| {
        let why = startup::with_causes(error.as_ref());
        info!("what the drift breaks is not known: {why}");
        BTreeMap::new()
    })
}

fn read(drift: &[Drift], dbt: &Path, list: &Path) -> Result<BTreeMap<String, String>> {
    let bytes = std::fs::read(dbt).with_context(|| format!("read {}", dbt.display()))?;
    let dbt = DbtManifest::read(&bytes).with_context(|| dbt.display().to_string())?;
    let (lineage, _) = Lineage::of(&dbt, &syncs(list).context("the list of syncs")?, None);
    Ok(impact(&lineage, drift).iter().map(|impact| (impact.drift.to_string(), impact.consequence())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_dropped_column_is_told_with_what_it_breaks_and_without_a_build_with_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let dbt = json!({
            "sources": {"source.o": {"schema": "raw_shop", "identifier": "orders", "columns": {"id": {"name": "id"}},
                                     "meta": {"isthmus_table": "shop.orders"}}},
            "nodes": {"model.o": {"resource_type": "model", "schema": "mart", "alias": "orders",
                                  "compiled_code": "SELECT id FROM raw_shop.orders", "depends_on": {"nodes": ["source.o"]}}},
        });
        std::fs::write(path("manifest.json"), dbt.to_string()).unwrap();
        let list =
            "syncs: {orders: {query: SELECT id FROM mart.orders, key: id, layout: packed, destination: {prefix: o}}}";
        std::fs::write(path("syncs.yaml"), list).unwrap();
        let drift = json!([{"table": "shop.orders", "change": "column_removed", "column": "id"}]);
        let drift: Vec<Drift> = serde_json::from_value(drift).unwrap();
        let told = |dbt: &str| breakage(&drift, Some(&path(dbt)), Some(&path("syncs.yaml")));
        let expected =
            ("column shop.orders.id was removed".to_owned(), "breaks mart.orders; stale then: sync orders".to_owned());
        assert_eq!(told("manifest.json").into_iter().collect::<Vec<_>>(), [expected]);
        assert_eq!(told("nothing.json"), BTreeMap::new());
        assert_eq!(breakage(&drift, None, None), BTreeMap::new());
    }
}
