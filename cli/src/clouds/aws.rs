//! AWS: the SDK for RDS, S3 and STS, which this workspace has, and signed JSON calls for the rest.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::Value;

use super::credentials::Operator;

/// A service that speaks AWS JSON: one address, and the action in a header.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    /// In host names and signatures.
    host: &'static str,
    /// In `AWS_ENDPOINT_URL_…`.
    variable: &'static str,
    target: &'static str,
    version: &'static str,
}

pub const CLOUDWATCH: Api =
    Api { host: "monitoring", variable: "CLOUDWATCH", target: "GraniteServiceVersion20100801", version: "1.0" };
pub const SQS: Api = Api { host: "sqs", variable: "SQS", target: "AmazonSQS", version: "1.0" };
pub const SSM: Api = Api { host: "ssm", variable: "SSM", target: "AmazonSSM", version: "1.1" };

/// Somebody waits for the answer: a service that is down is told within seconds.
const ATTEMPTS: u32 = 3;
const LONGEST_CALL: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
    http: reqwest::Client,
}

impl Aws {
    /// To the region that is given, else to that of variables and profile.
    pub async fn connect(region: Option<String>) -> Result<Self> {
        let timeouts = aws_config::timeout::TimeoutConfig::builder()
            .connect_timeout(super::CONNECT_TIMEOUT)
            .operation_timeout(LONGEST_CALL)
            .build();
        let config = startup::aws_config().timeout_config(timeouts);
        let mut config = config.retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
        if let Some(region) = region {
            config = config.region(aws_config::Region::new(region));
        }
        let config = config.load().await;
        let chain = config.credentials_provider().context("no AWS credentials")?;
        let operator = SharedCredentialsProvider::new(Operator { chain });
        Ok(Self { config: config.into_builder().credentials_provider(operator).build(), http: super::http()? })
    }

    pub fn region(&self) -> Result<&str> {
        let region = self.config.region().map(aws_config::Region::as_ref);
        region.context("no AWS region: set AWS_REGION, or `region` in the profile")
    }

    pub fn rds(&self) -> aws_sdk_rds::Client {
        aws_sdk_rds::Client::new(&self.config)
    }

    /// A custom endpoint has no host names for buckets, so there they stand in the path.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let names = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
        let custom = names.into_iter().any(|name| std::env::var_os(name).is_some());
        let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(custom).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Of S3, for a look at its clock.
    pub fn endpoint(&self) -> Result<String> {
        let names = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
        let custom = names.into_iter().find_map(|name| std::env::var(name).ok());
        Ok(custom.unwrap_or(format!("https://s3.{}.amazonaws.com", self.region()?)))
    }

    pub async fn account(&self) -> Result<String> {
        let caller = aws_sdk_sts::Client::new(&self.config).get_caller_identity().send().await;
        let caller = caller.map_err(|error| anyhow::Error::msg(startup::with_causes(&error)))?;
        caller.account.context("sts:GetCallerIdentity names no account")
    }

    pub async fn call(&self, api: Api, action: &str, body: &Value) -> Result<Value> {
        let region = self.region()?.to_owned();
        let custom = std::env::var(format!("AWS_ENDPOINT_URL_{}", api.variable)).ok();
        let custom = custom.or_else(|| self.config.endpoint_url().map(str::to_owned));
        let url = custom.unwrap_or_else(|| format!("https://{}.{region}.amazonaws.com", api.host));
        let url = format!("{}/", url.trim_end_matches('/'));
        let content_type = format!("application/x-amz-json-{}", api.version);
        let headers = [("content-type", content_type.as_str()), ("x-amz-target", &format!("{}.{action}", api.target))];
        let body = body.to_string();
        let signed = self.signed(api.host, &region, &url, &headers, body.as_bytes()).await?;
        let mut request = self.http.post(&url).body(body);
        for (name, value) in headers.into_iter().chain(signed.iter().map(|(name, value)| (&**name, &**value))) {
            request = request.header(name, value);
        }
        let answer = super::answered(request).await?.context("404 Not Found")?;
        serde_json::from_slice(&answer).context("the answer is no JSON")
    }

    /// What a signature adds to the headers.
    async fn signed(
        &self,
        service: &str,
        region: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Vec<(String, String)>> {
        let provider = self.config.credentials_provider().context("no AWS credentials")?;
        let credentials = provider.provide_credentials().await;
        let credentials = credentials.map_err(|error| anyhow::Error::msg(startup::with_causes(&error)))?;
        let identity = credentials.into();
        let params = v4::SigningParams::builder().identity(&identity).region(region).name(service);
        let params = params.time(SystemTime::now()).settings(SigningSettings::default()).build()?.into();
        let request = SignableRequest::new("POST", url, headers.iter().copied(), SignableBody::Bytes(body))?;
        let (added, _) = sign(request, &params)?.into_parts().0.into_parts();
        Ok(added.iter().map(|header| (header.name().to_owned(), header.value().to_owned())).collect())
    }
}
