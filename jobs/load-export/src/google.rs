//! The Google clients.

use ::bigquery::client;
use anyhow::Result;
use google_cloud_auth::credentials::Credentials;
use google_cloud_bigquery_datatransfer_v1::client::DataTransferService;
use google_cloud_bigquery_v2::client::{JobService, TableService};

#[derive(Debug)]
pub struct Clients {
    pub transfers: DataTransferService,
    pub jobs: JobService,
    pub tables: TableService,
}

impl Clients {
    /// Endpoints only where a private or regional one is set; credentials are those of the service account.
    pub async fn connect(bigquery: Option<&str>, transfer: Option<&str>, credentials: &Credentials) -> Result<Self> {
        Ok(Self {
            transfers: client!(DataTransferService, transfer, credentials),
            jobs: client!(JobService, bigquery, credentials),
            tables: client!(TableService, bigquery, credentials),
        })
    }
}
