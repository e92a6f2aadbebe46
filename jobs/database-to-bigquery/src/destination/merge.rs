//! New and changed rows into a table that stays: one MERGE by primary key, and one DELETE of the rows whose keys are gone.
//! Either may be repeated. Pure.

use crate::columns::Column;
use crate::types::Type;

/// The names are quoted tables.
#[derive(Debug, Clone)]
pub struct Merge<'a> {
    pub target: String,
    pub rows: String,
    /// Every primary key of the source, where rows that are gone are to be deleted.
    pub keys: Option<String>,
    pub key: &'a [String],
    pub columns: &'a [Column],
    /// The column that the target is partitioned by.
    pub partition: Option<&'a str>,
}

impl Merge<'_> {
    /// Asks for the partitions of the rows that are touched. It reads two columns of the target, the MERGE would read all.
    pub fn range_sql(&self) -> Option<String> {
        let partition = self.columns.iter().find(|column| Some(column.name.as_str()) == self.partition)?;
        let (name, target, rows) = (quote(&partition.name), &self.target, &self.rows);
        Some(format!(
            "SELECT CAST(MIN({name}) AS STRING), CAST(MAX({name}) AS STRING) FROM (\n  \
             SELECT {name} FROM {rows}\n  UNION ALL\n  \
             SELECT old.{name} FROM {target} AS old JOIN {rows} AS fresh ON {}\n)",
            self.on()
        ))
    }

    /// `range` limits what is read of the target: it must hold every row of the keys that come.
    pub fn sql(&self, range: Option<&(String, String)>) -> String {
        let (target, rows) = (&self.target, &self.rows);
        let names: Vec<String> = self.columns.iter().map(|column| quote(&column.name)).collect();
        let set: Vec<String> = names.iter().map(|name| format!("{name} = fresh.{name}")).collect();
        let values: Vec<String> = names.iter().map(|name| format!("fresh.{name}")).collect();
        format!(
            "MERGE {target} AS old USING {rows} AS fresh\nON {}{}\n\
             WHEN MATCHED THEN UPDATE SET {}\nWHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
            self.on(),
            self.within(range),
            set.join(", "),
            names.join(", "),
            values.join(", ")
        )
    }

    /// The rows that the source had no more when its keys were read. None where no keys were.
    pub fn delete_sql(&self) -> Option<String> {
        let (target, on) = (&self.target, self.on());
        let keys = self.keys.as_ref()?;
        Some(format!("DELETE FROM {target} AS old WHERE NOT EXISTS (SELECT 1 FROM {keys} AS fresh WHERE {on})"))
    }

    fn on(&self) -> String {
        let equal: Vec<String> = self.key.iter().map(|name| format!("old.{0} = fresh.{0}", quote(name))).collect();
        equal.join(" AND ")
    }

    fn within(&self, range: Option<&(String, String)>) -> String {
        let partition = self.columns.iter().find(|column| Some(column.name.as_str()) == self.partition);
        let Some((partition, (first, last))) = partition.zip(range) else { return String::new() };
        let name = quote(&partition.name);
        // A literal of the column's type: a constant, by which BigQuery leaves out the other partitions.
        let bound = |text: &str| match partition.r#type {
            Type::Int64 => text.to_owned(),
            time => format!("{} '{text}'", time.name()),
        };
        // Rows without a value are in a partition of their own.
        format!(" AND (old.{name} BETWEEN {} AND {} OR old.{name} IS NULL)", bound(first), bound(last))
    }
}

fn quote(name: &str) -> String {
    format!("`{name}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Read;

    fn column(name: &str, r#type: Type) -> Column {
        let (source, source_type, name) = (name.into(), String::new(), name.into());
        Column { source, source_type, name, r#type, read: Read::Plain, hmac: false, nullable: true }
    }

    fn merge<'a>(key: &'a [String], columns: &'a [Column], partition: Option<&'a str>) -> Merge<'a> {
        let keys = Some("`p.s.keys`".into());
        Merge { target: "`p.raw.t`".into(), rows: "`p.s.rows`".into(), keys, key, columns, partition }
    }

    #[test]
    fn rows_are_merged_by_the_whole_key_and_those_that_are_gone_deleted() {
        let (key, columns) = (["a".to_owned(), "b".to_owned()], [column("a", Type::Int64), column("b", Type::Date)]);
        let merge = merge(&key, &columns, None);
        assert_eq!(
            merge.sql(None),
            "MERGE `p.raw.t` AS old USING `p.s.rows` AS fresh\n\
             ON old.`a` = fresh.`a` AND old.`b` = fresh.`b`\n\
             WHEN MATCHED THEN UPDATE SET `a` = fresh.`a`, `b` = fresh.`b`\n\
             WHEN NOT MATCHED THEN INSERT (`a`, `b`) VALUES (fresh.`a`, fresh.`b`)"
        );
        let delete = "DELETE FROM `p.raw.t` AS old WHERE NOT EXISTS (SELECT 1 FROM `p.s.keys` AS fresh WHERE old.`a` = fresh.`a` \
                      AND old.`b` = fresh.`b`)";
        assert_eq!(merge.delete_sql().as_deref(), Some(delete));
    }

    /// A row may move from one partition to another, so the range covers where it was and where it goes.
    #[test]
    fn only_the_partitions_of_the_rows_that_come_are_read() {
        let (key, columns) = (["a".to_owned()], [column("a", Type::Int64), column("b", Type::Date)]);
        let merge = merge(&key, &columns, Some("b"));
        assert_eq!(
            merge.range_sql().unwrap(),
            "SELECT CAST(MIN(`b`) AS STRING), CAST(MAX(`b`) AS STRING) FROM (\n  SELECT `b` FROM `p.s.rows`\n  UNION ALL\n  \
             SELECT old.`b` FROM `p.raw.t` AS old JOIN `p.s.rows` AS fresh ON old.`a` = fresh.`a`\n)"
        );
        let sql = merge.sql(Some(&("2026-01-01".into(), "2026-01-02".into())));
        let within = "ON old.`a` = fresh.`a` AND (old.`b` BETWEEN DATE '2026-01-01' AND DATE '2026-01-02' \
                      OR old.`b` IS NULL)\n";
        assert!(sql.contains(within), "{sql}");
    }
}
