//! `isthmus deploy` and `isthmus first-day`, as a user runs them, with every tool played.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const TOOLS: [&str; 6] = ["terraform", "aws", "gcloud", "sam", "cargo", "git"];

/// A clone with three values edited, and a cloud that is empty.
struct Clone {
    folder: tempfile::TempDir,
}

impl Clone {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for file in
            ["rotate-transfer-key.sh", "gcp/stg.tfvars", "gcp/backend/stg.hcl", "aws/stg.tfvars", "aws/backend/stg.hcl"]
        {
            let to = folder.path().join("terraform").join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(root.join("terraform").join(file), to).unwrap();
        }
        fs::copy(root.join("samconfig.toml"), folder.path().join("samconfig.toml")).unwrap();
        fs::create_dir_all(folder.path().join("config")).unwrap();
        let environments = "stg: {project: shop-isthmus-stg, cluster: shop-aurora, emails: [data@shop.test]}\n";
        fs::write(folder.path().join("config/environments.yaml"), environments).unwrap();
        fs::create_dir_all(folder.path().join("played/made")).unwrap();
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        let played = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/played.sh");
        for tool in TOOLS {
            symlink(&played, folder.path().join("bin").join(tool)).unwrap();
        }
        Self { folder }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display());
        command.current_dir(self.folder.path()).env("PATH", path).env("PLAYED", self.played("")).stdin(Stdio::null());
        command
    }

    fn isthmus(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_isthmus"));
        command.args(arguments);
        command
    }

    fn played(&self, file: &str) -> PathBuf {
        self.folder.path().join("played").join(file)
    }

    fn refuse(&self, call: &str) {
        fs::write(self.played("refused"), call).unwrap();
    }

    fn refuse_nothing(&self) {
        fs::remove_file(self.played("refused")).unwrap();
    }

    /// Since the last time.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.played("calls")).unwrap_or_default();
        let _ = fs::remove_file(self.played("calls"));
        calls.lines().map(str::to_owned).collect()
    }
}

fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{}", said(&output));
    said(&output)
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

fn count(calls: &[String], begin: &str) -> usize {
    calls.iter().filter(|call| call.starts_with(begin)).count()
}

/// To write it anew: `isthmus deploy stg --print >cli/tests/deploy/stg.sh`, with the values of [`Clone::new`].
#[test]
fn the_commands_are_printed_as_a_script_and_none_is_run() {
    let clone = Clone::new();
    let printed = done(&mut clone.isthmus(&["deploy", "stg", "--print"]));
    assert_eq!(printed, include_str!("deploy/stg.sh"));
    let printed = done(&mut clone.isthmus(&["first-day", "stg", "--print"]));
    assert_eq!(printed, include_str!("deploy/first-day.sh"));
    assert_eq!(clone.calls(), [] as [String; 0]);
}

#[test]
fn the_printed_script_calls_what_the_command_calls() {
    let (ran, scripted) = (Clone::new(), Clone::new());
    done(&mut ran.isthmus(&["deploy", "stg", "--yes"]));
    fs::write(scripted.folder.path().join("deploy.sh"), include_str!("deploy/stg.sh")).unwrap();
    done(scripted.command("bash").arg("deploy.sh"));
    // To know how far the environment is.
    let asks = "terraform -chdir=terraform/gcp output -json";
    let ran: Vec<String> = ran.calls().into_iter().filter(|call| call != asks).collect();
    assert_eq!(ran, scripted.calls());
}

#[test]
fn the_vendors_tools_know_every_command_and_option() {
    let is_there =
        |tool: &str| Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there("gcloud") || !is_there("aws") {
        eprintln!("skipped: gcloud and the AWS CLI are not installed");
        return;
    }
    let clone = Clone::new();
    let real = |arguments: &[&str]| {
        let mut command = clone.isthmus(arguments);
        command.env("REAL", std::env::var_os("PATH").unwrap());
        // Nobody's account, and nothing that answers.
        command.env("CLOUDSDK_CONFIG", clone.played("gcloud")).env("CLOUDSDK_CORE_DISABLE_PROMPTS", "1");
        command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_MAX_ATTEMPTS", "1");
        command
            .env("AWS_ACCESS_KEY_ID", "none")
            .env("AWS_SECRET_ACCESS_KEY", "none")
            .env("AWS_REGION", "ap-northeast-1");
        command
    };
    done(&mut real(&["deploy", "stg", "--yes"]));
    done(&mut real(&["first-day", "stg", "--seconds", "0"]));
    let read = fs::read_to_string(clone.played("read")).unwrap();
    let read: Vec<String> = read.lines().map(str::to_owned).collect();
    assert!(count(&read, "gcloud ") > 10 && count(&read, "aws ") > 10, "{read:?}");
    assert_eq!(fs::read_to_string(clone.played("unknown")).unwrap_or_default(), "");
}

#[test]
fn what_stopped_in_the_middle_goes_on_from_there_and_what_is_there_is_not_made_again() {
    let clone = Clone::new();
    let deploy = || clone.isthmus(&["deploy", "stg", "--yes"]);
    for (stop, stopped_at) in [
        ("terraform -chdir=terraform/gcp apply", "Google: accounts"),
        ("terraform -chdir=terraform/aws apply", "AWS: buckets"),
        ("sam deploy", "AWS: the functions"),
        ("gcloud builds submit", "Images"),
        ("gcloud secrets versions add", "The key of Data Transfer"),
    ] {
        clone.refuse(stop);
        let told = refused(&mut deploy());
        assert!(told.contains(&format!("stopped at: {stopped_at}")), "{told}");
        clone.refuse_nothing();
    }
    done(&mut deploy());
    let calls = clone.calls();
    // Until the stack is there: refused once, and done once.
    assert_eq!(count(&calls, "aws cloudwatch put-metric-data"), 2);
    for once in ["gcloud storage buckets create", "aws s3api create-bucket"] {
        assert_eq!(count(&calls, once), 1, "{once}");
    }
    // Refused the first time, done the second: once before AWS is known, once with all.
    assert_eq!(count(&calls, "terraform -chdir=terraform/gcp apply"), 3);

    let told = done(&mut deploy());
    let calls = clone.calls();
    for never in [
        "terraform -chdir=terraform/gcp apply",
        "terraform -chdir=terraform/aws apply",
        "aws iam create",
        "gcloud builds",
        "gcloud storage buckets create",
        "aws cloudwatch",
    ] {
        assert_eq!(count(&calls, never), 0, "{never}");
    }
    assert!(told.contains("nothing to change") && told.contains("isthmus first-day stg"), "{told}");
}

#[test]
fn a_second_deployment_never_plans_google_without_aws() {
    let clone = Clone::new();
    done(&mut clone.isthmus(&["deploy", "stg", "--yes"]));
    clone.calls();
    // Another machine: what was generated is not there.
    fs::remove_dir_all(clone.folder.path().join("terraform/gcp/generated")).unwrap();
    done(&mut clone.isthmus(&["deploy", "stg", "--yes"]));
    let calls = clone.calls();
    assert_eq!(count(&calls, "terraform -chdir=terraform/gcp plan"), 1);
    let planned = fs::read_to_string(clone.played("made/plan-gcp")).unwrap();
    assert!(planned.contains("123456789012") && planned.contains("AKIAPLAYED"), "{planned}");
    assert_eq!(count(&calls, "aws iam create-access-key"), 0);
}

#[test]
fn a_plan_changes_nothing_on_either_cloud() {
    let clone = Clone::new();
    done(&mut clone.isthmus(&["deploy", "stg", "--yes"]));
    clone.calls();
    done(&mut clone.isthmus(&["deploy", "stg", "--plan"]));
    let calls = clone.calls();
    assert_eq!(
        count(&calls, "terraform -chdir=terraform/gcp plan") + count(&calls, "terraform -chdir=terraform/aws plan"),
        2
    );
    let changes = [" apply", " create", " enable", " update", " submit", " put-", "sam build", "sam deploy", "secrets"];
    let changing = calls.iter().find(|call| changes.iter().any(|change| call.contains(change)));
    assert_eq!(changing, None);
}

#[test]
fn everything_that_is_missing_is_told_before_anything_is_made() {
    let clone = Clone::new();
    fs::remove_file(clone.folder.path().join("bin/sam")).unwrap();
    clone.refuse("gcloud auth application-default");
    let told = refused(&mut clone.isthmus(&["deploy", "stg", "--yes"]));
    assert!(
        told.contains("pip install aws-sam-cli") && told.contains("gcloud auth application-default login"),
        "{told}"
    );
    assert_eq!(count(&clone.calls(), "gcloud services"), 0);
}

#[test]
fn another_account_than_the_environment_s_is_refused() {
    let clone = Clone::new();
    done(&mut clone.isthmus(&["deploy", "stg", "--yes"]));
    clone.calls();
    let told = refused(clone.isthmus(&["deploy", "stg", "--yes"]).env("ACCOUNT", "999999999999"));
    assert!(told.contains("signed in to the AWS account 999999999999") && told.contains("use 123456789012"), "{told}");
    assert_eq!(count(&clone.calls(), "aws s3api"), 0);
}

#[test]
fn without_anybody_to_ask_nothing_is_begun() {
    let clone = Clone::new();
    let told = refused(&mut clone.isthmus(&["deploy", "stg"]));
    assert!(told.contains("--yes"), "{told}");
    assert_eq!(clone.calls(), [] as [String; 0]);
}

#[test]
fn what_is_wrong_with_the_files_is_told_at_once() {
    let clone = Clone::new();
    fs::write(clone.folder.path().join("config/environments.yaml"), "stg: {project: acme-isthmus-stg}\n").unwrap();
    fs::remove_file(clone.folder.path().join("terraform/aws/backend/stg.hcl")).unwrap();
    let told = refused(&mut clone.isthmus(&["deploy", "stg", "--yes"]));
    for part in ["acme-isthmus-stg is the sample", "stg.cluster: missing", "terraform/aws/backend/stg.hcl is missing"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_first_day_waits_for_each_part_and_says_how_far_it_is() {
    let clone = Clone::new();
    let told = done(clone.isthmus(&["first-day", "stg", "--seconds", "0"]).env("TZ", "UTC"));
    for part in ["STARTING", "IN_PROGRESS 40", "COMPLETE 100", "application/json", "ACTIVE", "SUCCEEDED"] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    let calls = clone.calls();
    assert!(calls.iter().any(|call| call.contains("--key=stg-20261122/manifest.json")), "{calls:?}");
    assert!(calls.iter().any(|call| call.contains("startTime>=\"2026-11-22T04:00:00Z\"")), "{calls:?}");
}

#[test]
fn a_first_day_that_fails_says_what_to_look_at() {
    let clone = Clone::new();
    let told = refused(clone.isthmus(&["first-day", "stg", "--seconds", "0"]).env("EXPORT", "FAILED"));
    assert!(told.contains("FailureCause") && told.contains("it ended as FAILED"), "{told}");
    let told = refused(clone.isthmus(&["first-day", "stg", "--seconds", "0"]).env("DAY", "FAILED"));
    assert!(told.contains("gcloud workflows executions list isthmus-stg-daily"), "{told}");
}
