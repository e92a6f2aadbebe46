//! What the deployment sets: every variable and the list of syncs are read and checked before anything is done.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bigquery::{DatasetId, ProjectId};
use handoff::sync::Layout;
use keyless::aws::RoleArn;
use startup::Vars;

use crate::Task;
use crate::put::AttemptLimit;
use crate::syncs::{Bucket, Sync, Syncs};

#[derive(Debug, Clone)]
pub struct Config {
    pub syncs: Syncs,
    pub aws_region: String,
    pub role_arn: RoleArn,
    pub audience: String,
    pub project: ProjectId,
    /// Where the datasets are: `asia-northeast1`.
    pub location: String,
    pub scratch: DatasetId,
    pub max_concurrency: usize,
    pub lease: Duration,
    pub give_up_after: Duration,
    pub idle: Duration,
    pub bigquery_endpoint: Option<String>,
    pub storage_endpoint: Option<String>,
    pub s3_endpoint: Option<String>,
    /// What the last build of dbt said of each sync.
    pub gates: Option<PathBuf>,
    pub task: Task,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct InvalidConfig(Vec<String>);

impl Config {
    /// Tells everything that is wrong at once: the variables, and the list of syncs where it can be found.
    pub fn read(mut vars: Vars) -> Result<Self, InvalidConfig> {
        let mut problems = Vec::new();
        let syncs = vars.required::<PathBuf>("SYNCS_FILE");
        let bucket = vars.optional::<Bucket>("S3_BUCKET_NAME");
        // Read also where the bucket's name is wrong, so that all problems are told.
        let default = bucket.as_ref().and_then(Option::as_ref);
        let syncs = syncs
            .and_then(|file| Syncs::read(&file, default).map_err(|invalid| problems.push(invalid.to_string())).ok());
        let aws_region = vars.required("AWS_REGION");
        let role_arn = vars.required("AWS_ROLE_ARN");
        let audience = vars.required("AWS_AUDIENCE");
        let project = vars.required("GOOGLE_CLOUD_PROJECT");
        let location = vars.required("BIGQUERY_LOCATION");
        let scratch = vars.or("SCRATCH_DATASET", DatasetId::from_static("isthmus_scratch"));
        let max_concurrency = vars.or("MAX_CONCURRENCY", Whole::<10, 1000>(200));
        // Within a quarter of it, a second at least, a PUT has to be done.
        let lease = vars.or("LEASE_SECONDS", Whole::<4, 3600>(60));
        let too_long = |lease: &Whole<4, 3600>| {
            syncs.iter().flat_map(Syncs::iter).filter_map(|sync| too_long_for(lease.0 as u64, sync)).collect()
        };
        let too_long: Vec<String> = lease.as_ref().map(too_long).unwrap_or_default();
        let lease = lease.filter(|_| too_long.is_empty());
        problems.extend(too_long);
        let give_up = vars.or("GIVE_UP_MINUTES", Whole::<1, 1440>(15));
        let idle = vars.or("STREAM_IDLE_SECONDS", Whole::<1, 3600>(60));
        let bigquery_endpoint = vars.optional("BIGQUERY_ENDPOINT");
        let storage_endpoint = vars.optional("BIGQUERY_STORAGE_ENDPOINT");
        let s3_endpoint = vars.optional::<String>("AWS_ENDPOINT_URL_S3");
        let any_endpoint = vars.optional::<String>("AWS_ENDPOINT_URL");
        let gates = vars.optional("GATES_FILE");
        let task = task(&mut vars);
        // None where any part was wrong; which ones, `vars` and `problems` know.
        let complete = || {
            bucket?;
            Some(Self {
                syncs: syncs?,
                aws_region: aws_region?,
                role_arn: role_arn?,
                audience: audience?,
                project: project?,
                location: location?,
                scratch: scratch?,
                max_concurrency: max_concurrency?.0,
                lease: Duration::from_secs(lease?.0 as u64),
                give_up_after: Duration::from_mins(give_up?.0 as u64),
                idle: Duration::from_secs(idle?.0 as u64),
                bigquery_endpoint: bigquery_endpoint?,
                storage_endpoint: storage_endpoint?,
                s3_endpoint: s3_endpoint?.or(any_endpoint?),
                gates: gates?,
                task: task?,
            })
        };
        complete().ok_or_else(|| {
            let variables = vars.invalid().to_string();
            let said = (variables != "environment: ").then_some(variables);
            InvalidConfig(said.into_iter().chain(problems).collect())
        })
    }
}

/// A row of layout objects is one PUT.
fn too_long_for(lease: u64, sync: &Sync) -> Option<String> {
    let (name, bytes) = (&sync.name, sync.max_body_bytes);
    let fits = AttemptLimit::within(Duration::from_secs(lease)).fits(bytes) || sync.layout == Layout::Packed;
    (!fits).then(|| {
        format!(
            "LEASE_SECONDS: a row of sync {name} may have {bytes} bytes (max_body_bytes), and writing it may take longer than \
             a lease of {lease} seconds allows: set {} or more",
            AttemptLimit::lease_for(bytes)
        )
    })
}

/// Started by hand, the process is the only task of an execution of its own.
/// Source: Cloud Run container contract, environment variables of jobs.
fn task(vars: &mut Vars) -> Option<Task> {
    let by_hand = format!("by-hand-{}", uuid::Uuid::new_v4().simple());
    let execution = vars.or("CLOUD_RUN_EXECUTION", by_hand);
    let index = vars.or("CLOUD_RUN_TASK_INDEX", 0);
    let count = vars.or("CLOUD_RUN_TASK_COUNT", 1);
    let attempt = vars.or("CLOUD_RUN_TASK_ATTEMPT", 0);
    Some(Task { execution: execution?, index: index?, count: count?.max(1), attempt: attempt? })
}

#[derive(Debug, Clone, Copy)]
struct Whole<const MIN: usize, const MAX: usize>(usize);

impl<const MIN: usize, const MAX: usize> FromStr for Whole<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|number| (MIN..=MAX).contains(number));
        number.map(Self).ok_or_else(|| format!("{text:?} is not a whole number from {MIN} to {MAX}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("syncs.yaml");
        std::fs::write(&file, "syncs:\n  users: {}\n").unwrap();
        let pairs = [
            ("SYNCS_FILE", file.to_str().unwrap()),
            ("AWS_ROLE_ARN", "isthmus"),
            ("MAX_CONCURRENCY", "2000"),
            ("LEASE_SECONDS", "soon"),
            ("GOOGLE_CLOUD_PROJECT", "Acme"),
            ("AWS_REGION", "ap-northeast-1"),
        ];
        let error = Config::read(Vars::from_pairs(pairs)).unwrap_err().to_string();
        let (variables, file) = error.split_once('\n').unwrap();
        assert_eq!(
            variables,
            "environment: AWS_ROLE_ARN: \"isthmus\" is not the ARN of a role, such as \
             arn:aws:iam::123456789012:role/name; AWS_AUDIENCE is not set; GOOGLE_CLOUD_PROJECT: \"Acme\" is not a \
             project id; BIGQUERY_LOCATION is not set; MAX_CONCURRENCY: \"2000\" is not a whole number from 10 to 1000; \
             LEASE_SECONDS: \"soon\" is not a whole number from 4 to 3600"
        );
        assert!(file.contains("syncs.yaml:2:"), "{file}");
    }

    #[test]
    fn a_lease_in_which_the_largest_row_cannot_be_written_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("syncs.yaml");
        let sync = |name: &str, more: &str| {
            format!("  {name}: {{query: q, key: k, destination: {{bucket: abc, prefix: {name}}}, {more}}}\n")
        };
        let (large, packed) =
            ("layout: objects, max_body_bytes: 104857600", "layout: packed, max_body_bytes: 104857600");
        let list = format!("syncs:\n{}{}{}", sync("a", "layout: objects"), sync("b", large), sync("c", packed));
        std::fs::write(&file, list).unwrap();
        let told = |seconds: &str| {
            let pairs = [
                ("SYNCS_FILE", file.to_str().unwrap()),
                ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/isthmus"),
                ("AWS_AUDIENCE", "isthmus"),
                ("GOOGLE_CLOUD_PROJECT", "acme-prod"),
                ("BIGQUERY_LOCATION", "asia-northeast1"),
                ("AWS_REGION", "ap-northeast-1"),
                ("LEASE_SECONDS", seconds),
            ];
            Config::read(Vars::from_pairs(pairs)).err().map(|invalid| invalid.to_string())
        };
        let refused = told("60").unwrap();
        assert!(refused.starts_with("LEASE_SECONDS: a row of sync b may have 104857600 bytes"), "{refused}");
        assert!(
            refused.ends_with("a lease of 60 seconds allows: set 147 or more") && !refused.contains('\n'),
            "{refused}"
        );
        assert!(told("146").is_some());
        assert_eq!(told("147"), None);
    }

    #[test]
    fn by_hand_there_is_one_task_and_cloud_run_says_which_of_how_many() {
        let mut vars = Vars::from_pairs::<&str, &str>([]);
        let by_hand = task(&mut vars).unwrap();
        assert_eq!((by_hand.index, by_hand.count), (0, 1));
        assert_ne!(by_hand.execution, task(&mut vars).unwrap().execution);
        let pairs =
            [("CLOUD_RUN_EXECUTION", "job-x7k2p"), ("CLOUD_RUN_TASK_INDEX", "2"), ("CLOUD_RUN_TASK_COUNT", "4")];
        let task = task(&mut Vars::from_pairs(pairs)).unwrap();
        assert_eq!((task.execution.as_str(), task.index, task.count, task.attempt), ("job-x7k2p", 2, 4, 0));
    }
}
