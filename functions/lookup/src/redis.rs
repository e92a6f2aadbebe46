//! How this program gets into Redis: with the URL alone, or with tokens that its AWS credentials sign.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use futures_util::{Stream, stream};
use reader::{BasicAuth, Credentials, RedisSettings, StreamingCredentialsProvider};
use redis::{ErrorKind, RedisError, RedisResult};

use crate::settings::{Auth, RedisPlace};
use crate::token::Login;

/// ElastiCache closes a connection 12 hours after its last AUTH: a dozen failed tries lose nothing.
/// <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html#auth-iam-limits>
const AGAIN_AFTER: Duration = Duration::from_hours(1);
const AGAIN_AFTER_FAILURE: Duration = Duration::from_mins(1);

/// The error says which part of the AWS configuration is missing.
pub fn settings(place: &RedisPlace, aws: &SdkConfig) -> Result<RedisSettings, &'static str> {
    let settings = RedisSettings::new(place.url.as_str());
    let Auth::Iam { user, cluster, serverless } = &place.auth else { return Ok(settings) };
    let region = aws.region().ok_or("REDIS_AUTH=iam needs AWS_REGION")?.to_string();
    let credentials = aws.credentials_provider().ok_or("REDIS_AUTH=iam needs AWS credentials")?;
    let login = Login { cluster: cluster.to_ascii_lowercase(), user: user.clone(), region, serverless: *serverless };
    let tokens = Tokens { login, credentials, again_after: AGAIN_AFTER };
    Ok(RedisSettings { credentials: Credentials::Provider(Arc::new(tokens)), ..settings })
}

/// A token is signed when it is used, so it is never older than a moment: its 15 minutes do not matter.
#[derive(Clone)]
pub struct Tokens {
    pub login: Login,
    pub credentials: SharedCredentialsProvider,
    /// How long a connection is left in peace.
    pub again_after: Duration,
}

impl Tokens {
    async fn fresh(&self) -> RedisResult<BasicAuth> {
        let refused = |told| RedisError::from((ErrorKind::AuthenticationFailed, "no token for ElastiCache", told));
        let credentials = self.credentials.provide_credentials().await;
        let credentials = credentials.map_err(|error| refused(startup::with_causes(&error)))?;
        let token = self.login.token(credentials, SystemTime::now());
        let token = token.map_err(|error| refused(startup::with_causes(&error)))?;
        Ok(BasicAuth::new(self.login.user.clone(), token))
    }
}

impl StreamingCredentialsProvider for Tokens {
    /// One token at once, for the connection that is being made; then one each hour, with which it is authenticated again.
    fn subscribe(&self) -> Pin<Box<dyn Stream<Item = RedisResult<BasicAuth>> + Send + 'static>> {
        Box::pin(stream::unfold((self.clone(), Duration::ZERO), async |(tokens, pause)| {
            tokio::time::sleep(pause).await;
            let token = tokens.fresh().await;
            let pause = if token.is_ok() { tokens.again_after } else { AGAIN_AFTER_FAILURE.min(tokens.again_after) };
            Some((token, (tokens, pause)))
        }))
    }
}
