//! The Google clients.

use ::bigquery::{ATTEMPT_TIMEOUT, RETRY_FOR, Transient, backoff};
use anyhow::{Context, Result};
use google_cloud_auth::credentials::Credentials;
use google_cloud_bigquery_datatransfer_v1::client::DataTransferService;
use google_cloud_bigquery_v2::client::{JobService, TableService};
use google_cloud_gax::retry_policy::RetryPolicyExt;

#[derive(Debug)]
pub struct Clients {
    pub transfers: DataTransferService,
    pub jobs: JobService,
    pub tables: TableService,
}

impl Clients {
    /// Endpoints only where a private or regional one is set; credentials are those of the service account.
    pub async fn connect(bigquery: Option<&str>, transfer: Option<&str>, credentials: &Credentials) -> Result<Self> {
        macro_rules! client {
            ($client:ty, $endpoint:expr) => {{
                let builder = <$client>::builder()
                    .with_credentials(credentials.clone())
                    .with_retry_policy(Transient.with_time_limit(RETRY_FOR))
                    .with_backoff_policy(backoff()?)
                    .with_attempt_timeout(ATTEMPT_TIMEOUT);
                let builder = match $endpoint {
                    Some(endpoint) => builder.with_endpoint(endpoint),
                    None => builder,
                };
                builder.build().await.context(concat!("build the client ", stringify!($client)))?
            }};
        }
        Ok(Self {
            transfers: client!(DataTransferService, transfer),
            jobs: client!(JobService, bigquery),
            tables: client!(TableService, bigquery),
        })
    }
}
