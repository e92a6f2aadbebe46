//! STS as AWS has it: moto hands out credentials without a look at the token, and answers `GetCallerIdentity` without a
//! look at the signature, so this stands before it and looks. Everything else goes to moto as it came.

mod callers;
mod signature;
mod trust;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chrono::{TimeDelta, Utc};

pub use callers::SessionCredentials;
pub use trust::Trust;

use callers::Callers;
use signature::Request;
use trust::{Asked, decide};

use crate::listen::Listening;
use crate::metadata::{Issuer, Metadata};
use crate::moto::Moto;

/// IAM's default for a role. <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
const MAX_SESSION: Duration = Duration::from_hours(1);

pub struct Sts {
    listening: Listening,
    server: Arc<Server>,
}

struct Server {
    callers: Callers,
    google: Option<FromGoogle>,
    settings: Mutex<Settings>,
}

/// Roles for those who have a Google identity, and moto, which makes their credentials.
struct FromGoogle {
    roles: Mutex<Vec<Trust>>,
    issuer: Arc<Issuer>,
    moto: String,
    client: reqwest::Client,
}

#[derive(Clone, Copy)]
struct Settings {
    max_session: Duration,
    lifetime: Option<Duration>,
}

impl Sts {
    /// `trust` is the first role there is; the tokens are those of `metadata`.
    pub async fn start(trust: Trust, metadata: &Metadata, moto: &Moto) -> Result<Self> {
        let (roles, issuer, client) = (Mutex::new(vec![trust]), metadata.issuer(), reqwest::Client::new());
        Self::listen(Some(FromGoogle { roles, issuer, moto: moto.endpoint(), client })).await
    }

    /// Knows the sessions that `assume` makes, and nothing else.
    pub async fn of_sessions() -> Result<Self> {
        Self::listen(None).await
    }

    async fn listen(google: Option<FromGoogle>) -> Result<Self> {
        let settings = Mutex::new(Settings { max_session: MAX_SESSION, lifetime: None });
        let server = Arc::new(Server { callers: Callers::default(), google, settings });
        let listening = Listening::start("STS", Router::new().fallback(answer).with_state(Arc::clone(&server))).await?;
        Ok(Self { listening, server })
    }

    /// One role more, which trusts as this says.
    pub fn add_role(&self, trust: Trust) {
        if let Some(google) = &self.server.google {
            google.roles.lock().unwrap_or_else(PoisonError::into_inner).push(trust);
        }
    }

    /// What AWS itself gives to a Lambda or an ECS task that runs with this role.
    pub fn assume(&self, role_arn: &str, session: &str) -> SessionCredentials {
        self.assume_for(role_arn, session, TimeDelta::hours(1))
    }

    /// As `assume`, with a life of its own; credentials that have expired have a negative one.
    pub fn assume_for(&self, role_arn: &str, session: &str, lifetime: TimeDelta) -> SessionCredentials {
        self.server.callers.assume(role_arn, session, lifetime)
    }

    /// The secret of each access key that was made here, while it lives.
    pub(crate) fn secrets(&self) -> impl Fn(&str) -> Option<String> + Send + 'static {
        let server = Arc::clone(&self.server);
        move |access_key| server.callers.secret_of(access_key, Utc::now())
    }

    pub fn endpoint(&self) -> String {
        self.listening.endpoint().to_owned()
    }

    /// The role's `MaxSessionDuration`; an hour where not set.
    pub fn set_max_session(&self, max_session: Duration) {
        self.server.set(|settings| settings.max_session = max_session);
    }

    /// Credentials made from now on expire after `lifetime`, whatever was asked: tests see a refresh without an hour's
    /// wait.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.server.set(|settings| settings.lifetime = Some(lifetime));
    }
}

impl Server {
    fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn settings(&self) -> Settings {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromGoogle {
    async fn pass(&self, method: Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Result<Answer> {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = self.client.request(method, format!("{}{path}", self.moto)).headers(headers).body(body);
        let answer = request.send().await?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        headers.remove("transfer-encoding");
        Ok((status, headers, answer.bytes().await?))
    }
}

type Answer = (StatusCode, HeaderMap, Bytes);

async fn answer(
    State(server): State<Arc<Server>>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    mut body: Bytes,
) -> Response {
    let asked = asked(&uri, &body);
    if asked.action == "GetCallerIdentity" {
        return caller_identity(&server, &method, &uri, &headers, &body);
    }
    let Some(google) = &server.google else {
        return (StatusCode::NOT_IMPLEMENTED, format!("{} has no stand-in here", asked.action)).into_response();
    };
    let with_web_identity = asked.action == "AssumeRoleWithWebIdentity";
    if with_web_identity {
        let settings = server.settings();
        let max_session = u32::try_from(settings.max_session.as_secs()).unwrap_or(u32::MAX);
        let roles = google.roles.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match decide(&asked, &roles, max_session, &google.issuer, Utc::now()) {
            Err(refused) => return error(refused.status(), refused.code(), &refused.to_string()),
            Ok(_) if settings.lifetime.is_none() => {}
            Ok(seconds) => {
                let seconds = settings.lifetime.map_or(u64::from(seconds), |lifetime| lifetime.as_secs());
                body = with_duration(&body, seconds);
                headers.remove("content-length");
            }
        }
    }
    match google.pass(method, &uri, headers, body).await {
        Ok((status, headers, body)) => {
            if with_web_identity && status.is_success() {
                server.callers.learn(&String::from_utf8_lossy(&body), &asked.role_arn, &asked.role_session_name);
            }
            (status, headers, body).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, format!("pass to moto: {error:#}")).into_response(),
    }
}

fn caller_identity(server: &Server, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let request = Request { method: method.as_str(), path, query, headers, body };
    match server.callers.who_signed(&request, Utc::now()) {
        Ok(arn) => ([("content-type", "text/xml")], callers::answer(&arn)).into_response(),
        Err(refused) => error(StatusCode::FORBIDDEN, refused.code(), &refused.to_string()),
    }
}

/// A GET carries its parameters in the query, a POST in the body.
fn asked(uri: &Uri, body: &[u8]) -> Asked {
    let in_body: Asked = axum::extract::Query::try_from_uri(&query_uri(body)).map(|query| query.0).unwrap_or_default();
    if !in_body.action.is_empty() {
        return in_body;
    }
    axum::extract::Query::try_from_uri(uri).map(|query| query.0).unwrap_or_default()
}

fn query_uri(form: &[u8]) -> Uri {
    format!("/?{}", String::from_utf8_lossy(form)).parse().unwrap_or_default()
}

/// moto takes any duration.
fn with_duration(form: &[u8], seconds: u64) -> Bytes {
    let form = String::from_utf8_lossy(form);
    let others = form.split('&').filter(|pair| !pair.starts_with("DurationSeconds="));
    let mut pairs: Vec<&str> = others.collect();
    let duration = format!("DurationSeconds={seconds}");
    pairs.push(&duration);
    Bytes::from(pairs.join("&"))
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
        uuid::Uuid::new_v4()
    );
    (status, [("content-type", "text/xml")], body).into_response()
}
