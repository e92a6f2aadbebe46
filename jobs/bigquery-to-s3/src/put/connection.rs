//! One connection. hyper leaves the reading and writing to a future of its own, which is usually given a task: then each
//! request wakes two tasks one after the other, often on two threads. Here the put that uses the connection polls it too;
//! `docs/research/put-engine.md` says what that saves. While the connection is idle nobody polls it, so that S3 has closed
//! it is seen when it is used next.

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tracing::debug;

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// S3's error documents are below 1 KiB.
const LONGEST_ANSWER: usize = 64 * 1024;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    wire: Wire,
    /// It has carried a request before: S3 may have closed it in the meantime.
    pub(super) reused: bool,
}

/// None once it has ended.
struct Wire(Option<Box<http1::Connection<Stream, Full<Bytes>>>>);

impl Connection {
    pub(super) async fn new(stream: Stream) -> Result<Self, BoxError> {
        let (sender, wire) = http1::handshake(stream).await?;
        Ok(Self { sender, wire: Wire(Some(Box::new(wire))), reused: false })
    }

    /// Whether it can carry one more request, as far as is known here.
    pub(super) async fn is_open(&mut self) -> bool {
        self.reused = true;
        self.wire.beside(self.sender.ready()).await.is_ok()
    }

    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, hyper::Error> {
        self.wire.beside(self.sender.send_request(request)).await
    }

    pub(super) async fn whole(&mut self, body: Incoming) -> Result<Bytes, BoxError> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        Ok(self.wire.beside(Limited::new(body, LONGEST_ANSWER).collect()).await?.to_bytes())
    }
}

impl Wire {
    /// The wire first, since it may have ended; once more after `work`, which may have left it something to write.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            for _ in 0..2 {
                self.poll(context);
                if let Poll::Ready(done) = work.as_mut().poll(context) {
                    return Poll::Ready(done);
                }
            }
            Poll::Pending
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        let Some(wire) = &mut self.0 else { return };
        if let Poll::Ready(end) = Pin::new(wire).poll(context) {
            self.0 = None;
            if let Err(error) = end {
                debug!("a connection to S3 ended: {error}"); // the request that it carried tells the caller
            }
        }
    }
}
