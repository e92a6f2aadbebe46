//! The password with which ElastiCache lets an IAM identity in: a request `GET http://{cluster}/?Action=connect&User=…`
//! that is signed in its query and never sent, without its scheme.
//! <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html>

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;

/// ElastiCache takes a token for 15 minutes. It is asked only when a connection is made or authenticated again.
pub const LIFETIME: Duration = Duration::from_mins(15);

/// Whom the token lets in, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The name of the replication group or of the serverless cache, in lower case.
    pub cluster: String,
    pub user: String,
    pub region: String,
    pub serverless: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("sign a token for user {user} of cache {cluster}")]
pub struct TokenError {
    user: String,
    cluster: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Login {
    /// Valid for [`LIFETIME`] from `now`, as long as the credentials themselves are valid.
    pub fn token(&self, credentials: Credentials, now: SystemTime) -> Result<String, TokenError> {
        self.signed(credentials, now).map_err(|source| TokenError {
            user: self.user.clone(),
            cluster: self.cluster.clone(),
            source,
        })
    }

    fn signed(
        &self,
        credentials: Credentials,
        now: SystemTime,
    ) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let kind = if self.serverless { "&ResourceType=ServerlessCache" } else { "" };
        let address = format!("{}/?Action=connect{kind}&User={}", self.cluster, self.user);
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(LIFETIME);
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("elasticache")
            .time(now)
            .settings(settings)
            .build()?;
        let url = format!("http://{address}");
        let host = std::iter::once(("host", self.cluster.as_str()));
        let request = SignableRequest::new("GET", &url, host, SignableBody::empty())?;
        let (instructions, _) = sign(request, &params.into())?.into_parts();
        let mut request = http::Request::get(&url).body(())?;
        instructions.apply_to_request_http1x(&mut request);
        let signed = request.uri().to_string();
        Ok(signed.strip_prefix("http://").unwrap_or(&signed).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(token: &str) -> Vec<(&str, &str)> {
        let query = token.split_once("/?").unwrap().1;
        query.split('&').map(|pair| pair.split_once('=').unwrap()).collect()
    }

    #[test]
    fn a_token_has_the_parameters_that_aws_documents() {
        let login = Login {
            cluster: "isthmus-prod".into(),
            user: "lookup".into(),
            region: "ap-northeast-1".into(),
            serverless: false,
        };
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("session/+=".into()), None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_595_410);
        let token = login.token(credentials, now).unwrap();
        assert!(token.starts_with("isthmus-prod/?Action=connect&User=lookup&X-Amz-"), "{token}");
        let parts = parts(&token);
        let of = |name: &str| parts.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        assert_eq!(of("X-Amz-Algorithm"), Some("AWS4-HMAC-SHA256"));
        assert_eq!(of("X-Amz-Expires"), Some("900"));
        assert_eq!(of("X-Amz-SignedHeaders"), Some("host"));
        assert_eq!(of("X-Amz-Date"), Some("20261125T083010Z"));
        let scope = "AKIDEXAMPLE%2F20261125%2Fap-northeast-1%2Felasticache%2Faws4_request";
        assert_eq!(of("X-Amz-Credential"), Some(scope));
        assert_eq!(of("X-Amz-Security-Token"), Some("session%2F%2B%3D"));
        assert_eq!(of("X-Amz-Signature").map(str::len), Some(64));
        assert_eq!(parts.len(), 9, "and nothing else: {token}");
    }
}
