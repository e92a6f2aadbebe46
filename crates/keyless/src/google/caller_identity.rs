//! What a program on AWS shows to Google: a signed request that asks AWS "who am I?". Google sends it on, and believes
//! what AWS answers. The signature covers the audience, so the request is of no use anywhere else, and AWS takes it for
//! minutes only. <https://google.aip.dev/auth/4117>

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::Audience;
use super::error::BoxError;

/// `subject_token_type` of the token exchange.
pub(super) const TOKEN_TYPE: &str = "urn:ietf:params:aws:token-type:aws4_request";

/// The request as percent-encoded JSON. It is not sent by us, so it always has the name of AWS's own endpoint.
pub(super) fn subject_token(
    credentials: &Credentials,
    region: &str,
    audience: &Audience,
    now: SystemTime,
) -> Result<String, BoxError> {
    let host = format!("sts.{region}.amazonaws.com");
    let url = format!("https://{host}/?Action=GetCallerIdentity&Version=2011-06-15");
    let ours = [("host", host.as_str()), ("x-goog-cloud-target-resource", audience.as_str())];

    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder().identity(&identity).region(region).name("sts").time(now);
    let params = params.settings(SigningSettings::default()).build()?.into();
    let request = SignableRequest::new("POST", &url, ours.into_iter(), SignableBody::Bytes(b""))?;
    let (added, _) = sign(request, &params)?.into_parts().0.into_parts();

    let added = added.iter().map(|header| (header.name(), header.value()));
    let headers: Vec<_> =
        ours.into_iter().chain(added).map(|(key, value)| json!({"key": key, "value": value})).collect();
    let request = json!({"url": url, "method": "POST", "headers": headers, "body": ""});
    Ok(utf8_percent_encode(&request.to_string(), NON_ALPHANUMERIC).to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use percent_encoding::percent_decode_str;
    use serde_json::Value;

    use super::*;

    const AUDIENCE: &str = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/isthmus/providers/aws-account";

    fn request(credentials: &Credentials) -> (Value, BTreeMap<String, String>) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        let token = subject_token(credentials, "ap-northeast-1", &AUDIENCE.parse().unwrap(), now).unwrap();
        let request: Value = serde_json::from_str(&percent_decode_str(&token).decode_utf8().unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let headers = request["headers"].as_array().unwrap().iter();
        let headers = headers.map(|header| (text(&header["key"]), text(&header["value"]))).collect();
        (request, headers)
    }

    #[test]
    fn the_request_is_the_one_that_google_sends_on() {
        let credentials = Credentials::new("ASIAEXAMPLE", "secret", Some("session-token==".into()), None, "test");
        let (request, headers) = request(&credentials);
        let url = "https://sts.ap-northeast-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
        assert_eq!((&request["url"], &request["method"], &request["body"]), (&json!(url), &json!("POST"), &json!("")));
        let authorization = "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20261118/ap-northeast-1/sts/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-security-token;x-goog-cloud-target-resource, Signature=";
        assert!(headers["authorization"].starts_with(authorization), "{}", headers["authorization"]);
        assert_eq!(headers["x-goog-cloud-target-resource"], AUDIENCE);
        assert_eq!(
            (&*headers["x-amz-date"], &*headers["x-amz-security-token"]),
            ("20261118T110640Z", "session-token==")
        );
        assert_eq!(headers.len(), 5);
    }

    #[test]
    fn long_lived_credentials_have_no_session_token_to_sign() {
        let (_, headers) = request(&Credentials::new("AKIAEXAMPLE", "secret", None, None, "test"));
        assert!(!headers.contains_key("x-amz-security-token"));
        assert!(headers["authorization"].contains("SignedHeaders=host;x-amz-date;x-goog-cloud-target-resource,"));
    }
}
