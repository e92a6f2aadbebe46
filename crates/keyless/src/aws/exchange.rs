//! One exchange: a Google identity token for the credentials of an AWS role.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_sdk_sts::error::ProvideErrorMetadata;
use google_cloud_auth::credentials::idtoken::{IDTokenCredentials, mds};
use tokio::time::timeout;

use super::error::Verdict;
use super::{Claims, KeylessConfig, KeylessError, PROVIDER_NAME};

/// The metadata server answers in milliseconds; the client has no time-out of its own.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Exchange {
    config: KeylessConfig,
    sts: aws_sdk_sts::Client,
    google: Option<IDTokenCredentials>,
}

impl Exchange {
    pub(crate) fn new(config: KeylessConfig, unsigned: &SdkConfig) -> Self {
        // Short, so that one refresh has time for several tries; the refresh itself goes on after that.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(5))
            .operation_timeout(Duration::from_secs(12))
            .build();
        let retries = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(100));
        let sts = aws_sdk_sts::config::Builder::from(unsigned).timeout_config(timeouts).retry_config(retries).build();
        Self { config, sts: aws_sdk_sts::Client::from_conf(sts), google: None }
    }

    pub(crate) async fn credentials(&mut self) -> Result<Credentials, KeylessError> {
        match self.try_once().await {
            // The token may have been at its end, or its signing key just rotated: a new one, once.
            Err(KeylessError::BadToken { .. }) => {
                self.google = None;
                self.try_once().await
            }
            answer => answer,
        }
    }

    async fn try_once(&mut self) -> Result<Credentials, KeylessError> {
        let token = identity_token(&mut self.google, &self.config.audience).await?;
        let role_arn = &self.config.role_arn;
        let request = self
            .sts
            .assume_role_with_web_identity()
            .role_arn(role_arn.as_str())
            .role_session_name(self.config.session_name.as_str())
            .duration_seconds(self.config.duration_seconds)
            .web_identity_token(&token);
        let answer = request.send().await.map_err(|error| {
            let (role_arn, claims) = (role_arn.clone(), Claims::of(&token));
            let verdict = Verdict::of(error.code());
            let source = error.into();
            match verdict {
                Verdict::NewToken => KeylessError::BadToken { role_arn, claims, source },
                Verdict::Denied => KeylessError::Denied { role_arn, claims, source },
                Verdict::BadRequest => KeylessError::BadRequest { role_arn, source },
                Verdict::Again => KeylessError::Unavailable { role_arn, source },
            }
        })?;
        answer.credentials.as_ref().and_then(credentials).ok_or_else(|| KeylessError::Unavailable {
            role_arn: role_arn.clone(),
            source: "the answer has no credentials".into(),
        })
    }
}

/// Google's client keeps a token until four minutes before its end; nothing here keeps it longer. After a permanent
/// error its refresh has stopped for good, so a new client is built after every failure.
async fn identity_token(client: &mut Option<IDTokenCredentials>, audience: &str) -> Result<String, KeylessError> {
    let failed = |permanent, source| KeylessError::NoToken { audience: audience.to_owned(), permanent, source };
    let google = match client.take() {
        Some(google) => google,
        None => mds::Builder::new(audience)
            .with_format(mds::Format::Full)
            .build()
            .map_err(|error| failed(true, error.into()))?,
    };
    let token = timeout(TOKEN_TIMEOUT, google.id_token())
        .await
        .map_err(|late| failed(false, late.into()))?
        .map_err(|error| failed(!error.is_transient(), error.into()))?;
    *client = Some(google);
    Ok(token)
}

/// What the identity token of this machine says. For people who look for a fault; the token itself is not shown.
pub async fn token_claims(audience: &str) -> Result<Claims, KeylessError> {
    Ok(Claims::of(&identity_token(&mut None, audience).await?))
}

fn credentials(answer: &aws_sdk_sts::types::Credentials) -> Option<Credentials> {
    Some(Credentials::new(
        answer.access_key_id(),
        answer.secret_access_key(),
        Some(answer.session_token().to_owned()),
        Some(SystemTime::try_from(*answer.expiration()).ok()?),
        PROVIDER_NAME,
    ))
}
