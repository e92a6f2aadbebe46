//! A time zone whose offset from UTC does not change. A transfer's path has one offset, for every run; with another one
//! in summer it would name the day before, or the day after.

use std::fmt;
use std::str::FromStr;

use chrono::{Days, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedZone {
    zone: Tz,
    offset_seconds: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFixedZone {
    #[error("{0:?} is not the name of a time zone, such as Asia/Tokyo")]
    Unknown(String),
    #[error(
        "the clocks of {0} change during the year, and the path of a transfer has one offset: take a zone without summer \
         time for export dates, such as Asia/Tokyo or Etc/GMT+5 (five hours behind UTC)"
    )]
    Changes(Tz),
}

/// Clocks that changed before do not matter: no export is older.
const FIRST_YEAR: i32 = 2026;
/// Up to here the time zone database writes changes out.
const YEARS: u64 = 11;

impl FixedZone {
    pub const TOKYO: Self = Self { zone: Tz::Asia__Tokyo, offset_seconds: 9 * 3600 };

    pub fn zone(self) -> Tz {
        self.zone
    }

    /// As it stands after `run_time` in a transfer's path: `+9h`, `+5h30m`, `-7h`; nothing for UTC.
    /// <https://docs.cloud.google.com/bigquery/docs/s3-transfer-parameters>
    pub fn in_path(self) -> String {
        let (sign, minutes) = (if self.offset_seconds < 0 { '-' } else { '+' }, self.offset_seconds.abs() / 60);
        match (minutes / 60, minutes % 60) {
            (0, 0) => String::new(),
            (hours, 0) => format!("{sign}{hours}h"),
            (hours, minutes) => format!("{sign}{hours}h{minutes}m"),
        }
    }
}

impl TryFrom<Tz> for FixedZone {
    type Error = InvalidFixedZone;

    fn try_from(zone: Tz) -> Result<Self, Self::Error> {
        let first = NaiveDate::from_ymd_opt(FIRST_YEAR, 1, 1).unwrap_or_default();
        let offsets = (0..YEARS * 366).filter_map(|days| first.checked_add_days(Days::new(days)));
        let mut offsets = offsets.map(|day| zone.offset_from_utc_date(&day).fix().local_minus_utc());
        let offset_seconds = offsets.next().unwrap_or_default();
        if offsets.all(|offset| offset == offset_seconds) {
            return Ok(Self { zone, offset_seconds });
        }
        Err(InvalidFixedZone::Changes(zone))
    }
}

impl FromStr for FixedZone {
    type Err = InvalidFixedZone;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let zone: Tz = name.parse().map_err(|_| InvalidFixedZone::Unknown(name.to_owned()))?;
        zone.try_into()
    }
}

impl fmt::Display for FixedZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.zone.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn in_path(zone: &str) -> Result<String, String> {
        zone.parse::<FixedZone>().map(FixedZone::in_path).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn an_offset_is_written_in_hours_and_minutes() {
        for (zone, offset) in [
            ("Asia/Tokyo", "+9h"),
            ("Asia/Kathmandu", "+5h45m"),
            ("Pacific/Marquesas", "-9h30m"),
            ("Etc/GMT+12", "-12h"),
            ("Pacific/Kiritimati", "+14h"),
            ("UTC", ""),
        ] {
            assert_eq!(in_path(zone).as_deref(), Ok(offset), "{zone}");
        }
        assert_eq!(FixedZone::TOKYO, "Asia/Tokyo".parse().unwrap());
    }

    #[test]
    fn a_zone_with_summer_time_is_refused_and_so_is_one_that_is_none() {
        let refused = |zone: &str| in_path(zone).unwrap_err();
        assert!(refused("Europe/Berlin").starts_with("the clocks of Europe/Berlin change during the year"));
        assert!(refused("Australia/Sydney").contains("such as Asia/Tokyo or Etc/GMT+5"));
        assert_eq!(refused("JST"), "\"JST\" is not the name of a time zone, such as Asia/Tokyo");
    }

    /// Terraform derives the offset of a path from its own list.
    #[test]
    fn terraforms_list_has_every_zone_whose_clocks_never_change_with_its_offset() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../terraform/gcp/time_zones.json");
        let fixed = chrono_tz::TZ_VARIANTS.into_iter().filter_map(|zone| FixedZone::try_from(zone).ok());
        let offsets: BTreeMap<String, String> = fixed.map(|zone| (zone.to_string(), zone.in_path())).collect();
        if std::env::var_os("WRITE_ZONES").is_some() {
            std::fs::write(file, serde_json::to_string_pretty(&offsets).unwrap() + "\n").unwrap();
        }
        let listed = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            serde_json::from_str(&listed).ok() == Some(offsets),
            "time_zones.json is not what the code says; WRITE_ZONES=1 cargo test -p handoff --all-features zone writes it"
        );
    }
}
