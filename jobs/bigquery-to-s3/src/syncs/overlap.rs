//! Two syncs whose objects would lie among each other: each would delete what it takes for its own.

use yaml::{Location, Node, Problem, Spanned, place};

struct Claim<'a> {
    sync: &'a str,
    bucket: &'a str,
    prefix: &'a str,
    at: Location,
}

/// Looks at destinations only, so that a sync with other errors is compared as well.
pub fn problems(root: &Spanned<Node>, bucket: Option<&str>) -> Vec<Problem> {
    let claims = claims(root, bucket);
    let mut problems = Vec::new();
    for (index, later) in claims.iter().enumerate() {
        let overlapping = claims[..index].iter().filter(|earlier| overlap(earlier, later));
        problems.extend(overlapping.map(|earlier| {
            let text = format!(
                "{}.destination: {} in {} overlaps with {} of {}, expected a prefix of its own",
                later.sync, later.prefix, later.bucket, earlier.prefix, earlier.sync
            );
            Problem::at(later.at, text)
        }));
    }
    problems
}

fn overlap(a: &Claim<'_>, b: &Claim<'_>) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    a.bucket == b.bucket && a.sync != b.sync && (within(a.prefix, b.prefix) || within(b.prefix, a.prefix))
}

fn claims<'a>(root: &'a Spanned<Node>, bucket: Option<&'a str>) -> Vec<Claim<'a>> {
    let Some(Node::Mapping(syncs)) = root.value.get("syncs").map(|node| &node.value) else { return Vec::new() };
    syncs.iter().filter_map(|(name, sync)| claim(&name.value, &sync.value, bucket)).collect()
}

fn claim<'a>(name: &'a Node, sync: &'a Node, bucket: Option<&'a str>) -> Option<Claim<'a>> {
    let destination = &sync.get("destination")?.value;
    let prefix = destination.get("prefix")?;
    Some(Claim {
        sync: name.text()?,
        bucket: destination.get("bucket").map_or(bucket, |node| node.value.text())?,
        prefix: prefix.value.text()?,
        at: place(prefix),
    })
}
