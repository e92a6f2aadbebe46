//! Reads as much of template.yaml and samconfig.toml as the checks ask for: they are ours, so their indentation is
//! known and a parser of YAML is not needed.

use anyhow::{Context, Result};

/// The lines below `key` in a block, with the indentation of the block itself taken off.
pub(crate) fn below(block: &str, key: &str) -> Result<String> {
    let mut lines = block.lines().skip_while(|line| line.trim() != format!("{key}:"));
    let head = lines.next().with_context(|| format!("the template has no {key}:"))?;
    let depth = indentation(head);
    let inside: Vec<&str> = lines.take_while(|line| line.trim().is_empty() || indentation(line) > depth).collect();
    let first = inside.iter().find(|line| !line.trim().is_empty()).map_or(0, |line| indentation(line));
    let text: Vec<&str> = inside.iter().map(|line| line.get(first..).unwrap_or_default()).collect();
    Ok(text.join("\n"))
}

/// The keys of a block, in their order.
pub(crate) fn keys(block: &str) -> Vec<&str> {
    let outermost = |line: &&str| line.starts_with(|c: char| c.is_ascii_alphanumeric());
    block.lines().filter(outermost).filter_map(|line| Some(line.split_once(':')?.0)).collect()
}

/// `start-export` is `StartExport` in the template.
pub(crate) fn logical_id(folder: &str) -> String {
    let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    folder.split('-').filter(|part| !part.is_empty()).map(word).collect()
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "Resources:\n  StartExport:\n    Environment:\n      Variables:\n        ENV: !Ref Env\n\n        \
                            # a comment\n        KEY: x\n    Events: {}\n  Other:\n    Variables: {}\n";

    #[test]
    fn a_block_ends_where_its_indentation_ends() {
        let function = below(TEMPLATE, "StartExport").unwrap();
        assert_eq!(keys(&function), ["Environment", "Events"]);
        assert_eq!(keys(&below(&function, "Variables").unwrap()), ["ENV", "KEY"]);
        assert!(below(&function, "Other").is_err());
    }

    #[test]
    fn a_folder_s_name_gives_the_logical_id() {
        assert_eq!(logical_id("publish-export"), "PublishExport");
    }
}
