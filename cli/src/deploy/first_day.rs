//! One day by hand: an export of the newest snapshot, its manifest, and the load that the publication starts.

use super::environment::Environment;
use super::script::{Act, Command, Step};

/// Each step is safe to repeat: the export is found instead of started, and what is over is not waited for.
pub fn first_day(environment: &Environment) -> Vec<Step> {
    vec![start(environment), export(environment), manifest(environment), load(environment)]
}

const EVENT: &str = "generated/first-day.event.json";
const ANSWER: &str = "generated/first-day.json";

fn start(environment: &Environment) -> Step {
    let Environment { name, aws_region, .. } = environment;
    let region = format!("--region={aws_region}");
    let bucket =
        format!("aws ssm get-parameter --name=/isthmus/{name}/export-bucket --query=Parameter.Value --output=text");
    let invoke = Command::new(&format!("aws lambda invoke --function-name={name}-start-export"))
        // From a file, as it is: of a text, version 2 of the CLI expects base64 and version 1 does not.
        .with(format!("--payload=fileb://terraform/aws/{EVENT}"))
        .with(&region)
        .with(format!("terraform/aws/{ANSWER}"));
    let help = format!("isthmus deploy {name} comes first");
    let acts = vec![
        Act::Ask { name: "BUCKET", command: Command::new(&bucket).with(region), help },
        Act::Write { file: format!("terraform/aws/{EVENT}"), text: r#"{"kind":"manual"}"#.to_owned() },
        Act::Run(invoke),
    ];
    Step::new("start-export: the newest snapshot", acts)
}

fn export(environment: &Environment) -> Step {
    let describe = |query: &str| {
        let command = Command::new("aws rds describe-export-tasks --export-task-identifier=$TASK --output=text");
        command.with(format!("--query=ExportTasks[0].{query}")).with(format!("--region={}", environment.aws_region))
    };
    let task =
        Command::new("sed -n -E").with(r#"s/.*"task_id":"([^"]+)".*/\1/p"#).with(format!("terraform/aws/{ANSWER}"));
    let acts = vec![
        Act::Ask { name: "TASK", command: task, help: format!("start-export failed, terraform/aws/{ANSWER} says why") },
        Act::Wait {
            command: describe("[Status,PercentProgress]"),
            done: "COMPLETE",
            failed: &["FAILED", "CANCELED"],
            minutes: 600,
            help: "RDS says why in the task's FailureCause; a spot export can be started at once".to_owned(),
        },
    ];
    Step::new("RDS exports it to S3, 30 to 60 minutes", acts)
}

fn manifest(environment: &Environment) -> Step {
    let Environment { name, aws_region, .. } = environment;
    let head = "aws s3api head-object --bucket=$BUCKET --key=$TASK/manifest.json --query=ContentType --output=text";
    let wait = Act::Wait {
        command: Command::new(head).with(format!("--region={aws_region}")),
        // There is an answer: there is a manifest.
        done: "",
        failed: &[],
        minutes: 40,
        help: format!("the log of {name}-publish-export says what keeps it; the poll tries again every 15 minutes"),
    };
    Step::new("publish-export verifies it and writes the manifest, by RDS's event or the poll", vec![wait])
}

fn load(environment: &Environment) -> Step {
    let Environment { name, project, aws_region, google_location, .. } = environment;
    let began = format!(
        "aws rds describe-export-tasks --export-task-identifier=$TASK --query=ExportTasks[0].TaskStartTime --output=text --region={aws_region}"
    );
    let list = Command::new(&format!("gcloud workflows executions list isthmus-{name}-daily"))
        .and(&format!("--location={google_location} --project={project} --sort-by=~startTime --limit=1"))
        .with("--filter=startTime>=\"$BEGAN\"")
        .with("--format=value(state)");
    let acts = vec![
        Act::Ask {
            name: "BEGAN",
            command: Command::new(&began),
            help: "RDS does not know the export any more".to_owned(),
        },
        Act::Wait {
            command: list,
            done: "SUCCEEDED",
            failed: &["FAILED", "CANCELLED"],
            minutes: 600,
            help: format!(
                "gcloud workflows executions list isthmus-{name}-daily shows the error; where none was started, the log of {name}-publish-export says why"
            ),
        },
    ];
    Step::new("Google: load-export proves the rows, dbt builds, bigquery-to-s3 publishes", acts)
}
