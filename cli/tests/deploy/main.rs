//! `isthmus deploy` and `isthmus first-day`, as a user runs them, with every tool played.

#![allow(clippy::unwrap_used)]

mod clone;

use std::fs;
use std::process::Command;

use clone::{Clone, count, done, refused, said};

/// To write it anew: `isthmus deploy stg --print >cli/tests/deploy/stg.sh`, with the values of [`Clone::new`].
#[test]
fn the_commands_are_printed_as_a_script_and_none_is_run() {
    let clone = Clone::new();
    let printed = done(&mut clone.isthmus(&["deploy", "stg", "--print"]));
    assert_eq!(printed, include_str!("stg.sh"));
    let printed = done(&mut clone.isthmus(&["first-day", "stg", "--print"]));
    assert_eq!(printed, include_str!("first-day.sh"));
    assert_eq!(clone.calls(), [] as [String; 0]);
}

#[test]
fn the_printed_script_calls_what_the_command_calls() {
    let (ran, scripted) = (Clone::new(), Clone::new());
    done(&mut ran.isthmus(&["deploy", "stg", "--yes"]));
    fs::write(scripted.folder.path().join("deploy.sh"), include_str!("stg.sh")).unwrap();
    done(scripted.command("bash").arg("deploy.sh"));
    // To know how far the environment is.
    let asks = "terraform -chdir=terraform/gcp output -json";
    let ran: Vec<String> = ran.calls().into_iter().filter(|call| call != asks).collect();
    assert_eq!(ran, scripted.calls());
}

#[test]
fn the_printed_first_day_calls_what_the_command_calls_and_ends_as_it_does() {
    for (variable, value) in
        [("EXPORT", "COMPLETE\t100"), ("EXPORT", "FAILED"), ("DAY", "FAILED"), ("DAY", "CANCELLED")]
    {
        let (ran, scripted) = (Clone::new(), Clone::new());
        let first_day = ["first-day", "stg", "--seconds", "0"];
        let output = ran.isthmus(&first_day).env(variable, value).output().unwrap();
        let script = done(&mut scripted.isthmus(&[&first_day[..], &["--print"]].concat()));
        fs::write(scripted.folder.path().join("first-day.sh"), script).unwrap();
        // Ten seconds: a script that does not see the end would wait for hours.
        let mut bash = scripted.command("timeout");
        let printed = bash.args(["10", "bash", "first-day.sh"]).env(variable, value).output().unwrap();
        assert_eq!(output.status.success(), printed.status.success(), "{variable}={value}: {}", said(&printed));
        assert_eq!(ran.calls(), scripted.calls(), "{variable}={value}");
    }
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
    // The second time asks for the key that the first one made.
    done(&mut real(&["deploy", "stg", "--yes"]));
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
    let changes =
        [" apply", " create", " enable", " update", " submit", " put-", "sam build", "sam deploy", " versions add"];
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
fn what_is_not_committed_is_not_built_under_the_commit_s_name() {
    let clone = Clone::new();
    fs::write(clone.played("made/new-file"), "").unwrap();
    let told = refused(&mut clone.isthmus(&["deploy", "stg", "--yes"]));
    assert!(told.contains("?? jobs/new.rs") && told.contains("commit it"), "{told}");
    assert_eq!(count(&clone.calls(), "gcloud services"), 0);
}

#[test]
fn a_project_that_another_environment_has_is_refused_before_any_call() {
    let clone = Clone::new();
    let entry = |name| format!("{name}: {{project: shop-data, cluster: shop-aurora, emails: [data@shop.test]}}\n");
    fs::write(clone.folder.path().join("config/environments.yaml"), entry("stg") + &entry("prod")).unwrap();
    for arguments in [["deploy", "stg", "--yes"], ["deploy", "stg", "--plan"], ["deploy", "stg", "--print"]] {
        let told = refused(&mut clone.isthmus(&arguments));
        assert!(told.contains("stg.project: shop-data is that of prod too"), "{told}");
    }
    assert_eq!(clone.calls(), [] as [String; 0]);
}

#[test]
fn a_key_that_is_gone_is_told_and_a_new_one_is_made() {
    let clone = Clone::new();
    let planned = || fs::read_to_string(clone.played("made/plan-gcp")).unwrap();
    // Left over from an environment that was torn down. It says nothing about AWS, where nothing is.
    clone.leave_key("AKIADEAD", 7);
    let told = done(&mut clone.isthmus(&["deploy", "stg", "--plan"]));
    assert!(told.contains("AKIADEAD") && told.contains("is gone") && !planned().contains("account_id"), "{told}");
    let told = done(&mut clone.isthmus(&["deploy", "stg", "--yes"]));
    assert!(told.contains("AKIADEAD with version 7") && told.contains("is gone"), "{told}");
    assert!(planned().contains("AKIAPLAYED") && !planned().contains("AKIADEAD"), "{}", planned());
    assert_eq!(count(&clone.calls(), "aws iam create-access-key"), 1);

    // The state's own is the older one, and lives.
    clone.leave_key("AKIADEAD", 7);
    done(&mut clone.isthmus(&["deploy", "stg", "--yes"]));
    assert!(planned().contains("AKIAPLAYED"), "{}", planned());
    assert_eq!(count(&clone.calls(), "aws iam create-access-key"), 0);

    // The other half is gone: Google cannot read this version any more.
    let told = refused(clone.isthmus(&["deploy", "stg", "--plan"]).env("SECRET", "DISABLED"));
    assert!(told.contains("AKIAPLAYED with version 1") && told.contains("makes a new one"), "{told}");

    // Nobody knows: no key is made for that.
    let told = refused(clone.isthmus(&["deploy", "stg", "--yes"]).env("NO_AWS", "1"));
    assert!(told.contains("cannot list the keys of isthmus-stg-transfer: Unable to locate credentials"), "{told}");
    assert_eq!(count(&clone.calls(), "aws iam create-access-key"), 0);
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
