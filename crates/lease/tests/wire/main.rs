//! The lease on the wire: a local S3, faults, and several holders.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Credentials, Region};
use futures_util::future::join_all;
use lease::{Gate, Lease, LeaseError, LeaseObject, Terms, Verdict};
use local::s3::S3;
use local::wire::{Effect, Recorded, Wire};
use serde_json::{Value, json};
use tokio::time::sleep;

const BUCKET: &str = "acme";
const KEY: &str = "users/lease.json";
const TIME: Duration = Duration::from_millis(1600);
const MOMENT: Duration = Duration::from_millis(100);

struct Cloud {
    s3: S3,
    wire: Wire,
}

impl Cloud {
    async fn start() -> Self {
        let s3 = S3::start().await.unwrap();
        s3.store().create_bucket(BUCKET);
        let wire = Wire::start(&s3.endpoint()).await.unwrap();
        Self { s3, wire }
    }

    async fn object(&self, endpoint: &str) -> LeaseObject {
        let config = startup::aws_config()
            .region(Region::new("ap-northeast-1"))
            .credentials_provider(Credentials::new("local", "secret", None, None, "test"))
            .endpoint_url(endpoint)
            .load()
            .await;
        let s3 = Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build());
        LeaseObject { s3, keyless: None, bucket: BUCKET.into(), key: KEY.into() }
    }

    /// Through the wire, where faults are.
    async fn take(&self, holder: &str) -> Result<Lease, LeaseError> {
        take(&self.object(&self.wire.endpoint()).await, holder).await
    }

    /// Past the wire.
    async fn take_directly(&self, holder: &str) -> Result<Lease, LeaseError> {
        take(&self.object(&self.s3.endpoint()).await, holder).await
    }

    fn document(&self) -> Value {
        let object = self.s3.store().get(BUCKET, KEY).unwrap();
        serde_json::from_slice(&object.bytes).unwrap()
    }
}

async fn take(object: &LeaseObject, holder: &str) -> Result<Lease, LeaseError> {
    let terms = Terms { holder: holder.into(), time: TIME, give_up_after: Duration::from_secs(10) };
    Lease::take(object, &terms, async |_| Ok(json!({"of": holder}))).await
}

fn is_renewal(request: &Recorded) -> bool {
    request.method == "PUT" && request.headers.contains_key("if-match")
}

fn is_open(gate: &Gate) -> bool {
    gate.check(TIME / 4) == Verdict::Open
}

/// Fails after ten seconds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "never: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_holder_that_lives_keeps_it_and_is_named_to_whoever_asks() {
    let cloud = Cloud::start().await;
    let lease = cloud.take("job-1").await.unwrap();
    let asked = Instant::now();
    let refused = cloud.take("job-2").await.err().unwrap();
    assert!(
        matches!(&refused, LeaseError::HeldBy { name, payload, .. } if name == "job-1" && payload["of"] == "job-1")
    );
    assert!(asked.elapsed() < TIME, "the first renewal shows that it lives: {:?}", asked.elapsed());
    assert!(is_open(&lease.gate()));
    lease.release(json!("done")).await.unwrap();
    let asked = Instant::now();
    let terms = Terms { holder: "job-2".into(), time: TIME, give_up_after: TIME };
    let object = cloud.object(&cloud.wire.endpoint()).await;
    let next = Lease::take(&object, &terms, async |before| {
        let before = before.map(|before| (before.holder.clone(), before.payload.clone()));
        assert_eq!(before, Some(("job-1".into(), json!("done"))));
        Ok::<_, LeaseError>(json!(2))
    });
    assert_eq!(next.await.unwrap().payload(), &json!(2));
    assert!(asked.elapsed() < TIME / 2, "what was given back is free at once");
}

#[tokio::test]
async fn a_dead_holder_loses_it_after_its_time_and_not_before() {
    let cloud = Cloud::start().await;
    let lease = cloud.take("job-1").await.unwrap();
    let gate = lease.gate();
    drop(lease);
    let asked = Instant::now();
    let next = cloud.take("job-2").await.unwrap();
    assert!(asked.elapsed() >= TIME, "{:?}", asked.elapsed());
    assert_eq!(gate.check(Duration::ZERO), Verdict::Closed, "the old gate was shut by then");
    assert!(is_open(&next.gate()));
    assert_eq!(cloud.document()["holder"], "job-2");
}

#[tokio::test]
async fn while_s3_is_away_the_gate_closes_in_time_and_opens_when_the_lease_is_ours_again() {
    let cloud = Cloud::start().await;
    let lease = cloud.take("job-1").await.unwrap();
    let gate = lease.gate();
    cloud.wire.outage();
    let away = Instant::now();
    until("closed", || !is_open(&gate)).await;
    assert!(away.elapsed() < TIME, "{:?}", away.elapsed());
    sleep(TIME * 2).await;
    assert_eq!(gate.check(Duration::ZERO), Verdict::Closed, "in doubt, not lost");
    cloud.wire.restore();
    gate.passes(TIME / 4).await.unwrap();
}

/// The renewal that is repeated all through an outage must not open the gate over the lease of somebody else.
#[tokio::test]
async fn a_lease_that_was_taken_during_an_outage_is_lost() {
    let cloud = Cloud::start().await;
    let first = cloud.take("job-1").await.unwrap();
    let gate = first.gate();
    cloud.wire.outage();
    let second = cloud.take_directly("job-2").await.unwrap();
    assert_eq!(gate.check(Duration::ZERO), Verdict::Closed, "shut before somebody else's opens");
    cloud.wire.restore();
    let lost = gate.passes(Duration::ZERO).await.unwrap_err();
    assert_eq!(lost.0, "job-2 took the lease of this run; start it again when that one has ended");
    assert!(is_open(&second.gate()));
    first.release(Value::Null).await.unwrap();
    assert_eq!(cloud.document()["holder"], "job-2", "what is lost is not given back");
}

#[tokio::test]
async fn a_renewal_whose_answer_is_lost_or_late_is_found_by_reading() {
    let cloud = Cloud::start().await;
    let lease = cloud.take("job-1").await.unwrap();
    let gate = lease.gate();
    for effect in [Effect::LoseAnswer, Effect::Reset, Effect::Refuse(500, String::new()), Effect::HoldAnswer] {
        let before = cloud.document()["nonce"].clone();
        cloud.wire.fault(1, effect.clone(), is_renewal);
        let began = Instant::now();
        while began.elapsed() < TIME * 3 / 2 {
            assert!(is_open(&gate), "{effect:?} after {:?}", began.elapsed());
            sleep(Duration::from_millis(10)).await;
        }
        cloud.wire.heal();
        assert_ne!(cloud.document()["nonce"], before, "{effect:?}");
    }
}

#[tokio::test]
async fn no_document_is_ever_sent_twice() {
    let cloud = Cloud::start().await;
    cloud.wire.fault_share(0.5, Effect::LoseAnswer, |request| request.method == "PUT");
    let lease = cloud.take("job-1").await.unwrap();
    sleep(TIME * 2).await;
    cloud.wire.heal();
    lease.release(Value::Null).await.unwrap();
    let puts: Vec<_> = cloud.wire.requests().into_iter().filter(|request| request.method == "PUT").collect();
    let mut bodies: Vec<_> = puts.iter().map(Recorded::body_text).collect();
    bodies.sort();
    bodies.dedup();
    assert!(puts.len() >= 6);
    assert_eq!(bodies.len(), puts.len());
}

#[tokio::test]
async fn processes_of_one_name_share_it_and_one_of_them_is_enough_to_keep_it() {
    let cloud = Cloud::start().await;
    let (first, second) = tokio::try_join!(cloud.take("job-1"), cloud.take("job-1")).unwrap();
    assert_eq!(first.payload(), second.payload());
    let (gates, began) = ([first.gate(), second.gate()], Instant::now());
    while began.elapsed() < TIME * 2 {
        assert!(gates.iter().all(is_open));
        sleep(Duration::from_millis(10)).await;
    }
    drop(first);
    sleep(TIME * 2).await;
    assert!(is_open(&gates[1]));
    // Given back by one, it is shut for all.
    let third = cloud.take("job-1").await.unwrap();
    third.release(Value::Null).await.unwrap();
    gates[1].until_lost().await;
}

#[tokio::test]
async fn who_leaves_says_so_and_the_others_of_its_name_keep_it() {
    let cloud = Cloud::start().await;
    let (first, second) = tokio::try_join!(cloud.take("job-1"), cloud.take("job-1")).unwrap();
    first.leave(json!("published")).await.unwrap();
    sleep(TIME * 2).await;
    assert!(is_open(&second.gate()));
    drop(second);
    let last = cloud.take("job-1").await.unwrap();
    assert_eq!(last.payload(), &json!("published"), "a renewal keeps what another process said");
    drop(last);
    assert!(cloud.take("job-2").await.is_ok(), "it runs out by itself");
}

#[tokio::test]
async fn of_many_that_want_it_at_the_same_moment_one_gets_it() {
    let cloud = Cloud::start().await;
    cloud.wire.delay(Duration::from_millis(20));
    let names: Vec<String> = (0..8).map(|n| format!("job-{n}")).collect();
    let mut held = Vec::new();
    for taken in join_all(names.iter().map(|name| cloud.take(name))).await {
        match taken {
            Ok(lease) => held.push(lease),
            Err(LeaseError::HeldBy { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(held.len(), 1);
}

#[tokio::test]
async fn what_another_version_left_there_is_waited_out() {
    let cloud = Cloud::start().await;
    cloud.s3.store().put(BUCKET, KEY, r#"{"version":1,"execution":"old","finished":true}"#);
    let asked = Instant::now();
    let lease = cloud.take("job-1").await.unwrap();
    assert!(asked.elapsed() >= TIME);
    assert!(is_open(&lease.gate()));
}

#[tokio::test]
async fn a_refusal_that_waiting_does_not_help_is_told_at_once_and_with_the_object() {
    let cloud = Cloud::start().await;
    cloud.wire.fault(9, Effect::Refuse(403, "<Error><Code>AccessDenied</Code></Error>".into()), |_| true);
    let asked = Instant::now();
    let refused = cloud.take("job-1").await.err().unwrap();
    assert_eq!(refused.to_string(), "read the lease s3://acme/users/lease.json");
    assert!(asked.elapsed() < MOMENT * 20);
}
