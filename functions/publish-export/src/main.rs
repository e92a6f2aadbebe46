use std::sync::Arc;

use chrono::Utc;
use keyless::google::Google;
use lambda_runtime::{Diagnostic, LambdaEvent, run, service_fn};
use publish_export::{Clients, Error, Settings, handle};
use serde_json::Value;
use startup::{LogFormat, Vars, start_logging};
use tracing::{error, info};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_logging(LogFormat::detect());
    // A Lambda that ends during init shows no reason, so wrong settings are the answer to each event.
    let ready = match Settings::read(Vars::from_env()) {
        Ok(settings) => clients(&settings).await.map(|clients| (settings, clients)).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match &ready {
        Ok((settings, _)) => info!(version = env!("CARGO_PKG_VERSION"), ?settings, "publish-export starts"),
        Err(error) => error!("publish-export cannot work: {error}"),
    }
    let ready = Arc::new(ready);
    run(service_fn(move |event: LambdaEvent<Value>| {
        let ready = Arc::clone(&ready);
        async move {
            let (settings, clients) =
                (*ready).as_ref().map_err(|error| told(Error::InvalidEnvironment(error.clone())))?;
            let answer = handle(&event.payload, clients, settings, Utc::now()).await;
            answer.map_err(told)
        }
    }))
    .await
}

/// Lambda shows an asynchronous caller nothing: the log has to.
fn told(error: Error) -> Diagnostic {
    let diagnostic = Diagnostic::from(error);
    let Diagnostic { error_type, error_message } = &diagnostic;
    error!(error_type, "{error_type}: {error_message}");
    diagnostic
}

async fn clients(settings: &Settings) -> std::io::Result<Clients> {
    let config = startup::aws_config().load().await;
    // An endpoint of one's own has no host name for each bucket.
    let custom = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].iter().any(|name| std::env::var_os(name).is_some());
    let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(custom).build();
    Ok(Clients {
        rds: aws_sdk_rds::Client::new(&config),
        s3: aws_sdk_s3::Client::from_conf(s3),
        sns: aws_sdk_sns::Client::new(&config),
        google: settings.load.as_ref().map(|load| Google::new(load.google.clone(), &config)).transpose()?,
    })
}
