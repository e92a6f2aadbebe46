use super::*;

fn column(name: &str, source: &str, parquet: &str, nulls: Option<u64>, ends: Option<(&str, &str)>) -> Column {
    let (min, max) = ends.map(|(min, max)| (min.to_owned(), max.to_owned())).unzip();
    let statistics = handoff::Statistics { nulls, min, max };
    Column { name: name.into(), source_type: source.into(), parquet_type: parquet.into(), statistics }
}

fn field(name: &str, kind: &str) -> TableFieldSchema {
    TableFieldSchema::new().set_name(name).set_type(kind).set_mode("NULLABLE")
}

fn columns() -> Vec<Column> {
    vec![
        column("id", "bigint", "INT64", Some(0), Some(("1", "9"))),
        column(
            "Expires",
            "datetime",
            "TIMESTAMP(MICROS)",
            Some(1),
            Some(("2026-01-01T00:00:00.000000Z", "9999-12-31T00:00:00.000000Z")),
        ),
        column(
            "created",
            "datetime",
            "TIMESTAMP(MICROS)",
            Some(0),
            Some(("2026-01-01T00:00:00.000000Z", "2026-11-21T00:00:00.000000Z")),
        ),
        column(
            "changed",
            "timestamp",
            "TIMESTAMP(MICROS)",
            Some(0),
            Some(("2026-01-01T00:00:00.000000Z", "2026-11-22T02:00:00.000000Z")),
        ),
        column("note", "text", "STRING", Some(3), None),
        column("doc", "json", "JSON", None, None),
    ]
}

fn fields() -> Vec<TableFieldSchema> {
    vec![
        field("id", "INTEGER"),
        field("expires", "TIMESTAMP"),
        field("created", "TIMESTAMP"),
        field("changed", "TIMESTAMP"),
        field("note", "STRING"),
        field("doc", "JSON"),
    ]
}

fn questions(proof: Proof, columns: &[Column]) -> Questions {
    Questions::of(proof, columns, &fields(), "2026-11-21T17:05:00Z".parse().unwrap())
}

#[test]
fn by_default_one_column_is_read_the_time_that_is_nearest_before_the_snapshot() {
    let asked = questions(Proof::Counts, &columns());
    assert_eq!(asked.sql("t").unwrap(), "SELECT UNIX_MICROS(MAX(`changed`)) AS c0 FROM t");
    assert_eq!(asked.proof(), "rows and the newest changed");
    // Nothing before the snapshot: better a time than none.
    let asked = questions(Proof::Counts, &columns()[..2]);
    assert_eq!(asked.proof(), "rows and the newest expires");
}

#[test]
fn a_table_without_a_time_is_counted_and_so_is_one_of_an_older_manifest() {
    let none = questions(Proof::Counts, &columns()[..1]);
    assert_eq!((none.proof(), none.sql("t")), ("rows".into(), None));
    let old: Vec<Column> =
        columns().into_iter().map(|c| Column { statistics: handoff::Statistics::default(), ..c }).collect();
    for proof in [Proof::Counts, Proof::Statistics] {
        assert_eq!((questions(proof, &old).proof(), questions(proof, &old).sql("t")), ("rows".into(), None));
    }
}

#[test]
fn statistics_ask_for_every_null_and_every_end_that_is_known_in_one_query() {
    let asked = questions(Proof::Statistics, &columns());
    assert_eq!(
        asked.sql("`p.d.t`").unwrap(),
        "SELECT COUNTIF(`id` IS NULL) AS c0, MIN(`id`) AS c1, MAX(`id`) AS c2, COUNTIF(`expires` IS NULL) AS c3, \
         UNIX_MICROS(MIN(`expires`)) AS c4, UNIX_MICROS(MAX(`expires`)) AS c5, COUNTIF(`created` IS NULL) AS c6, \
         UNIX_MICROS(MIN(`created`)) AS c7, UNIX_MICROS(MAX(`created`)) AS c8, COUNTIF(`changed` IS NULL) AS c9, \
         UNIX_MICROS(MIN(`changed`)) AS c10, UNIX_MICROS(MAX(`changed`)) AS c11, COUNTIF(`note` IS NULL) AS c12 FROM `p.d.t`"
    );
    assert_eq!(asked.proof(), "rows, nulls and extremes of 5 columns");
}

#[test]
fn each_difference_is_told_with_both_values() {
    let asked = questions(Proof::Statistics, &columns()[..2]);
    let answers = |answers: [&str; 6]| answers.iter().map(|answer| Some((*answer).to_owned())).collect::<Vec<_>>();
    let right = ["0", "1", "9", "1", "1767225600000000", "253402214400000000"];
    assert_eq!(asked.differences(&answers(right)), [] as [&str; 0]);
    let wrong = asked.differences(&answers(["2", "1", "8", "1", "1767225600000001", "253402214400000000"]));
    assert_eq!(
        wrong,
        [
            "id has 2 nulls, in the export 0",
            "the largest id is 8, in the export 9",
            "the smallest expires is 2026-01-01T00:00:00.000001Z, in the export 2026-01-01T00:00:00.000000Z",
        ]
    );
    assert_eq!(asked.differences(&[]).len(), 6, "no answer is no proof");
    let many: Vec<String> = wrong.iter().cloned().cycle().take(5).collect();
    assert!(told(&many).ends_with("; and 2 more differences"), "{}", told(&many));
}

#[test]
fn a_column_that_bigquery_lacks_is_a_difference() {
    let asked = Questions::of(Proof::Statistics, &columns()[..2], &fields()[..1], chrono::DateTime::UNIX_EPOCH);
    assert_eq!(asked.differences(&[])[0], "there is no column Expires");
}

#[test]
fn a_list_has_no_nulls_to_count() {
    let list = [column("tags", "ARRAY", "LIST", Some(2), None)];
    let fields = [TableFieldSchema::new().set_name("tags").set_type("STRING").set_mode("REPEATED")];
    assert_eq!(Questions::of(Proof::Statistics, &list, &fields, chrono::DateTime::UNIX_EPOCH).sql("t"), None);
}
