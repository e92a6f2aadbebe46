//! One connection for all requests, and the circuit breaker: while there is no connection, nobody waits for Redis. A
//! background task makes a new one; it, and no request, is the probe.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use futures_util::Stream;
use redis::aio::MultiplexedConnection;
use redis::auth::{BasicAuth, StreamingCredentialsProvider};
use redis::{AsyncConnectionConfig, Client, RedisResult};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::{Credentials, RedisCacheError, RedisSettings};
use crate::counters::Counters;
use crate::jitter::jittered;

/// Failures one after the other that end a connection. One slow answer is no outage; three are.
const FAILURES: u32 = 3;
const JITTER_PERCENT: u32 = 20;

pub(super) struct Connection {
    client: Client,
    config: AsyncConnectionConfig,
    connect_timeout: Duration,
    pause: Duration,
    state: RwLock<State>,
    failures: AtomicU32,
    stands: watch::Sender<bool>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct State {
    standing: Option<MultiplexedConnection>,
    /// Of the connection, so that a late failure of an old one is not taken for one of the new.
    number: u64,
}

impl Connection {
    pub(super) fn start(settings: &RedisSettings, counters: Arc<Counters>) -> Result<Arc<Self>, RedisCacheError> {
        // For rediss://. Where the program has chosen a provider, that one stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        // The time for an answer is ours to measure: `timeout` in a request's way, longer for writes.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(None);
        let config = match &settings.credentials {
            Credentials::InUrl => config,
            Credentials::Provider(provider) => config.set_credentials_provider(Given(Arc::clone(provider))),
        };
        let connection = Arc::new(Self {
            client: Client::open(settings.url.as_str())?,
            config,
            connect_timeout: settings.connect_timeout,
            pause: settings.pause,
            state: RwLock::default(),
            failures: AtomicU32::new(0),
            stands: watch::Sender::new(false),
            counters,
        });
        tokio::spawn(reconnect(Arc::downgrade(&connection)));
        Ok(connection)
    }

    /// Until there is a connection.
    pub(super) async fn stands(&self) {
        let _ = self.stands.subscribe().wait_for(|stands| *stands).await;
    }

    pub(super) fn get(&self) -> Option<(MultiplexedConnection, u64)> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Some((state.standing.clone()?, state.number))
    }

    pub(super) fn works(&self) {
        self.failures.store(0, Relaxed);
    }

    /// A connection that answers late again and again is given up as a broken one is: where the other machine is gone
    /// without a word, nothing else would end it for minutes.
    pub(super) fn failed(self: &Arc<Self>, number: u64, why: &str) {
        if self.failures.fetch_add(1, Relaxed) + 1 < FAILURES {
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.number == number && state.standing.take().is_some() {
            self.stands.send_replace(false);
            self.counters.redis_opened.one();
            warn!("Redis is not asked for a while, rows are read from S3: {why}");
            tokio::spawn(reconnect(Arc::downgrade(self)));
        }
    }

    async fn connect(&self) -> Result<(), String> {
        let connect = async {
            let mut made = self.client.get_multiplexed_async_connection_with_config(&self.config).await?;
            let _: String = redis::cmd("PING").query_async(&mut made).await?;
            RedisResult::Ok(made)
        };
        let made = match timeout(self.connect_timeout, connect).await {
            Ok(made) => made.map_err(|error| error.to_string())?,
            Err(_) => return Err(format!("no connection within {:?}", self.connect_timeout)),
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.failures.store(0, Relaxed);
        *state = State { standing: Some(made), number: state.number + 1 };
        self.stands.send_replace(true);
        Ok(())
    }
}

/// Until there is a connection, or nobody wants one any more.
async fn reconnect(connection: Weak<Connection>) {
    let mut told = false;
    while let Some(strong) = connection.upgrade() {
        let outcome = strong.connect().await;
        match outcome {
            Ok(()) => return info!("Redis is asked"),
            Err(why) if !told => warn!("Redis cannot be reached, rows are read from S3: {why}"),
            Err(_) => {}
        }
        told = true;
        let pause = jittered(strong.pause, JITTER_PERCENT);
        drop(strong);
        sleep(pause).await;
    }
}

struct Given(Arc<dyn StreamingCredentialsProvider>);

impl StreamingCredentialsProvider for Given {
    fn subscribe(&self) -> Pin<Box<dyn Stream<Item = RedisResult<BasicAuth>> + Send + 'static>> {
        self.0.subscribe()
    }
}
