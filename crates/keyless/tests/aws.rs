//! Keyless against the laptop cloud: a metadata server that signs tokens, and an STS that checks them as AWS does.
#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_config::{Region, SdkConfig};
use aws_sdk_sts::config::ProvideCredentials;
use keyless::aws::{Keyless, KeylessConfig};
use local::metadata::{Metadata, ServiceAccount};
use local::sts::{Sts, Trust};
use local::wire::{Effect, Recorded, Wire};

const ROLE: &str = "arn:aws:iam::123456789012:role/load-export";
const AUDIENCE: &str = "isthmus-prod";

/// `GCE_METADATA_HOST` is the whole process's, so all tests share one metadata server, which outlives each of them.
fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<(tokio::runtime::Runtime, Metadata)> = OnceLock::new();
    let start = || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let account = ServiceAccount { email: "loader@local".into(), unique_id: "117".into() };
        let metadata = runtime.block_on(Metadata::start(account)).unwrap();
        #[allow(unsafe_code)]
        // SAFETY: every test comes through here before it reads a variable.
        unsafe {
            std::env::set_var("GCE_METADATA_HOST", metadata.host());
        }
        (runtime, metadata)
    };
    let here = || std::thread::spawn(start).join().unwrap();
    &METADATA.get_or_init(here).1
}

struct Cloud {
    sts: Sts,
    wire: Wire,
    unsigned: SdkConfig,
}

impl Cloud {
    async fn start(sub: &str) -> Self {
        let metadata = metadata();
        let moto = local::emulator_pool::moto().unwrap();
        let trust = Trust { role_arn: ROLE.into(), aud: "117".into(), oaud: AUDIENCE.into(), sub: sub.into() };
        let sts = Sts::start(trust, metadata, &moto).await.unwrap();
        let wire = Wire::start(&sts.endpoint()).await.unwrap();
        let unsigned = startup::aws_config().region(Region::new("ap-northeast-1")).no_credentials();
        let unsigned = unsigned.endpoint_url(wire.endpoint()).load().await;
        Self { sts, wire, unsigned }
    }

    fn keyless(&self) -> Keyless {
        let config = KeylessConfig {
            role_arn: ROLE.parse().unwrap(),
            audience: AUDIENCE.into(),
            session_name: "load-export".parse().unwrap(),
            duration_seconds: 900,
        };
        Keyless::start(config, &self.unsigned)
    }

    fn exchanges(&self) -> usize {
        self.wire.requests().iter().filter(|request| exchange(request)).count()
    }
}

fn exchange(request: &Recorded) -> bool {
    request.body_text().contains("AssumeRoleWithWebIdentity")
}

fn refusal(code: &str) -> Effect {
    let sender = "<Type>Sender</Type>";
    Effect::Refuse(
        400,
        format!("<ErrorResponse><Error>{sender}<Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"),
    )
}

#[tokio::test]
async fn all_who_wait_share_one_exchange_and_the_request_is_not_signed() {
    let cloud = Cloud::start("117").await;
    let keyless = cloud.keyless();
    let waiting = (0..20).map(|_| {
        let keyless = keyless.clone();
        tokio::spawn(async move { keyless.credentials().await.unwrap().access_key_id().to_owned() })
    });
    let waiting: Vec<_> = waiting.collect();
    let mut keys = std::collections::BTreeSet::new();
    for key in waiting {
        keys.insert(key.await.unwrap());
    }
    assert_eq!((keys.len(), cloud.exchanges()), (1, 1));
    let [request] = &cloud.wire.requests()[..] else { panic!("one request") };
    assert!(!request.headers.contains_key("authorization"));
    assert!(request.body_text().contains("DurationSeconds=900"), "{}", request.body_text());
}

#[tokio::test]
async fn the_sdk_takes_the_credentials_for_its_requests() {
    let cloud = Cloud::start("117").await;
    let keyless = cloud.keyless();
    let signed = keyless.sdk_config(&cloud.unsigned);
    aws_sdk_sts::Client::new(&signed).get_caller_identity().send().await.unwrap();
    let key = keyless.provide_credentials().await.unwrap().access_key_id().to_owned();
    let requests = cloud.wire.requests();
    let authorization = requests.last().unwrap().headers["authorization"].to_str().unwrap();
    assert!(authorization.contains(&key), "{authorization}");
}

#[tokio::test]
async fn a_role_that_trusts_somebody_else_is_explained_with_the_claims_and_without_the_token() {
    let cloud = Cloud::start("999").await;
    let began = Instant::now();
    let error = cloud.keyless().credentials().await.unwrap_err();
    let text = startup::with_causes(&*error);
    assert!(
        text.starts_with(
            "assume arn:aws:iam::123456789012:role/load-export: AWS refused the Google identity token, which says \
             aud = \"isthmus-prod\", azp = \"117\", sub = \"117\", email = \"loader@local\"; the role's trust policy \
             must allow sts:AssumeRoleWithWebIdentity to the federated principal accounts.google.com with \
             accounts.google.com:aud = \"117\", accounts.google.com:oaud = \"isthmus-prod\", \
             accounts.google.com:sub = \"117\""
        ),
        "{text}"
    );
    assert!(text.contains("Not authorized to perform sts:AssumeRoleWithWebIdentity"), "{text}");
    assert!(!text.contains("eyJ"), "{text}");
    assert!(began.elapsed() < Duration::from_secs(5), "a refusal must be told at once");
}

#[tokio::test]
async fn short_lived_credentials_are_outlived() {
    let cloud = Cloud::start("117").await;
    cloud.sts.set_lifetime(Duration::from_secs(3));
    let keyless = cloud.keyless();
    let (began, mut keys) = (Instant::now(), std::collections::BTreeSet::new());
    while began.elapsed() < Duration::from_secs(10) {
        keys.insert(keyless.credentials().await.unwrap().access_key_id().to_owned());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(keys.len() > 3, "{} sets of credentials", keys.len());
}

#[tokio::test]
async fn an_sts_that_is_down_past_the_refresh_loses_nothing() {
    let cloud = Cloud::start("117").await;
    cloud.sts.set_lifetime(Duration::from_secs(9));
    let keyless = cloud.keyless();
    let first = keyless.credentials().await.unwrap().access_key_id().to_owned();
    // Due after six seconds; refused until after seven and a half.
    cloud.wire.fault(1000, Effect::Refuse(503, String::new()), exchange);
    let (began, mut healed, mut last) = (Instant::now(), false, first.clone());
    while began.elapsed() < Duration::from_secs(12) {
        let asked = Instant::now();
        last = keyless.credentials().await.unwrap().access_key_id().to_owned();
        assert!(asked.elapsed() < Duration::from_millis(200), "nobody waits while the old credentials are valid");
        if !healed && began.elapsed() > Duration::from_millis(7500) {
            cloud.wire.heal();
            healed = true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_ne!(first, last);
    assert!(cloud.exchanges() > 3, "{} exchanges", cloud.exchanges());
}

#[tokio::test]
async fn what_passes_is_asked_again() {
    let cloud = Cloud::start("117").await;
    cloud.wire.fault(2, refusal("IDPCommunicationError"), exchange);
    cloud.wire.fault(2, Effect::Refuse(500, "broken".into()), exchange);
    cloud.wire.fault(1, Effect::Reset, exchange);
    cloud.wire.fault(1, Effect::LoseAnswer, exchange);
    cloud.keyless().credentials().await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let cloud = Cloud::start("117").await;
    cloud.wire.fault(1, refusal("InvalidIdentityToken"), exchange);
    cloud.keyless().credentials().await.unwrap();
    assert_eq!(cloud.exchanges(), 2);

    cloud.wire.fault(2, refusal("ExpiredTokenException"), exchange);
    let error = cloud.keyless().credentials().await.unwrap_err();
    assert!(error.to_string().starts_with(
        "assume arn:aws:iam::123456789012:role/load-export: AWS does not take the Google identity token, which says aud = "
    ));
}

#[tokio::test]
async fn a_session_longer_than_the_role_allows_is_told_at_once() {
    let cloud = Cloud::start("117").await;
    cloud.sts.set_max_session(Duration::from_mins(10));
    let error = cloud.keyless().credentials().await.unwrap_err();
    assert!(error.is_permanent());
    assert!(error.to_string().contains("check the role's maximum session duration"), "{error}");
}

#[tokio::test]
async fn rejected_credentials_are_replaced_and_others_are_kept() {
    let cloud = Cloud::start("117").await;
    let keyless = cloud.keyless();
    let first = keyless.credentials().await.unwrap().access_key_id().to_owned();
    keyless.reject("somebody else's");
    assert_eq!(keyless.credentials().await.unwrap().access_key_id(), first);
    keyless.reject(&first);
    assert_ne!(keyless.credentials().await.unwrap().access_key_id(), first);
    assert_eq!(cloud.exchanges(), 2);
}
