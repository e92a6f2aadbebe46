//! The nodes of Redis: one that has every key, or those of a cluster, each with its own slots, connection and circuit
//! breaker. Nobody has to say which of the two it is: `CLUSTER SLOTS` is asked whenever a connection was made or lost,
//! or a node says that a key is another's.

use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use futures_util::future::join_all;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Value};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::info;

use super::connection::{Common, Connection};
use super::slots::{SLOTS, Share, shares, slot_of};
use super::{RedisCacheError, RedisSettings};
use crate::counters::Counters;

pub(super) struct Nodes {
    /// The address that we were given, and how every node lets us in.
    entrance: ConnectionInfo,
    /// The connection to that address. In a cluster it may be one to any node.
    seed: Arc<Connection>,
    /// In the order of the slots.
    map: RwLock<Arc<[Owned]>>,
    looked: watch::Sender<bool>,
    common: Arc<Common>,
}

struct Owned {
    slots: RangeInclusive<u16>,
    node: Arc<Connection>,
}

/// Those of some keys that one node has, by their places.
pub(super) struct Part {
    pub(super) node: Arc<Connection>,
    pub(super) places: Vec<usize>,
}

impl Nodes {
    pub(super) fn start(settings: &RedisSettings, counters: Arc<Counters>) -> Result<Arc<Self>, RedisCacheError> {
        let entrance = settings.url.as_str().into_connection_info()?;
        let common = Arc::new(Common::new(settings, counters));
        let seed = Connection::start(entrance.clone(), Arc::clone(&common))?;
        let (map, looked) = (RwLock::new(all(&seed)), watch::Sender::new(false));
        let nodes = Arc::new(Self { entrance, seed, map, looked, common: Arc::clone(&common) });
        tokio::spawn(follow(Arc::downgrade(&nodes), common));
        Ok(nodes)
    }

    /// Until every node has a connection.
    pub(super) async fn stand(&self) {
        self.seed.stands().await;
        let _ = self.looked.subscribe().wait_for(|looked| *looked).await;
        join_all(self.map().iter().map(|owned| owned.node.stands())).await;
    }

    /// The keys by their nodes. One whose slot is nobody's is in no part.
    pub(super) fn parts<'a>(&self, keys: impl Iterator<Item = &'a str>) -> Vec<Part> {
        let map = self.map();
        let mut parts: Vec<Part> = Vec::new();
        for (place, key) in keys.enumerate() {
            let slot = slot_of(key);
            let owner = map.get(map.partition_point(|owned| *owned.slots.end() < slot));
            let Some(Owned { node, .. }) = owner.filter(|owned| owned.slots.contains(&slot)) else { continue };
            match parts.iter_mut().find(|part| Arc::ptr_eq(&part.node, node)) {
                Some(part) => part.places.push(place),
                None => parts.push(Part { node: Arc::clone(node), places: vec![place] }),
            }
        }
        parts
    }

    fn map(&self) -> Arc<[Owned]> {
        Arc::clone(&self.map.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks one node after the other until one knows which has which slots, or that there are none.
    async fn look(&self) {
        let map = self.map();
        for node in std::iter::once(&self.seed).chain(map.iter().map(|owned| &owned.node)) {
            let Some(answer) = node.probe(redis::cmd("CLUSTER").arg("SLOTS")).await else { continue };
            let next = match &answer {
                // It is no cluster, or we may not ask: should it be one, MOVED says so.
                Value::ServerError(error) => {
                    if error.code() != "ERR" {
                        self.common.refusals.tell(node.node(), error);
                    }
                    all(&self.seed)
                }
                answer => match shares(answer, self.is_tls()) {
                    Some(shares) if !shares.is_empty() => self.cluster(shares, node, &map),
                    _ => continue,
                },
            };
            *self.map.write().unwrap_or_else(PoisonError::into_inner) = next;
            self.looked.send_replace(true);
            return;
        }
    }

    /// Connections that are there stay.
    fn cluster(&self, shares: Vec<Share>, asked: &Connection, before: &[Owned]) -> Arc<[Owned]> {
        let mut nodes: Vec<Arc<Connection>> = before.iter().map(|owned| Arc::clone(&owned.node)).collect();
        nodes.push(Arc::clone(&self.seed));
        let mut cluster = Vec::with_capacity(shares.len());
        for Share { slots, host, port } in shares {
            let address = self.address(host.unwrap_or_else(|| host_of(asked.node())), port);
            let known = nodes.iter().find(|node| *node.node() == address).cloned();
            let node = known.or_else(|| {
                info!("Redis Cluster has a node at {address}");
                Connection::start(self.entrance.clone().set_addr(address), Arc::clone(&self.common)).ok()
            });
            if let Some(node) = node {
                nodes.push(Arc::clone(&node));
                cluster.push(Owned { slots, node });
            }
        }
        cluster.into()
    }

    fn is_tls(&self) -> bool {
        matches!(self.entrance.addr(), ConnectionAddr::TcpTls { .. })
    }

    fn address(&self, host: String, port: u16) -> ConnectionAddr {
        match self.entrance.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        }
    }
}

impl Drop for Nodes {
    /// So that `follow` ends.
    fn drop(&mut self) {
        self.common.look.notify_one();
    }
}

/// One node has every slot.
fn all(node: &Arc<Connection>) -> Arc<[Owned]> {
    [Owned { slots: 0..=SLOTS - 1, node: Arc::clone(node) }].into()
}

fn host_of(address: &ConnectionAddr) -> String {
    match address {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.clone(),
        other => other.to_string(),
    }
}

/// Looks when there is a reason to, but not more often than a lost node is tried.
async fn follow(nodes: Weak<Nodes>, common: Arc<Common>) {
    loop {
        common.look.notified().await;
        let Some(nodes) = nodes.upgrade() else { return };
        nodes.look().await;
        drop(nodes);
        sleep(common.settings.pause).await;
    }
}
