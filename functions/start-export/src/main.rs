use std::fmt;

use aws_sdk_rds::Client;
use chrono::Utc;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use start_export::answer::Answer;
use start_export::config::Config;
use start_export::invocation::invoked_at;
use start_export::start_export;
use startup::{InvalidVars, LogFormat, Vars};
use tracing::info;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    startup::start_logging(LogFormat::detect());
    let config = match Config::read(Vars::from_env()) {
        Ok(config) => config,
        Err(invalid) => return refuse_every_event(&invalid).await,
    };
    tell_the_start(&config);
    let rds = Client::new(&startup::aws_config().load().await);
    lambda_runtime::run(service_fn(|event| handle(&rds, &config, event))).await
}

fn tell_the_start(config: &Config) {
    let Config { environment, cluster, export_role_arn, bucket, kms_key_id, zone, hours, max_snapshot_age_hours } =
        config;
    let version = env!("CARGO_PKG_VERSION");
    info!(
        version, %environment, cluster, export_role_arn, bucket, kms_key_id, %zone, %hours, max_snapshot_age_hours,
        "start-export {version} exports snapshots of cluster {cluster} to bucket {bucket}"
    );
}

async fn handle(rds: &Client, config: &Config, event: LambdaEvent<Value>) -> Result<Answer, Failure> {
    let now = Utc::now();
    let invoked_at = invoked_at(event.context.xray_trace_id.as_deref(), now);
    let answer = start_export(rds, config, event.payload, invoked_at, now).await;
    answer.map_err(|error| Failure(error.into()))
}

/// A function that ends during its start is started again and again, and its caller sees only that it ended. So it
/// stays, and answers every event with the variables that are wrong.
async fn refuse_every_event(invalid: &InvalidVars) -> Result<(), lambda_runtime::Error> {
    let refusal = Diagnostic { error_type: "InvalidEnvironment".into(), error_message: startup::with_causes(invalid) };
    let refuse = |_: LambdaEvent<Value>| {
        let failure = Failure(refusal.clone());
        async { Err::<Answer, _>(failure) }
    };
    lambda_runtime::run(service_fn(refuse)).await
}

/// The runtime logs the debug form of what it then reports to Lambda: a sentence, which begins with the word.
struct Failure(Diagnostic);

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.error_type, self.0.error_message)
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}
