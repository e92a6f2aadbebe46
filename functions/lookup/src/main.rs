use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use clap::{Parser, Subcommand};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use lookup::envelope::{Envelope, MAX_ANSWER_BYTES};
use lookup::settings::Settings;
use lookup::{Due, Lookup, OPENAPI, function, redis, server};
use reader::{Reader, RedisCache};
use serde_json::Value;
use startup::{LogFormat, Vars};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::OnceCell;
use tracing::{error, info, warn};

/// The first requests shall find Redis, but a Redis that is away shall not keep anyone from starting.
const REDIS_WITHIN: Duration = Duration::from_millis(300);

const AFTER_HELP: &str = "\
Environment, required:
  ENV, SYNCS (user-profiles=s3://acme-app/user-profiles,item-prices=s3://acme-app/item-prices)
Environment, with defaults:
  REDIS_URL (without it every miss goes to S3), REDIS_AUTH (none; iam needs REDIS_USER, REDIS_CLUSTER_NAME and perhaps
  REDIS_SERVERLESS), POLL_SECONDS (10), MEMORY_MB (32), HOST (0.0.0.0), PORT (8080), AWS_REGION, AWS_ENDPOINT_URL,
  AWS_ENDPOINT_URL_S3
Where AWS_LAMBDA_RUNTIME_API is set it is a Lambda behind a function URL, elsewhere a server.
Exit codes:
  0 stopped by a signal   1 it cannot work   2 configuration or usage";

/// Serves rows of published syncs over HTTP: from memory, Redis or S3, always of one generation.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the OpenAPI document
    Openapi,
}

fn main() -> ExitCode {
    let is_lambda = std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some();
    // Lambda gives no arguments that are meant for us.
    if !is_lambda && matches!(Arguments::parse().command, Some(Command::Openapi)) {
        print!("{OPENAPI}");
        return ExitCode::SUCCESS;
    }
    startup::start_logging(LogFormat::detect());
    let settings = Settings::read(Vars::from_env());
    let done = if is_lambda {
        run(tokio::runtime::Builder::new_current_thread(), be_a_function(settings.map_err(|error| error.to_string())))
    } else {
        match settings {
            Ok(settings) => run(tokio::runtime::Builder::new_multi_thread(), be_a_server(settings)),
            Err(invalid) => {
                error!("{invalid}");
                return ExitCode::from(2);
            }
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            error!("{}", startup::with_causes(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(mut runtime: tokio::runtime::Builder, program: impl Future<Output = Result<()>>) -> Result<()> {
    runtime.enable_all().build().context("start the runtime")?.block_on(program)
}

async fn be_a_server(settings: Settings) -> Result<()> {
    let stop = stop_on_signal().context("listen for signals")?;
    let lookup = Box::pin(open(&settings, Envelope::Http)).await?; // boxed, or the compiler's layout queries are too deep
    let address = (settings.host, settings.port);
    let listener = TcpListener::bind(address).await.with_context(|| format!("listen on {address:?}"))?;
    let address = listener.local_addr()?;
    info!(version = env!("CARGO_PKG_VERSION"), %address, ?settings, "lookup listens on {address}");
    server::serve(lookup, listener, stop).await;
    Ok(())
}

/// Without a handler, a program that is process 1 of its container would ignore SIGTERM.
fn stop_on_signal() -> std::io::Result<impl Future<Output = ()>> {
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
    })
}

/// A function that ends during its start shows its caller no reason, so it stays, and each event meets what is wrong.
async fn be_a_function(settings: Result<Settings, String>) -> Result<()> {
    match &settings {
        Ok(settings) => info!(version = env!("CARGO_PKG_VERSION"), ?settings, "lookup starts"),
        Err(invalid) => error!("lookup cannot work: {invalid}"),
    }
    let ready = Arc::new((settings, OnceCell::new()));
    if let (Ok(settings), cell) = &*ready {
        // The start has more processor than the calls have; what fails here is tried again by the first call.
        if let Err(failure) = cell.get_or_try_init(|| Box::pin(open(settings, Envelope::FunctionUrl))).await {
            error!("{}", startup::with_causes(failure.as_ref()));
        }
    }
    let handle = service_fn(move |event: LambdaEvent<Value>| {
        let ready = Arc::clone(&ready);
        async move {
            let (settings, cell) = &*ready;
            let settings = settings.as_ref().map_err(|invalid| refuse("InvalidEnvironment", invalid))?;
            let lookup = cell.get_or_try_init(|| Box::pin(open(settings, Envelope::FunctionUrl))).await;
            let lookup = lookup.map_err(|failure| refuse("CannotStart", &startup::with_causes(failure.as_ref())))?;
            lookup.wake().await;
            let reply = Box::pin(function::reply(lookup, event.payload)).await;
            server::print(lookup.metrics(Due::InTime));
            reply.map_err(|error| refuse("InvalidEvent", &startup::with_causes(&error)))
        }
    });
    lambda_runtime::run(handle).await.map_err(|error| anyhow::anyhow!(error))
}

fn refuse(word: &str, told: &str) -> Diagnostic {
    error!(error_type = word, "{word}: {told}");
    Diagnostic { error_type: word.to_owned(), error_message: told.to_owned() }
}

async fn open(settings: &Settings, envelope: Envelope) -> Result<Arc<Lookup>> {
    let aws = startup::aws_config().load().await;
    let redis = settings.redis.as_ref().map(|place| redis::settings(place, &aws)).transpose();
    let redis = redis.map_err(anyhow::Error::msg)?.map(RedisCache::connect).transpose()?;
    if let Some(redis) = &redis
        && !redis.answers_within(REDIS_WITHIN).await
    {
        warn!("Redis does not answer yet: rows come from S3 until it does");
    }
    // An endpoint of one's own has no host name for each bucket.
    let custom = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].iter().any(|name| std::env::var_os(name).is_some());
    // Somebody waits: short tries, and several of them within the reader's own limit of a request.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(500))
        .operation_attempt_timeout(Duration::from_secs(1))
        .build();
    let retries = RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(50));
    let s3 = aws_sdk_s3::config::Builder::from(&aws)
        .force_path_style(custom)
        .timeout_config(timeouts)
        .retry_config(retries)
        .build();
    let memory_bytes = u64::from(settings.memory_mb.get()) * 1024 * 1024;
    let reading = reader::Settings {
        poll: Duration::from_secs(settings.poll_seconds.get().into()),
        memory_bytes,
        // Small shards stand there whole, and one brings the neighbours of its row along.
        index_bytes: memory_bytes + memory_bytes / 2,
        batch_bytes: MAX_ANSWER_BYTES as u64,
        ..reader::Settings::default()
    };
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    let reader = Reader::open(s3, redis, settings.syncs.0.clone(), reading).await?;
    Ok(Lookup::new(reader, settings, envelope))
}
