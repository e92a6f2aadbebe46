//! A place that takes every PUT and keeps nothing, cheap enough that its client is what is measured. It speaks just enough
//! HTTP/1.1 for that: requests with a `Content-Length`, one after the other on a connection.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::{Buf, BytesMut};
use clap::Args;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls;

/// Takes every PUT, keeps nothing, and counts.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// Added to each answer
    #[arg(long, default_value_t = 0)]
    pub latency_ms: u64,
    /// One request in so many is answered 503; 0 for none
    #[arg(long, default_value_t = 0)]
    pub refuse_each: u64,
    /// One request in so many is slow; 0 for none
    #[arg(long, default_value_t = 0)]
    pub slow_each: u64,
    /// Added to the answers of the slow ones
    #[arg(long, default_value_t = 500)]
    pub slow_ms: u64,
    /// Speak TLS, and write the certificate of its authority to this file
    #[arg(long)]
    pub authority: Option<PathBuf>,
}

/// What came in so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub connections: u64,
    pub requests: u64,
    pub refused: u64,
    pub body_bytes: u64,
}

/// Stops when dropped.
pub struct Sink {
    endpoint: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    options: Options,
    connections: AtomicU64,
    open: AtomicU64,
    requests: AtomicU64,
    refused: AtomicU64,
    body_bytes: AtomicU64,
}

impl Options {
    /// `local sink`: says where it listens, and serves until it is stopped.
    pub async fn run(self) -> Result<()> {
        let sink = Sink::start(self).await?;
        println!("{}", sink.endpoint());
        std::future::pending().await
    }
}

impl Sink {
    pub async fn start(options: Options) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind a sink")?;
        let tls = options.authority.as_deref().map(|file| tls::acceptor("127.0.0.1", file)).transpose()?;
        let endpoint = format!("{}://{}", if tls.is_some() { "https" } else { "http" }, listener.local_addr()?);
        let state = Arc::new(State { options, ..State::default() });
        let server = tokio::spawn(serve(listener, tls, Arc::clone(&state)));
        Ok(Self { endpoint, state, server })
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    pub fn seen(&self) -> Seen {
        self.state.seen()
    }

    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        self.state.open.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    fn seen(&self) -> Seen {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Seen {
            connections: of(&self.connections),
            requests: of(&self.requests),
            refused: of(&self.refused),
            body_bytes: of(&self.body_bytes),
        }
    }

    /// How long the next answer takes, and what it is.
    fn next(&self, body_bytes: u64) -> (Duration, &'static [u8]) {
        let n = 1 + self.requests.fetch_add(1, Ordering::Relaxed);
        self.body_bytes.fetch_add(body_bytes, Ordering::Relaxed);
        let each = |every: u64| every > 0 && n.is_multiple_of(every);
        let slow = if each(self.options.slow_each) { self.options.slow_ms } else { 0 };
        let latency = Duration::from_millis(self.options.latency_ms + slow);
        if each(self.options.refuse_each) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return (latency, REFUSED);
        }
        (latency, TAKEN)
    }
}

/// What tokio's timer adds: it knows whole milliseconds only, and is never early.
const TIMER: Duration = Duration::from_millis(1);

const TAKEN: &[u8] = b"HTTP/1.1 200 OK\r\nETag: \"0123456789abcdef0123456789abcdef\"\r\nServer: AmazonS3\r\n\
    x-amz-request-id: 0123456789ABCDEF\r\nContent-Length: 0\r\n\r\n";
const REFUSED: &[u8] = b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nServer: AmazonS3\r\n\
    Content-Length: 87\r\n\r\n<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        state.connections.fetch_add(1, Ordering::Relaxed);
        state.open.fetch_add(1, Ordering::Relaxed);
        let (state, tls) = (Arc::clone(&state), tls.clone());
        tokio::spawn(async move {
            let _ = greet(stream, tls, &state).await; // a client that goes away is no matter of ours
            state.open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn greet(stream: TcpStream, tls: Option<TlsAcceptor>, state: &State) -> Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => converse(tls.accept(stream).await?, state).await,
        None => converse(stream, state).await,
    }
}

async fn converse(mut stream: impl Transport, state: &State) -> Result<()> {
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    while let Some(head) = head(&mut stream, &mut buffer).await? {
        if head.expects && buffer.is_empty() {
            stream.write_all(CONTINUE).await?;
            stream.flush().await?;
        }
        let mut left = head.body_bytes;
        while left > buffer.len() {
            left -= buffer.len();
            buffer.clear();
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        buffer.advance(left);
        if head.asks_counts {
            stream.write_all(counts(state.seen()).as_bytes()).await?;
            stream.flush().await?;
            continue;
        }
        let (latency, answer) = state.next(head.body_bytes as u64);
        if !latency.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(latency.saturating_sub(TIMER)) => {}
                () = closed(stream.tcp()) => return Ok(()),
            }
        }
        stream.write_all(answer).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// TCP, or TLS over it.
trait Transport: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Transport for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Returns when the client has gone away; never if it sends its next request early.
async fn closed(stream: &TcpStream) {
    if stream.peek(&mut [0]).await.is_ok_and(|bytes| bytes > 0) {
        std::future::pending::<()>().await;
    }
}

struct Head {
    body_bytes: usize,
    expects: bool,
    /// A `GET` of anything.
    asks_counts: bool,
}

/// Takes the next request's head off the buffer; none at the end of the connection.
async fn head(stream: &mut impl Transport, buffer: &mut BytesMut) -> Result<Option<Head>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = Head::read(&buffer.split_to(end + 4))?;
            return Ok(Some(head));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Self> {
        let mut head = Self { body_bytes: 0, expects: false, asks_counts: bytes.starts_with(b"GET ") };
        for line in bytes.split(|byte| *byte == b'\n').skip(1) {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                head.body_bytes = std::str::from_utf8(value)?.parse()?;
            } else if name.eq_ignore_ascii_case(b"expect") {
                head.expects = true;
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                bail!("a body in chunks");
            }
        }
        Ok(head)
    }
}

fn counts(seen: Seen) -> String {
    let body = serde_json::json!({
        "connections": seen.connections, "requests": seen.requests,
        "refused": seen.refused, "body_bytes": seen.body_bytes,
    });
    let body = body.to_string();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(stream: &mut TcpStream, request: &str) -> String {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }

    #[tokio::test]
    async fn puts_are_taken_one_after_the_other_and_each_nth_is_refused() {
        let sink = Sink::start(Options { refuse_each: 3, ..Options::default() }).await.unwrap();
        let address = sink.endpoint().replace("http://", "");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut statuses = Vec::new();
        for _ in 0..3 {
            let answer = ask(&mut stream, "PUT /b/k HTTP/1.1\r\ncontent-LENGTH: 5\r\n\r\nhello").await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{answer}");
            statuses.push(answer[9..12].to_owned());
        }
        assert_eq!(statuses, ["200", "200", "503"]);
        let expecting = "PUT /b/k HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
        assert!(ask(&mut stream, expecting).await.starts_with("HTTP/1.1 100 "));
        assert!(ask(&mut stream, "ok").await.starts_with("HTTP/1.1 200 "));
        let seen = Seen { connections: 1, requests: 4, refused: 1, body_bytes: 17 };
        assert_eq!(sink.seen(), seen);
        let counts = ask(&mut stream, "GET / HTTP/1.1\r\n\r\n").await;
        assert!(counts.ends_with(r#"{"body_bytes":17,"connections":1,"refused":1,"requests":4}"#), "{counts}");
    }
}
