//! What the deployment says.

use chrono_tz::Tz;
use handoff::Environment;
use startup::{InvalidVars, Vars};

use crate::Target;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub environment: Environment,
    pub bucket: String,
    /// The time zone in which an export belongs to a calendar day.
    pub zone: Tz,
    /// Where failures and warnings are told. Without it they are log lines, and failures are errors of the function.
    pub topic_arn: Option<String>,
    /// What is started when a day is published.
    pub load: Option<Target>,
}

impl Settings {
    pub fn read(mut vars: Vars) -> Result<Self, InvalidVars> {
        let environment = vars.required("ENV");
        let bucket = vars.required("S3_BUCKET_NAME");
        let zone = vars.or("EXPORT_TIMEZONE", Tz::Asia__Tokyo);
        let topic_arn = vars.optional("SNS_TOPIC_ARN");
        let load = Target::read(&mut vars);
        match (environment, bucket, zone, topic_arn, load) {
            (Some(environment), Some(bucket), Some(zone), Some(topic_arn), Some(load)) => {
                Ok(Self { environment, bucket, zone, topic_arn, load })
            }
            _ => Err(vars.invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_variables_are_enough() {
        let settings = Settings::read(Vars::from_pairs([("ENV", "prod"), ("S3_BUCKET_NAME", "exports")])).unwrap();
        assert_eq!((settings.zone, settings.topic_arn, settings.load), (Tz::Asia__Tokyo, None, None));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let vars = [("ENV", "Prod"), ("EXPORT_TIMEZONE", "Tokyo/Asia")];
        let told = Settings::read(Vars::from_pairs(vars)).unwrap_err().to_string();
        for part in ["ENV: environment \"Prod\" must be", "S3_BUCKET_NAME is not set", "EXPORT_TIMEZONE: "] {
            assert!(told.contains(part), "{told}");
        }
    }
}
