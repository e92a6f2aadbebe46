//! BigQuery does the shuffle: one query whose result is a table clustered by shard, made once however often the tasks of
//! an execution are started, and a count of the rows in each shard to prove every later step against.

#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bigquery::{DatasetId, ProjectId, client, is_not_found, may_pass};
use google_cloud_auth::credentials::Credentials;
use google_cloud_bigquery_v2::client::{JobService, TableService};
use google_cloud_bigquery_v2::model::{ErrorProto, Job, JobConfiguration, JobConfigurationQuery, JobReference};
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_wkt::{Struct, UInt32Value};
use handoff::sync::Generation;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::digest::{hex, sha256};
use crate::frame::frame_bytes;
use crate::key_text::ensure_one_text;
use crate::query::in_own_lines;

/// The columns that the job adds to the query's own.
pub const KEY_COLUMN: &str = "isthmus_key";
pub const SHARD_COLUMN: &str = "isthmus_shard";

/// A job that failed by BigQuery's own fault is made again under another id, this often.
const JOBS: u32 = 3;
/// Of one statement. Cloud Run starts a task again up to ten times.
const IDS: u32 = 40;
const LONGEST_POLL: Duration = Duration::from_secs(3);
const RESULT_PAGE_ROWS: UInt32Value = 20_000;

#[derive(Debug)]
pub struct BigQuery {
    jobs: JobService,
    tables: TableService,
    project: ProjectId,
    location: String,
    scratch: DatasetId,
}

/// The result of a sync's query, clustered by shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScratchTable {
    pub name: String,
    /// As the Storage Read API names it.
    pub path: String,
    pub rows: u64,
    /// Of the values; a null has none.
    pub bytes: u64,
    /// What a row takes in this process beside its values.
    pub frame_bytes: u64,
    /// Rows of each shard that have a key.
    pub shard_rows: Vec<u64>,
    /// Rows without a key. They are counted and never read.
    pub null_keys: u64,
    /// Rows whose key other rows have too.
    pub repeated_keys: u64,
    pub a_repeated_key: Option<String>,
}

/// What a table is made from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub sync: &'a str,
    pub query: &'a str,
    pub key: &'a str,
    pub shards: u32,
}

impl BigQuery {
    pub async fn connect(
        endpoint: Option<&str>,
        credentials: &Credentials,
        project: &ProjectId,
        location: &str,
        scratch: &DatasetId,
        give_up_after: Duration,
    ) -> Result<Self> {
        let jobs = client!(JobService, endpoint, credentials, give_up_after);
        let tables = client!(TableService, endpoint, credentials, give_up_after);
        Ok(Self { jobs, tables, project: project.clone(), location: location.to_owned(), scratch: scratch.clone() })
    }

    /// Makes the table of this generation, or finds it made.
    pub async fn scratch_table(&self, source: &Source<'_>, generation: &Generation) -> Result<ScratchTable> {
        let name = table_name(source.sync, generation);
        let (sync, sql) = (source.sync, self.create_sql(source, &name));
        let made = self.run(&name, &sql).await.map_err(|error| told_in_own_lines(error, &sql, source.query));
        made.with_context(|| format!("run the query of sync {sync}"))?;
        self.find(source, generation).await?.with_context(|| format!("the query of sync {sync} made no table {name}"))
    }

    /// The table of a generation, where it has not expired yet.
    pub async fn find(&self, source: &Source<'_>, generation: &Generation) -> Result<Option<ScratchTable>> {
        let name = table_name(source.sync, generation);
        let request = self.tables.get_table().set_project_id(self.project.to_string());
        let table = match request.set_dataset_id(self.scratch.to_string()).set_table_id(&name).send().await {
            Ok(table) => table,
            Err(error) if is_not_found(&error) => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("look at table {}.{name}", self.scratch)),
        };
        let bytes = table.num_bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default();
        let path = format!("projects/{}/datasets/{}/tables/{name}", self.project, self.scratch);
        let fields = table.schema.unwrap_or_default().fields;
        ensure_one_text(&fields, source.key)?;
        let frame_bytes = frame_bytes(&fields);
        let shard_rows = vec![0; source.shards as usize];
        let table = ScratchTable { name, path, bytes, frame_bytes, shard_rows, ..ScratchTable::default() };
        Ok(Some(self.counted(table).await?))
    }

    /// What the query would read. BigQuery checks everything else too: the query, its key, the scratch dataset.
    pub async fn dry_run_bytes(&self, source: &Source<'_>) -> Result<u64> {
        let sql = self.create_sql(source, &format!("{}__dry_run", source.sync.replace('-', "_")));
        let configuration = configuration(&sql).set_dry_run(true);
        let job = Job::new()
            .set_job_reference(
                JobReference::new().set_project_id(self.project.to_string()).set_location(&self.location),
            )
            .set_configuration(configuration);
        let call = self.jobs.insert_job().set_project_id(self.project.to_string()).set_job(job).with_idempotency(true);
        let job = call.send().await.map_err(|error| told_in_own_lines(error.into(), &sql, source.query));
        let job = job.with_context(|| format!("dry-run the query of sync {}", source.sync))?;
        let bytes = job.statistics.and_then(|statistics| statistics.total_bytes_processed);
        Ok(bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default())
    }

    /// Counts the rows of each shard, and those that cannot be published whatever is in them.
    async fn counted(&self, mut table: ScratchTable) -> Result<ScratchTable> {
        let attempted = || format!("count the rows of {}.{}", self.scratch, table.name);
        let job = self.run(&table.name, &count_sql(&self.quoted(&table.name))).await.with_context(attempted)?;
        let rows = self.rows_of(&job).await.with_context(attempted)?;
        let shards = table.shard_rows.len();
        for row in rows {
            let read = Counted::read(&row).with_context(|| format!("count the rows of {}", table.name))?;
            let count = usize::try_from(read.shard).ok().and_then(|shard| table.shard_rows.get_mut(shard));
            let count = count.with_context(|| format!("{}: shard {} is none of {shards}", table.name, read.shard))?;
            *count = read.rows - read.null_keys;
            table.rows += read.rows;
            table.null_keys += read.null_keys;
            table.repeated_keys += read.repeated_keys;
            table.a_repeated_key = table.a_repeated_key.or(read.a_repeated_key);
        }
        Ok(table)
    }

    /// A null key has no hash: its row is in shard 0, from which it is not read.
    fn create_sql(&self, source: &Source<'_>, name: &str) -> String {
        let bits = source.shards.trailing_zeros();
        let key = format!("CAST(`{}` AS STRING)", source.key);
        let hash = format!("CAST(CONCAT('0x', SUBSTR(TO_HEX(SHA256({key})), 1, 8)) AS INT64)");
        let shard =
            if bits == 0 { "CAST(0 AS INT64)".to_owned() } else { format!("IFNULL({hash} >> {}, 0)", 32 - bits) };
        format!(
            "CREATE TABLE {table}\nCLUSTER BY {SHARD_COLUMN}\n\
             OPTIONS (expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY))\n\
             AS SELECT isthmus_source.*, {key} AS {KEY_COLUMN}, {shard} AS {SHARD_COLUMN}\nFROM (\n{query}\n) AS isthmus_source",
            table = self.quoted(name),
            query = source.query
        )
    }

    fn quoted(&self, name: &str) -> String {
        format!("`{}.{}.{name}`", self.project, self.scratch)
    }

    /// Starts the job, or attaches to the one that was started for the same statement, and waits for its end. Returns
    /// its id: ids are the whole project's, so what the statement names (dataset, table, query) is part of it.
    ///
    /// A job that had failed before we came is made anew: whoever starts a task again has perhaps removed the cause.
    async fn run(&self, table: &str, sql: &str) -> Result<String> {
        let statement = hex(&sha256(sql));
        let mut tries = 0;
        for n in 1..=IDS {
            let id = format!("isthmus-{table}-{}-{n}", &statement[..16]);
            let begun = self.start(&id, sql).await?;
            let earlier = begun.is_attached && is_done(&begun.job);
            tries += u32::from(!earlier);
            let job = self.wait(begun.job, &id).await?;
            match job.status.and_then(|status| status.error_result) {
                None => return Ok(id),
                Some(error) if earlier => {
                    warn!(job = %id, "job {id} had failed before, making it anew: {}", error.message);
                }
                Some(error) if tries < JOBS && is_google_s_fault(&error) => {
                    warn!(job = %id, "job {id} failed by no fault of its own, making it again: {}", error.message);
                }
                Some(error) => bail!("job {id}: {}", error.message),
            }
        }
        bail!("the job of {table} failed {IDS} times: start a new execution")
    }

    async fn start(&self, id: &str, sql: &str) -> Result<Begun> {
        let reference =
            JobReference::new().set_project_id(self.project.to_string()).set_job_id(id).set_location(&self.location);
        let job = Job::new().set_job_reference(reference).set_configuration(configuration(sql));
        // The id makes it idempotent: a second insert is refused.
        let call = self.jobs.insert_job().set_project_id(self.project.to_string()).set_job(job).with_idempotency(true);
        match call.send().await {
            Ok(job) => Ok(Begun { job, is_attached: false }),
            Err(error) if may_pass(&error) => Err(error).with_context(|| format!("start job {id}")),
            // 409 says that it is there; other answers may hide that it was carried out.
            Err(error) => {
                let job = self.look(id).await.map_err(|_| error).with_context(|| format!("start job {id}"))?;
                info!(job = %id, "attached to job {id}");
                Ok(Begun { job, is_attached: true })
            }
        }
    }

    async fn wait(&self, mut job: Job, id: &str) -> Result<Job> {
        let mut pause = Duration::from_millis(50);
        while !is_done(&job) {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_POLL);
            job = self.look(id).await?;
        }
        Ok(job)
    }

    async fn look(&self, id: &str) -> Result<Job> {
        let call = self.jobs.get_job().set_project_id(self.project.to_string()).set_job_id(id);
        call.set_location(&self.location).send().await.with_context(|| format!("look at job {id}"))
    }

    async fn rows_of(&self, job: &str) -> Result<Vec<Struct>> {
        let (mut rows, mut token) = (Vec::new(), String::new());
        loop {
            let call = self.jobs.get_query_results().set_project_id(self.project.to_string()).set_job_id(job);
            let call = call.set_location(&self.location).set_max_results(RESULT_PAGE_ROWS).set_page_token(&token);
            let page = call.send().await.with_context(|| format!("read the result of job {job}"))?;
            ensure!(page.job_complete == Some(true), "job {job} is done, but its result is not");
            rows.extend(page.rows);
            token = page.page_token;
            if token.is_empty() {
                return Ok(rows);
            }
        }
    }
}

struct Begun {
    job: Job,
    /// It was there already.
    is_attached: bool,
}

fn is_done(job: &Job) -> bool {
    job.status.as_ref().is_some_and(|status| status.state == "DONE")
}

/// `user-profiles` of `20261125T190000Z` is `user_profiles__20261125T190000Z`.
fn table_name(sync: &str, generation: &Generation) -> String {
    format!("{}__{generation}", sync.replace('-', "_"))
}

fn configuration(sql: &str) -> JobConfiguration {
    let query = JobConfigurationQuery::new().set_query(sql).set_use_legacy_sql(false);
    JobConfiguration::new().set_query(query).set_labels([("app", "isthmus"), ("program", "bigquery-to-s3")])
}

/// An error that names a place is about the query, and is told in one line; every other one stays what it is.
fn told_in_own_lines(error: anyhow::Error, sql: &str, query: &str) -> anyhow::Error {
    let told = startup::with_causes(error.as_ref());
    let own = in_own_lines(&told, sql, query);
    if own == told { error } else { anyhow::Error::msg(own) }
}

/// Source: "BigQuery error messages": these are worth another try.
fn is_google_s_fault(error: &ErrorProto) -> bool {
    matches!(
        error.reason.as_str(),
        "backendError"
            | "internalError"
            | "jobBackendError"
            | "jobInternalError"
            | "jobRateLimitExceeded"
            | "rateLimitExceeded"
    )
}

fn count_sql(table: &str) -> String {
    format!(
        "SELECT {SHARD_COLUMN}, SUM(key_rows) AS shard_rows,\n  SUM(IF({KEY_COLUMN} IS NULL, key_rows, 0)) AS null_keys,\n  \
         SUM(IF({KEY_COLUMN} IS NOT NULL AND key_rows > 1, key_rows, 0)) AS repeated_keys,\n  \
         MAX(IF(key_rows > 1, {KEY_COLUMN}, NULL)) AS a_repeated_key\n\
         FROM (SELECT {SHARD_COLUMN}, {KEY_COLUMN}, COUNT(*) AS key_rows FROM {table} GROUP BY {SHARD_COLUMN}, {KEY_COLUMN})\n\
         GROUP BY {SHARD_COLUMN}"
    )
}

/// A row of the result of `count_sql`.
struct Counted {
    shard: u64,
    rows: u64,
    null_keys: u64,
    repeated_keys: u64,
    a_repeated_key: Option<String>,
}

impl Counted {
    fn read(row: &Struct) -> Option<Self> {
        let text = |n: usize| row.get("f")?.get(n)?.get("v")?.as_str();
        let number = |n: usize| text(n)?.parse().ok();
        Some(Self {
            shard: number(0)?,
            rows: number(1)?,
            null_keys: number(2)?,
            repeated_keys: number(3)?,
            a_repeated_key: text(4).map(str::to_owned),
        })
    }
}
