//! AWS credentials for a program that runs on Google Cloud, without any AWS key: the service account's identity token
//! is exchanged at AWS STS for the credentials of a role. See `docs/spec/keyless.md`.
//!
//! Why not the SDK's own web identity provider: it reads the token only from a file, and its identity cache drops
//! credentials that are still valid before it asks for new ones, so that one failed call to STS fails every request
//! in flight. [`Keyless`] refreshes in the background, well before expiry, and keeps the last good credentials for as
//! long as they are valid.
//!
//! ```no_run
//! # async fn sample() -> Result<(), Box<dyn std::error::Error>> {
//! use keyless::aws::{Keyless, KeylessConfig};
//! let unsigned = startup::aws_config().region("ap-northeast-1").no_credentials().load().await;
//! let config = KeylessConfig {
//!     role_arn: "arn:aws:iam::123456789012:role/isthmus-prod-google".parse()?,
//!     audience: "isthmus-prod".into(),
//!     session_name: "load-export".parse()?,
//!     duration_seconds: keyless::aws::DURATION_SECONDS,
//! };
//! let keyless = Keyless::start(config, &unsigned);
//! let aws = keyless.sdk_config(&unsigned);
//! # Ok(()) }
//! ```

mod claims;
mod error;
mod exchange;
mod refresh;
mod role;
mod schedule;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

pub use claims::Claims;
pub use error::KeylessError;
pub use exchange::token_claims;
pub use role::{InvalidRoleArn, InvalidSessionName, RoleArn, SessionName};

use exchange::Exchange;
use refresh::Shared;

/// What a role gives unless it is set otherwise. STS takes 900 to 43,200, capped by the role's maximum.
/// Source: AWS STS API reference, `AssumeRoleWithWebIdentity`, `DurationSeconds`.
pub const DURATION_SECONDS: i32 = 3600;

/// How long a request waits for credentials when there are none. It stays below the 60 seconds that
/// [`startup::aws_config`] gives a whole call, so that the reason is told and not only "timed out".
const PATIENCE: Duration = Duration::from_secs(30);

/// The name that SDK logs show as the source of the credentials.
pub(crate) const PROVIDER_NAME: &str = "Keyless";

#[derive(Debug, Clone)]
pub struct KeylessConfig {
    pub role_arn: RoleArn,
    /// What the role's trust policy pins as `accounts.google.com:oaud`; one for each environment.
    pub audience: String,
    /// Stands in `CloudTrail` beside every call.
    pub session_name: SessionName,
    pub duration_seconds: i32,
}

/// A provider of credentials that refreshes itself. Clones share one refresh; it stops when the last one is dropped.
#[derive(Clone)]
pub struct Keyless(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    refresh: JoinHandle<()>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.refresh.abort();
    }
}

impl Keyless {
    /// Begins at once to get credentials in the background; the first request waits for them. `unsigned` gives the
    /// region, the HTTP client and the endpoint of STS.
    pub fn start(config: KeylessConfig, unsigned: &SdkConfig) -> Self {
        let shared = Arc::new(Shared::default());
        let exchange = Exchange::new(config, unsigned);
        let refresh = tokio::spawn(refresh::keep_fresh(exchange, Arc::clone(&shared)));
        Self(Arc::new(Handle { shared, refresh }))
    }

    /// `unsigned` with these credentials. The SDK's identity cache is off: it would drop good credentials early.
    pub fn sdk_config(&self, unsigned: &SdkConfig) -> SdkConfig {
        let provider = SharedCredentialsProvider::new(self.clone());
        unsigned.to_builder().credentials_provider(provider).identity_cache(IdentityCache::no_cache()).build()
    }

    /// Credentials that are valid now. Waits for them when there are none, but not longer than half a minute.
    pub async fn credentials(&self) -> Result<Credentials, Arc<KeylessError>> {
        let mut state = self.0.shared.state.subscribe();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = state.borrow_and_update().clone();
            if let Some(credentials) = seen.usable(SystemTime::now()) {
                return Ok(credentials);
            }
            if let Some(failure) = seen.failure.as_ref().filter(|failure| failure.is_permanent()) {
                return Err(Arc::clone(failure));
            }
            self.0.shared.wake.notify_one();
            if timeout_at(deadline, state.changed()).await.is_err() {
                return Err(seen.failure.unwrap_or_else(|| Arc::new(KeylessError::Waited(PATIENCE))));
            }
        }
    }

    /// To be called when AWS answers `ExpiredToken` to a request that was signed with this key: the credentials are
    /// dropped, if they are still the current ones, and new ones are fetched. The request can then be repeated.
    pub fn reject(&self, access_key_id: &str) {
        self.0.shared.reject(access_key_id);
    }
}

impl ProvideCredentials for Keyless {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.credentials().await.map_err(|failure| CredentialsError::provider_error(error::Shared(failure)))
        })
    }
}

impl fmt::Debug for Keyless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyless")
    }
}
