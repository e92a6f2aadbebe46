//! The password with which RDS lets an AWS identity in: a request `GET https://{host}:{port}/?Action=connect&DBUser=…` that
//! is signed in its query and never sent, without its scheme.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.Connecting.html>

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::address::Address;

/// RDS takes a token for 15 minutes. It is asked only when a connection is made.
const LIFETIME: Duration = Duration::from_mins(15);

pub async fn token(aws: &SdkConfig, address: &Address) -> Result<String> {
    let region = aws.region().context("there is no AWS region")?.to_string();
    let provider = aws.credentials_provider().context("there are no AWS credentials")?;
    let credentials = provider.provide_credentials().await.context("get the AWS credentials")?;
    signed(address, &region, credentials, SystemTime::now()).map_err(|error| anyhow!(error))
}

fn signed(
    address: &Address,
    region: &str,
    credentials: Credentials,
    now: SystemTime,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let host = format!("{}:{}", address.host, address.port);
    let user = utf8_percent_encode(&address.user, NON_ALPHANUMERIC);
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(LIFETIME);
    let identity = credentials.into();
    let params =
        v4::SigningParams::builder().identity(&identity).region(region).name("rds-db").time(now).settings(settings);
    let url = format!("https://{host}/?Action=connect&DBUser={user}");
    let headers = std::iter::once(("host", host.as_str()));
    let request = SignableRequest::new("GET", &url, headers, SignableBody::empty())?;
    let (instructions, _) = sign(request, &params.build()?.into())?.into_parts();
    let mut request = http::Request::get(&url).body(())?;
    instructions.apply_to_request_http1x(&mut request);
    let signed = request.uri().to_string();
    Ok(signed.strip_prefix("https://").unwrap_or(&signed).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_parameters_that_aws_documents() {
        let address = "mysql://isthmus@reader.cluster-ro-x.ap-northeast-1.rds.amazonaws.com/shop".parse().unwrap();
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("session/+=".into()), None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_595_410);
        let token = signed(&address, "ap-northeast-1", credentials, now).unwrap();
        let (place, query) = token.split_once("/?").unwrap();
        assert_eq!(place, "reader.cluster-ro-x.ap-northeast-1.rds.amazonaws.com:3306");
        let of = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        assert_eq!((of("Action"), of("DBUser")), (Some("connect"), Some("isthmus")));
        assert_eq!((of("X-Amz-Expires"), of("X-Amz-SignedHeaders")), (Some("900"), Some("host")));
        let scope = "AKIDEXAMPLE%2F20261125%2Fap-northeast-1%2Frds-db%2Faws4_request";
        assert_eq!(of("X-Amz-Credential"), Some(scope));
        assert_eq!(of("X-Amz-Signature").map(str::len), Some(64));
    }
}
