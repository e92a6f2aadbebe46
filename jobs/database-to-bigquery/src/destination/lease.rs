//! One execution at a time loads a table: two would put older rows over newer ones. The lease is a table without rows in
//! the scratch dataset: only one can make it, it expires by itself when nobody renews it, and it is deleted at the end.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bigquery::{is_not_found, may_pass};
use chrono::{TimeDelta, Utc};
use google_cloud_bigquery_v2::client::TableService;
use google_cloud_bigquery_v2::model::{Table as Description, TableReference};
use google_cloud_gax::error::Error;
use google_cloud_gax::options::RequestOptionsBuilder;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::BigQuery;
use crate::extracts::Table;

/// An expired table that BigQuery has not taken away yet is deleted after this.
const GRACE: TimeDelta = TimeDelta::seconds(30);
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("{holder} is loading it")]
    Busy { holder: String },
    #[error("take the lease of {0}")]
    Other(String, #[source] anyhow::Error),
}

/// Ours until it is given back or lost.
pub struct Lease {
    place: Place,
    /// When others may take it, by our own monotonic clock.
    until: watch::Receiver<Instant>,
    renewal: JoinHandle<()>,
}

#[derive(Clone)]
struct Place {
    tables: TableService,
    project: String,
    dataset: String,
    name: String,
}

impl BigQuery {
    /// Waits for one that is not renewed any more: its holder was killed.
    pub async fn take_lease(&self, table: &Table, holder: &str, time: Duration) -> Result<Lease, LeaseError> {
        let place = Place {
            tables: self.tables.clone(),
            project: self.project.to_string(),
            dataset: self.scratch.to_string(),
            name: format!("lease__{}__{}", table.dataset, table.destination),
        };
        let of = |error| LeaseError::Other(table.target(), error);
        let mut seen: Option<(i64, String)> = None;
        loop {
            let asked = Instant::now();
            if place.make(holder, time).await.map_err(of)? {
                return Ok(Lease::keep(place, holder, asked, time));
            }
            let Some((expires, other)) = place.look().await.map_err(of)? else { continue };
            match &seen {
                // It is renewed, so somebody is at work.
                Some((before, _)) if *before != expires => return Err(LeaseError::Busy { holder: other }),
                Some(_) => {}
                None => info!(table = %table.source, "{}: waiting for the lease of {other}", table.source),
            }
            if Utc::now().timestamp_millis() > expires + GRACE.num_milliseconds() {
                place.delete().await.map_err(of)?;
            }
            seen = Some((expires, other));
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Place {
    /// Whether it is ours now: nobody else had it.
    async fn make(&self, holder: &str, time: Duration) -> Result<bool> {
        let reference =
            TableReference::new().set_project_id(&self.project).set_dataset_id(&self.dataset).set_table_id(&self.name);
        let table =
            Description::new().set_table_reference(reference).set_description(holder).set_expiration_time(end(time));
        let call = self.tables.insert_table().set_project_id(&self.project).set_dataset_id(&self.dataset);
        match call.set_table(table).with_idempotency(true).send().await {
            Ok(_) => Ok(true),
            // Ours as well where the answer to a first try was lost.
            Err(error) if is_taken(&error) => Ok(self.look().await?.is_some_and(|(_, other)| other == holder)),
            Err(error) => Err(error).context("make it"),
        }
    }

    /// When it expires, and whose it is.
    async fn look(&self) -> Result<Option<(i64, String)>> {
        let call = self.tables.get_table().set_project_id(&self.project).set_dataset_id(&self.dataset);
        match call.set_table_id(&self.name).send().await {
            Ok(table) => Ok(Some((table.expiration_time.unwrap_or_default(), table.description.unwrap_or_default()))),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error).context("look at it"),
        }
    }

    async fn renew(&self, time: Duration) -> Result<(), Error> {
        let table = Description::new().set_expiration_time(end(time));
        let call = self.tables.patch_table().set_project_id(&self.project).set_dataset_id(&self.dataset);
        call.set_table_id(&self.name).set_table(table).with_idempotency(true).send().await.map(|_| ())
    }

    async fn delete(&self) -> Result<()> {
        let call = self.tables.delete_table().set_project_id(&self.project).set_dataset_id(&self.dataset);
        match call.set_table_id(&self.name).with_idempotency(true).send().await {
            Ok(()) => Ok(()),
            Err(error) if is_not_found(&error) => Ok(()),
            Err(error) => Err(error).context("delete it"),
        }
    }
}

fn end(time: Duration) -> i64 {
    Utc::now().timestamp_millis() + i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 2)
}

fn is_taken(error: &Error) -> bool {
    error.http_status_code() == Some(409)
}

impl Lease {
    fn keep(place: Place, holder: &str, asked: Instant, time: Duration) -> Self {
        let (sender, until) = watch::channel(asked + time);
        let renewing = place.clone();
        let holder = holder.to_owned();
        let renewal = tokio::spawn(async move {
            let mut pause = time / 3;
            loop {
                sleep(pause).await;
                let asked = Instant::now();
                let left = sender.borrow().saturating_duration_since(asked);
                if left.is_zero() {
                    return; // lost
                }
                pause = time / 20;
                match timeout(left.min(time / 3), renewing.renew(time)).await {
                    Ok(Ok(())) => {
                        sender.send_replace(asked + time);
                        pause = time / 3;
                    }
                    Ok(Err(error)) if !may_pass(&error) => return,
                    Ok(Err(error)) => warn!("renew the lease of {holder}: {}", startup::with_causes(&error)),
                    Err(_) => warn!("renew the lease of {holder}: no answer within {:?}", time / 3),
                }
            }
        });
        Self { place, until, renewal }
    }

    /// Whether a step that changes the table may begin.
    pub fn check(&self) -> Result<()> {
        let held = *self.until.borrow() > Instant::now() && !self.renewal.is_finished();
        held.then_some(())
            .ok_or_else(|| anyhow!("the lease of the table was lost, another execution may be loading it"))
    }

    /// Whoever comes next need not wait.
    pub async fn give_back(self) {
        if self.check().is_err() {
            return; // it may be another one's by now
        }
        self.renewal.abort();
        if let Err(error) = self.place.delete().await {
            warn!("give back the lease {}: {}", self.place.name, startup::with_causes(error.as_ref()));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}
