//! The export engine on the real MariaDB: layout, information files, types, and the traps that hang on them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use local::aurora::{Aurora, Engine};
use local::export::{Export, Sizes, Source, Table};
use local::s3::Store;
use serde_json::Value;

use crate::exported::{BUCKET, export, json, read, rows, types, value};

fn memory(tables: Vec<Table>) -> Source {
    Source::Tables(Arc::new(tables))
}

async fn aurora(dir: &Path, database: &str, sql: &str) -> Aurora {
    let aurora = Aurora::start(Engine::Mysql, dir).await.unwrap();
    aurora.create_database(database).await.unwrap();
    aurora.execute(database, sql).await.unwrap();
    aurora
}

#[tokio::test]
async fn t2_rows_are_in_every_batch_and_not_only_in_the_first() {
    let store = Store::default();
    let export = Export { sizes: Sizes { batch_rows: 1_000, part_rows: 400 }, ..export("t") };
    export.run(&memory(vec![Table::numbered("shop", "orders", 2_500)]), &store, |_| ()).await.unwrap();
    let folder = "t/shop/shop.orders/";
    assert_eq!(rows(&store, &format!("{folder}1/")), 1_000, "who reads only 1/ loses the rest");
    assert_eq!(rows(&store, folder), 2_500);
    let mut batches: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in store.keys(BUCKET, folder) {
        let (batch, file) = key[folder.len()..].split_once('/').unwrap();
        batches.entry(batch.to_owned()).or_default().push(file.chars().take(10).collect());
    }
    let whole = ["_SUCCESS", "part-00000", "part-00001", "part-00003"].map(ToOwned::to_owned).to_vec();
    assert_eq!(batches["1"], whole, "with a gap in the numbers");
    assert_eq!(batches["2"], whole);
    assert_eq!(batches["3"], ["_SUCCESS", "part-00000", "part-00001"]);
}

#[tokio::test]
async fn t4_a_second_export_into_one_prefix_doubles_the_rows() {
    let (store, tables) = (Store::default(), memory(vec![Table::numbered("shop", "orders", 10)]));
    for _ in 0..2 {
        export("t").run(&tables, &store, |_| ()).await.unwrap();
    }
    assert_eq!(rows(&store, "t/shop/shop.orders/"), 20);
}

#[tokio::test]
async fn t6_a_table_without_rows_has_no_parquet_but_is_in_the_list() {
    let store = Store::default();
    export("t").run(&memory(vec![Table::numbered("shop", "carts", 0)]), &store, |_| ()).await.unwrap();
    assert_eq!(store.keys(BUCKET, "t/shop/"), ["t/shop/shop.carts/1/_SUCCESS"]);
    assert_eq!(store.head(BUCKET, "t/shop/shop.carts/1/_SUCCESS").unwrap().size, 0);
    let info = json(&store, "t/export_tables_info_t_from_1_to_1.json");
    assert_eq!(info["perTableStatus"][0]["target"], "shop.shop.carts");
    assert_eq!(info["perTableStatus"][0]["status"], "COMPLETE");
}

#[tokio::test]
async fn the_list_of_tables_is_in_several_files_and_its_numbers_are_sometimes_text() {
    let store = Store::default();
    let mut tables: Vec<Table> = ["a", "b", "c", "d", "e"].map(|name| Table::numbered("shop", name, 1)).to_vec();
    tables.push(Table::new("shop", "spaced", &[("two words", "int")], Vec::new()));
    tables.push(Table::numbered("hr", "a/b", 1));
    let exported = export("t").run(&memory(tables), &store, |_| ()).await.unwrap();
    let keys = ["1_to_3", "4_to_6", "7_to_7"].map(|range| format!("t/export_tables_info_t_from_{range}.json"));
    assert_eq!(store.keys(BUCKET, "t/export_tables_info_"), keys);
    let all: Vec<Value> =
        keys.iter().flat_map(|key| json(&store, key)["perTableStatus"].as_array().unwrap().clone()).collect();
    let targets: Vec<&str> = all.iter().map(|table| table["target"].as_str().unwrap()).collect();
    assert_eq!(targets[..2], ["shop.shop.a", "shop.shop.b"]);
    let columns = &all[0]["schemaMetadata"]["originalTypeMappings"];
    assert_eq!((&columns[0]["originalType"], &columns[0]["originalNumPrecision"]), (&"bigint".into(), &19.into()));
    assert_eq!((&columns[1]["originalType"], &columns[1]["originalCharMaxLength"]), (&"varchar".into(), &"64".into()));
    assert!(all[5]["warningMessage"].as_str().unwrap().contains("two words"));
    assert!(all[6]["warningMessage"].as_str().unwrap().contains("slash"));
    assert!(exported.warning.unwrap().contains("hr.hr.a/b"));
    assert!(store.keys(BUCKET, "t/hr/").is_empty() && store.keys(BUCKET, "t/shop/shop.spaced").is_empty());
    let info = json(&store, "t/export_info_t.json");
    assert_eq!((&info["status"], &info["exportTaskIdentifier"]), (&"COMPLETE".into(), &"t".into()));
    assert!(info["totalExportedDataInGB"].is_f64());
}

#[tokio::test]
async fn a_partial_export_has_only_what_was_asked_for() {
    let store = Store::default();
    let tables = memory(vec![Table::numbered("shop", "orders", 1), Table::numbered("shop", "users", 1)]);
    let export = Export { only: vec!["shop.users".into()], prefix: "deep/er".into(), ..export("t") };
    export.run(&tables, &store, |_| ()).await.unwrap();
    assert_eq!(rows(&store, "deep/er/t/shop/shop.users/"), 1);
    assert!(store.keys(BUCKET, "deep/er/t/shop/shop.orders").is_empty());
    assert_eq!(json(&store, "deep/er/t/export_info_t.json")["exportOnly"][0], "shop.users");
}

#[tokio::test]
async fn a_snapshot_does_not_show_what_was_written_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let aurora = aurora(
        dir.path(),
        "shop",
        "CREATE TABLE orders (id BIGINT PRIMARY KEY, twice BIGINT AS (id * 2) STORED);
         INSERT INTO orders (id) VALUES (1), (2); CREATE DATABASE hr; CREATE TABLE hr.`we``ird` (n INT);",
    )
    .await;
    let first = aurora.snapshot().await.unwrap();
    aurora.execute("shop", "INSERT INTO orders (id) VALUES (3); DROP TABLE hr.`we``ird`").await.unwrap();
    let second = aurora.snapshot().await.unwrap();
    let store = Store::default();
    export("first").run(&Source::Aurora(first), &store, |_| ()).await.unwrap();
    export("second").run(&Source::Aurora(second), &store, |_| ()).await.unwrap();
    assert_eq!(rows(&store, "first/shop/shop.orders/"), 2);
    assert_eq!(rows(&store, "second/shop/shop.orders/"), 3);
    assert_eq!(store.keys(BUCKET, "first/hr/"), ["first/hr/hr.we_ird/1/_SUCCESS"]);
    assert!(store.keys(BUCKET, "second/hr/").is_empty());
    assert_eq!(
        (aurora.count(&"shop.orders".parse().unwrap()).await.unwrap(), aurora.databases().await.unwrap()),
        (3, vec!["hr".into(), "shop".into()])
    );
}

#[tokio::test]
async fn a_csv_is_loaded_into_both_engines_with_na_as_null() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("airports.csv");
    std::fs::write(&file, "faa,name,alt\n04G,\"Lansdowne, Airport\",1044\n06A,NA,NA\n").unwrap();
    let some = |text: &str| Some(text.to_owned());
    for engine in Engine::ALL {
        let aurora = Aurora::start(engine, &dir.path().join(engine.name())).await.unwrap();
        aurora.create_database("f").await.unwrap();
        let sql = "CREATE TABLE airports (faa CHAR(3), alt INT, name VARCHAR(64))";
        aurora.execute("f", sql).await.unwrap();
        let table = engine.table("f", "airports").unwrap();
        assert_eq!(aurora.load_csv(&table, &file).await.unwrap(), 2);
        let rows = aurora.query("f", "SELECT faa, alt, name FROM airports ORDER BY faa").await.unwrap();
        assert_eq!(rows[0], [some("04G"), some("1044"), some("Lansdowne, Airport")]);
        assert_eq!(rows[1], [some("06A"), None, None]);
        assert_eq!(aurora.count(&table).await.unwrap(), 2);
    }
}

/// name, type in MariaDB, three values in SQL, type in Parquet
const TYPES: [(&str, &str, [&str; 2], &str); 33] = [
    ("c_bigint", "BIGINT", ["-9223372036854775808", "9223372036854775807"], "INT64"),
    ("c_ubigint", "BIGINT UNSIGNED", ["0", "18446744073709551615"], "FIXED_LEN_BYTE_ARRAY(9) DECIMAL(20,0)"),
    ("c_int", "INT", ["-2147483648", "2147483647"], "INT32"),
    ("c_uint", "INT UNSIGNED", ["0", "4294967295"], "INT64"),
    ("c_mediumint", "MEDIUMINT", ["-8388608", "8388607"], "INT32"),
    ("c_umediumint", "MEDIUMINT UNSIGNED", ["0", "16777215"], "INT64"),
    ("c_smallint", "SMALLINT", ["-32768", "32767"], "INT32"),
    ("c_usmallint", "SMALLINT UNSIGNED", ["0", "65535"], "INT32"),
    ("c_tinyint", "TINYINT", ["-128", "127"], "INT32"),
    ("c_utinyint", "TINYINT UNSIGNED", ["0", "255"], "INT32"),
    ("c_bool", "TINYINT(1)", ["0", "1"], "INT32"),
    ("c_year", "YEAR", ["1999", "2026"], "INT32"),
    ("c_float", "FLOAT", ["-1.5", "0.25"], "DOUBLE"),
    ("c_double", "DOUBLE", ["-1.25e100", "0.5"], "DOUBLE"),
    ("c_decimal9", "DECIMAL(9,2)", ["-1234567.89", "0.05"], "INT32 DECIMAL(9,2)"),
    ("c_decimal18", "DECIMAL(18,4)", ["-12345678901234.5678", "0.0001"], "INT64 DECIMAL(18,4)"),
    (
        "c_decimal38",
        "DECIMAL(38,10)",
        ["-1234567890123456789012345678.0123456789", "1.0000000000"],
        "FIXED_LEN_BYTE_ARRAY(16) DECIMAL(38,10)",
    ),
    (
        "c_decimal65",
        "DECIMAL(65,5)",
        ["-123456789012345678901234567890123456789.12345", "1.00000"],
        "BYTE_ARRAY String",
    ),
    ("c_datetime", "DATETIME(6)", ["'2026-11-22 04:00:00.123456'", "'1969-12-31 23:59:59'"], "INT64 TIMESTAMP_MICROS"),
    ("c_timestamp", "TIMESTAMP", ["'2026-11-21 19:00:00'", "'1970-01-02 00:00:00'"], "INT64 TIMESTAMP_MICROS"),
    ("c_date", "DATE", ["'2026-11-22'", "'0001-01-01'"], "BYTE_ARRAY String"),
    ("c_time", "TIME(3)", ["'-26:03:04'", "'12:34:56.789'"], "BYTE_ARRAY String"),
    ("c_varchar", "VARCHAR(64)", ["'日本 😀'", "''"], "BYTE_ARRAY String"),
    ("c_text", "LONGTEXT", ["REPEAT('あ', 5000)", "'x'"], "BYTE_ARRAY String"),
    ("c_json", "JSON", ["'{\"a\":[1,\"い\"]}'", "'null'"], "BYTE_ARRAY String"),
    ("c_enum", "ENUM('a','b,c')", ["'b,c'", "'a'"], "BYTE_ARRAY String"),
    ("c_set", "SET('x','y')", ["'x,y'", "''"], "BYTE_ARRAY String"),
    ("c_char", "CHAR(5)", ["'ab'", "''"], "BYTE_ARRAY"),
    ("c_binary", "BINARY(4)", ["X'00ff'", "'abcd'"], "BYTE_ARRAY"),
    ("c_varbinary", "VARBINARY(8)", ["X'00ff00'", "''"], "BYTE_ARRAY"),
    ("c_blob", "MEDIUMBLOB", ["X'deadbeef'", "''"], "BYTE_ARRAY"),
    ("c_bit", "BIT(10)", ["b'1100000001'", "b'0'"], "BYTE_ARRAY"),
    ("c_point", "POINT", ["POINT(1, 2)", "POINT(-1, 0.5)"], "BYTE_ARRAY"),
];

#[tokio::test]
async fn every_type_is_read_back_as_mariadb_says_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let columns = TYPES.map(|(name, kind, ..)| format!("{name} {kind} NULL")).join(", ");
    let row = |index: usize| TYPES.map(|(_, _, values, _)| values[index]).join(", ");
    let nulls = TYPES.map(|_| "NULL").join(", ");
    let sql = format!(
        "CREATE TABLE every (id INT PRIMARY KEY, {columns}); \
         INSERT INTO every VALUES (1, {}), (2, {}), (3, {nulls})",
        row(0),
        row(1)
    );
    let aurora = aurora(dir.path(), "t", &sql).await;
    let source = Source::Aurora(aurora.snapshot().await.unwrap());
    let store = Store::default();
    export("t").run(&source, &store, |_| ()).await.unwrap();
    let key = store.keys(BUCKET, "t/t/t.every/1/part-").remove(0);
    let written = types(&store, &key);
    let batch = read(&store, &key).remove(0);
    for (name, _, _, wanted) in TYPES {
        assert_eq!(written[name], wanted, "{name}");
        let said = aurora.query("t", &format!("SELECT {} FROM every ORDER BY id", shown(name))).await.unwrap();
        let column = batch.column_by_name(name).unwrap();
        for (index, said) in said.iter().enumerate() {
            assert_eq!(value(column.as_ref(), index), said[0], "{name} of row {}", index + 1);
        }
    }
}

/// How MariaDB shows a value in the words of `value` below.
fn shown(name: &str) -> String {
    match name {
        "c_char" | "c_binary" | "c_varbinary" | "c_blob" | "c_point" => format!("LOWER(HEX({name}))"),
        "c_bit" => format!("LPAD(LOWER(HEX({name} + 0)), IF({name} IS NULL, NULL, 4), '0')"),
        "c_datetime" | "c_timestamp" => format!("DATE_FORMAT({name}, '%Y-%m-%d %H:%i:%s.%f')"),
        "c_time" => format!("REPLACE(TIME_FORMAT({name}, '%H:%i:%s.%f'), '.000000', '')"),
        _ => name.to_owned(),
    }
}
