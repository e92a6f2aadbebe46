//! Every value that a database can hold, through a real server and a real Parquet file, beside what the server itself says
//! of it.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use database_to_bigquery::address::{Login, Server};
use database_to_bigquery::extracts::Extracts;
use database_to_bigquery::order::{Extract, Order};
use database_to_bigquery::{mysql, postgres};
use local::aurora::Engine;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::stage::{PASSWORD, Stage, Story, USER};

const ROWS: usize = 300;

/// A column: its definition, the server's own text of it, how the text compares, and a source of SQL literals.
struct Case {
    definition: &'static str,
    /// `{}` is the column.
    text: &'static str,
    compare: fn(&str) -> Option<String>,
    literals: BoxedStrategy<String>,
}

fn case(
    definition: &'static str,
    text: &'static str,
    compare: fn(&str) -> Option<String>,
    literals: impl Strategy<Value = String> + 'static,
) -> Case {
    Case { definition, text, compare, literals: literals.boxed() }
}

fn same(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Dates and times without the zeros behind the second, and null where BigQuery has no such day.
fn time(text: &str) -> Option<String> {
    let text = text.replace('T', " ").trim_end_matches('Z').trim_end_matches("+00").to_owned();
    let year: i64 = text.split('-').next().unwrap_or_default().parse().unwrap_or(0);
    let impossible =
        text.contains("-00") || text.contains("BC") || text.contains("infinity") || !(1..=9999).contains(&year);
    if impossible {
        return None;
    }
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    Some(text)
}

fn float(text: &str) -> Option<String> {
    let number: f64 = text.parse().unwrap_or_else(|_| panic!("{text} is no number"));
    Some(format!("{number:e}"))
}

fn truth(text: &str) -> Option<String> {
    Some(matches!(text, "1" | "true" | "t").to_string())
}

fn hex(text: &str) -> Option<String> {
    Some(text.trim_start_matches("\\x").to_lowercase())
}

fn number(range: std::ops::RangeInclusive<i128>) -> impl Strategy<Value = String> {
    let (first, last) = (*range.start(), *range.end());
    prop_oneof![
        range.prop_map(|number| number.to_string()),
        Just(first.to_string()),
        Just(last.to_string()),
        Just("0".into())
    ]
}

fn decimal(whole: usize, scale: usize) -> impl Strategy<Value = String> {
    let digits = move |n: usize| {
        proptest::collection::vec(0_u8..10, n).prop_map(|digits| digits.iter().map(u8::to_string).collect::<String>())
    };
    (any::<bool>(), digits(whole), digits(scale)).prop_map(move |(negative, whole, fraction)| {
        let sign = if negative { "-" } else { "" };
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    })
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,20}|[äöü日本語🦀\\n\\t']{0,10}".prop_map(|text| format!("'{}'", text.replace('\\', "").replace('\'', "''")))
}

fn bytes(literal: fn(&str) -> String) -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<u8>(), 0..16).prop_map(move |bytes| {
        literal(&bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
    })
}

fn date() -> impl Strategy<Value = String> {
    (1_u16..=9999, 1_u8..=12, 1_u8..=28).prop_map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}"))
}

fn clock() -> impl Strategy<Value = String> {
    (0_u8..24, 0_u8..60, 0_u8..60, 0_u32..1_000_000).prop_map(|(h, m, s, us)| format!("{h:02}:{m:02}:{s:02}.{us:06}"))
}

fn quoted(values: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    values.prop_map(|value| format!("'{value}'"))
}

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(values).prop_map(str::to_owned)
}

/// The file's values as text.
fn values(extract: &Extract) -> Result<Vec<Vec<Option<String>>>> {
    let file = extract.rows.file.try_clone()?;
    let mut rows = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file)?.build()? {
        let batch = batch?;
        let options = FormatOptions::default();
        let columns: Vec<ArrayFormatter<'_>> =
            batch.columns().iter().map(|array| ArrayFormatter::try_new(array, &options)).collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            let cell = |(column, array): (&ArrayFormatter<'_>, &arrow_array::ArrayRef)| {
                array.is_valid(row).then(|| column.value(row).to_string())
            };
            rows.push(columns.iter().zip(batch.columns()).map(cell).collect());
        }
    }
    Ok(rows)
}

async fn extract(story: &Story<'_>, engine: Engine, settings: &str) -> Result<Extract> {
    let word = if engine == Engine::Mysql { "mysql" } else { "postgres" };
    let list = format!("databases:\n  x:\n    engine: {word}\n    tables:\n      t: {settings}\n");
    let extracts = Extracts::parse(&list, "extracts.yaml".as_ref())?;
    let table = extracts.tables().next().context("no table")?;
    let url = story.aurora.url(&story.name()).replace("root@", "isthmus@").replace("postgres@", "isthmus@");
    let address = url.parse().map_err(anyhow::Error::msg)?;
    let server = Server {
        address,
        login: Login::Password(PASSWORD.into()),
        ca_file: story.stage.certificates.ca.clone(),
        database: story.name(),
    };
    let dir = story.dir.join("work");
    let order = Order { table, since: None, keys: false, dir: &dir, hmac: None, meter: Arc::default() };
    assert_eq!(server.address.user, USER);
    Ok(match engine {
        Engine::Mysql => mysql::extract(&server, &order).await?,
        Engine::Postgres => postgres::extract(&server, &order).await?,
    })
}

/// Fills a table of all cases with random rows, reads it, and compares each value with the server's own text.
async fn round_trip(story: &Story<'_>, engine: Engine, cases: &[Case]) -> Result<()> {
    let columns: Vec<String> = cases.iter().enumerate().map(|(n, case)| format!("c{n} {}", case.definition)).collect();
    story.execute(&format!("CREATE TABLE t (id int PRIMARY KEY, {})", columns.join(", "))).await?;
    let mut runner = TestRunner::deterministic();
    let mut rows = vec![format!("(0{})", ", NULL".repeat(cases.len()))];
    for id in 1..=ROWS {
        let mut row = format!("({id}");
        for case in cases {
            row += ", ";
            row += &case.literals.new_tree(&mut runner).map_err(|error| anyhow::anyhow!("{error}"))?.current();
        }
        rows.push(row + ")");
    }
    for rows in rows.chunks(50) {
        story.execute(&format!("INSERT INTO t VALUES {}", rows.join(", "))).await?;
    }
    let extract = extract(story, engine, "{}").await?;
    assert_eq!(extract.losses.reasons, Vec::<String>::new());
    assert_eq!((extract.counted, extract.rows.rows), (Some(ROWS as u64 + 1), ROWS as u64 + 1));
    let mut found = values(&extract)?;
    found.sort_by_key(|row| row[0].as_ref().and_then(|id| id.parse::<usize>().ok()));
    let texts: Vec<String> =
        cases.iter().enumerate().map(|(n, case)| case.text.replace("{}", &format!("c{n}"))).collect();
    let said = story.source(&format!("SELECT {} FROM t ORDER BY id", texts.join(", "))).await?;
    let mut nulled = 0;
    for (row, (found, said)) in found.iter().zip(&said).enumerate() {
        for (n, case) in cases.iter().enumerate() {
            let expected = said[n].as_deref().and_then(case.compare);
            nulled += u64::from(said[n].is_some() && expected.is_none());
            let found = found[n + 1].as_deref().and_then(case.compare);
            assert_eq!(found, expected, "row {row}, {}: the server says {:?}", case.definition, said[n]);
        }
    }
    assert_eq!(extract.losses.all_nulled(), nulled, "every value that became null is counted");
    Ok(())
}

pub async fn of_mysql_arrive_as_the_server_shows_them(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "types_my").await?;
    let zero = one_of(&["'0000-00-00'", "'2026-02-00'", "'0000-01-01'", "'9999-12-31'", "'0001-01-01'"]);
    let zeros = one_of(&["'0000-00-00 00:00:00'", "'2026-00-10 01:02:03'", "'9999-12-31 23:59:59.999999'"]);
    let cases = [
        case("tinyint(1)", "{}", same, number(-128..=127)),
        case("bigint", "{}", same, number(i64::MIN.into()..=i64::MAX.into())),
        case("int unsigned", "{}", same, number(0..=u32::MAX.into())),
        case("bigint unsigned", "{}", same, number(0..=u64::MAX.into())),
        case("year", "{}+0", same, one_of(&["1901", "2155", "2026", "0"])),
        case("decimal(12,2)", "{}", same, decimal(10, 2)),
        case("decimal(38,9)", "{}", same, decimal(29, 9)),
        case("decimal(65,30)", "{}", same, decimal(35, 30)),
        case("decimal(65,0)", "{}", same, decimal(65, 0)),
        case(
            "double",
            "{}",
            float,
            prop_oneof![
                any::<f32>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
                one_of(&["0", "-1.5e300", "0.1"])
            ],
        ),
        case("float", "CAST({} AS DOUBLE)", float, one_of(&["16777216", "0.1", "-3.4e38", "0"])),
        case("bit(1)", "{}+0", truth, one_of(&["b'0'", "b'1'"])),
        case("bit(12)", "LPAD(HEX({}+0), 4, '0')", hex, number(0..=4095)),
        case("date", "{}", time, prop_oneof![quoted(date()), zero]),
        case("datetime(6)", "{}", time, prop_oneof![(date(), clock()).prop_map(|(d, c)| format!("'{d} {c}'")), zeros]),
        case(
            "timestamp(6) NULL",
            "{}",
            time,
            one_of(&["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'", "'2026-11-22 04:05:06.000007'"]),
        ),
        case("time(3)", "{}", same, one_of(&["'838:59:59.000'", "'-838:59:59.000'", "'00:00:00.001'", "'-00:00:01'"])),
        case("varchar(60)", "{}", same, text()),
        case("longtext", "{}", same, text()),
        case("varchar(20) CHARACTER SET latin1", "{}", same, one_of(&["'äöü'", "'abc'", "''"])),
        case("enum('a','ü','')", "{}", same, one_of(&["'a'", "'ü'", "''"])),
        case("set('x','y')", "{}", same, one_of(&["''", "'x'", "'x,y'"])),
        case("json", "{}", same, one_of(&["'{\"a\": 9007199254740993}'", "'[]'", "'null'"])),
        case("varbinary(16)", "HEX({})", hex, bytes(|digits| format!("x'{digits}'"))),
        case("blob", "HEX({})", hex, bytes(|digits| format!("x'{digits}'"))),
        case("point", "HEX({})", hex, one_of(&["ST_PointFromText('POINT(1 2)')", "ST_PointFromText('POINT(-1.5 0)')"])),
        case("uuid", "{}", same, one_of(&["'123e4567-e89b-12d3-a456-426655440000'"])),
    ];
    story.execute("SET GLOBAL sql_mode = 'ALLOW_INVALID_DATES'").await?;
    round_trip(&story, Engine::Mysql, &cases).await
}

pub async fn of_postgresql_arrive_as_the_server_shows_them(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Postgres, "types_pg").await?;
    story.execute("CREATE TYPE mood AS ENUM ('sad', 'glücklich'); CREATE DOMAIN price AS numeric(10,2); CREATE DOMAIN dear AS price").await?;
    let beyond =
        one_of(&["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'20000-01-01'", "'9999-12-31'", "'0001-01-01'"]);
    let beyonds = one_of(&[
        "'infinity'",
        "'-infinity'",
        "'0044-03-15 10:00 BC'",
        "'20000-01-01 00:00'",
        "'9999-12-31 23:59:59.999999'",
    ]);
    let zoned = one_of(&["'2026-11-22 04:05:06.000007+09'", "'infinity'", "'1970-01-01 00:00+00'"]);
    let cases = [
        case("smallint", "{}::text", same, number(-32_768..=32_767)),
        case("integer", "{}::text", same, number(i32::MIN.into()..=i32::MAX.into())),
        case("bigint", "{}::text", same, number((i64::MIN + 1).into()..=i64::MAX.into())),
        case("numeric(12,2)", "{}::text", same, prop_oneof![decimal(10, 2), one_of(&["0"])]),
        case("numeric(38,0)", "{}::text", same, decimal(38, 0)),
        case("numeric(76,38)", "{}::text", same, decimal(38, 38)),
        case("numeric(5,-2)", "{}::text", same, one_of(&["1234500", "-100", "0"])),
        case("numeric", "{}::text", same, one_of(&["1e50", "'NaN'", "0.1", "-12345678901234567890.5"])),
        case("numeric(9,3)", "nullif({}, 'NaN')::text", same, decimal(6, 3)),
        case("dear", "{}::text", same, decimal(8, 2)),
        case("real", "{}::float8::text", float, one_of(&["16777216", "0.1", "'Infinity'", "'-Infinity'"])),
        case("double precision", "{}::text", float, one_of(&["0.1", "-1.5e300", "'Infinity'"])),
        case("boolean", "{}::text", truth, one_of(&["true", "false"])),
        case("text", "{}", same, text()),
        case("char(8)", "{}::text || repeat(' ', 8 - length({}))", same, one_of(&["'a'", "'日本'", "''"])),
        case("uuid", "{}::text", same, one_of(&["'123e4567-e89b-12d3-a456-426655440000'"])),
        case("json", "{}::text", same, one_of(&["'{\"a\" : 9007199254740993}'", "'[]'"])),
        case("jsonb", "{}::text", same, one_of(&["'{\"b\":1,\"a\":2}'", "'null'"])),
        case("bytea", "{}::text", hex, bytes(|digits| format!("'\\x{digits}'"))),
        case("date", "{}::text", time, prop_oneof![quoted(date()), beyond]),
        case(
            "timestamp",
            "{}::text",
            time,
            prop_oneof![(date(), clock()).prop_map(|(d, c)| format!("'{d} {c}'")), beyonds],
        ),
        case("timestamptz", "{}::text", time, zoned),
        case("time", "{}::text", same, one_of(&["'24:00:00'", "'04:05:06.000007'"])),
        case("interval", "{}::text", same, one_of(&["'1 year 2 days'", "'-00:00:01'"])),
        case("mood", "{}::text", same, one_of(&["'sad'", "'glücklich'"])),
        case("int[]", "to_json({})::text", same, one_of(&["'{1,NULL,3}'", "'{}'"])),
        case("inet", "{}::text", same, one_of(&["'10.0.0.1'", "'::1/64'"])),
        case("money", "({}::numeric)::text", same_number, one_of(&["'12.34'", "'-0.01'"])),
    ];
    round_trip(&story, Engine::Postgres, &cases).await
}

/// `12.340000000` is `12.34`.
fn same_number(text: &str) -> Option<String> {
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}
