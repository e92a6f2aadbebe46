//! An S3 behind a wire, and credentials for it as a job gets them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use aws_config::Region;
use bigquery_to_s3::counters::Counters;
use bigquery_to_s3::put::{Put, PutEngine, PutError, PutSettings};
use bytes::Bytes;
use futures_util::future::join_all;
use keyless::aws::{Keyless, KeylessConfig};
use lease::{Gatekeeper, Moment};
use local::metadata::{Metadata, ServiceAccount};
use local::moto::Moto;
use local::s3::S3;
use local::sts::{Sts, Trust};
use local::wire::{Effect, Recorded, Wire};
use sha2::{Digest, Sha256};
use tokio::runtime::Builder;

const ROLE: &str = "arn:aws:iam::123456789012:role/bigquery-to-s3";
const AUDIENCE: &str = "isthmus-test";
pub const BUCKET: &str = "acme-app-data";
const HOUR: Duration = Duration::from_hours(1);

/// All tests share these: `GCE_METADATA_HOST` is the whole process's, and moto takes seconds to start.
struct Shared {
    metadata: Metadata,
    moto: Moto,
}

impl Shared {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let account = ServiceAccount { email: "writer@local".into(), unique_id: "117".into() };
        let shared =
            Self { metadata: Metadata::start(account).await.unwrap(), moto: Moto::start(dir.path()).await.unwrap() };
        #[allow(unsafe_code)]
        // SAFETY: every test comes through here before it reads a variable.
        unsafe {
            std::env::set_var("GCE_METADATA_HOST", shared.metadata.host());
        }
        shared
    }
}

/// They live on a thread of their own that never ends: moto ends with the thread that started it.
fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let (started, starting) = channel();
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                started.send(Shared::start().await).unwrap();
                std::future::pending::<()>().await;
            });
        });
        starting.recv().unwrap()
    })
}

pub struct Cloud {
    pub s3: S3,
    pub wire: Wire,
    pub sts: Wire,
    pub keyless: Keyless,
    pub gate: Gatekeeper,
    pub counters: Arc<Counters>,
    _sts: Sts,
}

impl Cloud {
    pub async fn start() -> Self {
        let shared = shared();
        let trust = Trust { role_arn: ROLE.into(), aud: "117".into(), oaud: AUDIENCE.into(), sub: "117".into() };
        let sts = Sts::start(trust, &shared.metadata, &shared.moto).await.unwrap();
        let sts_wire = Wire::start(&sts.endpoint()).await.unwrap();
        let unsigned = startup::aws_config().region(Region::new("ap-northeast-1")).no_credentials();
        let unsigned = unsigned.endpoint_url(sts_wire.endpoint()).load().await;
        let config = KeylessConfig {
            role_arn: ROLE.parse().unwrap(),
            audience: AUDIENCE.into(),
            session_name: "bigquery-to-s3".parse().unwrap(),
            duration_seconds: 900,
        };
        let s3 = S3::start().await.unwrap();
        s3.store().create_bucket(BUCKET);
        let wire = Wire::start(&s3.endpoint()).await.unwrap();
        let (keyless, gate, counters) =
            (Keyless::start(config, &unsigned), Gatekeeper::new(Moment::now(), HOUR), Arc::default());
        Self { s3, wire, sts: sts_wire, keyless, gate, counters, _sts: sts }
    }

    pub fn open_the_gate(&self) {
        self.gate.hold(Moment::now(), HOUR);
    }

    pub fn close_the_gate(&self) {
        self.gate.hold(Moment::now(), Duration::ZERO);
    }

    pub fn settings(&self) -> PutSettings {
        PutSettings { endpoint: Some(self.wire.endpoint()), ..PutSettings::of_region("ap-northeast-1") }
    }

    pub fn engine(&self) -> PutEngine {
        self.engine_with(self.settings())
    }

    pub fn engine_with(&self, settings: PutSettings) -> PutEngine {
        let (keyless, gate) = (self.keyless.clone(), self.gate.gate());
        PutEngine::new(settings, keyless, gate, Arc::clone(&self.counters)).unwrap()
    }

    /// From now on S3 lets only these credentials in, and verifies what they sign.
    pub async fn verify_signatures(&self) {
        let credentials = self.keyless.credentials().await.unwrap();
        self.s3.allow(credentials.access_key_id(), credentials.secret_access_key());
        self.s3.close();
    }

    pub fn object(&self, key: &str) -> Option<Bytes> {
        self.s3.store().get(BUCKET, key).map(|object| object.bytes)
    }

    /// Every object of `key(0..n)` stands, with its own body.
    pub fn assert_stored(&self, n: usize) {
        let wrong: Vec<usize> = (0..n).filter(|n| self.object(&key(*n)) != Some(body(&key(*n)))).collect();
        assert_eq!(wrong, Vec::<usize>::new());
        assert_eq!(self.s3.store().keys(BUCKET, "").len(), n);
    }
}

pub fn key(n: usize) -> String {
    format!("users/{n:05}.json")
}

fn body(key: &str) -> Bytes {
    format!("{{\"key\":{key:?}}}").into()
}

pub fn put(key: &str) -> Put {
    let body = body(key);
    let sha256 = Sha256::digest(&body).into();
    Put { bucket: BUCKET.into(), key: key.into(), body, sha256, content_type: "application/json" }
}

pub async fn put_one(engine: &PutEngine, key: &str) -> Result<(), PutError> {
    engine.put(engine.permit().await, put(key)).await
}

pub async fn put_body(engine: &PutEngine, key: &str, body: Vec<u8>) -> Result<(), PutError> {
    let (body, sha256) = (Bytes::from(body.clone()), Sha256::digest(&body).into());
    engine.put(engine.permit().await, Put { body, sha256, ..put(key) }).await
}

/// Spawns a put for each of `key(0..n)` as permits come, as a job does.
pub async fn put_all(engine: &PutEngine, n: usize) -> Vec<Result<(), PutError>> {
    let mut puts = Vec::new();
    for n in 0..n {
        let (engine, permit) = (engine.clone(), engine.permit().await);
        puts.push(tokio::spawn(async move { engine.put(permit, put(&key(n))).await }));
    }
    join_all(puts).await.into_iter().map(Result::unwrap).collect()
}

pub fn refusal(status: u16, code: &str) -> Effect {
    Effect::Refuse(status, format!("<Error><Code>{code}</Code><Message>so it is</Message></Error>"))
}

/// Matches each `n`-th request.
pub fn each(n: usize) -> impl Fn(&Recorded) -> bool + Send + Sync + 'static {
    let seen = AtomicUsize::new(0);
    move |_| seen.fetch_add(1, Ordering::Relaxed) % n == n - 1
}

pub fn any(_: &Recorded) -> bool {
    true
}

/// Fails after ten seconds.
pub async fn until(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "it has not come so far");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub const MOMENT: Duration = Duration::from_millis(150);
