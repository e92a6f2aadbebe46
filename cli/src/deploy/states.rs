//! Where Terraform's states are: a bucket on each cloud, and a path in it for each environment (`backend/{env}.hcl`).

use super::environment::Environment;
use super::script::{Act, Command};

/// The bucket, and what is in it of this environment.
pub(super) fn google_state(environment: &Environment) -> Vec<Act> {
    let Environment { project, google_location, .. } = environment;
    let bucket = format!("gs://{project}-isthmus-state");
    let make = format!("gcloud storage buckets create {bucket} --project={project} --location={google_location}");
    vec![
        Act::Unless {
            checks: vec![Command::new(&format!("gcloud storage buckets describe {bucket}"))],
            run: vec![Command::new(&make).and("--uniform-bucket-level-access --public-access-prevention")],
        },
        Act::Run(Command::new(&format!("gcloud storage buckets update {bucket} --versioning"))),
        Act::Run(init(environment, "gcp", &format!("{project}-isthmus-state"))),
    ]
}

pub(super) fn aws_state(environment: &Environment) -> Vec<Act> {
    let Environment { name, aws_region, .. } = environment;
    let bucket = format!("isthmus-{name}-state-$AWS_ACCOUNT");
    let s3 = |call: &str| Command::new(&format!("aws s3api {call} --bucket={bucket} --region={aws_region}"));
    // us-east-1 is the one region that must not be named.
    let place = match aws_region.as_str() {
        "us-east-1" => String::new(),
        region => format!("--create-bucket-configuration=LocationConstraint={region}"),
    };
    vec![
        Act::Unless { checks: vec![s3("head-bucket")], run: vec![s3("create-bucket").and(&place)] },
        Act::Run(s3("put-bucket-versioning").and("--versioning-configuration=Status=Enabled")),
        Act::Run(init(environment, "aws", &bucket).with(format!("-backend-config=region={aws_region}"))),
    ]
}

fn init(environment: &Environment, root: &str, bucket: &str) -> Command {
    let command = Command::new(&format!("terraform -chdir=terraform/{root} init -reconfigure -input=false"));
    command
        .with(format!("-backend-config=backend/{}.hcl", environment.name))
        .with(format!("-backend-config=bucket={bucket}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_region_of_aws_is_not_named_and_every_other_is() {
        let made = |region: &str| {
            let environment = Environment { aws_region: region.to_owned(), ..Environment::sample() };
            let Act::Unless { run, .. } = &aws_state(&environment)[0] else { panic!("made each time") };
            run[0].0.join(" ")
        };
        assert!(!made("us-east-1").contains("LocationConstraint"));
        assert!(made("eu-west-1").ends_with("LocationConstraint=eu-west-1"));
    }
}
