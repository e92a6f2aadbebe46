//! Google's side of a program on AWS, held to what Google documents: requests are signed here with the SDK's signer, and
//! checked by an STS that has a verifier of its own.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use chrono::TimeDelta;
use local::google::{Google, Provider};
use local::sts::{SessionCredentials, Sts};
use serde_json::{Value, json};

const AUDIENCE: &str =
    "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus/providers/aws-account";
const POOL: &str = "principalSet://iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus";
const ROLE: &str = "arn:aws:iam::123456789012:role/isthmus-prod-publish-export";
const ACCOUNT: &str = "isthmus-start-load@acme.iam.gserviceaccount.com";
const WORKFLOW: &str = "projects/acme/locations/asia-northeast1/workflows/isthmus-prod-daily";

/// As terraform/gcp writes it.
fn provider() -> Provider {
    Provider {
        audience: AUDIENCE.into(),
        aws_account: "123456789012".into(),
        attribute_mapping: vec![
            ("google.subject".into(), "assertion.arn.extract('assumed-role/{role_and_session}')".into()),
            ("attribute.aws_role".into(), "assertion.arn.extract('assumed-role/{role}/')".into()),
        ],
        attribute_condition:
            "assertion.account == '123456789012' && attribute.aws_role in ['isthmus-prod-publish-export']".into(),
    }
}

struct Cloud {
    sts: Sts,
    google: Google,
}

/// A request to AWS, as it is signed; each test spoils one thing.
struct Shown {
    credentials: SessionCredentials,
    time: SystemTime,
    host: String,
    audience: String,
    signs_audience: bool,
    action: &'static str,
}

impl Shown {
    fn by(credentials: SessionCredentials) -> Self {
        let (host, audience) = ("sts.ap-northeast-1.amazonaws.com".into(), AUDIENCE.into());
        let (time, action) = (SystemTime::now(), "GetCallerIdentity");
        Self { credentials, time, host, audience, signs_audience: true, action }
    }

    fn token(&self) -> String {
        let SessionCredentials { access_key_id, secret_access_key, session_token } = self.credentials.clone();
        let identity = Credentials::new(access_key_id, secret_access_key, Some(session_token), None, "test").into();
        let url = format!("https://{}/?Action={}&Version=2011-06-15", self.host, self.action);
        let params =
            v4::SigningParams::builder().identity(&identity).region("ap-northeast-1").name("sts").time(self.time);
        let params = params.settings(SigningSettings::default()).build().unwrap().into();
        let target = ("x-goog-cloud-target-resource", self.audience.as_str());
        let signed = [("host", self.host.as_str()), target];
        let signed = &signed[..if self.signs_audience { 2 } else { 1 }];
        let request = SignableRequest::new("POST", &url, signed.iter().copied(), SignableBody::Bytes(b"")).unwrap();
        let (added, _) = sign(request, &params).unwrap().into_parts().0.into_parts();
        let added = added.iter().map(|header| (header.name().to_owned(), header.value().to_owned()));
        let ours = [("host".to_owned(), self.host.clone()), (target.0.to_owned(), target.1.to_owned())];
        let headers = ours.into_iter().chain(added).map(|(key, value)| json!({"key": key, "value": value}));
        let headers: Vec<Value> = headers.collect();
        json!({"url": url, "method": "POST", "headers": headers, "body": ""}).to_string()
    }
}

impl Cloud {
    async fn start() -> Self {
        let sts = Sts::of_sessions().await.unwrap();
        let google = Google::start(provider(), &sts.endpoint()).await.unwrap();
        google.let_act(ACCOUNT, &format!("{POOL}/attribute.aws_role/isthmus-prod-publish-export"));
        google.permit(ACCOUNT, "workflows.executions.create");
        google
            .deploy(WORKFLOW, std::sync::Arc::new(|argument| Box::pin(async move { Ok(json!({"loaded": argument})) })));
        Self { sts, google }
    }

    fn shown(&self) -> Shown {
        Shown::by(self.sts.assume(ROLE, "prod-publish-export"))
    }

    async fn post(&self, path: &str, bearer: &str, body: &Value) -> (u16, Value) {
        let request = reqwest::Client::new().post(format!("{}{path}", self.google.endpoint())).json(body);
        let answer = request.bearer_auth(bearer).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The token, or the error with its description.
    async fn exchange(&self, subject_token: &str, change: &[(&str, &str)]) -> Result<String, String> {
        let mut form = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", AUDIENCE),
            ("scope", "https://www.googleapis.com/auth/iam"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token_type", "urn:ietf:params:aws:token-type:aws4_request"),
            ("subject_token", subject_token),
        ];
        for (name, value) in change {
            form.iter_mut().find(|pair| pair.0 == *name).unwrap().1 = value;
        }
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        // The token is encoded twice: once as it is, and once as a field of the form.
        let form = form.into_iter().map(|(name, value)| {
            format!("{name}={}", encode(&if name == "subject_token" { encode(value) } else { value.to_owned() }))
        });
        let request = reqwest::Client::new().post(format!("{}/v1/token", self.google.endpoint()));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form.collect::<Vec<_>>().join("&")).send().await.unwrap();
        let (status, answer) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        if status == 200 {
            assert_eq!((text("token_type"), &answer["expires_in"]), ("Bearer".to_owned(), &json!(3600)));
            return Ok(text("access_token"));
        }
        assert_eq!(status, 400);
        Err(format!("{}: {}", text("error"), text("error_description")))
    }

    async fn access_token(&self) -> String {
        let federated = self.exchange(&self.shown().token(), &[]).await.unwrap();
        let (status, answer) = self.generate(&federated, ACCOUNT, "600s").await;
        assert_eq!(status, 200, "{answer}");
        answer["accessToken"].as_str().unwrap().to_owned()
    }

    async fn generate(&self, bearer: &str, account: &str, lifetime: &str) -> (u16, Value) {
        let body = json!({"scope": ["https://www.googleapis.com/auth/cloud-platform"], "lifetime": lifetime});
        self.post(&format!("/v1/projects/-/serviceAccounts/{account}:generateAccessToken"), bearer, &body).await
    }
}

/// What is evaluated here is what is deployed.
#[test]
fn the_mapping_is_the_one_that_terraform_makes() {
    let deployed = include_str!("../../../terraform/gcp/federation.tf");
    for (name, expression) in provider().attribute_mapping {
        let line = deployed.lines().find(|line| line.trim().starts_with(&format!("\"{name}\""))).unwrap();
        assert!(line.ends_with(&format!("= \"{expression}\"")), "{line}");
    }
    let condition = "assertion.account == '${each.key}' && attribute.aws_role in [${local.aws_role_names}]";
    assert!(deployed.contains(&format!("attribute_condition = \"{condition}\"")));
    let filled_in = condition.replace("${each.key}", "123456789012");
    let filled_in = filled_in.replace("${local.aws_role_names}", "'isthmus-prod-publish-export'");
    assert_eq!(provider().attribute_condition, filled_in);
}

#[tokio::test]
async fn the_role_that_the_condition_names_is_let_in_and_no_other() {
    let cloud = Cloud::start().await;
    assert!(cloud.exchange(&cloud.shown().token(), &[]).await.unwrap().starts_with("ya29."));

    let rejected = "unauthorized_client: The given credential is rejected by the attribute condition.";
    for role in ["arn:aws:iam::123456789012:role/isthmus-stg-publish-export", "arn:aws:iam::123456789012:role/admin"] {
        let other = Shown::by(cloud.sts.assume(role, "prod-publish-export"));
        assert_eq!(cloud.exchange(&other.token(), &[]).await.unwrap_err(), rejected);
    }
    let elsewhere = Shown::by(cloud.sts.assume(&ROLE.replace("123456789012", "999999999999"), "x"));
    let error = cloud.exchange(&elsewhere.token(), &[]).await.unwrap_err();
    assert!(error.starts_with("invalid_grant: The AWS account"), "{error}");
    // A session's name can be long, and the subject holds it.
    let long = Shown::by(cloud.sts.assume(ROLE, &"x".repeat(100)));
    let error = cloud.exchange(&long.token(), &[]).await.unwrap_err();
    assert_eq!(error, "invalid_grant: google.subject has 128 bytes, not 1 to 127.");
}

#[tokio::test]
async fn what_aws_does_not_confirm_is_refused() {
    let cloud = Cloud::start().await;
    let mut forged = cloud.shown();
    forged.credentials.secret_access_key = "another".into();
    let mut stale = cloud.shown();
    stale.time = SystemTime::now() - Duration::from_mins(6);
    let mut early = cloud.shown();
    early.time = SystemTime::now() + Duration::from_mins(6);
    let expired = Shown::by(cloud.sts.assume_for(ROLE, "prod-publish-export", TimeDelta::seconds(-1)));
    let mut unknown = cloud.shown();
    unknown.credentials.access_key_id = "ASIAUNKNOWN".into();
    for (shown, code) in [
        (forged, "SignatureDoesNotMatch"),
        (stale, "SignatureDoesNotMatch"),
        (early, "SignatureDoesNotMatch"),
        (expired, "ExpiredToken"),
        (unknown, "InvalidClientTokenId"),
    ] {
        let error = cloud.exchange(&shown.token(), &[]).await.unwrap_err();
        assert!(error.starts_with("invalid_grant: Received an invalid response from AWS: 403"), "{error}");
        assert!(error.contains(code), "{code}: {error}");
    }
    // A signature for one request is none for another.
    let changed = cloud
        .shown()
        .token()
        .replace("prod-publish-export", "x")
        .replace("Version=2011-06-15", "Version=2011-06-15&A=1");
    assert!(cloud.exchange(&changed, &[]).await.unwrap_err().contains("SignatureDoesNotMatch"));
}

#[tokio::test]
async fn a_request_that_was_signed_for_something_else_is_not_sent_on() {
    let cloud = Cloud::start().await;
    let mut for_another_pool = cloud.shown();
    for_another_pool.audience = AUDIENCE.replace("isthmus", "others");
    let mut unsigned = cloud.shown();
    unsigned.signs_audience = false;
    let mut elsewhere = cloud.shown();
    elsewhere.host = "sts.ap-northeast-1.amazonaws.com.evil.example".into();
    let mut other_call = cloud.shown();
    other_call.action = "GetSessionToken";
    for (shown, told) in [
        (for_another_pool, "The header x-goog-cloud-target-resource is not the audience."),
        (unsigned, "The header x-goog-cloud-target-resource is not signed."),
        (elsewhere, "is not GetCallerIdentity of AWS STS."),
        (other_call, "is not GetCallerIdentity of AWS STS."),
    ] {
        let error = cloud.exchange(&shown.token(), &[]).await.unwrap_err();
        assert!(error.starts_with("invalid_grant: ") && error.contains(told), "{error}");
    }
    for text in ["", "ya29.x", "{}", "[]"] {
        let error = cloud.exchange(text, &[]).await.unwrap_err();
        assert_eq!(error, "invalid_grant: AWS request has invalid format.");
    }
}

#[tokio::test]
async fn the_exchange_is_the_one_of_rfc_8693() {
    let cloud = Cloud::start().await;
    let token = cloud.shown().token();
    for (name, value, error) in [
        ("grant_type", "refresh_token", "unsupported_grant_type"),
        (
            "audience",
            "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/x/providers/y",
            "invalid_target",
        ),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:id_token", "invalid_request"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt", "invalid_request"),
        ("scope", "", "invalid_scope"),
    ] {
        let refused = cloud.exchange(&token, &[(name, value)]).await.unwrap_err();
        assert!(refused.starts_with(&format!("{error}: ")), "{name}: {refused}");
    }
}

#[tokio::test]
async fn a_service_account_lends_its_token_to_whom_it_names() {
    let cloud = Cloud::start().await;
    let federated = cloud.exchange(&cloud.shown().token(), &[]).await.unwrap();
    let (status, answer) = cloud.generate(&federated, ACCOUNT, "600s").await;
    assert_eq!(status, 200);
    let expires = chrono::DateTime::parse_from_rfc3339(answer["expireTime"].as_str().unwrap()).unwrap();
    assert!((500..=600).contains(&(expires.to_utc() - chrono::Utc::now()).num_seconds()));

    let (status, answer) = cloud.generate(&federated, "isthmus-load-export@acme.iam.gserviceaccount.com", "600s").await;
    assert_eq!((status, &answer["error"]["status"]), (403, &json!("PERMISSION_DENIED")));
    assert!(answer["error"]["message"].as_str().unwrap().contains("iam.serviceAccounts.getAccessToken"));
    assert_eq!(cloud.generate("ya29.unknown", ACCOUNT, "600s").await.0, 401);
    for lifetime in ["3601s", "0s", "600", "10m"] {
        assert_eq!(cloud.generate(&federated, ACCOUNT, lifetime).await.0, 400, "{lifetime}");
    }
    let path = format!("/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken");
    assert_eq!(cloud.post(&path, &federated, &json!({})).await.0, 400);
}

#[tokio::test]
async fn an_execution_takes_its_argument_as_a_text_of_json() {
    let cloud = Cloud::start().await;
    let token = cloud.access_token().await;
    let path = format!("/v1/{WORKFLOW}/executions");
    let argument = r#"{"export_date":"2026-11-22","task_id":"prod-20261122"}"#;
    let (status, execution) = cloud.post(&path, &token, &json!({"argument": argument})).await;
    assert_eq!((status, &execution["state"], &execution["argument"]), (200, &json!("ACTIVE"), &json!(argument)));
    let name = execution["name"].as_str().unwrap();
    assert!(name.starts_with(&format!("{WORKFLOW}/executions/")), "{name}");
    let done = cloud.google.settled().await;
    assert_eq!((done.len(), done[0].name.as_str()), (1, name));
    assert_eq!(done[0].result, Some(Ok(json!({"loaded": serde_json::from_str::<Value>(argument).unwrap()}))));

    for body in [
        json!({"argument": {"export_date": "2026-11-22"}}),
        json!({"argument": "2026-11-22"}),
        json!({"argument": format!("\"{}\"", "x".repeat(32 * 1024))}),
        json!({"arguments": argument}),
        json!({"name": "mine", "argument": argument}),
    ] {
        let (status, answer) = cloud.post(&path, &token, &body).await;
        assert_eq!((status, &answer["error"]["status"]), (400, &json!("INVALID_ARGUMENT")), "{answer}");
    }
    let (status, answer) = cloud.post(&path.replace("prod", "other"), &token, &json!({})).await;
    assert_eq!((status, &answer["error"]["status"]), (404, &json!("NOT_FOUND")));
    assert_eq!(cloud.google.executions().len(), 1);
}

#[tokio::test]
async fn who_may_start_an_execution_may_not_look_at_it() {
    let cloud = Cloud::start().await;
    let token = cloud.access_token().await;
    let path = format!("/v1/{WORKFLOW}/executions");
    let (_, execution) = cloud.post(&path, &token, &json!({})).await;
    let name = format!("/v1/{}", execution["name"].as_str().unwrap());
    let get = async |path: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", cloud.google.endpoint())).bearer_auth(&token);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!((get(&path).await.0, get(&name).await.0), (403, 403));
    cloud.google.permit(ACCOUNT, "workflows.executions.get");
    cloud.google.permit(ACCOUNT, "workflows.executions.list");
    cloud.google.settled().await;
    assert_eq!(get(&name).await.1["state"], "SUCCEEDED");
    let listed = get(&path).await.1;
    assert_eq!(listed["executions"][0]["name"], execution["name"]);
    assert!(listed["executions"][0].get("argument").is_none(), "the view BASIC has none");
    cloud.google.forget_tokens();
    assert_eq!(cloud.post(&path, &token, &json!({})).await.0, 401);
}
