//! A wire between a program and an endpoint: it records every request, and can be slow, refuse, break, or lose an
//! answer whose request was carried out.

mod fault;
mod record;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use fault::{Fault, Faults, Turn};
use record::Record;

pub use fault::Effect;
pub use record::{Keep, Recorded};

pub struct Wire {
    endpoint: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    target: String,
    client: Client<HttpConnector, Full<Bytes>>,
    record: Mutex<Record>,
    faults: Mutex<Faults>,
    latency: Mutex<Duration>,
    held: Notify,
    /// How often what was held was let go.
    releases: watch::Sender<usize>,
    outage: watch::Sender<bool>,
}

impl Wire {
    /// Passes everything on to `target`, for example `http://127.0.0.1:5000`.
    pub async fn start(target: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind a wire")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State {
            target: target.trim_end_matches('/').to_owned(),
            client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
            record: Mutex::default(),
            faults: Mutex::default(),
            latency: Mutex::default(),
            held: Notify::new(),
            releases: watch::Sender::new(0),
            outage: watch::Sender::new(false),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { endpoint, state, server })
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.state.record).requests.clone()
    }

    /// How many requests have passed, also of those that were not kept.
    pub fn passed(&self) -> usize {
        lock(&self.state.record).passed
    }

    /// How much of each request is recorded from now on.
    pub fn keep(&self, keep: Keep) {
        lock(&self.state.record).keep = keep;
    }

    pub fn forget(&self) {
        lock(&self.state.record).requests.clear();
    }

    /// Adds `latency` to every answer.
    pub fn delay(&self, latency: Duration) {
        *lock(&self.state.latency) = latency;
    }

    /// The next `times` requests that match meet `effect`.
    pub fn fault(&self, times: usize, effect: Effect, matches: impl Fn(&Recorded) -> bool + Send + Sync + 'static) {
        self.fault_after(0, times, effect, matches);
    }

    /// As `fault`, after `skip` matching requests have passed.
    pub fn fault_after(
        &self,
        skip: usize,
        times: usize,
        effect: Effect,
        matches: impl Fn(&Recorded) -> bool + Send + Sync + 'static,
    ) {
        self.plan(effect, Turn::Next { skip, times }, matches);
    }

    /// Until healed, this share of the requests that match meet `effect`: 0.25 is each fourth.
    pub fn fault_share(&self, share: f64, effect: Effect, matches: impl Fn(&Recorded) -> bool + Send + Sync + 'static) {
        self.plan(effect, Turn::Share { share, due: 0.0 }, matches);
    }

    fn plan(&self, effect: Effect, turn: Turn, matches: impl Fn(&Recorded) -> bool + Send + Sync + 'static) {
        lock(&self.state.faults).0.push(Fault { effect, turn, matches: Box::new(matches) });
    }

    pub fn heal(&self) {
        lock(&self.state.faults).0.clear();
    }

    /// Closes every open connection, and resets each new one until `restore`.
    pub fn outage(&self) {
        self.state.outage.send_replace(true);
    }

    pub fn restore(&self) {
        self.state.outage.send_replace(false);
    }

    /// Lets everything go on that is held now.
    pub fn release(&self) {
        self.state.releases.send_modify(|releases| *releases += 1);
    }

    /// Waits until a request or an answer is held.
    pub async fn held(&self) {
        self.state.held.notified().await;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, Arc::clone(&state)));
    }
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    let mut outage = state.outage.subscribe();
    if *outage.borrow() {
        let _ = stream.set_zero_linger(); // closing it is a reset then
        return;
    }
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| pass(Arc::clone(&state), request));
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = connection => {} // a reset on purpose is an error here
        _ = outage.wait_for(|out| *out) => {}
    }
}

async fn pass(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut record = Recorded {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.clone(),
        body: body.clone(),
        ..Recorded::default()
    };
    let effect = lock(&state.faults).meet(&record);
    let latency = *lock(&state.latency);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let answer = match effect {
        None => Ok(state.forward(parts, body).await?),
        Some(Effect::Delay(wait)) => {
            tokio::time::sleep(wait).await;
            Ok(state.forward(parts, body).await?)
        }
        Some(Effect::Refuse(status, text)) => {
            Ok(Response::builder().status(StatusCode::from_u16(status)?).body(Full::new(Bytes::from(text)))?)
        }
        Some(Effect::Reset) => Err(anyhow::anyhow!("reset before the request")),
        Some(Effect::LoseAnswer) => {
            state.forward(parts, body).await?;
            Err(anyhow::anyhow!("reset after the request"))
        }
        Some(Effect::HoldRequest) => {
            state.hold(record).await?;
            return state.forward(parts, body).await;
        }
        Some(Effect::HoldAnswer) => {
            let answer = state.forward(parts, body).await?;
            state.hold(record).await?;
            return Ok(answer);
        }
    };
    if let Ok(response) = &answer {
        record.status = Some(response.status().as_u16());
        record.answered_bytes = usize::try_from(response.body().size_hint().lower())?;
    }
    lock(&state.record).push(record);
    answer
}

impl State {
    /// The host header stays the program's own: signatures cover it.
    async fn forward(&self, parts: http::request::Parts, body: Bytes) -> Result<Response<Full<Bytes>>> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri: Uri = format!("{}{path}", self.target).parse()?;
        let mut request = Request::builder().method(parts.method).uri(uri).body(Full::new(body))?;
        *request.headers_mut() = parts.headers;
        let (mut head, body) = self.client.request(request).await?.into_parts();
        head.headers.remove("transfer-encoding");
        Ok(Response::from_parts(head, Full::new(body.collect().await?.to_bytes())))
    }

    async fn hold(&self, record: Recorded) -> Result<()> {
        let mut releases = self.releases.subscribe();
        lock(&self.record).push(record);
        self.held.notify_one();
        Ok(releases.changed().await?)
    }
}
