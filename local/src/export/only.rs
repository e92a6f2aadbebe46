//! `ExportOnly`: the databases and tables of a partial export.

use super::TableSchema;

/// Why RDS refuses an entry.
pub fn check_only(only: &[String], tables: &[TableSchema]) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ['$', '_', '.'].contains(&c);
    for entry in only {
        if !entry.chars().all(plain) {
            return Err(format!("Partial export isn't supported for {entry:?}: its name has unsupported characters"));
        }
        if !tables.iter().any(|table| matches(entry, table)) {
            return Err(format!("The database, schema or table {entry:?} doesn't exist in the snapshot"));
        }
    }
    Ok(())
}

pub(super) fn chosen(only: &[String], table: &TableSchema) -> bool {
    only.is_empty() || only.iter().any(|entry| matches(entry, table))
}

/// `db` or `db.table` of MySQL; `db`, `db.schema` or `db.schema.table` of PostgreSQL, and no other spelling.
/// Source: RDS API reference, `StartExportTask`.
fn matches(entry: &str, table: &TableSchema) -> bool {
    let (database, name) = (&table.database, &table.table);
    entry == database
        || match &table.schema {
            None => entry == format!("{database}.{name}"),
            Some(schema) => entry == format!("{database}.{schema}") || entry == format!("{database}.{schema}.{name}"),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number_of(only: &str, tables: &[TableSchema]) -> Result<usize, String> {
        let only = [only.to_owned()];
        check_only(&only, tables)?;
        Ok(tables.iter().filter(|table| chosen(&only, table)).count())
    }

    #[test]
    fn a_database_or_a_table_can_be_chosen() {
        let table = |database: &str, table: &str| TableSchema::of_mysql(database, table, Vec::new());
        let tables = [table("shop", "orders"), table("shop", "users"), table("hr", "users")];
        let of = |only: &str| number_of(only, &tables);
        assert_eq!([of("shop"), of("shop.users"), of("hr.users")], [Ok(2), Ok(1), Ok(1)]);
        for bad in ["shop.none", "none", "shop.or-ders", "shop.shop", "hr.hr.users"] {
            assert!(of(bad).is_err(), "{bad}");
        }
        assert!(chosen(&[], &tables[0]));
    }

    #[test]
    fn in_postgresql_a_table_is_named_below_its_schema() {
        let table = |schema: &str, table: &str| TableSchema::of_postgres("app", schema, table, Vec::new());
        let tables =
            [table("public", "users"), table("public", "orders"), table("app", "users"), table("users", "log")];
        let of = |only: &str| number_of(only, &tables);
        assert_eq!([of("app"), of("app.public"), of("app.public.users")], [Ok(4), Ok(2), Ok(1)]);
        assert_eq!([of("app.app"), of("app.app.users")], [Ok(1), Ok(1)], "a schema may have the database's name");
        assert_eq!(of("app.users"), Ok(1), "the schema, and no table");
        for bad in ["app.orders", "public.users", "app.public.none", "app.none.users"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
