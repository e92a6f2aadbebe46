//! `export_info` and `export_tables_info`, the files in which RDS says what it exported. Their writers differ in the
//! case of keys and in whether a number is a string, so everything is read leniently and only what decides is read.

use std::collections::BTreeMap;

use handoff::{ExportTaskId, TableName};
use serde_json::Value;

/// A table as RDS announced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) name: TableName,
    pub(crate) exported: bool,
    pub(crate) warning: Option<String>,
    pub(crate) columns: Vec<AnnouncedColumn>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnnouncedColumn {
    pub(crate) name: String,
    pub(crate) source_type: String,
    pub(crate) expected_type: String,
}

/// The problem with `export_info`, if there is one: it is of another task, or not complete.
pub(crate) fn check_export_info(json: &[u8], task: &ExportTaskId) -> Result<(), String> {
    let info = parse(json).map_err(|error| format!("export_info is {error}"))?;
    if let Some(id) = text(&info, "exportTaskIdentifier").filter(|id| *id != task.to_string()) {
        return Err(format!("export_info is of task {id}"));
    }
    match text(&info, "status") {
        Some(status) if !status.eq_ignore_ascii_case("complete") => Err(format!("export_info says {status}")),
        _ => Ok(()),
    }
}

/// The tables of one `export_tables_info` file, and what it says about anything else: a database that it could not list,
/// or a table that it skipped because its name holds a slash, so that no prefix could be named for it.
pub(crate) fn announced_tables(json: &[u8]) -> Result<(Vec<Announced>, Vec<String>), String> {
    let info = parse(json)?;
    let Some(Value::Array(entries)) = field(&info, "perTableStatus") else {
        return Err("no list perTableStatus".into());
    };
    let (mut tables, mut news) = (Vec::new(), Vec::new());
    for entry in entries {
        let target = text(entry, "target").ok_or("an entry of perTableStatus has no target")?;
        let (exported, warning) = outcome(entry);
        match TableName::from_target(&target) {
            Ok(name) => tables.push(Announced { name, exported, warning, columns: columns(entry) }),
            Err(_) if !exported || !target.contains('.') => {
                let warning = warning.unwrap_or_else(|| "RDS names it without a table".into());
                news.push(format!("{target}: {warning}"));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok((tables, news))
}

/// Some writers put a byte order mark in front.
fn parse(json: &[u8]) -> Result<Value, String> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    serde_json::from_slice(json).map_err(|error| format!("not JSON: {error}"))
}

/// Whether the table was exported, and what RDS said about it.
fn outcome(entry: &Value) -> (bool, Option<String>) {
    let status = text(entry, "status").unwrap_or_default();
    let exported = status.eq_ignore_ascii_case("complete");
    let warning = text(entry, "warningMessage").filter(|warning| !warning.is_empty());
    (exported, warning.or_else(|| (!exported).then(|| format!("status {status:?}"))))
}

fn columns(entry: &Value) -> Vec<AnnouncedColumn> {
    let mappings = field(entry, "schemaMetadata").and_then(|schema| field(schema, "originalTypeMappings"));
    mappings.and_then(Value::as_array).into_iter().flatten().filter_map(column).collect()
}

fn column(mapping: &Value) -> Option<AnnouncedColumn> {
    let or_unknown = |name: &str| text(mapping, name).unwrap_or_else(|| "unknown".into());
    Some(AnnouncedColumn {
        name: text(mapping, "columnName")?,
        source_type: or_unknown("originalType"),
        expected_type: or_unknown("expectedExportedType"),
    })
}

/// One entry for each table, in the order of names. Where files overlap, what was not exported wins.
pub(crate) fn merge(files: impl IntoIterator<Item = Vec<Announced>>) -> Vec<Announced> {
    let mut tables: BTreeMap<TableName, Announced> = BTreeMap::new();
    for table in files.into_iter().flatten() {
        if tables.get(&table.name).is_none_or(|known| known.exported) {
            tables.insert(table.name.clone(), table);
        }
    }
    tables.into_values().collect()
}

/// The ranges in the names of the files, `…_from_1_to_40.json`, must leave nothing out. Whether they share their ends
/// is not documented, so both are taken.
pub(crate) fn check_ranges<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let mut ranges: Vec<(u64, u64)> = keys.into_iter().filter_map(range).collect();
    ranges.sort_unstable();
    let Some((first, _)) = ranges.first() else { return Err("there is no export_tables_info".into()) };
    if *first > 1 {
        return Err(format!("the first export_tables_info begins with table {first}"));
    }
    let mut reached = 0;
    for (from, to) in ranges {
        if reached > 0 && from > reached + 1 {
            return Err(format!("no export_tables_info names tables {} to {}", reached + 1, from - 1));
        }
        reached = reached.max(to);
    }
    Ok(())
}

fn range(key: &str) -> Option<(u64, u64)> {
    let (head, to) = key.strip_suffix(".json")?.rsplit_once("_to_")?;
    let (_, from) = head.rsplit_once("_from_")?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

fn field<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let object = object.as_object()?;
    object.get(name).or_else(|| object.iter().find(|(key, _)| same_key(key, name)).map(|(_, value)| value))
}

pub(crate) fn same_key(key: &str, name: &str) -> bool {
    key.eq_ignore_ascii_case(name) || key.replace('_', "").eq_ignore_ascii_case(name)
}

pub(crate) fn text(object: &Value, name: &str) -> Option<String> {
    match field(object, name)? {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(info: &Value) -> Result<Vec<Announced>, String> {
        announced_tables(&serde_json::to_vec(info).unwrap()).map(|(tables, _)| tables)
    }

    #[test]
    fn the_case_of_keys_and_the_kind_of_numbers_do_not_matter() {
        let camel = json!({"perTableStatus": [{"target": "shop.shop.orders", "status": "COMPLETE", "sizeGB": 0.015,
            "tableStatistics": {"pretime": 1}, "schemaMetadata": {"originalTypeMappings": [
                {"columnName": "id", "originalType": "bigint unsigned", "expectedExportedType": "DECIMAL(20,0)",
                    "originalCharMaxLength": 0, "originalNumPrecision": 20, "originalDateTimePrecision": 0}]}}]});
        let pascal = json!({"PerTableStatus": [{"Target": "shop.shop.orders", "Status": "Complete", "SizeGB": "0.015",
            "SchemaMetadata": {"OriginalTypeMappings": [
                {"ColumnName": " id", "OriginalType": "bigint unsigned", "ExpectedExportedType": "DECIMAL(20,0)",
                    "OriginalNumPrecision": "20"}]}, "somethingNew": [1]}]});
        let snake = json!({"per_table_status": [{"target": "shop.shop.orders", "status": "complete",
            "schema_metadata": {"original_type_mappings": [
                {"column_name": "id", "original_type": "bigint unsigned",
                    "expected_exported_type": "DECIMAL(20,0)"}]}}]});
        let tables = read(&camel).unwrap();
        assert_eq!(tables[0].name.to_string(), "shop.orders");
        assert_eq!(tables[0].columns[0].source_type, "bigint unsigned");
        assert_eq!(read(&pascal).unwrap(), tables);
        assert_eq!(read(&snake).unwrap(), tables);
    }

    #[test]
    fn a_table_that_was_not_exported_says_why() {
        let info = json!({"perTableStatus": [
            {"target": "shop.shop.a", "status": "FAILED", "warningMessage": "column name holds a comma"},
            {"target": "shop.shop.b", "status": "SKIPPED"},
            {"target": "shop.shop.c"},
            {"target": "shop.shop.d", "status": "COMPLETE", "warningMessage": ""}]});
        let told: Vec<_> = read(&info).unwrap().into_iter().map(|table| (table.exported, table.warning)).collect();
        let failed = |text: &str| (false, Some(text.to_owned()));
        let expected =
            [failed("column name holds a comma"), failed("status \"SKIPPED\""), failed("status \"\""), (true, None)];
        assert_eq!(told, expected);
    }

    #[test]
    fn an_odd_file_is_refused_and_says_why() {
        let refused = |text: &str| announced_tables(text.as_bytes()).unwrap_err();
        assert_eq!(refused("{\"perTab"), "not JSON: EOF while parsing a string at line 1 column 8");
        assert_eq!(refused(""), "not JSON: EOF while parsing a value at line 1 column 0");
        assert_eq!(refused("[]"), "no list perTableStatus");
        assert_eq!(refused("{\"perTableStatus\":null}"), "no list perTableStatus");
        assert_eq!(refused("{\"perTableStatus\":[{}]}"), "an entry of perTableStatus has no target");
        assert_eq!(refused("{\"perTableStatus\":[7]}"), "an entry of perTableStatus has no target");
        assert_eq!(
            refused("{\"perTableStatus\":[{\"target\":\"shop.shop.\",\"status\":\"COMPLETE\"}]}"),
            "table name \"shop.shop.\" is not database.table or database.schema.table"
        );
        assert_eq!(announced_tables(b"{\"perTableStatus\":[]}"), Ok((Vec::new(), Vec::new())));
    }

    #[test]
    fn a_skipped_table_whose_name_cannot_be_a_prefix_is_news() {
        let entry =
            json!({"target": "shop.shop.in/out", "status": "SKIPPED", "warningMessage": "the name holds a slash"});
        let info = json!({"perTableStatus": [entry]}).to_string();
        let news = vec!["shop.shop.in/out: the name holds a slash".to_owned()];
        assert_eq!(announced_tables(info.as_bytes()), Ok((Vec::new(), news)));
        assert!(announced_tables(info.replace("SKIPPED", "COMPLETE").as_bytes()).is_err());
    }

    #[test]
    fn a_database_without_a_table_is_news_whatever_its_status() {
        let news = |entry: Value| {
            let info = json!({"perTableStatus": [entry]}).to_string();
            let (tables, news) = announced_tables(info.as_bytes()).unwrap();
            assert_eq!(tables, []);
            news
        };
        let reason = "FAILED_TO_EXTRACT_TABLES_LIST_FOR_DATABASE";
        for status in ["COMPLETE", "FAILED", "SKIPPED", ""] {
            let entry = json!({"target": "postgres", "status": status, "warningMessage": reason});
            assert_eq!(news(entry), [format!("postgres: {reason}")]);
        }
        let silent = json!({"target": "postgres", "status": "COMPLETE"});
        assert_eq!(news(silent), ["postgres: RDS names it without a table"]);
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        let task: ExportTaskId = "prod-20261122".parse().unwrap();
        assert_eq!(check_export_info("\u{feff}{\"status\":\"COMPLETE\"}".as_bytes(), &task), Ok(()));
        assert_eq!(announced_tables("\u{feff}{\"perTableStatus\":[]}".as_bytes()), Ok((Vec::new(), Vec::new())));
    }

    #[test]
    fn export_info_must_be_of_this_task_and_complete() {
        let task: ExportTaskId = "prod-20261122".parse().unwrap();
        let check = |text: &str| check_export_info(text.as_bytes(), &task);
        assert_eq!(
            check(r#"{"exportTaskIdentifier":"prod-20261122","status":"COMPLETE","percentProgress":"100"}"#),
            Ok(())
        );
        assert_eq!(check(r#"{"ExportTaskIdentifier":"prod-20261122"}"#), Ok(()));
        assert_eq!(
            check(r#"{"exportTaskIdentifier":"prod-20261121"}"#),
            Err("export_info is of task prod-20261121".into())
        );
        assert_eq!(check(r#"{"status":"IN_PROGRESS"}"#), Err("export_info says IN_PROGRESS".into()));
        assert!(check("x").unwrap_err().starts_with("export_info is not JSON: expected value"));
    }

    #[test]
    fn several_files_are_one_list_and_a_failure_is_not_lost_in_an_overlap() {
        let table = |name: &str, status: &str| json!({"target": name, "status": status});
        let first = json!({"perTableStatus": [table("shop.shop.b", "COMPLETE"), table("shop.shop.a", "FAILED")]});
        let second = json!({"perTableStatus": [table("shop.shop.a", "COMPLETE"), table("shop.shop.c", "COMPLETE")]});
        let merged = merge([read(&first).unwrap(), read(&second).unwrap()]);
        let told: Vec<_> = merged.iter().map(|table| (table.name.to_string(), table.exported)).collect();
        assert_eq!(told, [("shop.a".into(), false), ("shop.b".into(), true), ("shop.c".into(), true)]);
    }

    #[test]
    fn a_gap_between_the_files_is_found() {
        let check = |ranges: &[(u32, u32)]| {
            let keys: Vec<String> =
                ranges.iter().map(|(from, to)| format!("p/export_tables_info_p_from_{from}_to_{to}.json")).collect();
            check_ranges(keys.iter().map(String::as_str))
        };
        assert_eq!(check(&[(1, 40), (41, 80), (81, 81)]), Ok(()));
        assert_eq!(check(&[(0, 40), (40, 80)]), Ok(()));
        assert_eq!(check(&[(101, 110), (1, 100)]), Ok(()));
        assert_eq!(check(&[]), Err("there is no export_tables_info".into()));
        assert_eq!(check(&[(41, 80)]), Err("the first export_tables_info begins with table 41".into()));
        assert_eq!(check(&[(1, 40), (81, 90)]), Err("no export_tables_info names tables 41 to 80".into()));
    }
}
