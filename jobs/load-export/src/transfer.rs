//! BigQuery Data Transfer Service: the runs that load the tables.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use google_cloud_bigquery_datatransfer_v1::client::DataTransferService;
use google_cloud_bigquery_datatransfer_v1::model::transfer_message::MessageSeverity;
use google_cloud_bigquery_datatransfer_v1::model::{TransferConfig, TransferRun, TransferState};
use google_cloud_gax::error::Error;
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_gax::paginator::ItemPaginator;
use google_cloud_wkt::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::run;
use crate::turn::Turn;
use ::bigquery::ProjectId;

/// Calls in flight at once. The service's quota counts calls a minute for a project; eight at tens of milliseconds
/// each stay far below what a day's few hundred tables would need to reach it.
const IN_FLIGHT: usize = 8;
/// How often a start is tried whose outcome is unknown or that was turned away for its rate.
const STARTS: u32 = 6;
/// The first look at a run; after that the pause doubles up to the configured one, so that small tables end soon.
const FIRST_LOOK: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub struct Transfers {
    client: DataTransferService,
    parent: String,
    poll: Duration,
    in_flight: Semaphore,
    started: AtomicU32,
}

impl Transfers {
    pub fn new(client: DataTransferService, project: &ProjectId, location: &str, poll: Duration) -> Self {
        let parent = format!("projects/{project}/locations/{location}");
        Self { client, parent, poll, in_flight: Semaphore::new(IN_FLIGHT), started: AtomicU32::new(0) }
    }

    /// How many runs this program has started.
    pub fn started(&self) -> u32 {
        self.started.load(Ordering::Relaxed)
    }

    pub async fn configs(&self) -> Result<Vec<TransferConfig>> {
        let mut items = self.client.list_transfer_configs().set_parent(&self.parent).by_item();
        let mut configs = Vec::new();
        while let Some(config) = items.next().await {
            configs.push(config.with_context(|| format!("list the transfer configs of {}", self.parent))?);
        }
        Ok(configs)
    }

    /// All runs of a config, once none of them is under way: the table would have the rows of whichever ends last.
    pub async fn settled_runs(&self, config: &str, by: Instant) -> Result<Vec<TransferRun>> {
        loop {
            let runs = self.runs(config).await?;
            let Some(other) = run::under_way(&runs).next() else { return Ok(runs) };
            info!(run = other.name, "waiting for {}, which is under way", other.name);
            self.end_of(&other.name, by).await?;
        }
    }

    /// Starts a run and waits for its end. `known` are the runs that were there before.
    pub async fn load(
        &self,
        config: &str,
        run_time: DateTime<Utc>,
        known: &[TransferRun],
        turn: &Turn,
        by: Instant,
    ) -> Result<TransferRun> {
        let name = self.start(config, run_time, known, turn).await?;
        let run = self.end_of(&name, by).await?;
        // Where the answer of a start was lost, a second run of the same day may have come after all.
        self.settled_runs(config, by).await?;
        Ok(run)
    }

    async fn runs(&self, config: &str) -> Result<Vec<TransferRun>> {
        let _permit = self.in_flight.acquire().await?;
        let mut items = self.client.list_transfer_runs().set_parent(config).by_item();
        let mut runs = Vec::new();
        while let Some(run) = items.next().await {
            runs.push(run.with_context(|| format!("list the runs of {config}"))?);
        }
        Ok(runs)
    }

    /// `startManualRuns` is not idempotent: when its answer is lost, the run is looked for before another is started.
    async fn start(&self, config: &str, run_time: DateTime<Utc>, known: &[TransferRun], turn: &Turn) -> Result<String> {
        for attempt in 1..=STARTS {
            turn.is_ours().await?;
            match self.start_once(config, run_time, turn.limit).await {
                Ok(name) => {
                    self.started.fetch_add(1, Ordering::Relaxed);
                    return Ok(name);
                }
                Err(error) if attempt < STARTS && ::bigquery::may_be_done(&error) => {
                    warn!(attempt, "the start of a run of {config} has no known outcome, looking for it: {error}");
                    sleep(self.pause(attempt)).await;
                    if let Some(run) = run::that_is_new(&self.runs(config).await?, known, run_time) {
                        self.started.fetch_add(1, Ordering::Relaxed);
                        return Ok(run.name.clone());
                    }
                }
                Err(error) if attempt < STARTS && ::bigquery::may_pass(&error) => sleep(self.pause(attempt)).await,
                Err(error) => return Err(error).with_context(|| format!("start a run of {config} for {run_time}")),
            }
        }
        bail!("start a run of {config} for {run_time}: gave up after {STARTS} tries")
    }

    async fn start_once(&self, config: &str, run_time: DateTime<Utc>, limit: Duration) -> Result<String, Error> {
        let _permit = self.in_flight.acquire().await.map_err(Error::io)?;
        let request = self.client.start_manual_transfer_runs().set_parent(config);
        let time = Timestamp::clamp(run_time.timestamp(), 0);
        // Dying just after this call is harmless: the next attempt waits for the run and finds that it stands.
        let answer = timeout(limit, request.set_requested_run_time(time).with_idempotency(false).send()).await;
        let answer = answer.map_err(Error::timeout)??;
        let started = answer.runs.into_iter().next();
        started.map(|run| run.name).ok_or_else(|| Error::deser("the answer names no run"))
    }

    /// Polls until the run ends. A poll that fails is told and repeated: the run goes on without us.
    async fn end_of(&self, name: &str, by: Instant) -> Result<TransferRun> {
        for look in 1.. {
            sleep(self.pause(look)).await;
            let run = match self.run(name).await {
                Ok(run) => run,
                Err(error) if ::bigquery::may_pass(&error) && Instant::now() < by => {
                    warn!(run = name, "could not look at {name}, trying again: {error}");
                    continue;
                }
                Err(error) => return Err(error).with_context(|| format!("look at transfer run {name}")),
            };
            if !run::is_under_way(&run.state) {
                return Ok(run);
            }
            if Instant::now() >= by {
                bail!(
                    "transfer run {name} is still {}: run the job again, it takes the run over; \
                     raise TRANSFER_MINUTES if it always takes this long",
                    run::word(&run.state)
                );
            }
        }
        bail!("stopped looking at transfer run {name}")
    }

    async fn run(&self, name: &str) -> Result<TransferRun, Error> {
        let _permit = self.in_flight.acquire().await.map_err(Error::io)?;
        self.client.get_transfer_run().set_name(name).send().await
    }

    /// What the service says about a run: its error, else the last line of its log that warns, else (that it found no
    /// file) the last line of all. It only explains, so failing to read it is no failure.
    pub async fn words(&self, run: &TransferRun) -> String {
        let said = run.error_status.as_ref().map(|status| status.message.clone());
        if let Some(message) = said.filter(|message| !message.is_empty()) {
            return message;
        }
        let (mut last, mut warning) = (None, None);
        if let Ok(_permit) = self.in_flight.acquire().await {
            let mut items = self.client.list_transfer_logs().set_parent(&run.name).by_item();
            while let Some(Ok(message)) = items.next().await {
                let warns = matches!(message.severity, MessageSeverity::Warning | MessageSeverity::Error);
                *(if warns { &mut warning } else { &mut last }) = Some(message.message_text);
            }
        }
        warning.or(last).unwrap_or_else(|| "the service says nothing about it".into())
    }

    fn pause(&self, turn: u32) -> Duration {
        FIRST_LOOK.saturating_mul(1 << turn.saturating_sub(1).min(10)).min(self.poll)
    }
}

pub fn succeeded(run: &TransferRun) -> bool {
    run.state == TransferState::Succeeded
}
