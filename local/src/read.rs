//! A wire between a program and a Storage Read endpoint: it records every request, and can break a stream in each way
//! that the real service can.

mod fault;
mod passing;
mod record;
pub(crate) mod service;
mod stored;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use storage::big_query_read_client::BigQueryReadClient;
use storage::{CreateReadSessionRequest, ReadRowsRequest, ReadSession};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

use fault::Faults;
use passing::Passing;
use record::Record;
use service::{Line, Messages, Reads, serve};

pub(crate) use googleapis_tonic_google_cloud_bigquery_storage_v1::google::cloud::bigquery::storage::v1 as storage;

pub use fault::{ReadFault, rst_stream};
pub use record::{ReadRequest, RowsRequest, SessionRequest};
pub use stored::{StoredTable, StoredTables};
pub use tonic::{Code, Status};

/// A stream's window, so that a message of a few megabytes needs no round trip of its own.
const WINDOW_BYTES: u32 = 8 << 20;

pub struct ReadWire {
    endpoint: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    client: BigQueryReadClient<Channel>,
    record: Mutex<Record>,
    faults: Mutex<Faults>,
    sessions: Mutex<Sessions>,
    latency: Mutex<Duration>,
    held: Notify,
}

/// What becomes of each session: `None` while it lives.
type Sessions = BTreeMap<String, Option<Status>>;

impl ReadWire {
    /// Passes everything on to `target`, for example `http://127.0.0.1:9060`.
    pub async fn start(target: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind a read wire")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let channel = Endpoint::from_shared(target.to_owned())
            .with_context(|| format!("read the endpoint {target}"))?
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .connect_lazy();
        let state = Arc::new(State {
            client: BigQueryReadClient::new(channel).max_decoding_message_size(usize::MAX),
            record: Mutex::default(),
            faults: Mutex::default(),
            sessions: Mutex::default(),
            latency: Mutex::default(),
            held: Notify::new(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { endpoint, state, server })
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    pub fn requests(&self) -> Vec<ReadRequest> {
        lock(&self.state.record).requests()
    }

    pub fn sessions(&self) -> Vec<SessionRequest> {
        self.requests().iter().filter_map(ReadRequest::session).cloned().collect()
    }

    pub fn rows(&self) -> Vec<RowsRequest> {
        self.requests().iter().filter_map(ReadRequest::rows).cloned().collect()
    }

    pub fn forget(&self) {
        lock(&self.state.record).clear();
    }

    /// Adds `latency` before each call's answer.
    pub fn delay(&self, latency: Duration) {
        *lock(&self.state.latency) = latency;
    }

    /// The next `times` requests that match meet `fault`.
    pub fn fault(
        &self,
        times: usize,
        fault: ReadFault,
        matches: impl Fn(&ReadRequest) -> bool + Send + Sync + 'static,
    ) {
        lock(&self.state.faults).plan(times, fault, Box::new(matches));
    }

    /// From now on `ReadRows` answers `status` for the sessions that were made until now.
    pub fn expire_sessions(&self, status: &Status) {
        for fate in lock(&self.state.sessions).values_mut() {
            *fate = Some(status.clone());
        }
    }

    /// No fault any more; an expired session stays expired.
    pub fn heal(&self) {
        lock(&self.state.faults).heal();
    }

    /// Waits until a stream hangs.
    pub async fn held(&self) {
        self.state.held.notified().await;
    }
}

impl Drop for ReadWire {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reads for State {
    async fn create_read_session(self: Arc<Self>, request: CreateReadSessionRequest) -> Result<ReadSession, Status> {
        let (at, fault) = self.arrive(ReadRequest::Session((&request).into())).await;
        // Only a refusal has a meaning here: there is no stream yet.
        if let Some(ReadFault::Refuse(status)) = fault {
            return Err(status);
        }
        let session = self.client.clone().create_read_session(request).await?.into_inner();
        lock(&self.sessions).insert(session.name.clone(), None);
        lock(&self.record).made(at, &session.name);
        Ok(session)
    }

    async fn read_rows(self: Arc<Self>, request: ReadRowsRequest, line: Line) -> Result<Messages, Status> {
        let (at, fault) = self.arrive(ReadRequest::Rows((&request).into())).await;
        if let Some(status) = self.expired(&request.read_stream) {
            return Err(status);
        }
        if let Some(ReadFault::Refuse(status)) = fault {
            return Err(status);
        }
        let messages = self.client.clone().read_rows(request).await?.into_inner();
        Ok(Passing { state: self, line, at, fault, passed: 0, messages }.into_messages())
    }
}

impl State {
    /// Where the request stands in the record, and the fault that it meets.
    async fn arrive(&self, request: ReadRequest) -> (usize, Option<ReadFault>) {
        let fault = lock(&self.faults).meet(&request);
        let at = lock(&self.record).push(request);
        let latency = *lock(&self.latency);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        (at, fault)
    }

    /// A stream's name begins with that of its session.
    fn expired(&self, stream: &str) -> Option<Status> {
        let (session, _) = stream.split_once("/streams/")?;
        lock(&self.sessions).get(session).cloned().flatten()
    }
}
