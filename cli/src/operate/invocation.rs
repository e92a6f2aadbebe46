//! What is run by hand: the same programs that the schedules run, by the vendors' own commands. `isthmus status` advises
//! these lines, and the commands below `operate` run them.

use std::fmt;

use serde_json::json;

/// A command line, word by word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation(pub Vec<String>);

impl Invocation {
    fn new<const N: usize>(words: [&str; N]) -> Self {
        Self(words.map(str::to_owned).to_vec())
    }

    fn and<const N: usize>(mut self, words: [&str; N]) -> Self {
        self.0.extend(words.map(str::to_owned));
        self
    }
}

impl Invocation {
    /// Of `aws`: where it would not ask by itself.
    #[must_use]
    pub fn in_region(self, region: Option<&str>) -> Self {
        match region {
            Some(region) => self.and(["--region", region]),
            None => self,
        }
    }
}

/// As it can be pasted into a shell.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
        for (n, word) in self.0.iter().enumerate() {
            let space = if n == 0 { "" } else { " " };
            if !word.is_empty() && word.chars().all(plain) {
                write!(f, "{space}{word}")?;
            } else {
                write!(f, "{space}'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

/// Starts the day's export, or answers that it is there. `/dev/stdout` is where the answer goes.
pub fn start_export(env: &str) -> Invocation {
    invoke(&format!("{env}-start-export"), &json!({"kind": "manual"}))
}

/// Exports these tables, or all of them, out of the live cluster.
pub fn spot(env: &str, tables: &[String]) -> Invocation {
    let mut event = json!({"kind": "manual", "spot": true});
    if !tables.is_empty() {
        event["tables"] = json!(tables);
    }
    invoke(&format!("{env}-start-export"), &event)
}

/// Publishes what has ended, at once instead of at the next quarter of an hour.
pub fn publish(env: &str) -> Invocation {
    invoke(&format!("{env}-publish-export"), &json!({"kind": "poll"}))
}

fn invoke(function: &str, payload: &serde_json::Value) -> Invocation {
    Invocation::new(["aws", "lambda", "invoke", "--function-name", function]).and([
        "--cli-binary-format",
        "raw-in-base64-out",
        "--payload",
        &payload.to_string(),
        "/dev/stdout",
    ])
}

/// The day's workflow: load, build, publish.
pub fn load(env: &str, project: &str, location: &str, argument: &serde_json::Value) -> Invocation {
    Invocation::new(["gcloud", "workflows", "run", &format!("isthmus-{env}-daily")]).and([
        "--location",
        location,
        "--project",
        project,
        "--data",
        &argument.to_string(),
    ])
}

/// One of the Cloud Run jobs with other arguments, to its end.
pub fn job(env: &str, job: &str, project: &str, location: &str, arguments: &str) -> Invocation {
    let execute = ["gcloud", "run", "jobs", "execute", &format!("isthmus-{env}-{job}"), "--region", location];
    let execute = Invocation::new(execute).and(["--project", project]);
    let execute = if arguments.is_empty() { execute } else { execute.and([&format!("--args={arguments}")]) };
    execute.and(["--wait"])
}

/// Why there is no snapshot.
pub fn list_snapshots(cluster: &str) -> Invocation {
    let list = Invocation::new(["aws", "rds", "describe-db-cluster-snapshots", "--db-cluster-identifier", cluster]);
    list.and(["--snapshot-type", "automated"])
}

/// Why an alarm is open.
pub fn alarm(name: &str) -> Invocation {
    Invocation::new(["aws", "cloudwatch", "describe-alarms", "--alarm-names", name])
}

/// Where events are that no function took.
pub fn dead_letters(env: &str) -> Invocation {
    let queue = format!("isthmus-{env}-dead-letters");
    Invocation::new(["aws", "sqs", "get-queue-url", "--queue-name", &queue, "--output", "text"])
}

/// What a Lambda wrote in the last day.
pub fn function_logs(env: &str, function: &str) -> Invocation {
    Invocation::new(["aws", "logs", "tail", &format!("/aws/lambda/{env}-{function}"), "--since", "1d"])
}

/// What a Cloud Run job wrote in the last day, narrowed by `filter`.
pub fn job_logs(env: &str, job: &str, project: &str, filter: &str) -> Invocation {
    let filter = format!("resource.type=\"cloud_run_job\" resource.labels.job_name=\"isthmus-{env}-{job}\"{filter}");
    Invocation::new(["gcloud", "logging", "read", &filter, "--project", project]).and([
        "--freshness",
        "1d",
        "--order",
        "asc",
        "--format",
        "value(timestamp,severity,jsonPayload.message)",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_pasted_into_a_shell_as_it_stands() {
        let line = spot("stg", &["shop.orders".into(), "shop.it's".into()]).to_string();
        assert_eq!(
            line,
            "aws lambda invoke --function-name stg-start-export --cli-binary-format raw-in-base64-out --payload \
             '{\"kind\":\"manual\",\"spot\":true,\"tables\":[\"shop.orders\",\"shop.it'\\''s\"]}' /dev/stdout"
        );
        let printed =
            std::process::Command::new("sh").args(["-c", &line.replacen("aws", "printf '%s\\n'", 1)]).output();
        let printed = String::from_utf8(printed.unwrap().stdout).unwrap();
        assert!(printed.contains("\n{\"kind\":\"manual\",\"spot\":true,\"tables\":[\"shop.orders\",\"shop.it's\"]}\n"));
    }

    #[test]
    fn a_job_is_given_its_arguments_only_where_there_are_some() {
        let line = |arguments| job("prod", "bigquery-to-s3", "acme", "asia-northeast1", arguments).to_string();
        let begin = "gcloud run jobs execute isthmus-prod-bigquery-to-s3 --region asia-northeast1 --project acme";
        assert_eq!(line(""), format!("{begin} --wait"));
        assert_eq!(line("verify,--sync=a"), format!("{begin} --args=verify,--sync=a --wait"));
    }
}
