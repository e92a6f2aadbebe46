//! Ways to send many small PUTs, each as cheap as it gets: the engine, and what it is measured against.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::Region;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use bigquery_to_s3::put::{Put, PutEngine, PutSettings};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use keyless::aws::{Keyless, KeylessConfig};
use lease::{Gatekeeper, Moment};
use tokio::task::JoinSet;

const REGION: &str = "ap-northeast-1";
const BUCKET: &str = "bench";
const CONTENT_TYPE: &str = "application/json";

#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub objects: usize,
    pub connections: usize,
}

/// A client that is set up.
pub enum Sender {
    Hyper { client: HttpClient, endpoint: Arc<str> },
    HyperSigv4 { client: HttpClient, endpoint: Arc<str>, credentials: Credentials },
    Engine(PutEngine, #[allow(dead_code)] Gatekeeper),
    Sdk(aws_sdk_s3::Client),
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

impl Sender {
    pub fn hyper(endpoint: &str) -> Result<Self> {
        Ok(Self::Hyper { client: http_client()?, endpoint: endpoint.into() })
    }

    pub fn hyper_sigv4(endpoint: &str) -> Result<Self> {
        Ok(Self::HyperSigv4 { client: http_client()?, endpoint: endpoint.into(), credentials: credentials() })
    }

    pub async fn sdk(endpoint: &str) -> Self {
        let config = startup::aws_config().region(Region::new(REGION)).endpoint_url(endpoint);
        let config = config.credentials_provider(SharedCredentialsProvider::new(credentials())).load().await;
        let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
        Self::Sdk(aws_sdk_s3::Client::from_conf(config.build()))
    }

    pub async fn engine(endpoint: &str, role: KeylessConfig, sts: &str, connections: usize) -> Result<Self> {
        let unsigned = startup::aws_config().region(Region::new(REGION)).no_credentials();
        let unsigned = unsigned.endpoint_url(sts).load().await;
        let settings = PutSettings {
            endpoint: Some(endpoint.to_owned()),
            max_concurrency: connections,
            ..PutSettings::of_region(REGION)
        };
        let gate = Gatekeeper::new(Moment::now(), Duration::from_hours(24));
        let engine = PutEngine::new(settings, Keyless::start(role, &unsigned), gate.gate(), Arc::default())?;
        Ok(Self::Engine(engine, gate))
    }

    pub async fn send(&self, load: Load) -> Result<()> {
        match self {
            Self::Hyper { client, endpoint } => hyper(client, endpoint, load).await,
            Self::HyperSigv4 { client, endpoint, credentials } => {
                hyper_sigv4(client, endpoint, credentials, load).await
            }
            Self::Engine(engine, _) => self::engine(engine, load).await,
            Self::Sdk(client) => sdk(client, load).await,
        }
    }
}

/// The client of hyper-util, without a signature.
async fn hyper(client: &HttpClient, endpoint: &Arc<str>, load: Load) -> Result<()> {
    let (client, endpoint) = (client.clone(), Arc::clone(endpoint));
    workers(load, move |n| {
        let (client, endpoint) = (client.clone(), Arc::clone(&endpoint));
        async move {
            let request = Request::put(format!("{endpoint}/{BUCKET}/{}", key(n))).body(Full::new(body()))?;
            send(&client, request).await
        }
    })
    .await
}

/// The same with AWS's own signer; the body's hash is given, as the engine's callers do.
async fn hyper_sigv4(client: &HttpClient, endpoint: &Arc<str>, credentials: &Credentials, load: Load) -> Result<()> {
    let (client, endpoint, credentials) = (client.clone(), Arc::clone(endpoint), credentials.clone());
    workers(load, move |n| {
        let (client, endpoint, credentials) = (client.clone(), Arc::clone(&endpoint), credentials.clone());
        async move {
            let request = signed(format!("{endpoint}/{BUCKET}/{}", key(n)), credentials)?;
            send(&client, request).await
        }
    })
    .await
}

fn signed(uri: String, credentials: Credentials) -> Result<Request<Full<Bytes>>> {
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let params = v4::SigningParams::builder().identity(&identity).region(REGION).name("s3");
    let params = params.time(SystemTime::now()).settings(settings).build()?;
    let hash = SignableBody::Precomputed(HASH_HEX.to_owned());
    let headers = [("content-type", CONTENT_TYPE), ("x-amz-checksum-sha256", HASH_BASE64)];
    let signable = SignableRequest::new("PUT", &uri, headers.into_iter(), hash)?;
    let (instructions, _) = sign(signable, &params.into())?.into_parts();
    let mut request = Request::put(uri).body(Full::new(body()))?;
    for (name, value) in headers {
        request.headers_mut().insert(name, value.parse()?);
    }
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

async fn sdk(client: &aws_sdk_s3::Client, load: Load) -> Result<()> {
    let client = client.clone();
    workers(load, move |n| {
        let client = client.clone();
        async move {
            let put = client.put_object().bucket(BUCKET).key(key(n)).content_type(CONTENT_TYPE);
            put.body(body().into()).send().await?;
            Ok(())
        }
    })
    .await
}

/// As a job uses it: on a worker of the runtime, as it uses one for each chunk.
async fn engine(engine: &PutEngine, load: Load) -> Result<()> {
    let (engine, bucket) = (engine.clone(), Arc::<str>::from(BUCKET));
    let put = move |n| Put {
        bucket: Arc::clone(&bucket),
        key: key(n),
        body: body(),
        sha256: HASH,
        content_type: CONTENT_TYPE,
    };
    Ok(tokio::spawn(async move { engine.put_all((0..load.objects).map(put)).await }).await??)
}

/// TLS as the engine has it: rustls, and the machine's root certificates.
fn http_client() -> Result<HttpClient> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let connector =
        HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector))
}

async fn send(client: &HttpClient, request: Request<Full<Bytes>>) -> Result<()> {
    let answer = client.request(request).await?;
    ensure!(answer.status().is_success(), "the sink answered {}", answer.status());
    answer.into_body().collect().await?;
    Ok(())
}

/// As many tasks as there are connections, each with one request after the other.
async fn workers<F>(load: Load, put: impl Fn(usize) -> F + Send + Clone + 'static) -> Result<()>
where
    F: Future<Output = Result<()>> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks: JoinSet<Result<()>> = JoinSet::new();
    for _ in 0..load.connections {
        let (next, put) = (Arc::clone(&next), put.clone());
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= load.objects {
                    return Ok(());
                }
                put(n).await.with_context(|| format!("put object {n}"))?;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// As long as those of a role.
fn credentials() -> Credentials {
    let token = Some("t".repeat(1000));
    Credentials::new("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", token, None, "bench")
}

fn key(n: usize) -> String {
    format!("user-profiles/0101/user-{n:08}.json")
}

fn body() -> Bytes {
    Bytes::from_static(&[b'x'; 1024])
}

/// SHA-256 of the body.
const HASH_HEX: &str = "49abd65bbf7f7e40c7055093ed2e3fd75f2f602f2c5fcf955c213e3135eb03f7";
const HASH_BASE64: &str = "SavWW79/fkDHBVCT7S4/118vYC8sX8+VXCE+MTXrA/c=";
const HASH: [u8; 32] = [
    0x49, 0xab, 0xd6, 0x5b, 0xbf, 0x7f, 0x7e, 0x40, 0xc7, 0x05, 0x50, 0x93, 0xed, 0x2e, 0x3f, 0xd7, 0x5f, 0x2f, 0x60,
    0x2f, 0x2c, 0x5f, 0xcf, 0x95, 0x5c, 0x21, 0x3e, 0x31, 0x35, 0xeb, 0x03, 0xf7,
];
