//! What the deployment sets: every variable and the table list are read and checked before anything is done.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ::bigquery::{DatasetId, ProjectId};
use handoff::{Environment, FixedZone, TableList, TransferTable};
use keyless::aws::RoleArn;
use startup::Vars;

use crate::execution::Execution;

#[derive(Debug, Clone)]
pub struct Config {
    pub env: Environment,
    pub bucket: String,
    pub aws_region: String,
    pub role_arn: RoleArn,
    pub audience: String,
    pub project: ProjectId,
    /// Where the datasets and the transfer configs are: `asia-northeast1`.
    pub location: String,
    pub tables: Vec<TransferTable>,
    pub audit_dataset: DatasetId,
    pub time_zone: FixedZone,
    pub wait: Duration,
    pub transfer_limit: Duration,
    pub min_file_age: Duration,
    pub poll: Duration,
    /// How long the lease that keeps two loads apart is good without a renewal.
    pub lease: Duration,
    pub execution: Execution,
    pub on_drift: OnDrift,
    pub bigquery_endpoint: Option<String>,
    pub transfer_endpoint: Option<String>,
    /// What the last build of dbt compiled, and the list of syncs: for what a drift breaks.
    pub dbt_manifest: Option<PathBuf>,
    pub syncs: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct InvalidConfig(Vec<String>);

impl Config {
    /// Tells everything that is wrong at once: the variables, and the table list where it can be found.
    pub fn read(mut vars: Vars) -> Result<Self, InvalidConfig> {
        let mut problems = Vec::new();
        let env = vars.required::<Environment>("ENV");
        let file = vars.required::<PathBuf>("TABLES_FILE");
        let tables =
            file.and_then(|file| TableList::read(&file).map_err(|wrong| problems.push(wrong.to_string())).ok());
        let tables = env
            .as_ref()
            .zip(tables)
            .and_then(|(env, list)| list.transfers(env).map_err(|error| problems.push(error.to_string())).ok());
        let bucket = vars.required("S3_BUCKET_NAME");
        let aws_region = vars.required("AWS_REGION");
        let role_arn = vars.required("AWS_ROLE_ARN");
        let audience = vars.required("AWS_AUDIENCE");
        let project = vars.required("GOOGLE_CLOUD_PROJECT");
        let location = vars.required("BIGQUERY_LOCATION");
        let audit_dataset = vars.or("AUDIT_DATASET", DatasetId::from_static("isthmus_audit"));
        let time_zone = vars.or("EXPORT_TIMEZONE", FixedZone::TOKYO);
        let wait = vars.or("WAIT_MINUTES", Amount(90.0));
        let transfer_limit = vars.or("TRANSFER_MINUTES", Amount(120.0));
        // Google's pages say nothing firm about the age at which a transfer sees a file; about five minutes were read.
        let min_file_age = vars.or("MIN_FILE_AGE_SECONDS", Amount(600.0));
        let poll = vars.or("POLL_SECONDS", Amount(15.0));
        let lease = vars.or("LEASE_SECONDS", Amount(120.0));
        let execution = vars.or("CLOUD_RUN_EXECUTION", String::new());
        let attempt = vars.or("CLOUD_RUN_TASK_ATTEMPT", 0);
        let on_drift = vars.or("ON_DRIFT", OnDrift::Warn);
        let bigquery_endpoint = vars.optional("BIGQUERY_ENDPOINT");
        let transfer_endpoint = vars.optional("BIGQUERY_DATA_TRANSFER_ENDPOINT");
        let dbt_manifest = vars.optional("DBT_MANIFEST_FILE");
        let syncs = vars.optional("SYNCS_FILE");
        // None where any part was wrong; which ones, `vars` and `problems` know.
        let complete = || {
            Some(Self {
                env: env?,
                bucket: bucket?,
                aws_region: aws_region?,
                role_arn: role_arn?,
                audience: audience?,
                project: project?,
                location: location?,
                tables: tables?,
                audit_dataset: audit_dataset?,
                time_zone: time_zone?,
                wait: wait?.minutes(),
                transfer_limit: transfer_limit?.minutes(),
                min_file_age: min_file_age?.seconds(),
                poll: poll?.seconds().max(Duration::from_millis(50)),
                lease: lease?.seconds().max(Duration::from_secs(1)),
                execution: Execution::new(&execution?, attempt?),
                on_drift: on_drift?,
                bigquery_endpoint: bigquery_endpoint?,
                transfer_endpoint: transfer_endpoint?,
                dbt_manifest: dbt_manifest?,
                syncs: syncs?,
            })
        };
        complete().ok_or_else(|| invalid(vars, problems))
    }
}

fn invalid(vars: Vars, problems: Vec<String>) -> InvalidConfig {
    let variables = vars.invalid().to_string();
    let said = (variables != "environment: ").then_some(variables);
    InvalidConfig(said.into_iter().chain(problems).collect())
}

/// What to do with a table whose columns changed since the last export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDrift {
    /// Say it and load the table.
    Warn,
    /// Leave the table as it is, with its last good rows, and fail.
    Fail,
}

impl FromStr for OnDrift {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "warn" => Ok(Self::Warn),
            "fail" => Ok(Self::Fail),
            other => Err(format!("{other:?} is neither warn nor fail")),
        }
    }
}

/// A length of time in the variable's own unit; a part of one is allowed.
#[derive(Debug, Clone, Copy)]
struct Amount(f64);

impl Amount {
    fn minutes(self) -> Duration {
        Duration::from_secs_f64(self.0 * 60.0)
    }

    fn seconds(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let amount = text.parse::<f64>().ok().filter(|amount| (0.0..=1_000_000.0).contains(amount));
        amount.map(Self).ok_or_else(|| format!("{text:?} is not a number from 0 to 1000000"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let file = std::env::temp_dir().join(format!("load-export-{}.yaml", std::process::id()));
        std::fs::write(&file, "databases:\n  shop:\n    tables:\n      my orders: {}\n").unwrap();
        let mut pairs = vec![("TABLES_FILE", file.to_str().unwrap()), ("ENV", "prod"), ("AUDIT_DATASET", "a-b")];
        pairs.extend([("AWS_ROLE_ARN", "isthmus"), ("WAIT_MINUTES", "soon"), ("ON_DRIFT", "stop")]);
        pairs.extend([("S3_BUCKET_NAME", "b"), ("AWS_REGION", "ap-northeast-1"), ("GOOGLE_CLOUD_PROJECT", "Acme")]);
        let error = Config::read(Vars::from_pairs(pairs)).unwrap_err().to_string();
        std::fs::remove_file(file).unwrap();
        assert_eq!(
            error,
            "environment: AWS_ROLE_ARN: \"isthmus\" is not the ARN of a role, such as \
             arn:aws:iam::123456789012:role/name; AWS_AUDIENCE is not set; \
             GOOGLE_CLOUD_PROJECT: \"Acme\" is not a project id; BIGQUERY_LOCATION is not set; \
             AUDIT_DATASET: \"a-b\" is not a BigQuery dataset: letters, digits and underscores only; \
             WAIT_MINUTES: \"soon\" is not a number from 0 to 1000000; ON_DRIFT: \"stop\" is neither warn nor fail; \
             tables.yaml: \"my orders\" is not a BigQuery dataset or table: letters, digits and underscores only"
        );
    }
}
