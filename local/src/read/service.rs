//! `BigQueryRead`, the service of the Storage Read API, over HTTP/2. The generated crate has only its client.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use crate::read::storage::{CreateReadSessionRequest, ReadRowsRequest, ReadRowsResponse, ReadSession};
use futures_util::Stream;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

const CREATE_READ_SESSION: &str = "/google.cloud.bigquery.storage.v1.BigQueryRead/CreateReadSession";
const READ_ROWS: &str = "/google.cloud.bigquery.storage.v1.BigQueryRead/ReadRows";

pub(crate) type Messages = Pin<Box<dyn Stream<Item = Result<ReadRowsResponse, Status>> + Send>>;

/// What answers the calls.
pub(crate) trait Reads: Send + Sync + 'static {
    fn create_read_session(
        self: Arc<Self>,
        request: CreateReadSessionRequest,
    ) -> impl Future<Output = Result<ReadSession, Status>> + Send;

    fn read_rows(
        self: Arc<Self>,
        request: ReadRowsRequest,
        line: Line,
    ) -> impl Future<Output = Result<Messages, Status>> + Send;
}

/// The connection that a call came by.
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<Notify>);

impl Line {
    /// Closes it under all its calls.
    pub(crate) fn cut(&self) {
        self.0.notify_one();
    }
}

/// Serves until it is dropped, and its connections with it.
pub(crate) async fn serve(listener: TcpListener, reads: Arc<impl Reads>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(connection(stream, Arc::clone(&reads)));
    }
}

async fn connection(stream: TcpStream, reads: Arc<impl Reads>) {
    let _ = stream.set_nodelay(true);
    let line = Line::default();
    let answer = service_fn(|request| answer(Call { reads: Arc::clone(&reads), line: line.clone() }, request));
    let serving = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer);
    tokio::select! {
        _ = serving => {} // a client that goes away is no matter of ours
        () = line.0.notified() => {}
    }
}

async fn answer<R: Reads>(
    call: Call<R>,
    request: http::Request<Incoming>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    Ok(match request.uri().path() {
        CREATE_READ_SESSION => Grpc::new(ProstCodec::default()).unary(call, request).await,
        READ_ROWS => Grpc::new(ProstCodec::default()).server_streaming(call, request).await,
        path => Status::unimplemented(path.to_owned()).into_http(),
    })
}

struct Call<R> {
    reads: Arc<R>,
    line: Line,
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

impl<R: Reads> UnaryService<CreateReadSessionRequest> for Call<R> {
    type Response = ReadSession;
    type Future = Answer<ReadSession>;

    fn call(&mut self, request: Request<CreateReadSessionRequest>) -> Self::Future {
        let reads = Arc::clone(&self.reads);
        Box::pin(async move { Ok(Response::new(reads.create_read_session(request.into_inner()).await?)) })
    }
}

impl<R: Reads> ServerStreamingService<ReadRowsRequest> for Call<R> {
    type Response = ReadRowsResponse;
    type ResponseStream = Messages;
    type Future = Answer<Messages>;

    fn call(&mut self, request: Request<ReadRowsRequest>) -> Self::Future {
        let (reads, line) = (Arc::clone(&self.reads), self.line.clone());
        Box::pin(async move { Ok(Response::new(reads.read_rows(request.into_inner(), line).await?)) })
    }
}
