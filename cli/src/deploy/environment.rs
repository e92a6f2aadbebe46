//! `config/environments.yaml`: the values that nothing else follows from.

use std::path::Path;

use yaml::{Entry, Fields, InvalidFile, Node, Problem, either, entries, not, parse, place, text};

const KNOWN: [&str; 10] = [
    "project",
    "cluster",
    "emails",
    "aws_account",
    "aws_region",
    "google_location",
    "export_bucket",
    "app_bucket",
    "extractor_on_google",
    "dbt",
];

/// What no two environments may have in common, and why.
const OWN: [(&[&str], &str); 2] = [
    (&["project"], "accounts, datasets and buckets in a Google project have no environment in their names"),
    (&["export_bucket", "app_bucket"], "a bucket belongs to one environment"),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub name: String,
    pub project: String,
    pub cluster: String,
    pub emails: Vec<String>,
    /// Where it is given, no other account is deployed to.
    pub aws_account: Option<String>,
    pub aws_region: String,
    pub google_location: String,
    /// Where the buckets on AWS have names of the team's own.
    pub export_bucket: Option<String>,
    pub app_bucket: Option<String>,
    /// `extractor.cloud_run` of terraform/gcp is set: its image is one more.
    pub extractor_on_google: bool,
    /// False: no job dbt, and nobody waits for its builds.
    pub dbt: bool,
}

/// What the file holds before anyone has edited it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Samples {
    Refused,
    /// Where commands are only shown.
    Allowed,
}

impl Environment {
    /// `None` where there is no such file, or no such entry in it.
    pub fn find(file: &Path, name: &str) -> Result<Option<Self>, InvalidFile> {
        if !file.exists() {
            return Ok(None);
        }
        let node = parse(&yaml::read(file)?).map_err(|problem| InvalidFile::new(file, vec![problem]))?;
        node.value.get(name).map(|_| Self::read(file, name, Samples::Allowed)).transpose()
    }

    /// Everything that is wrong with it at once. Of the other environments of the file only what they share with it is
    /// looked at.
    pub fn read(file: &Path, name: &str, samples: Samples) -> Result<Self, InvalidFile> {
        let text = yaml::read(file)?;
        let wrong = |problem| InvalidFile::new(file, vec![problem]);
        let node = parse(&text).map_err(wrong)?;
        let mut problems = Vec::new();
        let found = entries("", &node, &mut problems).unwrap_or_default();
        let environment = if let Some(entry) = found.iter().find(|entry| entry.name == name) {
            problems.extend(shared(entry, &found));
            Fields::new(name, entry.at, entry.value, &KNOWN, &mut problems)
                .and_then(|mut fields| fields_of(name, &mut fields, samples))
        } else {
            let names: Vec<&str> = found.iter().map(|entry| entry.name).collect();
            let text = format!("there is no environment {name}, only {}", either(&names));
            problems.push(Problem::at(place(&node), text));
            None
        };
        environment.filter(|_| problems.is_empty()).ok_or_else(|| InvalidFile::new(file, problems))
    }
}

/// What one environment would take from another: told with both names.
fn shared(entry: &Entry<'_>, all: &[Entry<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (settings, why) in OWN {
        let own = settings.iter().filter_map(|setting| Some((setting, entry.value.value.get(setting)?)));
        for (setting, node) in own {
            let has = |other: &&Entry<'_>| {
                let mut theirs = settings.iter().filter_map(|setting| other.value.value.get(setting));
                other.name != entry.name && theirs.any(|theirs| theirs.value.text() == node.value.text())
            };
            for other in all.iter().filter(has) {
                let value = node.value.text().unwrap_or_default();
                let text = format!("{}.{setting}: {value} is that of {} too: {why}", entry.name, other.name);
                problems.push(Problem::at(place(node), text));
            }
        }
    }
    problems
}

/// What an environment needs beside its entry: the team's choices, where its state is, the parameters of SAM.
pub fn incomplete(root: &Path, name: &str) -> Vec<String> {
    let files = ["gcp", "aws"]
        .iter()
        .flat_map(|cloud| ["{}.tfvars", "backend/{}.hcl"].map(|file| format!("terraform/{cloud}/{file}")))
        .map(|file| file.replace("{}", name));
    let missing = files.filter(|file| !root.join(file).is_file());
    let mut problems: Vec<String> =
        missing.map(|file| format!("{file} is missing: copy that of another environment")).collect();
    let table = format!("[{name}.deploy.parameters]");
    if !std::fs::read_to_string(root.join("samconfig.toml")).is_ok_and(|text| text.contains(&table)) {
        problems.push(format!("samconfig.toml has no {table}: copy that of another environment"));
    }
    problems
}

fn fields_of(name: &str, fields: &mut Fields<'_>, samples: Samples) -> Option<Environment> {
    let is_sample = |found: bool| found && samples == Samples::Refused;
    let project = fields.required("project", |node| {
        let project = text(node, "a Google project's id, such as shop-isthmus-stg", is_project)?;
        if is_sample(project.starts_with("acme-")) {
            return Err(format!("{project} is the sample: put the id of your own project there"));
        }
        Ok(project)
    });
    let cluster = fields.required("cluster", |node| {
        let cluster = text(node, "an Aurora cluster's identifier, such as shop-aurora", is_cluster)?;
        if is_sample(["stg-aurora", "prod-aurora"].contains(&cluster.as_str())) {
            return Err(format!("{cluster} is the sample: put the name of your own Aurora cluster there"));
        }
        Ok(cluster)
    });
    let emails = fields.list("emails", |node| {
        let email =
            text(node, "an e-mail address", |email| email.split_once('@').is_some_and(|(_, at)| at.contains('.')))?;
        if is_sample(["example.com", "example.org", "example.net"].iter().any(|end| email.ends_with(end))) {
            return Err(format!("{email} is the sample: put an address there that somebody reads"));
        }
        Ok(email)
    });
    let account = |node: &Node| {
        let digits = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        text(node, "the 12 digits of an AWS account, in quotes", digits).map(Some)
    };
    let aws_account = fields.or("aws_account", None, account);
    let region = |node: &Node| text(node, "a region", |text| !text.is_empty());
    let aws_region = fields.or("aws_region", "ap-northeast-1".to_owned(), region);
    let google_location = fields.or("google_location", "asia-northeast1".to_owned(), region);
    let bucket = |node: &Node| {
        let is_bucket = |text: &str| (3..=63).contains(&text.len()) && !text.contains(['/', ':', '_']);
        text(node, "an S3 bucket's name, without s3://", is_bucket).map(Some)
    };
    let export_bucket = fields.or("export_bucket", None, bucket);
    let app_bucket = fields.or("app_bucket", None, bucket);
    let truth = |node: &Node| match node {
        Node::Bool(truth) => Ok(*truth),
        other => Err(not("true or false", other)),
    };
    let extractor_on_google = fields.or("extractor_on_google", false, truth);
    let dbt = fields.or("dbt", true, truth);
    let emails = emails.and_then(|emails| match emails[..] {
        [] => fields.wrong("emails: missing: nobody would be told of a failure"),
        _ => Some(emails),
    });
    Some(Environment {
        name: name.to_owned(),
        project: project?,
        cluster: cluster?,
        emails: emails?,
        aws_account: aws_account?,
        aws_region: aws_region?,
        google_location: google_location?,
        export_bucket: export_bucket?,
        app_bucket: app_bucket?,
        extractor_on_google: extractor_on_google?,
        dbt: dbt?,
    })
}

/// As Google has it: 6 to 30 lower-case letters, digits and hyphens.
fn is_project(text: &str) -> bool {
    (6..=30).contains(&text.len()) && is_cluster(text) && !text.ends_with('-')
}

fn is_cluster(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
impl Environment {
    pub(super) fn sample() -> Self {
        let text = "prod: {project: shop-prod, cluster: shop-aurora, emails: [data@shop.test]}";
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Self::read(file.path(), "prod", Samples::Refused).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, samples: Samples) -> Result<Environment, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let name = file.path().display().to_string();
        Environment::read(file.path(), "stg", samples).map_err(|error| error.to_string().replace(&name, "e.yaml"))
    }

    #[test]
    fn three_values_are_enough() {
        let found = read("stg: {project: shop-stg, cluster: shop-aurora, emails: [a@shop.test]}", Samples::Refused);
        let found = found.unwrap();
        assert_eq!((found.project.as_str(), found.cluster.as_str()), ("shop-stg", "shop-aurora"));
        assert_eq!((found.aws_region.as_str(), found.google_location.as_str()), ("ap-northeast-1", "asia-northeast1"));
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_only_of_the_environment_asked_for() {
        let text = "stg:\n  project: 123\n  clustr: x\n  emails: [nobody]\n  aws_account: 123456789012\nprod: {}\n";
        let told = read(text, Samples::Refused).unwrap_err();
        for part in [
            "e.yaml:2:12: stg.project: expected a Google project's id",
            "stg.clustr: no such setting",
            "stg.cluster: missing",
            "stg.emails: expected an e-mail address",
            "stg.aws_account: expected the 12 digits",
        ] {
            assert!(told.contains(part), "{part} is not in\n{told}");
        }
        assert!(!told.contains("prod"), "{told}");
    }

    #[test]
    fn samples_are_refused_by_name_unless_commands_are_only_shown() {
        let text = "stg: {project: acme-isthmus-stg, cluster: stg-aurora, emails: [data-alerts@example.com]}";
        let told = read(text, Samples::Refused).unwrap_err();
        for sample in ["acme-isthmus-stg", "stg-aurora", "data-alerts@example.com"] {
            assert!(told.contains(&format!("{sample} is the sample")), "{told}");
        }
        assert!(read(text, Samples::Allowed).is_ok());
    }

    #[test]
    fn an_environment_is_found_where_there_is_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "stg: {project: shop-stg, cluster: a, emails: [a@shop.test], aws_region: eu-west-1}",
        )
        .unwrap();
        let region = |name| Environment::find(file.path(), name).unwrap().map(|found| found.aws_region);
        assert_eq!((region("stg").as_deref(), region("prod")), (Some("eu-west-1"), None));
        assert!(Environment::find(&file.path().join("none"), "stg").unwrap().is_none());
        std::fs::write(file.path(), "stg: {project: shop-stg}").unwrap();
        assert!(Environment::find(file.path(), "stg").is_err(), "half an entry is no entry");
    }

    #[test]
    fn a_project_or_a_bucket_of_another_environment_is_refused_with_both_names() {
        let entry = |name: &str, project: &str, more: &str| {
            format!("{name}: {{project: {project}, cluster: shop-aurora, emails: [a@shop.test]{more}}}\n")
        };
        let told =
            read(&(entry("stg", "shop-data", "") + &entry("prod", "shop-data", "")), Samples::Allowed).unwrap_err();
        assert!(told.contains("e.yaml:1:16: stg.project: shop-data is that of prod too: accounts, datasets"), "{told}");
        // The same account and cluster are no fault: what is made on AWS has the environment in its name, but for buckets
        // whose names the team has given.
        let account = ", aws_account: \"123456789012\"";
        assert!(
            read(&(entry("stg", "shop-stg", account) + &entry("prod", "shop-prod", account)), Samples::Refused).is_ok()
        );
        let stg = entry("stg", "shop-stg", ", app_bucket: shop-data");
        let told =
            read(&(stg + &entry("prod", "shop-prod", ", export_bucket: shop-data")), Samples::Refused).unwrap_err();
        assert!(told.contains("stg.app_bucket: shop-data is that of prod too: a bucket belongs to one"), "{told}");
    }

    #[test]
    fn an_environment_that_is_not_there_and_one_that_nobody_hears_of_are_refused() {
        assert!(read("prod: {}", Samples::Allowed).unwrap_err().contains("no environment stg, only prod"));
        let told = read("stg: {project: shop-stg, cluster: a}", Samples::Allowed).unwrap_err();
        assert!(told.contains("emails: missing"), "{told}");
    }

    #[test]
    fn the_environments_of_this_repository_are_complete() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for name in ["stg", "prod"] {
            Environment::read(&root.join("config/environments.yaml"), name, Samples::Allowed).unwrap();
            assert_eq!(incomplete(&root, name), [] as [String; 0]);
        }
        assert_eq!(incomplete(&root, "dev").len(), 5);
    }
}
