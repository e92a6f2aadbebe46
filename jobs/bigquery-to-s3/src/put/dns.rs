//! Answers of DNS, kept for half a minute: a ramp of hundreds of connections asks once. S3 gives several addresses in each
//! answer; connections go round them.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::dns::Name;
use tokio::time::Instant;
use tower_service::Service;
use tracing::warn;

const KEPT: Duration = Duration::from_secs(30);
/// A failure is not asked again by everyone who waited for it.
const FAILURE_KEPT: Duration = Duration::from_secs(1);
/// One to connect to and two more should it not answer: the connector divides its time among all that it gets.
const TRIED: usize = 3;

#[derive(Clone, Default)]
pub(super) struct Dns(Arc<Cache>);

#[derive(Default)]
struct Cache {
    names: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Entry>>>>,
    turn: AtomicUsize,
}

#[derive(Default)]
struct Entry {
    addresses: Arc<[SocketAddr]>,
    failure: Option<(io::ErrorKind, String)>,
    until: Option<Instant>,
}

impl Cache {
    /// Who asks while a look-up is under way waits for that one.
    async fn addresses<F>(&self, name: &str, now: Instant, lookup: impl FnOnce() -> F) -> io::Result<Vec<SocketAddr>>
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>>,
    {
        let entry = {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(names.entry(name.to_owned()).or_default())
        };
        let mut entry = entry.lock().await;
        if entry.until.is_none_or(|until| until <= now) {
            entry.learn(name, now, lookup().await);
        }
        match &entry.failure {
            Some((kind, text)) => Err(io::Error::new(*kind, text.clone())),
            None => Ok(self.some_of(&entry.addresses)),
        }
    }

    fn some_of(&self, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len().max(1);
        addresses.iter().cycle().skip(first).take(addresses.len().min(TRIED)).copied().collect()
    }
}

impl Entry {
    /// A failure takes no good answer away: S3's addresses serve for much longer than their time to live.
    fn learn(&mut self, name: &str, now: Instant, answer: io::Result<Vec<SocketAddr>>) {
        match answer {
            Ok(addresses) if !addresses.is_empty() => {
                *self = Self { addresses: addresses.into(), failure: None, until: Some(now + KEPT) };
            }
            answer => {
                let error = answer.err().unwrap_or_else(|| io::ErrorKind::NotFound.into());
                self.until = Some(now + FAILURE_KEPT);
                if self.addresses.is_empty() {
                    self.failure = Some((error.kind(), format!("look up {name}: {error}")));
                } else {
                    warn!(name, "could not look {name} up again, its last addresses are kept: {error}");
                }
            }
        }
    }
}

impl Service<Name> for Dns {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let cache = Arc::clone(&self.0);
        Box::pin(async move {
            let lookup = || async { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) };
            Ok(cache.addresses(name.as_str(), Instant::now(), lookup).await?.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn four() -> Vec<SocketAddr> {
        (1..=4).map(|n| SocketAddr::from(([10, 0, 0, n], 0))).collect()
    }

    async fn good() -> io::Result<Vec<SocketAddr>> {
        Ok(four())
    }

    async fn broken() -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::other("no such host"))
    }

    #[tokio::test]
    async fn many_who_ask_at_once_share_one_lookup_that_is_kept_for_half_a_minute() {
        let (cache, lookups, began) = (Cache::default(), AtomicUsize::new(0), Instant::now());
        let lookup = || async {
            lookups.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(four())
        };
        let ask = |name, seconds| cache.addresses(name, began + Duration::from_secs(seconds), lookup);
        let (a, b, c) = tokio::join!(ask("s3", 0), ask("s3", 0), ask("s3", 0));
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        ask("s3", 29).await.unwrap();
        assert_eq!(lookups.load(Ordering::Relaxed), 1);
        ask("s3", 31).await.unwrap();
        assert_eq!(lookups.load(Ordering::Relaxed), 2);
        ask("another", 31).await.unwrap();
        assert_eq!(lookups.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn connections_go_round_the_addresses_and_have_two_more_to_try() {
        let (cache, now) = (Cache::default(), Instant::now());
        let mut firsts = Vec::new();
        for _ in 0..8 {
            let some = cache.addresses("s3", now, good).await.unwrap();
            assert_eq!(some.len(), 3);
            firsts.push(some[0]);
        }
        assert_eq!(firsts, [four(), four()].concat());
        let one = cache.addresses("one", now, || async { Ok(four()[..1].to_vec()) }).await.unwrap();
        assert_eq!(one, four()[..1]);
    }

    #[tokio::test]
    async fn a_failure_is_kept_for_a_second_and_takes_no_good_answer_away() {
        let (cache, began) = (Cache::default(), Instant::now());
        let second = |n| began + Duration::from_secs(n);
        let error = cache.addresses("s3", began, broken).await.unwrap_err();
        assert_eq!(error.to_string(), "look up s3: no such host");
        assert!(cache.addresses("s3", began, good).await.is_err(), "too early");
        assert!(cache.addresses("s3", second(2), good).await.is_ok());
        assert!(cache.addresses("s3", second(40), broken).await.is_ok());
        assert!(cache.addresses("empty", began, || async { Ok(vec![]) }).await.is_err());
    }
}
