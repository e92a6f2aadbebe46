//! What the deployment decides.

use std::num::NonZeroU32;

use chrono_tz::{Asia::Tokyo, Tz};
use handoff::Environment;
use startup::{InvalidVars, Vars};

use crate::hours::Hours;

/// Aurora makes one automated snapshot a day: an older one means that yesterday's was not made.
const MAX_SNAPSHOT_AGE_HOURS: NonZeroU32 = NonZeroU32::new(24).unwrap();

#[derive(Debug, Clone)]
pub struct Config {
    pub environment: Environment,
    pub cluster: String,
    pub export_role_arn: String,
    pub bucket: String,
    pub kms_key_id: String,
    pub zone: Tz,
    pub hours: Hours,
    pub max_snapshot_age_hours: NonZeroU32,
}

impl Config {
    pub fn read(mut vars: Vars) -> Result<Self, InvalidVars> {
        let (environment, cluster) = (vars.required("ENV"), vars.required("DB_CLUSTER_IDENTIFIER"));
        let (role, bucket) = (vars.required("EXPORT_ROLE_ARN"), vars.required("S3_BUCKET_NAME"));
        let (key, zone) = (vars.required("KMS_KEY_ID"), vars.or("EXPORT_TIMEZONE", Tokyo));
        let hours = vars.or("EXPORT_HOURS", Hours::DEFAULT);
        let age = vars.or("MAX_SNAPSHOT_AGE_HOURS", MAX_SNAPSHOT_AGE_HOURS);
        let (
            Some(environment),
            Some(cluster),
            Some(export_role_arn),
            Some(bucket),
            Some(kms_key_id),
            Some(zone),
            Some(hours),
            Some(max_snapshot_age_hours),
        ) = (environment, cluster, role, bucket, key, zone, hours, age)
        else {
            return Err(vars.invalid());
        };
        Ok(Self { environment, cluster, export_role_arn, bucket, kms_key_id, zone, hours, max_snapshot_age_hours })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [(&str, &str); 5] = [
        ("ENV", "prod"),
        ("DB_CLUSTER_IDENTIFIER", "shop"),
        ("EXPORT_ROLE_ARN", "arn:aws:iam::123456789012:role/export"),
        ("S3_BUCKET_NAME", "acme-export"),
        ("KMS_KEY_ID", "alias/export"),
    ];

    fn read(more: &[(&'static str, &'static str)]) -> Result<Config, InvalidVars> {
        Config::read(Vars::from_pairs(REQUIRED.into_iter().chain(more.iter().copied())))
    }

    #[test]
    fn the_day_is_that_of_tokyo_tried_until_noon_from_a_snapshot_of_a_day_where_nothing_else_is_said() {
        let config = read(&[]).unwrap();
        assert_eq!((config.zone, config.hours, config.max_snapshot_age_hours.get()), (Tokyo, Hours::DEFAULT, 24));
        assert_eq!(read(&[("EXPORT_HOURS", "5-9")]).unwrap().hours.to_string(), "5-9");
    }

    #[test]
    fn every_missing_variable_is_named_at_once() {
        assert_eq!(
            Config::read(Vars::from_pairs([("ENV", "prod"), ("S3_BUCKET_NAME", " ")])).unwrap_err().to_string(),
            "environment: DB_CLUSTER_IDENTIFIER is not set; EXPORT_ROLE_ARN is not set; S3_BUCKET_NAME is not set; \
             KMS_KEY_ID is not set"
        );
    }

    #[test]
    fn malformed_variables_are_named_with_their_fault() {
        let told = |more: &[(&'static str, &'static str)]| read(more).unwrap_err().to_string();
        assert_eq!(
            told(&[("ENV", "Prod")]),
            "environment: ENV: environment \"Prod\" must be 1 to 43 lower-case letters, digits and single hyphens, \
             begin with a letter and not end with a hyphen"
        );
        assert_eq!(
            told(&[("MAX_SNAPSHOT_AGE_HOURS", "0")]),
            "environment: MAX_SNAPSHOT_AGE_HOURS: number would be zero for non-zero type"
        );
        assert_eq!(
            told(&[("MAX_SNAPSHOT_AGE_HOURS", "1d")]),
            "environment: MAX_SNAPSHOT_AGE_HOURS: invalid digit found in string"
        );
        assert_eq!(
            told(&[("EXPORT_HOURS", "noon")]),
            "environment: EXPORT_HOURS: \"noon\" is not a range of hours such as 4-12: from 0 to 23, the earlier one first"
        );
        assert!(told(&[("EXPORT_TIMEZONE", "JST")]).starts_with("environment: EXPORT_TIMEZONE: "));
    }
}
