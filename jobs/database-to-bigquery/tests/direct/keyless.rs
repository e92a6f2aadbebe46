//! On ECS: the task's role is all that the program has, and Google gives it the tokens of a service account.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use local::aurora::Engine;
use local::google::{Google, Provider};
use local::job::Job;
use local::sts::Sts;
use serde_json::{Value, json};

use super::stage::{Stage, Story, ended_with};

const AWS_ACCOUNT: &str = "123456789012";
const ROLE: &str = "isthmus-prod-database-to-bigquery";
const POOL: &str = "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus";
const SERVICE_ACCOUNT: &str = "isthmus-database-to-bigquery@acme.iam.gserviceaccount.com";
/// As ECS puts it into the container.
const AUTHORIZATION: &str = "a token of the task";

struct Task {
    sts: Sts,
    role: &'static str,
}

/// The credentials of the task's role, for whoever shows the container's token.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
async fn credentials(State(task): State<Arc<Task>>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    if headers.get("authorization").is_none_or(|shown| shown != AUTHORIZATION) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let session = task.sts.assume(&format!("arn:aws:iam::{AWS_ACCOUNT}:role/{}", task.role), "0a1b2c3d4e5f");
    Ok(Json(json!({
        "RoleArn": format!("arn:aws:iam::{AWS_ACCOUNT}:role/{}", task.role), "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key, "Token": session.session_token,
        "Expiration": (chrono::Utc::now() + chrono::TimeDelta::hours(6)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    })))
}

/// As terraform/gcp makes it.
async fn google(sts: &Sts) -> Result<Google> {
    let provider = Provider {
        audience: format!("{POOL}/providers/aws-account"),
        aws_account: AWS_ACCOUNT.into(),
        attribute_mapping: vec![
            ("google.subject".into(), "assertion.arn.extract('assumed-role/{role_and_session}')".into()),
            ("attribute.aws_role".into(), "assertion.arn.extract('assumed-role/{role}/')".into()),
        ],
        attribute_condition: format!("assertion.account == '{AWS_ACCOUNT}' && attribute.aws_role in ['{ROLE}']"),
    };
    let google = Google::start(provider, &sts.endpoint()).await?;
    google.let_act(SERVICE_ACCOUNT, &format!("principalSet:{POOL}/attribute.aws_role/{ROLE}"));
    Ok(google)
}

/// The job as a task of this role, with no credentials but those that ECS offers.
async fn as_task(story: &Story<'_>, role: &'static str) -> Result<(Job, Google)> {
    let sts = Sts::of_sessions().await?;
    let (google, sts_endpoint) = (google(&sts).await?, sts.endpoint());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("http://{}/v2/credentials", listener.local_addr()?);
    let router = Router::new().route("/v2/credentials", get(credentials)).with_state(Arc::new(Task { sts, role }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", AUTHORIZATION.to_owned()),
        ("AWS_REGION", "ap-northeast-1".to_owned()),
        ("AWS_ENDPOINT_URL_STS", sts_endpoint),
        ("GOOGLE_AUDIENCE", format!("{POOL}/providers/aws-account")),
        ("GOOGLE_SERVICE_ACCOUNT", SERVICE_ACCOUNT.to_owned()),
        ("GOOGLE_STS_ENDPOINT", google.endpoint()),
        ("GOOGLE_IAM_CREDENTIALS_ENDPOINT", google.endpoint()),
    ];
    let job = story.job("t: {}")?.without("GCE_METADATA_HOST");
    Ok((variables.into_iter().fold(job, |job, (name, value)| job.with(name, &value)), google))
}

pub async fn of_an_ecs_task_loads_as_the_service_account_and_has_no_key(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "ecs").await?;
    story.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)").await?;
    let (job, google) = as_task(&story, ROLE).await?;
    ended_with(&job.run(&["--json"]).await?, 0)?;
    ensure!(story.rows("t").await? == 2);
    for request in story.wire.requests() {
        let shown = request.headers.get("authorization").context("a request without a token")?.to_str()?;
        let whose = google.whose(shown.trim_start_matches("Bearer "));
        ensure!(whose.as_deref() == Some(SERVICE_ACCOUNT), "{} {} is of {whose:?}", request.method, request.path);
    }
    Ok(())
}

pub async fn of_another_role_are_refused_and_told_which_it_is(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "ecs_other").await?;
    story.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").await?;
    let (job, _google) = as_task(&story, "isthmus-prod-something-else").await?;
    let finished = job.with("GIVE_UP_MINUTES", "1").run(&["--json"]).await?;
    ended_with(&finished, 1)?;
    ensure!(finished.log.contains("isthmus-prod-something-else"), "{}", finished.log);
    ensure!(!stage.bigquery.table_exists(&story.dataset(), "t").await?);
    Ok(())
}
