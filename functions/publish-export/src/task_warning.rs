//! The warning of an export task, beside what its files say.

use handoff::TableName;
use serde_json::Value;

use crate::export_info::{Announced, same_key, text};

/// What `WarningMessage` of the task says: tables that were skipped before they came into the lists, and other news.
/// Its form is not documented, so text that is not understood is kept as it is.
pub(crate) fn task_warnings(message: &str) -> (Vec<Announced>, Vec<String>) {
    let Ok(Value::Object(said)) = serde_json::from_str(message) else { return (Vec::new(), vec![message.into()]) };
    let (mut skipped, mut news) = (Vec::new(), Vec::new());
    for (topic, entries) in &said {
        let entries = entries.as_array().map_or(std::slice::from_ref(entries), Vec::as_slice);
        for entry in entries.iter().filter(|entry| !entry.is_null()) {
            let reason = text(entry, "reason").or_else(|| text(entry, "message"));
            let name = ["target", "tableName", "table", "name"].iter().find_map(|name| text(entry, name));
            let name = name.or_else(|| entry.as_str().map(str::to_owned));
            let table = name.as_ref().and_then(|name| TableName::from_target(name).ok());
            match table.filter(|_| same_key(topic, "skippedTables")) {
                Some(name) => {
                    let warning = Some(reason.unwrap_or_else(|| "skipped".into()));
                    skipped.push(Announced { name, exported: false, warning, columns: Vec::new() });
                }
                None => news.push(format!(
                    "{}: {}",
                    name.filter(|_| reason.is_some()).as_ref().unwrap_or(topic),
                    reason.unwrap_or_else(|| plain(entry))
                )),
            }
        }
    }
    (skipped, news)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_warning_of_a_task_is_understood_where_it_can_be() {
        let message = json!({"skippedTables": [{"tableName": "shop.shop.odd", "reason": "COLUMN_NAME"}, "shop.shop.p"],
            "skippedObjectives": [], "general": [{"reason": "FAILED_TO_EXTRACT_TABLES_LIST_FOR_DATABASE"}]});
        let (skipped, news) = task_warnings(&message.to_string());
        let skipped: Vec<_> = skipped.into_iter().map(|t| (t.name.to_string(), t.warning.unwrap())).collect();
        assert_eq!(skipped, [("shop.odd".into(), "COLUMN_NAME".into()), ("shop.p".into(), "skipped".into())]);
        assert_eq!(news, ["general: FAILED_TO_EXTRACT_TABLES_LIST_FOR_DATABASE"]);
        assert_eq!(task_warnings("three tables"), (vec![], vec!["three tables".into()]));
        assert_eq!(task_warnings("{}"), (vec![], vec![]));
    }

    #[test]
    fn a_table_whose_name_cannot_be_a_prefix_is_news() {
        let warning = json!({"skippedTables": [{"target": "shop.shop.in/out", "reason": "the name holds a slash"}]});
        let news = vec!["shop.shop.in/out: the name holds a slash".to_owned()];
        assert_eq!(task_warnings(&warning.to_string()), (Vec::new(), news));
    }
}
