//! Connections to S3. Whoever holds a slot of the window holds at most one, and a new one is opened only when none is
//! idle, so there are never more connections than there were slots at once. hyper's own pool gives no such bound: it
//! opens one beside each wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tower_service::Service;

use super::connection::{BoxError, Connection};
use super::dns::Dns;
use super::target::Target;

/// DNS, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// S3 closes a connection that was idle for somewhat longer; a request that meets the close must be sent again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// After an outage the whole window may need connections at once; handshakes cost both sides.
const CONNECTING_AT_ONCE: usize = 32;

pub(super) struct Pool {
    connector: HttpsConnector<HttpConnector<Dns>>,
    /// Used from the back, so that the front grows old.
    idle: Mutex<VecDeque<Idle>>,
    connecting: Semaphore,
}

struct Idle {
    target: Arc<Target>,
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) fn new() -> std::io::Result<Self> {
        let mut tcp = HttpConnector::new_with_resolver(Dns::default());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1();
        Ok(Self {
            connector: connector.wrap_connector(tcp),
            idle: Mutex::default(),
            connecting: Semaphore::new(CONNECTING_AT_ONCE),
        })
    }

    pub(super) async fn connection(&self, target: &Arc<Target>) -> Result<Connection, BoxError> {
        while let Some(mut connection) = self.idle_one(target) {
            if connection.is_open().await {
                return Ok(connection);
            }
        }
        let _one_of_few = self.connecting.acquire().await?;
        timeout(CONNECT_TIMEOUT, self.connect(target))
            .await
            .map_err(|_| format!("connect to {}: no answer within {CONNECT_TIMEOUT:?}", target.authority()))?
    }

    /// To be called once the answer was read to its end.
    pub(super) fn keep(&self, target: &Arc<Target>, connection: Connection) {
        let (target, now) = (Arc::clone(target), Instant::now());
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push_back(Idle { target, connection, since: now });
        if idle.front().is_some_and(|oldest| now.duration_since(oldest.since) > IDLE_TIMEOUT) {
            idle.pop_front();
        }
    }

    /// The one used last. Where only other buckets' are idle, one of those is closed in favour of the one to be opened.
    fn idle_one(&self, target: &Arc<Target>) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |one: &Idle| one.since.elapsed() <= IDLE_TIMEOUT;
        let Some(last) = idle.iter().rposition(|one| Arc::ptr_eq(&one.target, target)) else {
            idle.pop_front();
            return None;
        };
        idle.remove(last).filter(fresh).map(|one| one.connection)
    }

    async fn connect(&self, target: &Target) -> Result<Connection, BoxError> {
        let stream = self.connector.clone().call(target.uri.clone()).await?;
        Connection::new(stream).await
    }
}
