use aws_sdk_rds::Client;
use chrono::Utc;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use start_export::config::Config;
use start_export::invocation::invoked_at;
use start_export::{Started, start_export};
use startup::{InvalidVars, LogFormat, Vars};
use tracing::{error, info};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    startup::start_logging(LogFormat::detect());
    let config = match Config::read(Vars::from_env()) {
        Ok(config) => config,
        Err(invalid) => return refuse_every_event(&invalid).await,
    };
    let (version, cluster, bucket) = (env!("CARGO_PKG_VERSION"), &config.cluster, &config.bucket);
    info!(version, ?config, "start-export {version} exports snapshots of cluster {cluster} to {bucket}");
    let rds = Client::new(&startup::aws_config().load().await);
    lambda_runtime::run(service_fn(|event| handle(&rds, &config, event))).await
}

async fn handle(rds: &Client, config: &Config, event: LambdaEvent<Value>) -> Result<Started, Diagnostic> {
    let now = Utc::now();
    let invoked_at = invoked_at(event.context.xray_trace_id.as_deref(), now);
    let answer = start_export(rds, config, event.payload, invoked_at, now).await;
    answer.map_err(|error| told(error.into()))
}

/// A function that ends during its start is started again and again, and its caller sees only that it ended. So it
/// stays, and answers every event with the variables that are wrong.
async fn refuse_every_event(invalid: &InvalidVars) -> Result<(), lambda_runtime::Error> {
    let refusal = Diagnostic { error_type: "InvalidEnvironment".into(), error_message: startup::with_causes(invalid) };
    let refuse = |_: LambdaEvent<Value>| {
        let refusal = told(refusal.clone());
        async move { Err::<Started, _>(refusal) }
    };
    lambda_runtime::run(service_fn(refuse)).await
}

/// Lambda shows an asynchronous caller nothing: the log has to.
fn told(diagnostic: Diagnostic) -> Diagnostic {
    let Diagnostic { error_type, error_message } = &diagnostic;
    error!(error_type, "{error_type}: {error_message}");
    diagnostic
}
