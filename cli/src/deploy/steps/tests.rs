use super::*;

fn environment() -> Environment {
    Environment { export_bucket: Some("shop-exports".to_owned()), ..Environment::sample() }
}

#[test]
fn a_bucket_of_one_s_own_is_told_to_both_roots() {
    let steps = then(&environment(), &Facts::default(), Images::CloudBuild, true);
    let written = steps.iter().flat_map(|step| &step.acts).filter_map(|act| match act {
        Act::Write { file, text } if text.contains("shop-exports") => Some((file.as_str(), text)),
        _ => None,
    });
    let written: Vec<_> = written.collect();
    let files: Vec<_> = written.iter().map(|(file, _)| *file).collect();
    assert_eq!(files, ["terraform/aws/generated/prod.tfvars.json", "terraform/gcp/generated/prod.tfvars.json"]);
    assert!(written.iter().all(|(_, text)| !text.contains("app_bucket")), "names that follow are not told");
}

#[test]
fn an_extractor_on_google_is_one_more_image_and_otherwise_none() {
    let mut environment = environment();
    for by in [Images::CloudBuild, Images::Docker] {
        for (wanted, uses) in [(true, 1), (false, 0)] {
            environment.extractor_on_google = wanted;
            let steps = then(&environment, &Facts::default(), by, true);
            let built = steps.iter().flat_map(|step| &step.acts).filter(|act| match act {
                Act::Unless { checks, run } => {
                    checks[0].0.concat().contains("/database-to-bigquery:$TAG")
                        && run[0].0.concat().contains("jobs/database-to-bigquery/")
                }
                _ => false,
            });
            assert_eq!(built.count(), uses, "{by:?}");
        }
    }
}

#[test]
fn what_images_are_made_of_must_be_committed_new_files_too_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let output = std::process::Command::new(words[0]).args(&words[1..]).current_dir(folder.path()).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    run(&["git", "init", "--quiet"]);
    // As some people have it.
    run(&["git", "config", "status.showUntrackedFiles", "no"]);
    std::fs::write(folder.path().join(".gitignore"), "/target\n").unwrap();
    run(&["git", "add", ".gitignore"]);
    run(&["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "--message", "a"]);
    for (file, found) in [
        ("crates/new/src/lib.rs", "?? crates/new/src/lib.rs\n"),
        ("warehouse/models/new.sql", "?? warehouse/models/new.sql\n"),
        (".gitignore", " M .gitignore\n"),
        ("config/environments.yaml", ""),
        ("terraform/gcp/stg.tfvars", ""),
        ("samconfig.toml", ""),
        ("target/debug/isthmus", ""),
    ] {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "/target\nnew\n").unwrap();
        let command = uncommitted();
        let words: Vec<&str> = command.0.iter().map(String::as_str).collect();
        assert_eq!(run(&words), found, "{file}");
        std::fs::remove_file(&path).unwrap();
        run(&["git", "checkout", "--quiet", "--", "."]);
    }
}

#[test]
fn an_environment_without_dbt_has_no_job_of_that_name() {
    let written = |dbt| {
        let environment = Environment { dbt, ..environment() };
        let Act::Write { text, .. } = google_variables(&environment, true) else { panic!("it is no file") };
        serde_json::from_str::<Value>(&text).unwrap()
    };
    assert_eq!((written(false).get("dbt"), written(true).get("dbt")), (Some(&Value::Null), None));
}

#[test]
fn the_first_day_is_reported_where_the_alarm_looks() {
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).unwrap();
    let (_, alarm) = template.split_once("  NoExportStarted:\n").unwrap();
    let alarm = alarm.split("\n\n").next().unwrap();
    for line in ["Namespace: !Sub isthmus/${Env}", "MetricName: DaysWithExport", "Statistic: Sum", "Threshold: 1"] {
        assert!(alarm.contains(line), "{line} is not in\n{alarm}");
    }
    let environment = environment();
    let Act::Unless { run, .. } = &sam(&environment, true)[0] else { panic!("it is reported each time") };
    let told = run[0].0.join(" ");
    assert!(told.contains("--metric-name DaysWithExport --value 1 --namespace=isthmus/prod"), "{told}");
}
