//! Google access tokens for a program that runs on AWS, without any Google key: the program's AWS role is its identity,
//! which a workload identity pool lets act as one service account.
//!
//! Why not google-cloud-auth's own AWS source: it knows environment keys and EC2's metadata, and neither ECS's nor any
//! other container credentials; and its builder for sources of one's own calls `iamcredentials.googleapis.com` and
//! nothing else. Here the credentials are whatever aws-config finds, and both endpoints can be private ones.
//!
//! ```no_run
//! # async fn sample() -> Result<(), Box<dyn std::error::Error>> {
//! use keyless::google::{Endpoints, Google, GoogleConfig};
//! let config = GoogleConfig {
//!     audience: "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus/providers/aws-account"
//!         .parse()?,
//!     service_account: "start-load@acme-prod.iam.gserviceaccount.com".parse()?,
//!     endpoints: Endpoints::default(),
//! };
//! let google = Google::new(config, &startup::aws_config().load().await)?;
//! let token = google.token().await?;
//! # Ok(()) }
//! ```

mod caller_identity;
#[cfg(feature = "google-clients")]
mod clients;
mod error;
mod exchange;
mod http;
mod names;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use serde_json::Value;
use tokio::sync::Mutex;

pub use error::GoogleError;
pub use names::{Audience, InvalidAudience, InvalidServiceAccount, ServiceAccount};

use self::http::{Call, Http};

/// A token that is nearer to its end is not handed out any more.
const LEAD: Duration = Duration::from_mins(5);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleConfig {
    pub audience: Audience,
    /// Whose tokens these are.
    pub service_account: ServiceAccount,
    pub endpoints: Endpoints,
}

/// Where Google's two services are: other than by default for a network that reaches Google's APIs by Private Service
/// Connect only. Without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    pub sts: String,
    pub iam_credentials: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            sts: "https://sts.googleapis.com".into(),
            iam_credentials: "https://iamcredentials.googleapis.com".into(),
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    pub token: String,
    pub expires: SystemTime,
}

/// Calls to Google in the name of a service account. Clones share their token.
#[derive(Clone)]
pub struct Google(Arc<Inner>);

struct Inner {
    config: GoogleConfig,
    aws: SdkConfig,
    http: Http,
    token: Mutex<Option<AccessToken>>,
}

impl Google {
    /// `aws` has the region and the credentials of the role: those of a Lambda, of an ECS task, of whatever aws-config
    /// finds.
    pub fn new(config: GoogleConfig, aws: &SdkConfig) -> io::Result<Self> {
        let (aws, http, token) = (aws.clone(), Http::new()?, Mutex::default());
        Ok(Self(Arc::new(Inner { config, aws, http, token })))
    }

    /// A token that is good for five minutes at least. All who wait share one exchange.
    pub async fn token(&self) -> Result<AccessToken, GoogleError> {
        let mut kept = self.0.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| SystemTime::now() + LEAD < token.expires) {
            return Ok(token.clone());
        }
        let token = self.new_token().await?;
        *kept = Some(token.clone());
        Ok(token)
    }

    /// POSTs to one of Google's APIs, up to three times: for calls that may be repeated. `what` names it in errors.
    pub async fn post(&self, what: String, url: String, body: &Value) -> Result<Value, GoogleError> {
        let token = self.token().await?;
        let (bearer, body) = (Some(token.token.as_str()), body.to_string());
        self.0.http.post(&Call { what, url, bearer, content_type: "application/json", body }).await
    }

    async fn new_token(&self) -> Result<AccessToken, GoogleError> {
        let Inner { config, http, .. } = &*self.0;
        let (region, credentials) = self.credentials().await?;
        let federated = match exchange::federated_token(http, config, &region, &credentials).await {
            Ok(token) => token,
            Err(error) => return Err(self.explained(error, Caller::must_be_let_in).await),
        };
        match exchange::access_token(http, config, &federated).await {
            Ok(token) => Ok(token),
            Err(error) => Err(self.explained(error, Caller::must_be_let_act).await),
        }
    }

    async fn credentials(&self) -> Result<(String, Credentials), GoogleError> {
        let missing = |what: &str| GoogleError::NoCredentials(format!("there is no {what}").into());
        let region = self.0.aws.region().ok_or_else(|| missing("region"))?.to_string();
        let provider = self.0.aws.credentials_provider().ok_or_else(|| missing("provider of credentials"))?;
        let credentials = provider.provide_credentials().await;
        Ok((region, credentials.map_err(|error| GoogleError::NoCredentials(error.into()))?))
    }

    /// Beside what Google refuses stands who we are, as AWS says: that is what Google saw.
    async fn explained(&self, error: GoogleError, advice: fn(&Caller, &GoogleConfig) -> String) -> GoogleError {
        if !error.is_permanent() {
            return error;
        }
        let answer = aws_sdk_sts::Client::new(&self.0.aws).get_caller_identity().send().await;
        let advice = match answer.map(|answer| answer.arn.unwrap_or_default()) {
            Ok(arn) => advice(&Caller { arn }, &self.0.config),
            Err(_) => "and AWS does not say who we are".to_owned(),
        };
        error.with_advice(|_| advice)
    }
}

/// `arn:aws:sts::123456789012:assumed-role/isthmus-prod-publish-export/session`
struct Caller {
    arn: String,
}

impl Caller {
    fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }

    /// Empty for a user: only roles are let in.
    fn role(&self) -> &str {
        let role = self.arn.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next());
        role.unwrap_or_default()
    }

    fn must_be_let_in(&self, _: &GoogleConfig) -> String {
        let (arn, account, role) = (&self.arn, self.account(), self.role());
        format!(
            "AWS says that we are {arn}: the provider must be of account {account:?}, and its condition let in role {role:?}"
        )
    }

    fn must_be_let_act(&self, config: &GoogleConfig) -> String {
        let (principals, account) = (config.audience.principals_of(self.role()), &config.service_account);
        format!("AWS says that we are {}: {account} must give roles/iam.workloadIdentityUser to {principals}", self.arn)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Google").field(&self.0.config).finish()
    }
}
