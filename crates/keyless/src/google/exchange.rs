//! From an AWS identity to a Google access token, in two calls: Google's STS gives the identity a token of its own, and
//! with that one the service account's is asked for.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sdk_sts::primitives::{DateTime, DateTimeFormat};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::caller_identity::{self, subject_token};
use super::http::{Call, Http};
use super::{AccessToken, GoogleConfig, GoogleError};

/// All that the token of the first call is for.
const IAM_SCOPE: &str = "https://www.googleapis.com/auth/iam";
/// What the token may do, the service account's roles say.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The identity's own token. <https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>
pub(super) async fn federated_token(
    http: &Http,
    config: &GoogleConfig,
    region: &str,
    credentials: &Credentials,
) -> Result<String, GoogleError> {
    let what = format!("exchange the AWS identity for a token of {}", config.audience);
    let signed = subject_token(credentials, region, &config.audience, SystemTime::now());
    let signed = signed.map_err(GoogleError::NoCredentials)?;
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("audience", config.audience.as_str()),
        ("scope", IAM_SCOPE),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token_type", caller_identity::TOKEN_TYPE),
        ("subject_token", &signed),
    ];
    let form = form.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    let call = Call {
        what,
        url: format!("{}/v1/token", config.endpoints.sts),
        bearer: None,
        content_type: "application/x-www-form-urlencoded",
        body: form.join("&"),
    };
    let answer = http.post(&call).await?;
    text(&answer, "access_token").ok_or_else(|| without(&call.what, "access_token"))
}

/// The service account's token.
/// <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken>
pub(super) async fn access_token(
    http: &Http,
    config: &GoogleConfig,
    federated: &str,
) -> Result<AccessToken, GoogleError> {
    let account = &config.service_account;
    let name = utf8_percent_encode(account.as_str(), NON_ALPHANUMERIC);
    let call = Call {
        what: format!("get an access token of {account}"),
        url: format!("{}/v1/projects/-/serviceAccounts/{name}:generateAccessToken", config.endpoints.iam_credentials),
        bearer: Some(federated),
        content_type: "application/json",
        body: json!({"scope": [SCOPE], "lifetime": "3600s"}).to_string(),
    };
    let answer = http.post(&call).await?;
    let token = text(&answer, "accessToken").ok_or_else(|| without(&call.what, "accessToken"))?;
    let expires = text(&answer, "expireTime").and_then(|time| DateTime::from_str(&time, DateTimeFormat::DateTime).ok());
    let expires = expires.and_then(|time| SystemTime::try_from(time).ok());
    Ok(AccessToken { token, expires: expires.ok_or_else(|| without(&call.what, "expireTime"))? })
}

fn text(answer: &Value, field: &str) -> Option<String> {
    answer[field].as_str().map(str::to_owned)
}

fn without(what: &str, field: &str) -> GoogleError {
    GoogleError::Unavailable { what: what.to_owned(), source: format!("the answer has no {field}").into() }
}
