//! The same answers as a plain HTTP/1.1 server, for a container behind a load balancer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use crate::{Due, Lookup, MAX_BODY_BYTES};

/// Between two requests of a connection. Longer than a load balancer keeps an idle one (60 s), so that it is never us
/// who close it while a request is on its way.
const IDLE: Duration = Duration::from_secs(75);
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// ECS kills 30 seconds after it has asked.
const DRAIN: Duration = Duration::from_secs(20);
const METRICS_EVERY: Duration = Duration::from_mins(1);
/// While the machine has no more file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves until `stop` ends, then answers what is under way.
pub async fn serve(lookup: Arc<Lookup>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let metrics = tokio::spawn(tell_metrics(Arc::clone(&lookup)));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => spawn(&lookup, stream, &graceful),
                Err(error) => {
                    warn!("accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            },
            () = &mut stop => break,
        }
    }
    drop(listener);
    let open = graceful.count();
    info!(open, "lookup stops: {open} connections are finished first");
    if timeout(DRAIN, graceful.shutdown()).await.is_err() {
        warn!("lookup stops although not every answer was fetched within {DRAIN:?}");
    }
    metrics.abort();
    print(lookup.metrics(Due::Now));
}

fn spawn(lookup: &Arc<Lookup>, stream: TcpStream, graceful: &GracefulShutdown) {
    let _ = stream.set_nodelay(true);
    let lookup = Arc::clone(lookup);
    let service = service_fn(move |request| answer(Arc::clone(&lookup), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!("a connection broke: {error}");
        }
    });
}

async fn answer(lookup: Arc<Lookup>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Broken> {
    let (head, body) = request.into_parts();
    let body = if body.is_end_stream() {
        Some(Bytes::new())
    } else {
        timeout(BODY_WITHIN, whole(body)).await.map_err(|_| "the body did not come in time")??
    };
    // hyper takes the body off an answer to HEAD and leaves its length.
    Ok(lookup.answer(Request::from_parts(head, body)).await.map(Full::new))
}

/// Ends the connection.
type Broken = Box<dyn std::error::Error + Send + Sync>;

/// `None`: it is too large.
async fn whole(body: Incoming) -> Result<Option<Bytes>, Broken> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(Some(body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn tell_metrics(lookup: Arc<Lookup>) -> Infallible {
    let mut ticks = tokio::time::interval_at(Instant::now() + METRICS_EVERY, METRICS_EVERY);
    loop {
        ticks.tick().await;
        print(lookup.metrics(Due::Now));
    }
}

/// Metrics are a result, and so go to stdout; both outputs end in the same log.
pub fn print(line: Option<String>) {
    if let Some(line) = line {
        println!("{line}");
    }
}
