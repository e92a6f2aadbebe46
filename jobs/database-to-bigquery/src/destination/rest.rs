//! Calls of BigQuery that Google's client for Rust does not have: uploads, and writes with a condition.

use std::time::Duration;

use anyhow::{Context, Result};
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use http::header::HeaderMap;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

const ENDPOINT: &str = "https://bigquery.googleapis.com";
/// A chunk on a slow line.
const ATTEMPT: Duration = Duration::from_mins(2);
const CONNECT: Duration = Duration::from_secs(10);

/// One attempt each: whoever calls decides about another.
#[derive(Debug, Clone)]
pub struct Rest {
    pub client: Client,
    pub endpoint: String,
    credentials: Credentials,
}

impl Rest {
    pub fn new(endpoint: Option<&str>, credentials: &Credentials) -> Result<Self> {
        let client = Client::builder().connect_timeout(CONNECT).timeout(ATTEMPT).build()?;
        let endpoint = endpoint.unwrap_or(ENDPOINT).trim_end_matches('/').to_owned();
        Ok(Self { client, endpoint, credentials: credentials.clone() })
    }

    pub async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let headers = match self.credentials.headers(http::Extensions::new()).await.context("get a token")? {
            CacheableResource::New { data, .. } => data,
            CacheableResource::NotModified => HeaderMap::new(),
        };
        Ok(request.headers(headers).send().await?)
    }
}

/// Google's own words, where the answer has any.
pub fn message(body: &str) -> String {
    let json = serde_json::from_str::<Value>(body).unwrap_or_default();
    json["error"]["message"].as_str().map_or_else(|| body.chars().take(200).collect(), str::to_owned)
}

/// Google's limits are told by 429, and by a 403 of their own.
pub fn is_passing(status: u16, body: &str) -> bool {
    matches!(status, 408 | 429 | 500..)
        || (status == 403 && (body.contains("rateLimitExceeded") || body.contains("quotaExceeded")))
}
