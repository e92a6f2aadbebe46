use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveTime;
use clap::Args;
use handoff::{Environment, ExportDate, FixedZone};

use crate::deploy;

pub const EXIT_CODES: &str = "\
Exit codes:
  0 the day's data is there, and nothing calls for a human
  1 something is late or failed
  2 usage, or a file is wrong
  3 nothing known is wrong, but not everything could be asked
  4 on its way, nothing is late yet";

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct StatusArguments {
    #[command(flatten)]
    pub place: Place,
    /// The day to look at [default: today, from 04:00 on]
    #[arg(long, value_name = "DATE")]
    pub day: Option<ExportDate>,
    /// The time of the day at which everything is to be there; what is missing then is late
    #[arg(long, value_name = "HH:MM", env = "READY_BY", default_value = "09:00", value_parser = time)]
    pub ready_by: NaiveTime,
    /// The list of tables
    #[arg(long, value_name = "FILE", default_value = "config/tables.yaml")]
    pub tables: PathBuf,
    /// The list of syncs
    #[arg(long, value_name = "FILE", default_value = "config/syncs.yaml")]
    pub syncs: PathBuf,
    /// There is no job dbt here [default: what config/environments.yaml says]
    #[arg(long)]
    pub no_dbt: bool,
    #[arg(
        long,
        help = "Where lookup is reached, such as http://lookup.internal:8080",
        value_name = "URL",
        env = "LOOKUP_URL"
    )]
    pub lookup_url: Option<String>,
    /// Print one JSON object: what was found, and what is said about it
    #[arg(long, conflicts_with_all = ["html", "watch"])]
    pub json: bool,
    /// Write one page with pictures, which needs no other file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Look again and again, until the day is there or something fails; each SECONDS
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30", value_parser = seconds)]
    pub watch: Option<Duration>,
}

/// Which environment, and its names where they are not what they are by default.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// The environment
    #[arg(long, env = "ENV", default_value = "prod")]
    pub env: Environment,
    /// What `isthmus deploy` reads: of an environment that is in it, the region and whether it has dbt
    #[arg(long, value_name = "FILE", default_value = "config/environments.yaml")]
    pub environments: PathBuf,
    /// AWS's region [default: that of the environment in config/environments.yaml, else that of the AWS profile]
    #[arg(long)]
    pub region: Option<String>,
    /// The time zone of export dates
    #[arg(long, env = "EXPORT_TIMEZONE", default_value = "Asia/Tokyo", value_name = "ZONE")]
    pub timezone: FixedZone,
    /// Google's project [default: that of the workflow in /isthmus/ENV/google-workflow]
    #[arg(long, env = "GOOGLE_CLOUD_PROJECT")]
    pub project: Option<String>,
    /// Of datasets and jobs [default: that of the workflow]
    #[arg(long, env = "BIGQUERY_LOCATION")]
    pub location: Option<String>,
    /// [default: /isthmus/ENV/export-bucket]
    #[arg(long, env = "EXPORT_BUCKET", value_name = "BUCKET")]
    pub export_bucket: Option<String>,
    /// [default: /isthmus/ENV/app-bucket]
    #[arg(long, env = "APP_BUCKET", value_name = "BUCKET")]
    pub app_bucket: Option<String>,
    /// [default: PROJECT-isthmus-config]
    #[arg(long, env = "CONFIG_BUCKET", value_name = "BUCKET")]
    pub config_bucket: Option<String>,
    /// The Aurora cluster [default: that of the newest export task]
    #[arg(long, env = "DB_CLUSTER_IDENTIFIER")]
    pub cluster: Option<String>,
    #[arg(long, env = "AUDIT_DATASET", default_value = "isthmus_audit", value_name = "DATASET")]
    pub audit_dataset: String,
}

impl Place {
    /// Its entry, where the file is there and has one.
    pub fn environment(&self) -> Result<Option<deploy::Environment>, String> {
        deploy::Environment::find(&self.environments, self.env.as_str()).map_err(|error| error.to_string())
    }

    /// The region that the environment lies in; `None` where only the SDK or the CLI knows one.
    pub fn region(&self) -> Result<Option<String>, String> {
        match &self.region {
            Some(region) => Ok(Some(region.clone())),
            None => Ok(self.environment()?.map(|environment| environment.aws_region)),
        }
    }
}

fn time(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| format!("{text:?} is not a time such as 09:00"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| format!("{text:?} is not a number of seconds from 1 to 3600"))
}
