//! Relative links in documents lead to a file of the repository, and `#heading` to a heading.

use std::path::Path;

use anyhow::Result;

use crate::step::Running;

pub(super) fn check(step: &mut Running<'_>) -> Result<String> {
    let (mut problems, mut count) = (Vec::new(), 0);
    for document in step.workspace.files(".md") {
        let text = crate::read(&document)?;
        for target in links(&text) {
            count += 1;
            if !leads_somewhere(&document, &text, target) {
                problems.push(format!("{} links to {target}, which does not exist", step.workspace.short(&document)));
            }
        }
    }
    super::verdict(&problems, format!("{count} links"))
}

/// The targets of `[text](target)` outside code, other than addresses of the web.
fn links(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    let prose = prose.flat_map(|part| part.split('`').step_by(2));
    let targets = prose.flat_map(|part| part.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)));
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
}

fn leads_somewhere(document: &Path, text: &str, target: &str) -> bool {
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let file = document.parent().unwrap_or(Path::new("/")).join(path);
    if !path.is_empty() && !file.exists() {
        return false;
    }
    let other = if path.is_empty() { Some(text.to_owned()) } else { std::fs::read_to_string(&file).ok() };
    heading.is_empty() || other.is_some_and(|text| headings(&text).any(|found| found == heading))
}

/// As GitHub makes them: lower case, spaces to hyphens, punctuation gone.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_prose_are_found_and_those_in_code_are_not() {
        let text = "[a](b.md) `[c](d)` [web](https://example.com)\n```\n[e](f)\n```\n[g](#h)";
        assert_eq!(links(text), ["b.md", "#h"]);
    }

    #[test]
    fn a_heading_is_reached_by_its_anchor() {
        let text = "# The first time: stg\n";
        assert!(leads_somewhere(Path::new("/x/a.md"), text, "#the-first-time-stg"));
        assert!(!leads_somewhere(Path::new("/x/a.md"), text, "#the-second"));
    }
}
