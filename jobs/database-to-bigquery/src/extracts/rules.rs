//! What each setting may be. The limits stand here once, for the reader and for the JSON Schema.

use std::ops::RangeInclusive;
use std::time::Duration;

use bigquery::DatasetId;
use yaml::{Node, not, text};

use super::{Auth, Engine, Lookback, Mask, OnDrift, Retype};

pub const MAX_SECONDS: RangeInclusive<u64> = 1..=86_400;
/// A read transaction on an Aurora reader holds back the purge of the writer, so it is short unless told otherwise.
pub const DEFAULT_MAX_SECONDS: u64 = 900;
/// More than anyone has, and still exact in JSON.
pub const COUNT: RangeInclusive<u64> = 0..=1_000_000_000_000;

pub const ENGINES: [(&str, Engine); 2] = [("mysql", Engine::Mysql), ("postgres", Engine::Postgres)];
pub const AUTHS: [(&str, Auth); 2] = [("secret", Auth::Secret), ("iam", Auth::Iam)];
pub const MODES: [(&str, bool); 2] = [("full", false), ("incremental", true)];
pub const RECONCILE: [(&str, bool); 1] = [("keys", true)];
pub const ON_DRIFT: [(&str, OnDrift); 2] = [("warn", OnDrift::Warn), ("fail", OnDrift::Fail)];
const MASKS: [(&str, Mask); 2] = [("hmac", Mask::Hmac), ("null", Mask::Null)];
const TYPES: [(&str, Retype); 6] = [
    ("BOOL", Retype::Bool),
    ("INT64", Retype::Int64),
    ("NUMERIC", Retype::Numeric),
    ("BIGNUMERIC", Retype::BigNumeric),
    ("STRING", Retype::String),
    ("JSON", Retype::Json),
];

/// What stands in the name of a column that is left out unless somebody lists it.
const SECRETS: [&str; 8] = ["password", "passwd", "secret", "token", "otp", "api_key", "apikey", "private_key"];

const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
const LONGEST_LOOKBACK: Duration = Duration::from_hours(24 * 366);

pub fn looks_secret(column: &str) -> bool {
    let name = column.to_ascii_lowercase();
    SECRETS.iter().any(|word| match *word {
        // `otp` is short, and `laptop` is no secret.
        "otp" => name.split('_').any(|part| part == "otp"),
        word => name.contains(word),
    })
}

/// Patterns know `*` and `?`.
pub fn matches(pattern: &str, name: &str) -> bool {
    glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(name))
}

/// `web-shop` is `WEB_SHOP` in the names of its variables.
pub fn variable_suffix(database: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    database.chars().map(letter).collect()
}

pub fn dataset(node: &Node) -> Result<DatasetId, String> {
    let expected = "a dataset: letters, digits and underscores";
    let name = text(node, expected, |text| text.parse::<DatasetId>().is_ok())?;
    name.parse()
}

pub fn destination(node: &Node) -> Result<String, String> {
    text(node, "a table: letters, digits and underscores", is_destination)
}

pub fn is_destination(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

pub fn pattern(node: &Node) -> Result<String, String> {
    text(node, "a pattern of table names", |text| !text.is_empty() && glob::Pattern::new(text).is_ok())
}

pub fn argument(node: &Node) -> Result<String, String> {
    text(node, "a word of the command", |_| true)
}

pub fn column(node: &Node) -> Result<String, String> {
    text(node, "a column's name", |text| !text.trim().is_empty())
}

pub fn filter(node: &Node) -> Result<String, String> {
    let condition =
        text(node, "a condition in the database's SQL", |text| !text.trim().is_empty() && !text.contains(';'))?;
    Ok(condition.trim().to_owned())
}

/// `hmac`, `null`; the latter is null itself where it is not quoted.
pub fn mask(node: &Node) -> Result<Mask, String> {
    if *node == Node::Nothing { Ok(Mask::Null) } else { yaml::word(&MASKS)(node) }
}

pub fn retype(node: &Node) -> Result<Retype, String> {
    yaml::word(&TYPES)(node)
}

/// `2h`, `90m`, `1d` for times; a whole number for numbers.
pub fn lookback(node: &Node) -> Result<Lookback, String> {
    let wrong = || not("a time such as 90s, 15m, 2h or 1d, of a year at most, or a whole number", node);
    match node {
        Node::Whole(number) => u64::try_from(*number).map(Lookback::Number).map_err(|_| wrong()),
        Node::Text(text) => {
            let unit = text.chars().last().and_then(|unit| UNITS.iter().find(|(known, _)| *known == unit));
            let (letter, seconds) = unit.ok_or_else(wrong)?;
            let number: u64 = text.trim_end_matches(*letter).parse().map_err(|_| wrong())?;
            let time = number.checked_mul(*seconds).map(Duration::from_secs);
            time.filter(|time| *time <= LONGEST_LOOKBACK).map(Lookback::Time).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_and_those_that_only_sound_like_it_are_not() {
        for secret in ["password", "password_digest", "api_key", "ResetToken", "otp", "otp_code", "client_secret"] {
            assert!(looks_secret(secret), "{secret}");
        }
        for plain in ["laptop", "option", "pass", "key", "keyboard", "email"] {
            assert!(!looks_secret(plain), "{plain}");
        }
    }

    #[test]
    fn a_lookback_is_a_time_or_a_number() {
        let read = |text: &str| lookback(&Node::Text(text.into()));
        assert_eq!(read("2h"), Ok(Lookback::Time(Duration::from_hours(2))));
        assert_eq!(read("1d"), Ok(Lookback::Time(Duration::from_hours(24))));
        assert_eq!(lookback(&Node::Whole(1000)), Ok(Lookback::Number(1000)));
        for wrong in ["2 hours", "h", "-1h", "400d", "99999999999999999999d"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(lookback(&Node::Whole(-1)).is_err());
    }

    #[test]
    fn a_database_s_variables_carry_its_name() {
        assert_eq!(variable_suffix("web-shop"), "WEB_SHOP");
    }
}
