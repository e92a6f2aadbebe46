//! What a file means.

use std::time::Duration;

use super::{parse, table};
use crate::extracts::{Auth, ColumnRules, Engine, Guards, Lookback, Mask, Mode, OnDrift, Retype, Source};

#[test]
fn a_bare_table_is_loaded_in_full_under_its_own_name() {
    let orders = table("{}");
    assert_eq!((orders.source.to_string(), orders.target()), ("shop.orders".into(), "raw_shop.orders".into()));
    assert_eq!((orders.mode, orders.on_drift, orders.max_time), (Mode::Full, OnDrift::Warn, Duration::from_secs(900)));
    assert_eq!((orders.filter, orders.columns), (None, ColumnRules::default()));
    assert_eq!(orders.guards, Guards { max_rejects: 0, max_nulled: None });
}

#[test]
fn a_database_s_defaults_hold_where_a_table_says_nothing() {
    let text = "\
databases:
  shop:
    engine: mysql
    defaults: {mode: incremental, cursor: updated_at, lookback: 1h, on_drift: fail, guards: {max_nulled: 5}}
    tables:
      a: {}
      b: {mode: full, on_drift: warn}
      c: {cursor: id, lookback: 100, guards: {max_rejects: 2}}
";
    let extracts = parse(text).unwrap();
    let [a, b, c] = &extracts.databases[0].tables[..] else { panic!("{extracts:?}") };
    let incremental = |cursor: &str, lookback| Mode::Incremental { cursor: cursor.into(), lookback, reconcile: false };
    assert_eq!(a.mode, incremental("updated_at", Lookback::Time(Duration::from_hours(1))));
    assert_eq!((&b.mode, b.on_drift), (&Mode::Full, OnDrift::Warn));
    assert_eq!(c.mode, incremental("id", Lookback::Number(100)));
    assert_eq!((a.on_drift, c.guards), (OnDrift::Fail, Guards { max_rejects: 2, max_nulled: Some(5) }));
}

#[test]
fn columns_are_left_out_masked_and_retyped() {
    let columns =
        table("{exclude: [a], include: [token], mask: {b: hmac, c: null, d: \"null\"}, types: {e: BOOL}}").columns;
    assert_eq!((columns.exclude, columns.include), (vec!["a".to_owned()], vec!["token".to_owned()]));
    let masks: Vec<_> = columns.mask.into_values().collect();
    assert_eq!(masks, [Mask::Hmac, Mask::Null, Mask::Null]);
    assert_eq!(columns.types["e"], Retype::Bool);
}

#[test]
fn a_table_of_postgresql_has_a_schema_and_a_program_s_is_its_word() {
    let text = "\
databases:
  app: {engine: postgres, auth: iam, tables: {users: {}, sales.orders: {}}}
  stripe: {source: {exec: [python3, stripe.py]}, dataset: raw_stripe, tables: {charges: {}}}
";
    let extracts = parse(text).unwrap();
    let names: Vec<_> = extracts.tables().map(|table| (table.source.to_string(), table.target())).collect();
    let expected = [
        ("app.public.users", "raw_app.users"),
        ("app.sales.orders", "raw_app.sales_orders"),
        ("stripe.charges", "raw_stripe.charges"),
    ];
    assert_eq!(names, expected.map(|(source, target)| (source.to_owned(), target.to_owned())));
    let [app, stripe] = &extracts.databases[..] else { panic!() };
    assert_eq!(app.source, Source::Server { engine: Engine::Postgres, auth: Auth::Iam });
    assert_eq!(stripe.source, Source::Program(vec!["python3".into(), "stripe.py".into()]));
}
