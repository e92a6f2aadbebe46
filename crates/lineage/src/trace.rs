//! Everything that comes of a table or column, and everything that something is made of.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::graph::{Column, Lineage, Node, NodeId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the application.
    Down,
    /// To the database.
    Up,
}

/// A part of the graph, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    pub nodes: Vec<Traced>,
    pub edges: BTreeSet<(NodeId, NodeId)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Traced {
    pub id: NodeId,
    #[serde(flatten)]
    pub node: Node,
    /// How far from the beginning.
    pub distance: usize,
    /// With a column: those that carry its value here. None do where it only decides (a condition, a join, an order).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carries: Option<BTreeSet<String>>,
}

impl Lineage {
    pub fn trace(&self, start: &NodeId, direction: Direction) -> Trace {
        let found = reached([start.clone()], |id| match direction {
            Direction::Down => self.readers(id),
            Direction::Up => self.edges.iter().filter(|(_, to)| to == id).map(|(from, _)| from.clone()).collect(),
        });
        self.shown(&found, None)
    }

    /// What is made of a column; and whose rows depend on it, with all that comes of that.
    pub fn trace_column(&self, start: &Column) -> Trace {
        let made = reached([start.clone()], |column| self.becomes.get(column).into_iter().flatten().cloned().collect());
        let mut carries: BTreeMap<NodeId, BTreeSet<String>> = BTreeMap::new();
        for column in &made {
            carries.entry(column.node.clone()).or_default().insert(column.name.clone());
        }
        let decided = made.iter().flat_map(|column| self.decides.get(column).into_iter().flatten());
        let mut found = reached(decided.cloned(), |id| self.readers(id));
        found.extend(carries.keys().cloned());
        self.shown(&found, Some(&carries))
    }

    fn readers(&self, id: &NodeId) -> Vec<NodeId> {
        self.edges.iter().filter(|(from, _)| from == id).map(|(_, to)| to.clone()).collect()
    }

    fn shown(&self, found: &BTreeSet<NodeId>, carries: Option<&BTreeMap<NodeId, BTreeSet<String>>>) -> Trace {
        let within = |(from, to): &&(NodeId, NodeId)| found.contains(from) && found.contains(to);
        let edges: BTreeSet<_> = self.edges.iter().filter(within).cloned().collect();
        let traced = |id: &NodeId| {
            let carries = carries.map(|carries| carries.get(id).cloned().unwrap_or_default());
            Some(Traced { id: id.clone(), node: self.nodes.get(id)?.clone(), distance: 0, carries })
        };
        let mut nodes: Vec<Traced> = found.iter().filter_map(traced).collect();
        lay_out(&mut nodes, &edges);
        Trace { nodes, edges }
    }
}

/// Each a step behind the last of those that it reads: as a reader follows the data, and as a picture needs it.
fn lay_out(nodes: &mut [Traced], edges: &BTreeSet<(NodeId, NodeId)>) {
    let mut parents: BTreeMap<&NodeId, Vec<&NodeId>> = BTreeMap::new();
    for (from, to) in edges {
        parents.entry(to).or_default().push(from);
    }
    let mut known: BTreeMap<NodeId, usize> = BTreeMap::new();
    for node in nodes.iter_mut() {
        node.distance = depth(&node.id, &parents, &mut known);
    }
    nodes.sort_by(|a, b| (a.distance, &a.id).cmp(&(b.distance, &b.id)));
}

fn depth(id: &NodeId, parents: &BTreeMap<&NodeId, Vec<&NodeId>>, known: &mut BTreeMap<NodeId, usize>) -> usize {
    if let Some(depth) = known.get(id) {
        return *depth;
    }
    known.insert(id.clone(), 0); // in a circle, which dbt refuses, it ends here
    let of_parents = parents.get(id).into_iter().flatten().map(|parent| depth(parent, parents, known) + 1).max();
    let found = of_parents.unwrap_or(0);
    known.insert(id.clone(), found);
    found
}

/// The beginnings, and all that follows from them.
fn reached<T: Clone + Ord>(start: impl IntoIterator<Item = T>, next: impl Fn(&T) -> Vec<T>) -> BTreeSet<T> {
    let mut open: Vec<T> = start.into_iter().collect();
    let mut found = BTreeSet::new();
    while let Some(one) = open.pop() {
        if !found.contains(&one) {
            open.extend(next(&one));
            found.insert(one);
        }
    }
    found
}
