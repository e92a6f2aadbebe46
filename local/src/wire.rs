//! A wire between a program and an endpoint: it records every request, and can be slow, refuse, break, or lose an
//! answer whose request was carried out.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A request that passed, and what became of it.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// `None` where the program got no answer.
    pub status: Option<u16>,
    pub answered_bytes: usize,
}

impl Recorded {
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn range(&self) -> Option<&str> {
        self.headers.get("range")?.to_str().ok()
    }
}

#[derive(Debug, Clone)]
pub enum Effect {
    /// Answers with this status and body; the endpoint never sees the request.
    Refuse(u16, String),
    /// Closes the connection; the endpoint never sees the request.
    Reset,
    /// The endpoint carries the request out, and the connection closes before the answer.
    LoseAnswer,
    /// Holds the request for good before the endpoint sees it: the moment to kill the program.
    HoldRequest,
    /// The endpoint carries the request out, and the answer is held for good.
    HoldAnswer,
}

type Matches = Box<dyn Fn(&Recorded) -> bool + Send + Sync>;

struct Fault {
    effect: Effect,
    skip: usize,
    times: usize,
    matches: Matches,
}

pub struct Wire {
    endpoint: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    target: String,
    client: Client<HttpConnector, Full<Bytes>>,
    requests: Mutex<Vec<Recorded>>,
    faults: Mutex<Vec<Fault>>,
    latency: Mutex<Duration>,
    held: Notify,
}

impl Wire {
    /// Passes everything on to `target`, for example `http://127.0.0.1:5000`.
    pub async fn start(target: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind a wire")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State {
            target: target.trim_end_matches('/').to_owned(),
            client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
            requests: Mutex::default(),
            faults: Mutex::default(),
            latency: Mutex::default(),
            held: Notify::new(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { endpoint, state, server })
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.state.requests).clone()
    }

    pub fn forget(&self) {
        lock(&self.state.requests).clear();
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
        lock(&self.state.faults).push(Fault { effect, skip, times, matches: Box::new(matches) });
    }

    pub fn heal(&self) {
        lock(&self.state.faults).clear();
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
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        let service = service_fn(move |request| pass(Arc::clone(&state), request));
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            let _ = connection.await; // a reset on purpose is an error here
        });
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
    let effect = state.effect_on(&record);
    let latency = *lock(&state.latency);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let answer = match effect {
        None => Ok(state.forward(parts, body).await?),
        Some(Effect::Refuse(status, text)) => {
            Ok(Response::builder().status(StatusCode::from_u16(status)?).body(Full::new(Bytes::from(text)))?)
        }
        Some(Effect::Reset) => Err(anyhow::anyhow!("reset before the request")),
        Some(Effect::LoseAnswer) => {
            state.forward(parts, body).await?;
            Err(anyhow::anyhow!("reset after the request"))
        }
        Some(Effect::HoldRequest) => state.hold(record.clone()).await,
        Some(Effect::HoldAnswer) => {
            state.forward(parts, body).await?;
            state.hold(record.clone()).await
        }
    };
    if let Ok(response) = &answer {
        record.status = Some(response.status().as_u16());
        record.answered_bytes = response.body().clone().collect().await?.to_bytes().len();
    }
    lock(&state.requests).push(record);
    answer
}

impl State {
    fn effect_on(&self, record: &Recorded) -> Option<Effect> {
        let mut faults = lock(&self.faults);
        let fault = faults.iter_mut().find(|fault| fault.times > 0 && (fault.matches)(record))?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times -= 1;
        Some(fault.effect.clone())
    }

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

    async fn hold(&self, record: Recorded) -> Result<Response<Full<Bytes>>> {
        lock(&self.requests).push(record);
        self.held.notify_one();
        std::future::pending::<Result<Infallible>>().await?;
        anyhow::bail!("held")
    }
}
