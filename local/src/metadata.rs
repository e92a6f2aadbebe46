//! The GCE metadata server, as a Cloud Run job sees it: identity and access tokens of its service account.
//! <https://cloud.google.com/run/docs/container-contract#metadata-server>

mod issuer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Json;
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use issuer::ISSUER;
pub use issuer::{InvalidToken, Issuer};

use crate::bigquery::PROJECT;
use crate::listen::Listening;

const FLAVOR: &str = "Metadata-Flavor";
const PROJECT_NUMBER: u64 = 123_456_789_012;
const REGION: &str = "asia-northeast1";
/// What Google gives to tokens of both kinds.
const LIFETIME: Duration = Duration::from_hours(1);

#[derive(Debug, Clone)]
pub struct ServiceAccount {
    pub email: String,
    /// Numeric; it is `sub` and `azp` in every token.
    pub unique_id: String,
}

pub struct Metadata {
    listening: Listening,
    server: Arc<Server>,
}

struct Server {
    account: ServiceAccount,
    issuer: Arc<Issuer>,
    lifetime: Mutex<Duration>,
}

impl Metadata {
    pub async fn start(account: ServiceAccount) -> Result<Self> {
        let issuer = Arc::new(Issuer::generate()?);
        let server = Arc::new(Server { account, issuer, lifetime: Mutex::new(LIFETIME) });
        let listening = Listening::start("the metadata server", router(Arc::clone(&server))).await?;
        Ok(Self { listening, server })
    }

    pub fn endpoint(&self) -> String {
        self.listening.endpoint().to_owned()
    }

    /// What `GCE_METADATA_HOST` is set to: host and port, no scheme.
    pub fn host(&self) -> String {
        self.listening.endpoint().trim_start_matches("http://").to_owned()
    }

    /// How long the identity tokens made from now on are good; zero gives expired ones. The real server may hand out a
    /// token that has only minutes left.
    pub fn set_lifetime(&self, lifetime: Duration) {
        *self.server.lifetime() = lifetime;
    }

    /// Who signs the tokens; tests sign strange ones with it.
    pub fn issuer(&self) -> Arc<Issuer> {
        Arc::clone(&self.server.issuer)
    }
}

impl Server {
    fn lifetime(&self) -> MutexGuard<'_, Duration> {
        self.lifetime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The e-mail address stands only in the full format.
    fn identity(&self, audience: &str, full: bool) -> Result<String> {
        let now = Utc::now().timestamp();
        let expires = now.saturating_add_unsigned(self.lifetime().as_secs());
        let id = &self.account.unique_id;
        let mut claims = json!({"iss": ISSUER, "aud": audience, "azp": id, "sub": id, "iat": now, "exp": expires});
        if full {
            claims["email"] = self.account.email.as_str().into();
            claims["email_verified"] = true.into();
        }
        self.issuer.sign(&claims)
    }
}

fn router(server: Arc<Server>) -> Router {
    let accounts = Router::new()
        .route("/identity", get(identity))
        .route("/token", get(token))
        .route("/email", get(|State(server): State<Arc<Server>>| async move { server.account.email.clone() }))
        .route("/scopes", get("https://www.googleapis.com/auth/cloud-platform\n"));
    let metadata = Router::new()
        .route("/", get(""))
        .nest("/computeMetadata/v1/instance/service-accounts/{account}", accounts)
        .route("/computeMetadata/v1/instance/service-accounts/{account}/", get(account))
        .route("/computeMetadata/v1/instance/region", get(format!("projects/{PROJECT_NUMBER}/regions/{REGION}")))
        .route("/computeMetadata/v1/instance/zone", get(format!("projects/{PROJECT_NUMBER}/zones/{REGION}-1")))
        .route("/computeMetadata/v1/instance/id", get("00local"))
        .route("/computeMetadata/v1/project/project-id", get(PROJECT))
        .route("/computeMetadata/v1/project/numeric-project-id", get(PROJECT_NUMBER.to_string()))
        .route("/computeMetadata/v1/universe/universe-domain", get("googleapis.com"))
        .layer(middleware::from_fn(flavor));
    // Google serves the keys elsewhere, to everyone.
    metadata
        .route("/jwks", get(|State(server): State<Arc<Server>>| async move { Json(server.issuer.jwks()) }))
        .with_state(server)
}

/// "When querying metadata, you must provide the header Metadata-Flavor: Google. The server refuses requests that have
/// an X-Forwarded-For header." <https://cloud.google.com/compute/docs/metadata/querying-metadata>
async fn flavor(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let asked = headers.get(FLAVOR).is_some_and(|flavor| flavor == "Google");
    let detecting = request.uri().path() == "/";
    let forwarded = headers.contains_key("X-Forwarded-For");
    let mut response = if (asked || detecting) && !forwarded {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "Missing Metadata-Flavor:Google header.").into_response()
    };
    response.headers_mut().insert(FLAVOR, HeaderValue::from_static("Google"));
    response.headers_mut().insert("Server", HeaderValue::from_static("Metadata Server for Serverless"));
    response
}

#[derive(Deserialize)]
struct IdentityQuery {
    #[serde(default)]
    audience: String,
    #[serde(default)]
    format: String,
}

async fn identity(State(server): State<Arc<Server>>, Query(query): Query<IdentityQuery>) -> Response {
    if query.audience.is_empty() {
        return (StatusCode::BAD_REQUEST, "non-empty audience parameter required").into_response();
    }
    match server.identity(&query.audience, query.format == "full") {
        Ok(token) => token.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}

/// Nothing on the laptop checks access tokens.
async fn token() -> Json<Value> {
    let access_token = format!("ya29.local-{}", uuid::Uuid::new_v4().simple());
    Json(json!({"access_token": access_token, "expires_in": LIFETIME.as_secs() - 1, "token_type": "Bearer"}))
}

/// What Python's google-auth asks for first, with `?recursive=true`.
async fn account(State(server): State<Arc<Server>>) -> Json<Value> {
    let scopes = ["https://www.googleapis.com/auth/cloud-platform"];
    Json(json!({"aliases": ["default"], "email": server.account.email, "scopes": scopes}))
}
