//! Whether the caller has the row already. RFC 9110, 8.8.3 and 13.1.2.

use http::HeaderMap;
use http::header::IF_NONE_MATCH;

/// The weak comparison, as GET and HEAD ask for; a list may come in several headers.
pub fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // None of our tags has a comma in it, so a comma always parts two.
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(asked: &[&str]) -> bool {
        let headers = asked.iter().map(|value| (IF_NONE_MATCH, value.parse().unwrap()));
        is_known(&headers.collect(), "\"ab12\"")
    }

    #[test]
    fn one_of_the_tags_is_enough() {
        for asked in [
            &["\"ab12\""][..],
            &["W/\"ab12\""],
            &["\"x\", \"ab12\""],
            &["\"x\",W/\"ab12\",\"y\""],
            &["\"x\"", "\"ab12\""],
            &["*"],
        ] {
            assert!(known(asked), "{asked:?}");
        }
    }

    #[test]
    fn another_tag_is_not() {
        for asked in [&[][..], &["\"x\""], &["ab12"], &["\"ab1\"2"], &[""], &["\"AB12\""]] {
            assert!(!known(asked), "{asked:?}");
        }
    }
}
