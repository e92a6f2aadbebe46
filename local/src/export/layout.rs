//! Where an export writes. Built here from the vendor's documentation, not with the keys that isthmus reads with, so
//! that each can find the other wrong. Source: Aurora user guide, "File naming convention".

use uuid::Uuid;

use super::TableSchema;

/// `{prefix}/{task id}/`
pub(super) fn root(prefix: &str, task: &str) -> String {
    let prefix = prefix.trim_matches('/');
    if prefix.is_empty() { format!("{}/", in_path(task)) } else { format!("{}/{}/", in_path(prefix), in_path(task)) }
}

/// `{root}{database}/{schema}.{table}/{batch}/`; batches count from 1.
pub(super) fn batch(root: &str, table: &TableSchema, batch: usize) -> String {
    let [database, schema, table] = [&table.database, table.schema_name(), &table.table].map(in_path);
    format!("{root}{database}/{schema}.{table}/{batch}/")
}

/// A new name every time: a second export never overwrites the first. Part numbers have gaps, because a range of keys
/// without rows has no part.
pub(super) fn part(batch: &str, index: usize) -> String {
    format!("{batch}part-{:05}-{}-c000.gz.parquet", index + index / 2, Uuid::new_v4())
}

fn in_path(name: &str) -> String {
    name.replace(['\\', '`', '"', ' '], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_documentation() {
        let table = TableSchema::of_mysql("my shop", "or`ders", Vec::new());
        let users = TableSchema::of_postgres("app", "public", "users", Vec::new());
        assert_eq!(root("", "prod-20261122"), "prod-20261122/");
        assert_eq!(root("a b/", "t"), "a_b/t/");
        assert_eq!(batch("t/", &table, 2), "t/my_shop/my_shop.or_ders/2/");
        assert_eq!(batch("t/", &users, 1), "t/app/public.users/1/");
        let numbers: Vec<String> = (0..4).map(|index| part("t/1/", index)[9..14].to_owned()).collect();
        assert_eq!(numbers, ["00000", "00001", "00003", "00004"]);
        assert_ne!(part("", 0), part("", 0));
    }
}
