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

/// `db` or `db.table`. Three words are valid for PostgreSQL only. Source: RDS API reference, `StartExportTask`.
fn matches(entry: &str, table: &TableSchema) -> bool {
    let (database, name) = (&table.database, &table.table);
    entry == database || entry == format!("{database}.{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_or_a_table_can_be_chosen() {
        let table = |database: &str, table: &str| TableSchema {
            database: database.into(),
            table: table.into(),
            columns: Vec::new(),
        };
        let tables = [table("shop", "orders"), table("shop", "users"), table("hr", "users")];
        let of = |only: &str| -> Result<usize, String> {
            let only = [only.to_owned()];
            check_only(&only, &tables)?;
            Ok::<_, String>(tables.iter().filter(|table| chosen(&only, table)).count())
        };
        assert_eq!([of("shop"), of("shop.users"), of("hr.users")], [Ok(2), Ok(1), Ok(1)]);
        for bad in ["shop.none", "none", "shop.or-ders", "shop.shop", "hr.hr.users"] {
            assert!(of(bad).is_err(), "{bad}");
        }
        assert!(chosen(&[], &tables[0]));
    }
}
