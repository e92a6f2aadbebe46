//! A part of the lineage as people and programs look at it.

mod html;

use std::collections::BTreeSet;

use lineage::{NodeId, Trace, Traced};

pub(crate) use html::escaped;
pub use html::html;

/// A line for each table, model and sync, in the order of the data.
pub fn text(trace: &Trace) -> String {
    let width = trace.nodes.iter().map(|traced| traced.id.to_string().len()).max().unwrap_or(0);
    let line = |traced: &Traced| {
        let from: Vec<String> = parents(trace, &traced.id).map(ToString::to_string).collect();
        let from = if from.is_empty() { String::new() } else { format!("  ← {}", from.join(", ")) };
        let mut line = format!("{:<10} {:<width$}{}{from}", traced.node.layer, traced.id.to_string(), carries(traced));
        for place in traced.node.places.iter().filter(|_| matches!(traced.id, NodeId::Sync(_))) {
            line.push_str(&format!("\n{:<10} {place}", ""));
        }
        if let Some(why) = &traced.node.opaque {
            line.push_str(&format!("\n{:<10} its columns are not followed: {why}", ""));
        }
        line.trim_end().to_owned() + "\n"
    };
    trace.nodes.iter().map(line).collect()
}

/// With a column: which carry its value, or that it only decides there.
fn carries(traced: &Traced) -> String {
    match &traced.carries {
        None => String::new(),
        Some(columns) if columns.is_empty() => "  [decides]".to_owned(),
        Some(columns) => format!("  [{}]", columns.iter().cloned().collect::<Vec<_>>().join(", ")),
    }
}

/// <https://mermaid.js.org/syntax/flowchart.html>
pub fn mermaid(trace: &Trace) -> String {
    let key = |id: &NodeId| {
        let place = trace.nodes.iter().position(|traced| traced.id == *id).unwrap_or_default();
        format!("n{place}")
    };
    let mut text = String::from("flowchart LR\n");
    let mut layers: Vec<&str> = Vec::new();
    for traced in &trace.nodes {
        if !layers.contains(&traced.node.layer.as_str()) {
            layers.push(&traced.node.layer);
        }
    }
    for layer in layers {
        text.push_str(&format!("  subgraph {layer}\n"));
        for traced in trace.nodes.iter().filter(|traced| traced.node.layer == layer) {
            let label = format!("{}{}", traced.id, carries(traced)).replace('"', "#quot;");
            text.push_str(&format!("    {}[\"{label}\"]\n", key(&traced.id)));
        }
        text.push_str("  end\n");
    }
    for (from, to) in &trace.edges {
        text.push_str(&format!("  {} --> {}\n", key(from), key(to)));
    }
    text
}

fn parents<'a>(trace: &'a Trace, id: &'a NodeId) -> impl Iterator<Item = &'a NodeId> {
    trace.edges.iter().filter(move |(_, to)| to == id).map(|(from, _)| from)
}

fn children<'a>(trace: &'a Trace, id: &'a NodeId) -> BTreeSet<&'a NodeId> {
    trace.edges.iter().filter(|(from, _)| from == id).map(|(_, to)| to).collect()
}

#[cfg(test)]
mod tests {
    use lineage::Node;

    use super::*;

    fn trace() -> Trace {
        let table = NodeId::Table("shop.orders".into());
        let (raw, sync) = (NodeId::Relation("raw_shop.orders".into()), NodeId::Sync("orders".into()));
        let traced = |id: &NodeId, layer: &str, carries: &[&str], places: &[&str]| Traced {
            id: id.clone(),
            node: Node {
                layer: layer.into(),
                places: places.iter().map(ToString::to_string).collect(),
                ..Node::default()
            },
            distance: 0,
            carries: Some(carries.iter().map(ToString::to_string).collect()),
        };
        Trace {
            nodes: vec![
                traced(&table, "database", &["id"], &[]),
                traced(&raw, "raw", &["id"], &[]),
                traced(&sync, "sync", &[], &["s3://b/<orders>/", "GET /v1/orders/{id}"]),
            ],
            edges: BTreeSet::from([(table, raw.clone()), (raw, sync)]),
        }
    }

    #[test]
    fn text_is_a_line_for_each_step_and_the_places_of_a_sync() {
        let expected = "\
database   shop.orders      [id]
raw        raw_shop.orders  [id]  ← shop.orders
sync       sync orders      [decides]  ← raw_shop.orders
           s3://b/<orders>/
           GET /v1/orders/{id}
";
        assert_eq!(text(&trace()), expected);
    }

    #[test]
    fn mermaid_groups_by_layer() {
        let expected = "\
flowchart LR
  subgraph database
    n0[\"shop.orders  [id]\"]
  end
  subgraph raw
    n1[\"raw_shop.orders  [id]\"]
  end
  subgraph sync
    n2[\"sync orders  [decides]\"]
  end
  n0 --> n1
  n1 --> n2
";
        assert_eq!(mermaid(&trace()), expected);
    }

    #[test]
    fn the_page_says_everything_without_a_script_and_asks_nothing_of_a_network() {
        let page = html(&trace(), "orders");
        assert!(page.contains("<li>made of <a href=\"#n0\">shop.orders</a></li>"), "{page}");
        assert!(page.contains("<li>read by <a href=\"#n2\">sync orders</a></li>"), "{page}");
        assert!(page.contains("s3://b/&lt;orders&gt;/"), "{page}");
        assert!(page.contains("connect-src 'none'"), "{page}");
        for outside in ["http://", "https://", "src=\"", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
