//! A table as the database's catalog describes it.

use handoff::TableName;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTable {
    pub name: TableName,
    /// In the table's order, those included that `SELECT *` does not show.
    pub columns: Vec<SourceColumn>,
    /// Empty where there is none.
    pub primary_key: Vec<String>,
    /// The first column of each index.
    pub indexed: Vec<String>,
    /// The database's guess.
    pub rows: u64,
    /// In the database, without indexes.
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    pub name: String,
    /// In lower case and without attributes: `bigint`.
    pub data_type: String,
    /// `bigint(20) unsigned`
    pub full_type: String,
    /// Digits of a number, bits of a bit field.
    pub precision: Option<u32>,
    pub scale: Option<u32>,
    pub nullable: bool,
}
