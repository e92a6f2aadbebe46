//! BigQuery Data Transfer Service: the runs that load the tables.

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
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::run;
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
}

/// The run that a table's rows come from.
#[derive(Debug, Clone)]
pub struct Ended {
    pub name: String,
    pub state: TransferState,
    /// What the service says about it: why it failed, or that it found no file.
    pub words: Option<String>,
}

impl Transfers {
    pub fn new(client: DataTransferService, project: &ProjectId, location: &str, poll: Duration) -> Self {
        let parent = format!("projects/{project}/locations/{location}");
        Self { client, parent, poll, in_flight: Semaphore::new(IN_FLIGHT) }
    }

    pub async fn configs(&self) -> Result<Vec<TransferConfig>> {
        let mut items = self.client.list_transfer_configs().set_parent(&self.parent).by_item();
        let mut configs = Vec::new();
        while let Some(config) = items.next().await {
            configs.push(config.with_context(|| format!("list the transfer configs of {}", self.parent))?);
        }
        Ok(configs)
    }

    /// The end of the run that loads what was published: taken over where there is one, else started.
    /// Killed anywhere, a second try finds the same run by its run time.
    pub async fn load(
        &self,
        config: &str,
        run_time: DateTime<Utc>,
        since: DateTime<Utc>,
        by: Instant,
    ) -> Result<Ended> {
        let runs = self.runs(config).await?;
        let taken = run::to_take_over(&runs, run_time, since);
        // Two runs of one config at a time would leave the rows of whichever ends last.
        for other in run::in_the_way(&runs, taken) {
            info!(run = other.name, "waiting for an earlier run of {config} to end");
            self.end_of(&other.name, by).await?;
        }
        let name = match taken {
            Some(run) => {
                info!(run = run.name, state = run::word(&run.state), "taking over {}", run.name);
                run.name.clone()
            }
            None => self.start(config, run_time, since).await?,
        };
        self.end_of(&name, by).await
    }

    /// Waits for runs that are under way, so that none of them loads rows again after the table was emptied.
    pub async fn quiet(&self, config: &str, by: Instant) -> Result<()> {
        for other in run::in_the_way(&self.runs(config).await?, None) {
            self.end_of(&other.name, by).await?;
        }
        Ok(())
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
    async fn start(&self, config: &str, run_time: DateTime<Utc>, since: DateTime<Utc>) -> Result<String> {
        for attempt in 1..=STARTS {
            match self.start_once(config, run_time).await {
                Ok(name) => return Ok(name),
                Err(error) if attempt < STARTS && ::bigquery::may_be_done(&error) => {
                    warn!(attempt, "the start of a run of {config} has no known outcome, looking for it: {error}");
                    sleep(self.pause(attempt)).await;
                    let runs = self.runs(config).await?;
                    if let Some(run) = run::to_take_over(&runs, run_time, since) {
                        return Ok(run.name.clone());
                    }
                }
                Err(error) if attempt < STARTS && ::bigquery::may_pass(&error) => sleep(self.pause(attempt)).await,
                Err(error) => return Err(error).with_context(|| format!("start a run of {config} for {run_time}")),
            }
        }
        bail!("start a run of {config} for {run_time}: gave up after {STARTS} tries")
    }

    async fn start_once(&self, config: &str, run_time: DateTime<Utc>) -> Result<String, Error> {
        let _permit = self.in_flight.acquire().await.map_err(Error::io)?;
        let request = self.client.start_manual_transfer_runs().set_parent(config);
        let time = Timestamp::clamp(run_time.timestamp(), 0);
        // Dying just after this call is harmless: the next start of the job takes the run over.
        let answer = request.set_requested_run_time(time).with_idempotency(false).send().await?;
        let started = answer.runs.into_iter().next();
        started.map(|run| run.name).ok_or_else(|| Error::deser("the answer names no run"))
    }

    /// Polls until the run ends. A poll that fails is told and repeated: the run goes on without us.
    async fn end_of(&self, name: &str, by: Instant) -> Result<Ended> {
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
                return Ok(self.ended(run).await);
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

    async fn ended(&self, run: TransferRun) -> Ended {
        let said = run.error_status.map(|status| status.message).filter(|message| !message.is_empty());
        let words = match said {
            Some(message) => Some(message),
            None => self.last_words(&run.name).await,
        };
        Ended { name: run.name, state: run.state, words }
    }

    /// The last warning or error of the run's log. It only explains, so failing to read it is no failure.
    async fn last_words(&self, name: &str) -> Option<String> {
        let _permit = self.in_flight.acquire().await.ok()?;
        let mut items = self.client.list_transfer_logs().set_parent(name).by_item();
        let mut last = None;
        while let Some(Ok(message)) = items.next().await {
            if matches!(message.severity, MessageSeverity::Warning | MessageSeverity::Error) {
                last = Some(message.message_text);
            }
        }
        last
    }

    fn pause(&self, turn: u32) -> Duration {
        FIRST_LOOK.saturating_mul(1 << turn.saturating_sub(1).min(10)).min(self.poll)
    }
}
