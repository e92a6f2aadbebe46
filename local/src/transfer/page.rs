//! The query of a request, and the page of a list that it asks for.

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::run::Spelling;

/// The pairs of a query; some names come several times.
pub(super) struct Query(pub(super) Vec<(String, String)>);

impl Query {
    pub(super) fn get(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn spelling(&self) -> Spelling {
        if self.get("$alt").contains("enum-encoding=int") { Spelling::Number } else { Spelling::Name }
    }

    /// `{field: items, "nextPageToken": …}`; as in Google's APIs an empty list and a last token are left out.
    pub(super) fn page(&self, field: &str, items: Vec<Value>, largest: usize) -> Result<Value, Refusal> {
        let number = |name: &str| match self.get(name) {
            "" => Ok(0),
            text => text.parse().map_err(|_| Refusal::invalid(format!("{name} {text:?} is not valid"))),
        };
        let (size, start): (usize, usize) = (number("pageSize")?, number("pageToken")?);
        let size = if size == 0 { largest } else { size.min(largest) };
        let more = items.len() > start.saturating_add(size);
        let items: Vec<Value> = items.into_iter().skip(start).take(size).collect();
        let mut page = json!({});
        if !items.is_empty() {
            page[field] = items.into();
        }
        if more {
            page["nextPageToken"] = (start + size).to_string().into();
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(size: &str, token: &str) -> Result<Value, Refusal> {
        let query = Query(vec![("pageSize".into(), size.into()), ("pageToken".into(), token.into())]);
        query.page("runs", (0..5).map(Value::from).collect(), 3)
    }

    #[test]
    fn pages_end_to_end_are_the_list() {
        assert_eq!(page("2", "").unwrap(), json!({"runs": [0, 1], "nextPageToken": "2"}));
        assert_eq!(page("2", "2").unwrap(), json!({"runs": [2, 3], "nextPageToken": "4"}));
        assert_eq!(page("2", "4").unwrap(), json!({"runs": [4]}));
        assert_eq!(page("0", "").unwrap(), json!({"runs": [0, 1, 2], "nextPageToken": "3"}));
        assert_eq!(page("9", "5").unwrap(), json!({}));
    }

    #[test]
    fn a_made_up_token_is_refused() {
        assert!(page("2", "x").is_err());
        assert!(page("-1", "").is_err());
    }
}
