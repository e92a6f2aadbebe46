//! Emulators for one test after the other. To start BigQuery takes four seconds of a processor, to empty it a tenth of
//! that; moto takes two.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

use crate::bigquery::BigQuery;
use crate::moto::Moto;

/// Where those are that no test has at the moment.
static IDLE: Mutex<Vec<At>> = Mutex::new(Vec::new());

struct At {
    endpoint: String,
    grpc_endpoint: String,
    data: PathBuf,
}

/// Nobody else has it, and it is empty. Goes back when it is dropped.
pub struct PooledBigQuery {
    bigquery: BigQuery,
    at: Option<At>,
}

impl PooledBigQuery {
    /// As many are started as there are tests at one time.
    pub async fn take() -> Result<Self> {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let at = match idle {
            Some(at) => at,
            None => tokio::task::spawn_blocking(start).await??,
        };
        let bigquery = BigQuery::at(&at.endpoint, &at.grpc_endpoint, &at.data);
        bigquery.empty().await?;
        Ok(Self { bigquery, at: Some(at) })
    }
}

impl Deref for PooledBigQuery {
    type Target = BigQuery;

    fn deref(&self) -> &BigQuery {
        &self.bigquery
    }
}

impl Drop for PooledBigQuery {
    fn drop(&mut self) {
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).extend(self.at.take());
    }
}

/// One for all tests of a program: for those that only exchange tokens there.
pub fn moto() -> Result<Moto> {
    static AT: Mutex<Option<String>> = Mutex::new(None);
    let mut at = AT.lock().unwrap_or_else(PoisonError::into_inner);
    if at.is_none() {
        *at = Some(lasting(|dir, runtime| runtime.block_on(Moto::start(dir)), Moto::endpoint)?);
    }
    Ok(Moto::at(at.as_deref().unwrap_or_default()))
}

fn start() -> Result<At> {
    let at = |started: &BigQuery| At {
        endpoint: started.endpoint(),
        grpc_endpoint: started.grpc_endpoint(),
        data: started.data(),
    };
    lasting(|dir, runtime| runtime.block_on(BigQuery::start(dir)), at)
}

/// An emulator ends with the thread that started it; this one lives as long as the tests do.
fn lasting<E, T: Send + 'static>(
    start: impl FnOnce(&Path, &Runtime) -> Result<E> + Send + 'static,
    place: impl FnOnce(&E) -> T + Send + 'static,
) -> Result<T> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let begin = || -> Result<_> {
            let dir = tempfile::tempdir()?;
            let end = removed_at_the_end(dir.path())?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let started = start(dir.path(), &runtime)?;
            Ok((dir, runtime, started, end))
        };
        match begin() {
            Err(error) => drop(tell.send(Err(error))),
            Ok(held) => {
                drop(tell.send(Ok(place(&held.2))));
                loop {
                    std::thread::park();
                }
            }
        }
    });
    told.recv().context("the thread of the emulator ended")?
}

/// Nothing of a static is dropped when a program ends, however it ends; but its pipes are closed.
fn removed_at_the_end(dir: &Path) -> Result<Option<ChildStdin>> {
    let mut remover = Command::new("sh");
    remover.args(["-c", "cat; sleep 1; rm -rf -- \"$0\""]).arg(dir).stdin(Stdio::piped());
    let remover = remover.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Ok(remover.context("start what removes the folder of an emulator")?.stdin)
}
