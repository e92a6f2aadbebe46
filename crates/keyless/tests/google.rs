//! AWS → Google against the laptop cloud: Google's STS sends the signed request on to our STS, which checks it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use google_cloud_auth::credentials::{CacheableResource, external_account};
use keyless::google::{Endpoints, Google, GoogleConfig, GoogleError};
use local::google::{Google as Apis, Provider};
use local::sts::Sts;
use local::wire::{Effect, Recorded, Wire};
use serde_json::{Value, json};

const AUDIENCE: &str =
    "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus/providers/aws-account";
const ROLE: &str = "arn:aws:iam::123456789012:role/isthmus-prod-publish-export";
const ACCOUNT: &str = "isthmus-start-load@acme.iam.gserviceaccount.com";
const PRINCIPALS: &str = "principalSet://iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus\
                          /attribute.aws_role/isthmus-prod-publish-export";
const WORKFLOW: &str = "projects/acme/locations/asia-northeast1/workflows/isthmus-prod-daily";

struct Cloud {
    sts: Sts,
    apis: Apis,
    wire: Wire,
}

impl Cloud {
    async fn start() -> Self {
        let sts = Sts::of_sessions().await.unwrap();
        let provider = Provider {
            audience: AUDIENCE.into(),
            aws_account: "123456789012".into(),
            attribute_mapping: vec![
                ("google.subject".into(), "assertion.arn.extract('assumed-role/{role_and_session}')".into()),
                ("attribute.aws_role".into(), "assertion.arn.extract('assumed-role/{role}/')".into()),
            ],
            attribute_condition: "attribute.aws_role == 'isthmus-prod-publish-export'".into(),
        };
        let apis = Apis::start(provider, &sts.endpoint()).await.unwrap();
        apis.let_act(ACCOUNT, PRINCIPALS);
        apis.permit(ACCOUNT, "workflows.executions.create");
        apis.deploy(WORKFLOW, Arc::new(|_| Box::pin(async { Ok(Value::Null) })));
        let wire = Wire::start(&apis.endpoint()).await.unwrap();
        Self { sts, apis, wire }
    }

    /// What a Lambda with this role finds.
    async fn aws(&self, role: &str) -> SdkConfig {
        let session = self.sts.assume(role, "prod-publish-export");
        let (id, secret, token) = (session.access_key_id, session.secret_access_key, session.session_token);
        let credentials = Credentials::new(id, secret, Some(token), None, "test");
        let config = startup::aws_config().region(Region::new("ap-northeast-1")).credentials_provider(credentials);
        config.endpoint_url(self.sts.endpoint()).load().await
    }

    async fn google(&self, role: &str, account: &str) -> Google {
        let endpoints = Endpoints { sts: self.wire.endpoint(), iam_credentials: self.wire.endpoint() };
        let (audience, service_account) = (AUDIENCE.parse().unwrap(), account.parse().unwrap());
        Google::new(GoogleConfig { audience, service_account, endpoints }, &self.aws(role).await).unwrap()
    }

    async fn start_execution(&self, google: &Google) -> Result<Value, GoogleError> {
        let url = format!("{}/v1/{WORKFLOW}/executions", self.wire.endpoint());
        google.post(format!("start {WORKFLOW}"), url, &json!({"argument": "{}"})).await
    }

    fn passed(&self, matches: impl Fn(&Recorded) -> bool) -> usize {
        self.wire.requests().iter().filter(|request| matches(request)).count()
    }
}

fn exchange(request: &Recorded) -> bool {
    request.path == "/v1/token"
}

fn generate(request: &Recorded) -> bool {
    request.path.ends_with("generateAccessToken")
}

#[tokio::test]
async fn a_role_becomes_a_service_account_and_all_who_wait_share_one_exchange() {
    let cloud = Cloud::start().await;
    let google = cloud.google(ROLE, ACCOUNT).await;
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let google = google.clone();
            tokio::spawn(async move { google.token().await.unwrap().token })
        })
        .collect();
    let mut tokens = Vec::new();
    for token in waiting {
        tokens.push(token.await.unwrap());
    }
    tokens.dedup();
    assert_eq!((tokens.len(), cloud.passed(exchange), cloud.passed(generate)), (1, 1, 1));
    let execution = cloud.start_execution(&google).await.unwrap();
    assert!(execution["name"].as_str().unwrap().starts_with(WORKFLOW));
    assert!(!format!("{google:?} {:?}", google.token().await).contains("ya29"), "tokens are not shown");
}

#[tokio::test]
async fn googles_own_client_libraries_take_the_token() {
    let cloud = Cloud::start().await;
    let google = cloud.google(ROLE, ACCOUNT).await;
    let headers = google.credentials_of_clients().headers(http::Extensions::new()).await.unwrap();
    let CacheableResource::New { data, .. } = headers else { panic!("new headers") };
    assert_eq!(data["authorization"].to_str().unwrap(), format!("Bearer {}", google.token().await.unwrap().token));
}

#[tokio::test]
async fn a_role_that_the_condition_does_not_name_is_told_who_aws_says_it_is() {
    let cloud = Cloud::start().await;
    let error = cloud.google(&ROLE.replace("prod", "stg"), ACCOUNT).await.token().await.unwrap_err();
    assert!(error.is_permanent());
    assert_eq!(
        error.to_string(),
        format!(
            "exchange the AWS identity for a token of {AUDIENCE}: refused with 400: unauthorized_client: The given \
             credential is rejected by the attribute condition.; AWS says that we are arn:aws:sts::123456789012:\
             assumed-role/isthmus-stg-publish-export/prod-publish-export: the provider must be of account \
             \"123456789012\", and its condition let in role \"isthmus-stg-publish-export\""
        )
    );
    assert_eq!(cloud.passed(exchange), 1, "a refusal is not asked for again");
}

#[tokio::test]
async fn an_account_that_lends_us_nothing_is_told_with_the_binding_that_it_needs() {
    let cloud = Cloud::start().await;
    let error = cloud.google(ROLE, "others@acme.iam.gserviceaccount.com").await.token().await.unwrap_err();
    assert!(error.is_permanent());
    let text = error.to_string();
    assert!(
        text.starts_with("get an access token of others@acme.iam.gserviceaccount.com: refused with 403: "),
        "{text}"
    );
    let binding =
        format!("others@acme.iam.gserviceaccount.com must give roles/iam.workloadIdentityUser to {PRINCIPALS}");
    assert!(text.ends_with(&binding), "{text}");
}

#[tokio::test]
async fn what_passes_is_asked_again_three_times_at_most() {
    let cloud = Cloud::start().await;
    cloud.wire.fault(1, Effect::Refuse(503, "busy".into()), exchange);
    cloud.wire.fault(1, Effect::Reset, exchange);
    cloud.wire.fault(1, Effect::LoseAnswer, generate);
    cloud.google(ROLE, ACCOUNT).await.token().await.unwrap();
    assert_eq!((cloud.passed(exchange), cloud.passed(generate)), (3, 2));

    cloud.wire.forget();
    cloud.wire.fault(9, Effect::Refuse(503, "busy".into()), exchange);
    let error = cloud.google(ROLE, ACCOUNT).await.token().await.unwrap_err();
    assert!(!error.is_permanent());
    assert_eq!(startup::with_causes(&error), format!("exchange the AWS identity for a token of {AUDIENCE}: 503: busy"));
    assert_eq!(cloud.passed(exchange), 3);
}

#[tokio::test]
async fn a_token_that_nobody_takes_any_more_is_a_refusal() {
    let cloud = Cloud::start().await;
    let google = cloud.google(ROLE, ACCOUNT).await;
    google.token().await.unwrap();
    cloud.apis.forget_tokens();
    let error = cloud.start_execution(&google).await.unwrap_err().with_advice(|status| format!("it was {status}"));
    let expected =
        format!("start {WORKFLOW}: refused with 401: Request had invalid authentication credentials.; it was 401");
    assert_eq!(error.to_string(), expected);
}

/// What our token and the one of Google's library hold, which must be signed in the same second to be equal.
#[tokio::test]
async fn our_token_is_the_one_that_googles_own_library_signs() {
    let cloud = Cloud::start().await;
    let session = cloud.sts.assume(ROLE, "prod-publish-export");
    let (id, secret, token) = (session.access_key_id, session.secret_access_key, session.session_token);
    #[allow(unsafe_code)]
    // SAFETY: no other test of this program reads these variables: each gives its credentials itself.
    unsafe {
        std::env::set_var("AWS_REGION", "ap-northeast-1");
        std::env::set_var("AWS_ACCESS_KEY_ID", &id);
        std::env::set_var("AWS_SECRET_ACCESS_KEY", &secret);
        std::env::set_var("AWS_SESSION_TOKEN", &token);
    }
    let google = format!("{}/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken", cloud.wire.endpoint());
    let library = json!({"type": "external_account", "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
        "token_url": format!("{}/v1/token", cloud.wire.endpoint()), "service_account_impersonation_url": google,
        "credential_source": {"environment_id": "aws1",
            "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"}});
    let aws = startup::aws_config().region(Region::new("ap-northeast-1")).load().await;
    for _ in 0..10 {
        cloud.wire.forget();
        let endpoints = Endpoints { sts: cloud.wire.endpoint(), iam_credentials: cloud.wire.endpoint() };
        let (audience, service_account) = (AUDIENCE.parse().unwrap(), ACCOUNT.parse().unwrap());
        Google::new(GoogleConfig { audience, service_account, endpoints }, &aws).unwrap().token().await.unwrap();
        let library = external_account::Builder::new(library.clone()).build().unwrap();
        library.headers(http::Extensions::new()).await.unwrap();
        let shown: Vec<_> = cloud.wire.requests().iter().filter(|request| exchange(request)).map(shown).collect();
        let [ours, theirs] = &shown[..] else { panic!("{} exchanges", shown.len()) };
        if ours.1["x-amz-date"] == theirs.1["x-amz-date"] {
            assert_eq!(ours, theirs);
            return;
        }
    }
    panic!("ten times in two different seconds");
}

/// The fields of the form, with the token taken apart: URL, method and body, and the headers whatever their order.
fn shown(request: &Recorded) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let decoded = |text: &str| percent_decoded(&text.replace('+', " "));
    let pairs = request.body_text();
    let pairs = pairs.split('&').filter_map(|pair| pair.split_once('='));
    let mut form: BTreeMap<String, String> = pairs.map(|(name, value)| (decoded(name), decoded(value))).collect();
    let token: Value = serde_json::from_str(&decoded(&form.remove("subject_token").unwrap())).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for field in ["url", "method", "body"] {
        form.insert(format!("token's {field}"), text(&token[field]));
    }
    let headers = token["headers"].as_array().unwrap().iter();
    let headers = headers.map(|header| (text(&header["key"]).to_lowercase(), text(&header["value"])));
    (form, headers.collect())
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}
