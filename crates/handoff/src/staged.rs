//! Copies of a spot export's parts in the day's prefix. RDS writes the daily export's parts into the same folders, so a
//! copy's name says which export it came from: a day can be cleared of one export without touching another's parts.

use chrono::NaiveTime;

use crate::{ExportKey, ExportTaskId, TaskKind};

/// `{day}/shop/shop.orders/1/part-….gz.s101500.parquet`, the copy of a part of the spot export `{day}-s101500`.
/// `None` for a key that is not a Parquet object of this export, or for the daily export, whose parts are in place.
pub fn staged_key(task: &ExportTaskId, key: &str) -> Option<String> {
    let TaskKind::Spot(at) = task.kind() else { return None };
    let path = key.strip_prefix(&ExportKey::TaskPrefix(task).to_string())?.strip_suffix(".parquet")?;
    let day = ExportKey::DayPrefix(task.environment(), task.date());
    Some(format!("{day}{path}.s{}.parquet", at.format("%H%M%S")))
}

/// Which kind of export a Parquet object in a day's prefix came from.
pub fn origin_of(key: &str) -> TaskKind {
    let mark = key.strip_suffix(".parquet").and_then(|path| path.rsplit_once(".s"));
    let digits = mark.map(|(_, time)| time).filter(|time| time.len() == 6 && time.bytes().all(|b| b.is_ascii_digit()));
    let time = digits.and_then(|time| NaiveTime::parse_from_str(time, "%H%M%S").ok());
    time.map_or(TaskKind::Daily, TaskKind::Spot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PartKey, TablePrefix};

    #[test]
    fn a_copy_is_a_part_of_the_day_and_says_where_it_came_from() {
        let task: ExportTaskId = "prod-20261122-s101500".parse().unwrap();
        let part = "prod-20261122-s101500/shop/shop.orders/2/part-00000-aaaa-c000.gz.parquet";
        let copy = staged_key(&task, part).unwrap();
        assert_eq!(copy, "prod-20261122/shop/shop.orders/2/part-00000-aaaa-c000.gz.s101500.parquet");
        let table = TablePrefix::of_day(task.environment(), task.date(), &"shop.orders".parse().unwrap());
        assert_eq!(PartKey::parse(&table, &copy), Some(PartKey::Part { folder: "2" }));
        assert_eq!(origin_of(&copy), task.kind());
    }

    #[test]
    fn the_names_that_rds_gives_are_the_daily_exports() {
        for key in ["d/t/1/part-00000-aaaa-c000.gz.parquet", "d/t.s101500/1/part-0.parquet", "d/x.s999999.parquet"] {
            assert_eq!(origin_of(key), TaskKind::Daily, "{key}");
        }
        let daily: ExportTaskId = "prod-20261122".parse().unwrap();
        assert_eq!(staged_key(&daily, "prod-20261122/shop/shop.orders/1/part-0.parquet"), None);
    }
}
