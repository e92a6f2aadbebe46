//! What breaks where the source has changed.

use std::collections::BTreeSet;
use std::fmt;

use handoff::{Change, Drift};
use serde::Serialize;

use crate::graph::{Column, Lineage, NodeId};

/// Of one drift.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Impact {
    pub drift: Drift,
    /// Models and syncs whose own SQL needs it: they fail, or for another type may fail or mean something else.
    pub breaks: Vec<NodeId>,
    /// Made of those: they keep their last rows.
    pub stale: Vec<NodeId>,
}

impl Impact {
    /// `breaks staging.orders; stale then: mart.orders, sync orders`.
    pub fn consequence(&self) -> String {
        if self.breaks.is_empty() {
            return "nothing needs it".to_owned();
        }
        let list = |ids: &[NodeId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let verb = if self.drift.change == Change::ColumnRetyped { "may break" } else { "breaks" };
        let stale = if self.stale.is_empty() { String::new() } else { format!("; stale then: {}", list(&self.stale)) };
        format!("{verb} {}{stale}", list(&self.breaks))
    }

    pub fn syncs(&self) -> impl Iterator<Item = &str> {
        self.breaks.iter().chain(&self.stale).filter_map(|id| match id {
            NodeId::Sync(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl fmt::Display for Impact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.drift, self.consequence())
    }
}

/// In the order of the drifts. What was added breaks nothing.
pub fn impact(lineage: &Lineage, drifts: &[Drift]) -> Vec<Impact> {
    let of = |drift: &Drift| {
        let breaks = broken(lineage, drift);
        let down = |id: &NodeId| lineage.trace(id, crate::Direction::Down).nodes.into_iter().map(|traced| traced.id);
        let all: BTreeSet<NodeId> = breaks.iter().flat_map(down).collect();
        let stale = all.into_iter().filter(|id| !breaks.contains(id)).collect();
        Impact { drift: drift.clone(), breaks: breaks.into_iter().collect(), stale }
    };
    drifts.iter().map(of).collect()
}

fn broken(lineage: &Lineage, drift: &Drift) -> BTreeSet<NodeId> {
    let table = NodeId::Table(drift.table.to_string());
    let raw: Vec<&NodeId> = lineage.edges.iter().filter(|(from, _)| *from == table).map(|(_, to)| to).collect();
    let readers = |raw: &&NodeId| {
        let raw = (*raw).clone();
        lineage.edges.iter().filter(move |(from, _)| *from == raw).map(|(_, to)| to)
    };
    match drift.change {
        Change::TableAdded | Change::ColumnAdded => BTreeSet::new(),
        Change::TableRemoved => raw.iter().flat_map(readers).cloned().collect(),
        Change::ColumnRemoved | Change::ColumnRetyped => {
            let name = drift.column.as_deref().unwrap_or_default().to_lowercase();
            let needing = |raw: &&NodeId| {
                let column = Column { node: (*raw).clone(), name: name.clone() };
                lineage.needed_by.get(&column).into_iter().flatten().cloned().collect::<Vec<_>>()
            };
            // Whose columns could not be followed may need it.
            let opaque = |id: &&NodeId| lineage.nodes.get(*id).is_some_and(|node| node.opaque.is_some());
            let opaque = raw.iter().flat_map(readers).filter(opaque).cloned();
            raw.iter().flat_map(needing).chain(opaque).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{DbtManifest, Direction, Sync, Unknown};

    fn model(path: &str, sql: Option<&str>, parents: &[&str]) -> serde_json::Value {
        let (schema, alias) = path.split_once('.').unwrap();
        json!({"resource_type": "model", "schema": schema, "alias": alias, "compiled_code": sql,
               "depends_on": {"nodes": parents}, "columns": {}, "original_file_path": format!("models/{alias}.sql")})
    }

    fn sync(name: &str, query: &str) -> Sync {
        let (name, query, key) = (name.to_owned(), query.to_owned(), "id".to_owned());
        Sync { prefix: name.clone(), name, query, key, layout: "objects".to_owned(), bucket: None }
    }

    /// orders → stg → fct (total, filtered by status) → mart.profiles → the sync user-profiles; customers → mart.names.
    fn lineage() -> (Lineage, Vec<Unknown>) {
        let source = |name: &str, columns: &[&str]| {
            let columns: serde_json::Map<_, _> =
                columns.iter().map(|column| ((*column).to_owned(), json!({"name": column}))).collect();
            json!({"schema": "raw_shop", "identifier": name, "columns": columns,
                   "meta": {"isthmus_table": format!("shop.{name}")}})
        };
        let manifest = json!({
            "sources": {"source.orders": source("orders", &["id", "total", "status", "note"]),
                        "source.customers": source("customers", &["id", "name"])},
            "nodes": {
                "model.fct": model("warehouse.fct", Some("SELECT id, total * 2 AS twice FROM `p`.`staging`.`stg` WHERE status = 'paid'"), &["model.stg"]),
                "model.stg": model("staging.stg", Some("SELECT id, total, status FROM `p`.`raw_shop`.`orders`"), &["source.orders"]),
                "model.profiles": model("mart.profiles", Some("SELECT id, twice FROM `p`.`warehouse`.`fct`"), &["model.fct"]),
                "model.names": model("mart.names", None, &["source.customers"]),
                "test.x": {"resource_type": "test", "schema": "x", "alias": "x", "depends_on": {"nodes": ["model.fct"]}},
            },
        });
        let manifest = DbtManifest::read(manifest.to_string().as_bytes()).unwrap();
        let syncs = [
            sync("user-profiles", "SELECT id, twice FROM mart.profiles"),
            sync("wrong", "SELECT id FROM mart.nowhere"),
            sync("names", "SELECT id FROM mart.names;"),
        ];
        Lineage::of(&manifest, &syncs, None)
    }

    fn drift(change: &str, column: Option<&str>, table: &str) -> Drift {
        serde_json::from_value(json!({"table": table, "change": change, "column": column, "from": "int", "to": "text"}))
            .unwrap()
    }

    fn told(change: &str, column: Option<&str>, table: &str) -> String {
        impact(&lineage().0, &[drift(change, column, table)])[0].to_string()
    }

    #[test]
    fn a_dropped_column_breaks_what_needs_it_and_all_that_comes_of_that_gets_stale() {
        let expected = "column shop.orders.total was removed: breaks staging.stg; stale then: mart.profiles, warehouse.fct, sync user-profiles";
        assert_eq!(told("column_removed", Some("total"), "shop.orders"), expected);
        let impacts = impact(&lineage().0, &[drift("column_removed", Some("total"), "shop.orders")]);
        assert_eq!(impacts[0].syncs().collect::<Vec<_>>(), ["user-profiles"]);
    }

    #[test]
    fn what_nothing_needs_breaks_nothing() {
        assert_eq!(
            told("column_removed", Some("note"), "shop.orders"),
            "column shop.orders.note was removed: nothing needs it"
        );
        assert_eq!(told("column_added", Some("x"), "shop.orders"), "column shop.orders.x was added: nothing needs it");
    }

    #[test]
    fn another_type_may_break_and_a_table_that_is_gone_breaks_its_readers() {
        let retyped = told("column_retyped", Some("status"), "shop.orders");
        assert!(
            retyped.starts_with("column shop.orders.status changed from int to text: may break staging.stg"),
            "{retyped}"
        );
        assert!(told("table_removed", None, "shop.orders").contains("breaks staging.stg; stale then"));
    }

    #[test]
    fn a_model_whose_columns_are_not_known_is_told_rather_than_left_out() {
        let expected = "column shop.customers.name was removed: breaks mart.names; stale then: sync names";
        assert_eq!(told("column_removed", Some("name"), "shop.customers"), expected);
    }

    #[test]
    fn a_sync_of_a_table_that_nothing_makes_is_named() {
        let problem = "reads mart.nowhere, which no model makes and no load brings".to_owned();
        assert_eq!(lineage().1, [Unknown { sync: "wrong".to_owned(), problem }]);
    }

    #[test]
    fn a_column_is_followed_to_the_application_and_a_sync_back_to_the_database() {
        let lineage = lineage().0;
        let shown = |trace: &crate::Trace| {
            let node = |traced: &crate::trace::Traced| {
                let carries = traced.carries.iter().flatten().cloned().collect::<Vec<_>>().join("+");
                format!("{}[{carries}]", traced.id)
            };
            trace.nodes.iter().map(node).collect::<Vec<_>>().join(" ")
        };
        let total = Column { node: NodeId::Table("shop.orders".into()), name: "total".into() };
        assert_eq!(
            shown(&lineage.trace_column(&total)),
            "shop.orders[total] raw_shop.orders[total] staging.stg[total] warehouse.fct[twice] mart.profiles[twice] sync user-profiles[twice]"
        );
        let status = Column { node: NodeId::Table("shop.orders".into()), name: "status".into() };
        assert_eq!(
            shown(&lineage.trace_column(&status)),
            "shop.orders[status] raw_shop.orders[status] staging.stg[status] warehouse.fct[] mart.profiles[] sync user-profiles[]"
        );
        let up = lineage.trace(&NodeId::Sync("user-profiles".into()), Direction::Up);
        assert_eq!(
            shown(&up),
            "shop.orders[] raw_shop.orders[] staging.stg[] warehouse.fct[] mart.profiles[] sync user-profiles[]"
        );
        let last = up.nodes.last().unwrap();
        assert_eq!(
            last.node.places,
            ["s3://{application bucket}/user-profiles/{bits}/{key}.json", "GET /v1/user-profiles/{id}"]
        );
    }
}
