//! One connection to one node for all requests, and the circuit breaker: while there is no connection, nobody waits for
//! this node. A background task makes a new one; it, and no request, is the probe.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use futures_util::Stream;
use redis::aio::MultiplexedConnection;
use redis::auth::{BasicAuth, StreamingCredentialsProvider};
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisResult, Value};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::refusals::{Refusals, Remedy, remedy};
use super::{Credentials, RedisCacheError, RedisSettings};
use crate::counters::Counters;
use crate::jitter::jittered;

/// Failures one after the other that end a connection. One slow answer is no outage; three are.
const FAILURES: u32 = 3;
const JITTER_PERCENT: u32 = 20;

/// What the connections to all nodes have in common.
pub(super) struct Common {
    pub(super) config: AsyncConnectionConfig,
    pub(super) settings: RedisSettings,
    pub(super) counters: Arc<Counters>,
    /// Something happened after which it may be another node that has a key.
    pub(super) look: Notify,
    pub(super) refusals: Refusals,
}

pub(super) struct Connection {
    client: Client,
    common: Arc<Common>,
    state: RwLock<State>,
    failures: AtomicU32,
    stands: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    standing: Option<MultiplexedConnection>,
    /// Of the connection, so that a late failure of an old one is not taken for one of the new.
    number: u64,
    made_at: Option<Instant>,
}

impl Common {
    pub(super) fn new(settings: &RedisSettings, counters: Arc<Counters>) -> Self {
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
        let (look, refusals) = (Notify::new(), Refusals::default());
        Self { config, settings: settings.clone(), counters, look, refusals }
    }
}

impl Connection {
    /// Is made in the background.
    pub(super) fn start(node: ConnectionInfo, common: Arc<Common>) -> Result<Arc<Self>, RedisCacheError> {
        let connection = Arc::new(Self {
            client: Client::open(node)?,
            common,
            state: RwLock::default(),
            failures: AtomicU32::new(0),
            stands: watch::Sender::new(false),
        });
        tokio::spawn(reconnect(Arc::downgrade(&connection), Duration::ZERO));
        Ok(connection)
    }

    /// Until there is a connection.
    pub(super) async fn stands(&self) {
        let _ = self.stands.subscribe().wait_for(|stands| *stands).await;
    }

    /// `127.0.0.1:6379`
    pub(super) fn node(&self) -> &ConnectionAddr {
        self.client.get_connection_info().addr()
    }

    /// A question of our own, in nobody's way; None where there is no answer.
    pub(super) async fn probe(&self, question: &Cmd) -> Option<Value> {
        let (mut standing, _) = self.standing()?;
        timeout(self.common.settings.connect_timeout, standing.send_packed_command(question)).await.ok()?.ok()
    }

    /// An answer for each command; none at all where there is no connection, or no answer in time.
    pub(super) async fn ask(self: &Arc<Self>, commands: &Pipeline, within: Duration) -> Vec<Value> {
        let counters = &self.common.counters;
        let Some((mut standing, number)) = self.standing() else {
            counters.redis_skipped.one();
            return Vec::new();
        };
        let why = match timeout(within, standing.send_packed_commands(commands, 0, commands.len())).await {
            Ok(Ok(answers)) => {
                self.failures.store(0, Relaxed);
                self.see_to_errors(number, &answers);
                return answers;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {within:?}"),
        };
        counters.redis_errors.one();
        self.failed(number, &why);
        Vec::new()
    }

    fn standing(&self) -> Option<(MultiplexedConnection, u64)> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Some((state.standing.clone()?, state.number))
    }

    fn see_to_errors(self: &Arc<Self>, number: u64, answers: &[Value]) {
        for answer in answers {
            let Value::ServerError(error) = answer else { continue };
            self.common.counters.redis_errors.one();
            self.common.refusals.tell(self.node(), error);
            match remedy(error) {
                Remedy::Nothing => {}
                Remedy::Leave => drop(self.leave(number)),
                Remedy::LookForNodes => self.common.look.notify_one(),
            }
        }
    }

    /// A connection that answers late again and again is given up as a broken one is: where the other machine is gone
    /// without a word, nothing else would end it for minutes.
    fn failed(self: &Arc<Self>, number: u64, why: &str) {
        if self.failures.fetch_add(1, Relaxed) + 1 >= FAILURES && self.leave(number) {
            warn!("Redis at {} is not asked for a while, rows are read from S3: {why}", self.node());
        }
    }

    /// Whether it was this one that stood.
    fn leave(self: &Arc<Self>, number: u64) -> bool {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.number != number || state.standing.take().is_none() {
            return false;
        }
        // At once, unless that has just helped for no time at all: an address may lead to the old node for a while.
        let stood = state.made_at.map_or(Duration::ZERO, |made_at| made_at.elapsed());
        let pause = self.common.settings.pause.saturating_sub(stood);
        self.stands.send_replace(false);
        self.common.counters.redis_opened.one();
        self.common.look.notify_one();
        tokio::spawn(reconnect(Arc::downgrade(self), pause));
        true
    }

    async fn connect(&self) -> Result<(), String> {
        let connect = async {
            let mut made = self.client.get_multiplexed_async_connection_with_config(&self.common.config).await?;
            let _: String = redis::cmd("PING").query_async(&mut made).await?;
            RedisResult::Ok(made)
        };
        let within = self.common.settings.connect_timeout;
        let made = match timeout(within, connect).await {
            Ok(made) => made.map_err(|error| error.to_string())?,
            Err(_) => return Err(format!("no connection within {within:?}")),
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.failures.store(0, Relaxed);
        *state = State { standing: Some(made), number: state.number + 1, made_at: Some(Instant::now()) };
        self.stands.send_replace(true);
        Ok(())
    }
}

/// Until there is a connection, or nobody wants one any more.
async fn reconnect(connection: Weak<Connection>, mut pause: Duration) {
    let mut told = false;
    loop {
        sleep(pause).await;
        let Some(connection) = connection.upgrade() else { return };
        let outcome = connection.connect().await;
        // A node that is there again, or that is not there: in a cluster, another may have its slots.
        connection.common.look.notify_one();
        match outcome {
            Ok(()) => return info!("Redis at {} is asked", connection.node()),
            Err(why) if !told => {
                warn!("Redis at {} cannot be reached, rows are read from S3: {why}", connection.node());
            }
            Err(_) => {}
        }
        told = true;
        pause = jittered(connection.common.settings.pause, JITTER_PERCENT);
    }
}

struct Given(Arc<dyn StreamingCredentialsProvider>);

impl StreamingCredentialsProvider for Given {
    fn subscribe(&self) -> Pin<Box<dyn Stream<Item = RedisResult<BasicAuth>> + Send + 'static>> {
        self.0.subscribe()
    }
}
