//! What a wrong file is told, in its own lines.

use proptest::prelude::*;

use super::{parse, problems};

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let text = "\
databases:
  shop:
    engine: oracle
    auth: kerberos
    dataset: raw-shop
    exclude: [\"tmp_*\", 7]
    defaults: {mode: sometimes, max_seconds: 0}
    tables:
      orders: {mode: incremental}
  web:
    engine: mysql
    tables:
      tmp: {destination: a-b, where: \"\", cursor: id}
      a: {mask: {email: sha}, types: {x: DATE}, lookback: soon, exclude: [x]}
      b: {exclude: [c], mask: {c: hmac, d: hmac}, types: {d: BOOL}, guards: {max_rejects: -1}}
      c: {mode: incremental, cursor: at, exclude: [at], colour: red}
      d: {destination: e}
      e: {}
  WEB:
    source: {exec: []}
    engine: mysql
    tables: {t: {where: a}}
version: 1
";
    let expected = [
        "3:13: shop.engine: expected mysql or postgres, found \"oracle\"",
        "4:11: shop.auth: expected secret or iam, found \"kerberos\"",
        "5:14: shop.dataset: expected a dataset: letters, digits and underscores, found \"raw-shop\"",
        "6:24: shop.exclude: expected a pattern of table names, found 7: put text that looks like a number or a truth in quotes",
        "7:22: shop.defaults.mode: expected full or incremental, found \"sometimes\"",
        "7:46: shop.defaults.max_seconds: expected a whole number from 1 to 86400, found 0",
        "13:26: web.tables.tmp.destination: expected a table: letters, digits and underscores, found \"a-b\"",
        "13:38: web.tables.tmp.where: expected a condition in the database's SQL, found \"\"",
        "13:50: web.tables.tmp.cursor: is for mode incremental",
        "14:25: web.tables.a.mask.email: expected hmac or null, found \"sha\"",
        "14:42: web.tables.a.types.x: expected BOOL, INT64, NUMERIC, BIGNUMERIC, STRING or JSON, found \"DATE\"",
        "14:59: web.tables.a.lookback: expected a time such as 90s, 15m, 2h or 1d, of a year at most, or a whole number, found \"soon\"",
        "15:31: web.tables.b.mask: c is excluded",
        "15:58: web.tables.b.types: d is masked, which decides its type",
        "15:91: web.tables.b.guards.max_rejects: expected a whole number from 0 to 1000000000000, found -1",
        "16:51: web.tables.c.exclude: at is the cursor",
        "16:57: web.tables.c.colour: no such setting, expected destination, mode, cursor, lookback, reconcile, where, exclude, \
         include, mask, types, on_drift, max_seconds or guards",
        "18:7: web.tables.e: raw_web.e is the destination of web.d already",
        "19:3: WEB: its variables would have the names of those of web",
        "20:20: WEB.source.exec: expected a program, found nothing",
        "21:13: WEB.engine: is for databases, and this source is a program",
        "23:1: version: no such setting, expected databases",
    ];
    assert_eq!(problems(text), expected.map(|line| format!("extracts.yaml:{line}")));
}

#[test]
fn what_a_program_s_table_cannot_have_is_told() {
    let text = "\
databases:
  stripe:
    source: {exec: [stripe]}
    tables:
      charges: {mode: incremental, cursor: id}
      refunds: {where: a, mask: {b: hmac}}
  shop:
    engine: mysql
    tables:
      gone: {mode: incremental}
      tmp_1: {}
    exclude: [tmp_*]
";
    assert_eq!(
        problems(text),
        [
            "extracts.yaml:5:23: stripe.tables.charges.mode: a program's table is loaded in full",
            "extracts.yaml:6:24: stripe.tables.refunds.where: is for databases; the program decides what it writes",
            "extracts.yaml:6:33: stripe.tables.refunds.mask: is for databases; the program decides what it writes",
            "extracts.yaml:10:7: shop.tables.gone: mode incremental needs a cursor: the column that grows with every write of a row",
            "extracts.yaml:11:7: shop.tables.tmp_1: is listed, and excluded by \"tmp_*\"",
        ]
    );
}

proptest! {
    /// Half-written files are read on every keystroke of an editor that checks them.
    #[test]
    fn no_beginning_of_a_file_makes_the_reader_fall(end in 0_usize..900) {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/extracts.yaml");
        let text = std::fs::read_to_string(file).unwrap();
        let begin: String = text.chars().take(end).collect();
        let _ = parse(&begin);
    }
}
