//! STS before moto, with the real SDK.

use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_sdk_sts::Client;
use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityOutput as Output;
use chrono::TimeDelta;
use local::metadata::{Metadata, ServiceAccount};
use local::moto::Moto;
use local::sts::{Sts, Trust};
use serde_json::json;

const ROLE: &str = "arn:aws:iam::123456789012:role/load-export";
const AUDIENCE: &str = "isthmus-prod";

struct Cloud {
    metadata: Metadata,
    sts: Sts,
    client: Client,
    _moto: Moto,
    _dir: tempfile::TempDir,
}

impl Cloud {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let moto = Moto::start(dir.path()).await.unwrap();
        let account = ServiceAccount { email: "loader@local".into(), unique_id: "117".into() };
        let metadata = Metadata::start(account).await.unwrap();
        let trust = Trust { role_arn: ROLE.into(), aud: "117".into(), oaud: AUDIENCE.into(), sub: "117".into() };
        let sts = Sts::start(trust, &metadata, &moto).await.unwrap();
        let config = startup::aws_config().region(Region::new("ap-northeast-1")).no_credentials();
        let config = config.endpoint_url(sts.endpoint()).load().await;
        Self { client: Client::new(&config), metadata, sts, _moto: moto, _dir: dir }
    }

    async fn token(&self, audience: &str) -> String {
        let path = "computeMetadata/v1/instance/service-accounts/default/identity";
        let url = format!("{}/{path}?audience={audience}&format=full", self.metadata.endpoint());
        let request = reqwest::Client::new().get(url).header("Metadata-Flavor", "Google");
        request.send().await.unwrap().text().await.unwrap()
    }

    /// The code and the message of a refusal.
    async fn assume(&self, token: &str, seconds: i32) -> Result<Output, (String, String)> {
        let call = self.client.assume_role_with_web_identity().role_arn(ROLE).role_session_name("load-export");
        let answer = call.web_identity_token(token).duration_seconds(seconds).send().await;
        answer.map_err(|error| {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            let error = error.into_service_error();
            (text(error.code()), text(error.message()))
        })
    }
}

fn seconds_left(output: &Output) -> u64 {
    let expiration = SystemTime::try_from(*output.credentials().unwrap().expiration()).unwrap();
    expiration.duration_since(SystemTime::now()).unwrap().as_secs()
}

#[tokio::test]
async fn aws_hands_out_credentials_for_the_trusted_token_and_for_no_other() {
    let cloud = Cloud::start().await;
    let token = cloud.token(AUDIENCE).await;
    let output = cloud.assume(&token, 900).await.unwrap();
    assert!(!output.credentials().unwrap().session_token().is_empty());
    assert!((800..=900).contains(&seconds_left(&output)));

    let denied = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    let other = cloud.token("isthmus-stg").await;
    assert_eq!(cloud.assume(&other, 900).await.unwrap_err(), ("AccessDenied".into(), denied.into()));

    let (code, message) = cloud.assume("ya29.an-access-token", 900).await.unwrap_err();
    assert_eq!(code, "InvalidIdentityToken");
    assert!(message.contains("not a valid JWT"), "{message}");

    let claims = json!({"iss": "https://accounts.google.com", "aud": AUDIENCE, "azp": "117", "sub": "117", "exp": 1});
    let expired = cloud.metadata.issuer().sign(&claims).unwrap();
    let (code, message) = cloud.assume(&expired, 900).await.unwrap_err();
    assert_eq!(code, "ExpiredTokenException");
    assert!(message.starts_with("Token expired: current date/time "), "{message}");

    for seconds in [899, 43_201, 7200] {
        assert_eq!(cloud.assume(&token, seconds).await.unwrap_err().0, "ValidationError", "{seconds}");
    }
    cloud.sts.set_max_session(Duration::from_hours(12));
    assert!(seconds_left(&cloud.assume(&token, 7200).await.unwrap()) > 7000);

    cloud.sts.set_lifetime(Duration::from_secs(5));
    assert!(seconds_left(&cloud.assume(&token, 900).await.unwrap()) <= 5);
}

#[tokio::test]
async fn whose_a_signature_is_aws_says_only_where_it_is_right() {
    let cloud = Cloud::start().await;
    let output = cloud.assume(&cloud.token(AUDIENCE).await, 900).await.unwrap();
    let made = output.credentials().unwrap();
    let (key, secret, token) = (made.access_key_id(), made.secret_access_key(), made.session_token());
    let arn = async |key: &str, secret: &str, token: &str| {
        let credentials = Credentials::new(key, secret, Some(token.into()), None, "test");
        let config = startup::aws_config().region(Region::new("ap-northeast-1")).credentials_provider(credentials);
        let client = Client::new(&config.endpoint_url(cloud.sts.endpoint()).load().await);
        let answer = client.get_caller_identity().send().await;
        answer.map(|answer| answer.arn.unwrap()).map_err(|error| error.code().unwrap().to_owned())
    };
    let session = "arn:aws:sts::123456789012:assumed-role/load-export/load-export".to_owned();
    assert_eq!(arn(key, secret, token).await, Ok(session));
    assert_eq!(arn(key, "another", token).await, Err("SignatureDoesNotMatch".into()));
    assert_eq!(arn(key, secret, "another").await, Err("InvalidClientTokenId".into()));
    assert_eq!(arn("ASIAUNKNOWN", secret, token).await, Err("InvalidClientTokenId".into()));

    // What a Lambda has, and what is left of it after its time.
    let role = "arn:aws:iam::123456789012:role/isthmus-prod-publish-export";
    let lambda = cloud.sts.assume(role, "prod-publish-export");
    let (key, secret, token) = (&lambda.access_key_id, &lambda.secret_access_key, &lambda.session_token);
    let session = "arn:aws:sts::123456789012:assumed-role/isthmus-prod-publish-export/prod-publish-export".to_owned();
    assert_eq!(arn(key, secret, token).await, Ok(session));
    let gone = cloud.sts.assume_for(role, "prod-publish-export", TimeDelta::seconds(-1));
    let expired = arn(&gone.access_key_id, &gone.secret_access_key, &gone.session_token).await;
    assert_eq!(expired, Err("ExpiredToken".into()));
}

#[tokio::test]
async fn every_other_call_goes_to_moto_as_it_came() {
    let cloud = Cloud::start().await;
    let form = [("Action", "GetSessionToken"), ("Version", "2011-06-15")];
    let form = form.map(|(name, value)| format!("{name}={value}")).join("&");
    let request = reqwest::Client::new().post(cloud.sts.endpoint()).body(form);
    let signed = "AWS4-HMAC-SHA256 Credential=local/20261122/ap-northeast-1/sts/aws4_request, SignedHeaders=host, \
                  Signature=0";
    let request = request.header("Authorization", signed).header("Content-Type", "application/x-www-form-urlencoded");
    let answer = request.send().await.unwrap().text().await.unwrap();
    assert!(answer.contains("GetSessionTokenResult"), "{answer}");
}
