//! Everything between the database and the application, as one graph of tables, models and syncs, and of their columns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use handoff::Manifest;
use serde::Serialize;

use crate::dbt::{DbtManifest, DbtNode};
use crate::query::{Query, RelationColumn, analyze};
use crate::syncs::Sync;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum NodeId {
    /// Of the source database: `shop.orders`.
    Table(String),
    /// Of BigQuery: `raw_shop.orders`, `mart.user_profiles`. Or a connection to another database.
    Relation(String),
    Sync(String),
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(name) | Self::Relation(name) => f.write_str(name),
            Self::Sync(name) => write!(f, "sync {name}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Column {
    pub node: NodeId,
    pub name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Node {
    /// database, raw, then the datasets of the warehouse, connection, sync.
    pub layer: String,
    /// In their order, where they are known.
    pub columns: Vec<String>,
    /// Where the application finds it, or the file that makes it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// Why its columns could not be followed; its tables are those that dbt names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opaque: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Lineage {
    pub nodes: BTreeMap<NodeId, Node>,
    /// From what is read to what reads it.
    pub edges: BTreeSet<(NodeId, NodeId)>,
    /// From a column to those that are made of it.
    pub becomes: BTreeMap<Column, BTreeSet<Column>>,
    /// What fails without the column.
    pub needed_by: BTreeMap<Column, BTreeSet<NodeId>>,
    /// Whose rows depend on the column.
    pub decides: BTreeMap<Column, BTreeSet<NodeId>>,
}

/// What a sync reads and nothing makes, or what of it is no SQL of BigQuery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub sync: String,
    pub problem: String,
}

impl Lineage {
    /// `export` tells the columns of tables better than the sources do, which are as old as they were written.
    pub fn of(dbt: &DbtManifest, syncs: &[Sync], export: Option<&Manifest>) -> (Self, Vec<Unknown>) {
        let mut lineage = Self::default();
        let mut ids = BTreeMap::new();
        for (unique_id, source) in &dbt.sources {
            let relation = NodeId::Relation(format!("{}.{}", source.schema, source.identifier));
            ids.insert(unique_id.as_str(), relation.clone());
            let mut columns: Vec<String> = source.columns.values().map(|column| column.name.to_lowercase()).collect();
            if let Some(table) = &source.meta.isthmus_table {
                let exported =
                    export.and_then(|export| export.tables.iter().find(|found| found.name.to_string() == *table));
                if let Some(exported) = exported.filter(|table| !table.columns.is_empty()) {
                    columns = exported.columns.iter().map(|column| column.name.to_lowercase()).collect();
                }
                lineage.loaded(&NodeId::Table(table.clone()), &relation, &columns);
            }
            lineage.nodes.insert(relation, Node { layer: "raw".to_owned(), columns, ..Node::default() });
        }
        for (unique_id, node) in dbt.in_order() {
            let relation = NodeId::Relation(format!("{}.{}", node.schema, node.alias));
            ids.insert(unique_id.as_str(), relation.clone());
            let parents = node.depends_on.nodes.iter().filter_map(|parent| ids.get(parent.as_str()).cloned()).collect();
            lineage.model(&relation, node, parents);
        }
        let problems = syncs.iter().flat_map(|sync| lineage.sync(sync)).collect();
        (lineage, problems)
    }

    /// A table arrives under its own columns.
    fn loaded(&mut self, table: &NodeId, raw: &NodeId, columns: &[String]) {
        let node = Node { layer: "database".to_owned(), columns: columns.to_vec(), ..Node::default() };
        self.nodes.insert(table.clone(), node);
        self.edges.insert((table.clone(), raw.clone()));
        for name in columns {
            let of = |node: &NodeId| Column { node: node.clone(), name: name.clone() };
            self.becomes.entry(of(table)).or_default().insert(of(raw));
        }
    }

    fn model(&mut self, relation: &NodeId, node: &DbtNode, parents: Vec<NodeId>) {
        let mut found =
            Node { layer: node.schema.clone(), places: vec![node.original_file_path.clone()], ..Node::default() };
        found.columns = node.columns.values().map(|column| column.name.to_lowercase()).collect();
        self.edges.extend(parents.into_iter().map(|parent| (parent, relation.clone())));
        match node.compiled_code.as_deref().map(|sql| self.read(sql)) {
            Some(Ok(query)) => {
                found.columns = query.outputs.iter().map(|output| output.name.clone()).collect();
                self.connect(relation, query);
            }
            Some(Err(problem)) => found.opaque = Some(problem),
            None if node.resource_type == "model" => found.opaque = Some("dbt has not compiled it".to_owned()),
            None => {}
        }
        self.nodes.insert(relation.clone(), found);
    }

    fn sync(&mut self, sync: &Sync) -> Vec<Unknown> {
        let unknown = |problem| Unknown { sync: sync.name.clone(), problem };
        let query = match self.read(&sync.query) {
            Ok(query) => query,
            Err(problem) => return vec![unknown(problem)],
        };
        let nobody_makes = |relation: &&String| !self.nodes.contains_key(&NodeId::Relation((*relation).clone()));
        let problem = |relation: &String| unknown(format!("reads {relation}, which no model makes and no load brings"));
        let problems = query.reads.iter().filter(nobody_makes).map(problem).collect();
        let bucket = sync.bucket.as_deref().unwrap_or("{application bucket}");
        let object = if sync.layout == "packed" { "g/" } else { "{bits}/{key}.json" };
        let places =
            vec![format!("s3://{bucket}/{}/{object}", sync.prefix), format!("GET /v1/{}/{{{}}}", sync.name, sync.key)];
        let columns = query.outputs.iter().map(|output| output.name.clone()).collect();
        let id = NodeId::Sync(sync.name.clone());
        self.connect(&id, query);
        self.nodes.insert(id, Node { layer: "sync".to_owned(), columns, places, opaque: None });
        problems
    }

    fn read(&self, sql: &str) -> Result<Query, String> {
        let columns = |relation: &str| {
            let node = self.nodes.get(&NodeId::Relation(relation.to_owned()))?;
            let known = !node.columns.is_empty() && !node.columns.iter().any(|name| name == "*");
            known.then(|| node.columns.clone())
        };
        analyze(sql.trim().trim_end_matches(';'), &columns).map_err(|error| error.to_string())
    }

    fn connect(&mut self, id: &NodeId, query: Query) {
        let column = |RelationColumn { relation, name }| Column { node: NodeId::Relation(relation), name };
        for relation in query.reads {
            let relation = NodeId::Relation(relation);
            // An incremental model reads what it was.
            if relation == *id {
                continue;
            }
            if relation.to_string().starts_with("connection ") {
                let node = Node { layer: "connection".to_owned(), ..Node::default() };
                self.nodes.entry(relation.clone()).or_insert(node);
            }
            if self.nodes.contains_key(&relation) {
                self.edges.insert((relation, id.clone()));
            }
        }
        for needed in query.needs.into_iter().map(column).filter(|column| column.node != *id) {
            self.needed_by.entry(needed).or_default().insert(id.clone());
        }
        for deciding in query.decides.into_iter().map(column).filter(|column| column.node != *id) {
            self.decides.entry(deciding).or_default().insert(id.clone());
        }
        for output in query.outputs {
            let made = Column { node: id.clone(), name: output.name };
            for from in output.from.into_iter().map(column).filter(|column| column.node != *id) {
                self.becomes.entry(from).or_default().insert(made.clone());
            }
        }
    }
}
