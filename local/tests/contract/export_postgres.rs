//! The export engine on a real PostgreSQL: layout, information files and types, where they are not MySQL's.

use std::path::Path;

use local::aurora::{Aurora, Engine};
use local::export::{Export, Source};
use local::s3::Store;
use serde_json::{Value, json};

use crate::exported::{BUCKET, export, json as read_json, read, rows, types, value};

async fn aurora(dir: &Path, sql: &str) -> Aurora {
    let aurora = Aurora::start(Engine::Postgres, dir).await.unwrap();
    aurora.create_database("app").await.unwrap();
    aurora.execute("app", sql).await.unwrap();
    aurora
}

async fn exported(task: &str, aurora: &Aurora, store: &Store, only: &[&str]) -> Option<String> {
    let only = only.iter().map(|entry| (*entry).to_owned()).collect();
    let source = Source::Aurora(aurora.snapshot().await.unwrap());
    Export { only, ..export(task) }.run(&source, store, |_| ()).await.unwrap().warning
}

/// The entries of all lists of tables.
fn entries(store: &Store, task: &str) -> Vec<Value> {
    let keys = store.keys(BUCKET, &format!("{task}/export_tables_info_"));
    keys.iter().flat_map(|key| read_json(store, key)["perTableStatus"].as_array().unwrap().clone()).collect()
}

fn targets(store: &Store, task: &str) -> Vec<String> {
    entries(store, task).iter().map(|entry| entry["target"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_table_is_in_the_folder_of_its_schema_in_that_of_its_database() {
    let dir = tempfile::tempdir().unwrap();
    let sql = "CREATE SCHEMA app; CREATE SCHEMA \"odd one\";
        CREATE TABLE users (id INT); INSERT INTO users VALUES (1), (2);
        CREATE TABLE app.users (id INT); INSERT INTO app.users VALUES (3);
        CREATE TABLE \"odd one\".\"we\"\"ird\" (id INT); INSERT INTO \"odd one\".\"we\"\"ird\" VALUES (4);
        CREATE TABLE carts (id INT);";
    let (aurora, store) = (aurora(dir.path(), sql).await, Store::default());
    exported("t", &aurora, &store, &[]).await;
    let folders = ["public.users", "app.users", "odd_one.we_ird"];
    assert_eq!(folders.map(|folder| rows(&store, &format!("t/app/{folder}/1/part-"))), [2, 1, 1]);
    assert_eq!(store.keys(BUCKET, "t/app/public.carts/"), ["t/app/public.carts/1/_SUCCESS"]);
    let tables = ["app.app.users", "app.odd one.we\"ird", "app.public.carts", "app.public.users"];
    assert_eq!(targets(&store, "t")[..4], tables);
}

#[tokio::test]
async fn a_database_without_a_table_is_an_entry_that_names_it_only() {
    let dir = tempfile::tempdir().unwrap();
    let (aurora, store) = (aurora(dir.path(), "CREATE TABLE users (id INT)").await, Store::default());
    let warning = exported("t", &aurora, &store, &[]).await.unwrap();
    let reason = "FAILED_TO_EXTRACT_TABLES_LIST_FOR_DATABASE";
    let entry = json!({"target": "postgres", "status": "COMPLETE", "warningMessage": reason});
    assert_eq!(entries(&store, "t")[1], entry);
    let warning: Value = serde_json::from_str(&warning).unwrap();
    assert_eq!(warning, json!({"skippedTables": [], "skippedObjectives": [], "general": [{"reason": reason}]}));
    assert_eq!(exported("partial", &aurora, &store, &["app.public"]).await, None);
    assert_eq!(targets(&store, "partial"), ["app.public.users"]);
}

#[tokio::test]
async fn a_partition_is_part_of_its_table_and_an_unlogged_or_temporary_one_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE log (id INT, day DATE) PARTITION BY RANGE (day);
        CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
        CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
        INSERT INTO log VALUES (1, '2026-01-02'), (2, '2026-11-22');
        CREATE UNLOGGED TABLE scratch (id INT); INSERT INTO scratch VALUES (1);
        CREATE TEMPORARY TABLE mine (id INT); CREATE VIEW seen AS SELECT 1 AS one;";
    let (aurora, store) = (aurora(dir.path(), sql).await, Store::default());
    let warning = exported("t", &aurora, &store, &["app"]).await.unwrap();
    assert_eq!(rows(&store, "t/app/public.log/"), 2);
    assert_eq!(targets(&store, "t"), ["app.public.log", "app.public.scratch"]);
    assert_eq!(entries(&store, "t")[1]["status"], "SKIPPED");
    assert!(warning.contains("app.public.scratch") && store.keys(BUCKET, "t/app/public.scratch").is_empty());
}

#[tokio::test]
async fn a_snapshot_does_not_show_what_was_written_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE users (id INT, twice INT GENERATED ALWAYS AS (id * 2) STORED);
        INSERT INTO users (id) VALUES (1), (2); CREATE TABLE gone (id INT);";
    let (aurora, store) = (aurora(dir.path(), sql).await, Store::default());
    // An application is connected all the time.
    let session = tokio_postgres::connect(&aurora.url("app"), tokio_postgres::NoTls).await.unwrap();
    let first = Source::Aurora(aurora.snapshot().await.unwrap());
    let change =
        "ALTER TABLE users ADD COLUMN email TEXT; INSERT INTO users (id, email) VALUES (3, 'x'); DROP TABLE gone";
    aurora.execute("app", change).await.unwrap();
    export("first").run(&first, &store, |_| ()).await.unwrap();
    exported("second", &aurora, &store, &[]).await;
    drop(session);
    assert_eq!(rows(&store, "first/app/public.users/"), 2);
    assert_eq!(rows(&store, "second/app/public.users/"), 3);
    let columns = |task: &str| {
        let key = store.keys(BUCKET, &format!("{task}/app/public.users/1/part-")).remove(0);
        types(&store, &key).into_keys().collect::<Vec<_>>()
    };
    assert_eq!(columns("first"), ["id", "twice"]);
    assert_eq!(columns("second"), ["email", "id", "twice"]);
    assert_eq!(targets(&store, "first"), ["app.public.gone", "app.public.users", "postgres"]);
    assert_eq!(targets(&store, "second"), ["app.public.users", "postgres"], "and no copy of a copy");
}

#[tokio::test]
async fn a_column_is_described_in_the_words_of_the_information_schema() {
    let dir = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE users (id BIGINT, name VARCHAR(20), at TIMESTAMP(3) WITH TIME ZONE, tags TEXT[])";
    let (aurora, store) = (aurora(dir.path(), sql).await, Store::default());
    exported("t", &aurora, &store, &["app.public.users"]).await;
    let columns = entries(&store, "t")[0]["schemaMetadata"]["originalTypeMappings"].clone();
    let of = |index: usize, key: &str| columns[index][key].to_string().replace('"', "");
    let told = |index: usize| {
        let sizes = ["originalCharMaxLength", "originalNumPrecision", "originalDateTimePrecision"];
        let sizes = sizes.map(|key| of(index, key)).join(" ");
        format!("{}: {} ({sizes})", of(index, "columnName"), of(index, "originalType"))
    };
    assert_eq!(
        [told(0), told(1), told(2), told(3)],
        [
            "id: bigint (0 64 0)",
            "name: character varying (20 0 0)",
            "at: timestamp with time zone (0 0 3)",
            "tags: ARRAY (0 0 0)"
        ]
    );
}

/// name, type, two values in SQL, type in Parquet
const TYPES: [(&str, &str, [&str; 2], &str); 42] = [
    ("c_bigint", "BIGINT", ["-9223372036854775808", "9223372036854775807"], "INT64"),
    ("c_bigserial", "BIGSERIAL", ["0", "1"], "INT64"),
    ("c_integer", "INTEGER", ["-2147483648", "2147483647"], "INT32"),
    ("c_smallint", "SMALLINT", ["-32768", "32767"], "INT32 INT_16"),
    ("c_real", "REAL", ["-1.5", "'NaN'"], "FLOAT"),
    ("c_double", "DOUBLE PRECISION", ["-0.1", "0.5"], "DOUBLE"),
    ("c_boolean", "BOOLEAN", ["TRUE", "FALSE"], "BOOLEAN"),
    ("c_bytea", "BYTEA", [r"'\x00ff'", r"'\x'"], "BYTE_ARRAY"),
    ("c_decimal", "DECIMAL(10,2)", ["-12345678.90", "'NaN'"], "BYTE_ARRAY String"),
    ("c_numeric", "NUMERIC", ["1e-40", "123456789012345678901234567890123456789.5"], "BYTE_ARRAY String"),
    ("c_money", "MONEY", ["'-1234.5'", "0"], "BYTE_ARRAY String"),
    ("c_ints", "INTEGER[]", ["'{1,NULL,3}'", "'{{1,2},{3,4}}'"], "BYTE_ARRAY String"),
    ("c_texts", "TEXT[]", ["ARRAY['a,b', 'c\"d']", "'{}'"], "BYTE_ARRAY String"),
    ("c_bit", "BIT(3)", ["B'101'", "B'000'"], "BYTE_ARRAY String"),
    ("c_varbit", "BIT VARYING(8)", ["B'1'", "B''"], "BYTE_ARRAY String"),
    ("c_char", "CHAR(4)", ["'ab'", "''"], "BYTE_ARRAY String"),
    ("c_varchar", "VARCHAR(64)", ["'日本 😀'", "''"], "BYTE_ARRAY String"),
    ("c_text", "TEXT", ["repeat('あ', 5000)", r"E'a\nb\tc\\'"], "BYTE_ARRAY String"),
    ("c_name", "NAME", ["'n'", "''"], "BYTE_ARRAY String"),
    ("c_enum", "MOOD", ["'fine'", "'so so'"], "BYTE_ARRAY String"),
    ("c_tsvector", "TSVECTOR", ["'a b'", "''"], "BYTE_ARRAY String"),
    ("c_xml", "XML", ["'<a>1</a>'", "'<b/>'"], "BYTE_ARRAY String"),
    ("c_date", "DATE", ["'2026-11-22'", "'infinity'"], "BYTE_ARRAY String"),
    ("c_interval", "INTERVAL", ["'1 year 2 days 03:04:05.6'", "'-1 day'"], "BYTE_ARRAY String"),
    ("c_time", "TIME", ["'12:34:56.789'", "'24:00:00'"], "BYTE_ARRAY String"),
    ("c_timetz", "TIME WITH TIME ZONE", ["'12:34:56+09'", "'00:00:00+00'"], "BYTE_ARRAY String"),
    ("c_timestamp", "TIMESTAMP", ["'2026-11-22 04:00:00.123456'", "'-infinity'"], "BYTE_ARRAY String"),
    ("c_timestamptz", "TIMESTAMPTZ", ["'2026-11-22 04:00:00+09'", "'0044-03-15 BC'"], "BYTE_ARRAY String"),
    ("c_point", "POINT", ["'(1,2)'", "'(-1,0.5)'"], "BYTE_ARRAY String"),
    ("c_box", "BOX", ["'(1,2),(0,0)'", "'(1,1),(1,1)'"], "BYTE_ARRAY String"),
    ("c_json", "JSON", ["'{\"b\": 1, \"a\":[\"い\"]}'", "'null'"], "BYTE_ARRAY String"),
    ("c_jsonb", "JSONB", ["'{\"b\": 1, \"a\":[\"い\"]}'", "'null'"], "BYTE_ARRAY String"),
    ("c_cidr", "CIDR", ["'10.0.0.0/8'", "'::1/128'"], "BYTE_ARRAY String"),
    ("c_inet", "INET", ["'10.0.0.1'", "'::1'"], "BYTE_ARRAY String"),
    ("c_macaddr", "MACADDR", ["'08:00:2b:01:02:03'", "'00:00:00:00:00:00'"], "BYTE_ARRAY String"),
    ("c_composite", "PAIR", ["ROW(1, 'x,y')", "ROW(NULL, NULL)"], "BYTE_ARRAY String"),
    ("c_domain", "POSITIVE", ["7", "1"], "BYTE_ARRAY String"),
    ("c_pg_lsn", "PG_LSN", ["'16/B374D848'", "'0/0'"], "BYTE_ARRAY String"),
    ("c_range", "INT4RANGE", ["'[1,5)'", "'empty'"], "BYTE_ARRAY String"),
    ("c_uuid", "UUID", ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "gen_random_uuid()"], "BYTE_ARRAY String"),
    ("c_polygon", "POLYGON", ["'((0,0),(1,1),(1,0))'", "'((0,0))'"], "BYTE_ARRAY String"),
    ("c_path", "PATH", ["'[(0,0),(1,1)]'", "'((0,0))'"], "BYTE_ARRAY String"),
];

#[tokio::test]
async fn every_type_is_read_back_as_postgresql_shows_it() {
    let dir = tempfile::tempdir().unwrap();
    let columns = TYPES.map(|(name, kind, ..)| format!("{name} {kind}")).join(", ");
    let row = |index: usize| TYPES.map(|(_, _, values, _)| values[index]).join(", ");
    let nulls = TYPES.map(|_| "NULL").join(", ");
    let sql = format!(
        "CREATE TYPE mood AS ENUM ('fine', 'so so'); CREATE TYPE pair AS (a INT, b TEXT);
         CREATE DOMAIN positive AS INTEGER CHECK (VALUE > 0);
         CREATE TABLE every (id INT PRIMARY KEY, {columns});
         ALTER TABLE every ALTER COLUMN c_bigserial DROP NOT NULL;
         INSERT INTO every VALUES (1, {}), (2, {}), (3, {nulls})",
        row(0),
        row(1)
    );
    let (aurora, store) = (aurora(dir.path(), &sql).await, Store::default());
    exported("t", &aurora, &store, &["app"]).await;
    let key = store.keys(BUCKET, "t/app/public.every/1/part-").remove(0);
    let (written, batch) = (types(&store, &key), read(&store, &key).remove(0));
    for (name, _, _, wanted) in TYPES {
        assert_eq!(written[name], wanted, "{name}");
        let shown = if name == "c_bytea" { "encode(c_bytea, 'hex')" } else { name };
        let said = aurora.query("app", &format!("SELECT {shown} FROM every ORDER BY id")).await.unwrap();
        let column = batch.column_by_name(name).unwrap();
        for (index, said) in said.iter().enumerate() {
            assert_eq!(value(column.as_ref(), index), said[0], "{name} of row {}", index + 1);
        }
    }
}
