//! One page that needs nothing else: the layers from left to right, each table and model with what it is made of and what
//! reads it as links. Lines between them are drawn by a script; who does not see them, or has no scripts, reads the links.

use lineage::{NodeId, Trace, Traced};

use super::{children, parents};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

pub fn html(trace: &Trace, title: &str) -> String {
    let title = escaped(title);
    let mut layers: Vec<(&str, Vec<&Traced>)> = Vec::new();
    for traced in &trace.nodes {
        match layers.iter_mut().find(|(layer, _)| *layer == traced.node.layer) {
            Some((_, nodes)) => nodes.push(traced),
            None => layers.push((&traced.node.layer, vec![traced])),
        }
    }
    let layers: String = layers.iter().map(|(layer, nodes)| section(trace, layer, nodes)).collect();
    let edges: Vec<[String; 2]> = trace.edges.iter().map(|(from, to)| [key(trace, from), key(trace, to)]).collect();
    let edges = serde_json::json!(edges);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; connect-src 'none'\">\n\
         <title>Lineage of {title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>Lineage of {title}</h1>\n\
         <p id=\"said\" role=\"status\">{} tables, models and syncs. Tab goes through them; what comes before and after the \
         chosen one is marked.</p>\n</header>\n<main>\n<svg aria-hidden=\"true\"></svg>\n{layers}</main>\n\
         <script>\nconst edges = {edges};\n{SCRIPT}</script>\n</body>\n</html>\n",
        trace.nodes.len()
    )
}

fn section(trace: &Trace, layer: &str, nodes: &[&Traced]) -> String {
    let nodes: String = nodes.iter().map(|traced| article(trace, traced)).collect();
    format!("<section aria-label=\"{0}\">\n<h2>{0}</h2>\n{nodes}</section>\n", escaped(layer))
}

fn article(trace: &Trace, traced: &Traced) -> String {
    let name = escaped(&traced.id.to_string());
    let id = key(trace, &traced.id);
    let link = |verb: &str, other: &NodeId| {
        format!("<li>{verb} <a href=\"#{}\">{}</a></li>\n", key(trace, other), escaped(&other.to_string()))
    };
    let mut facts: String = parents(trace, &traced.id).map(|other| link("made of", other)).collect();
    facts.extend(children(trace, &traced.id).into_iter().map(|other| link("read by", other)));
    facts.extend(traced.node.places.iter().map(|place| format!("<li><code>{}</code></li>\n", escaped(place))));
    if let Some(why) = &traced.node.opaque {
        facts.push_str(&format!("<li>its columns are not followed: {}</li>\n", escaped(why)));
    }
    let columns = match &traced.carries {
        None if traced.node.columns.is_empty() => String::new(),
        None => details(&traced.node.columns),
        Some(columns) if columns.is_empty() => "<p>the column only decides here</p>\n".to_owned(),
        Some(columns) => {
            let columns: Vec<_> = columns.iter().map(|column| format!("<code>{}</code>", escaped(column))).collect();
            format!("<p>carried by {}</p>\n", columns.join(", "))
        }
    };
    format!(
        "<article id=\"{id}\" tabindex=\"0\" aria-labelledby=\"{id}-name\">\n<h3 id=\"{id}-name\">{name}</h3>\n{columns}<ul>\n{facts}</ul>\n</article>\n"
    )
}

fn details(columns: &[String]) -> String {
    let items: String = columns.iter().map(|column| format!("<li><code>{}</code></li>", escaped(column))).collect();
    format!("<details><summary>{} columns</summary><ul>{items}</ul></details>\n", columns.len())
}

/// Names of tables may hold what an id may not.
fn key(trace: &Trace, id: &NodeId) -> String {
    let place = trace.nodes.iter().position(|traced| traced.id == *id);
    place.map_or_else(|| "n".to_owned(), |place| format!("n{place}"))
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
