//! database-to-bigquery, from a real server into Parquet and the emulator: what the program itself says of each run. And
//! its peers, on the same table.

mod peers;

use anyhow::{Context, Result, ensure};
use local::aurora::{Aurora, Engine};
use local::bigquery::{BigQuery, PROJECT};
use local::job::Job;
use local::metadata::{Metadata, ServiceAccount};
use local::tools;
use serde_json::{Value, json};

use crate::{Figures, median};
use peers::Peer;

const ROWS: u64 = 1_000_000;
const MORE_ROWS: u64 = 10_000_000;
/// In turn; the median counts, and every run is printed.
const RUNS: usize = 3;
const DATABASE: &str = "bench";
/// No character that a URL would hide: peers differ in how they read it.
const PASSWORD: &str = "reads-and-writes-nothing";

/// Ten columns of the kinds that tables have.
const COLUMNS: &str = "id bigint PRIMARY KEY, customer int NOT NULL, price decimal(12,2), quantity smallint, \
                       weight double precision, email varchar(60), note varchar(60), created TIMESTAMP(6), day date, paid smallint";

struct Bench {
    dir: tempfile::TempDir,
    aurora: Aurora,
    bigquery: BigQuery,
    metadata: Metadata,
}

/// One run, as the program tells it.
struct Run {
    transaction_seconds: f64,
    seconds: f64,
    peak_mb: f64,
}

pub async fn measure() -> Result<Figures> {
    let mut figures = Figures::new();
    for (engine, rows_per_s) in
        [(Engine::Mysql, "extract_mysql_rows_per_s"), (Engine::Postgres, "extract_postgres_rows_per_s")]
    {
        let bench = Bench::start(engine).await?;
        let runs = bench.runs(ROWS, RUNS).await?;
        let of = |value: fn(&Run) -> f64| median(runs.iter().map(value).collect());
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        figures.insert(rows_per_s, ROWS as f64 / of(|run| run.transaction_seconds));
        if engine == Engine::Mysql {
            figures.insert("extract_transaction_seconds", of(|run| run.transaction_seconds));
            figures.insert("extract_peak_mb_1m", of(|run| run.peak_mb));
            let ours = of(|run| run.seconds);
            #[allow(clippy::cast_precision_loss)] // far below 2^52
            figures.insert("extract_end_to_end_rows_per_s", ROWS as f64 / ours);
            for (peer, ratio) in [(Peer::Dlt, "extract_ratio_dlt"), (Peer::Ingestr, "extract_ratio_ingestr")] {
                figures.insert(ratio, bench.peer(peer, ROWS).await? / ours);
            }
            let more = bench.runs(MORE_ROWS, 1).await?;
            figures.insert("extract_peak_mb_10m", median(more.iter().map(|run| run.peak_mb).collect()));
        }
    }
    Ok(figures)
}

impl Bench {
    async fn start(engine: Engine) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("isthmus-bench-").tempdir()?;
        let email = format!("bench@{PROJECT}.iam.gserviceaccount.com");
        let account = ServiceAccount { email, unique_id: "104200".into() };
        let (aurora, bigquery, metadata) =
            tokio::try_join!(Aurora::start(engine, dir.path()), BigQuery::start(dir.path()), Metadata::start(account))?;
        for dataset in ["isthmus_audit", "isthmus_scratch", "raw_bench", "raw_peer"] {
            bigquery.create_dataset(dataset).await?;
        }
        aurora.create_database(DATABASE).await?;
        let user = match engine {
            Engine::Mysql => format!("CREATE USER reader IDENTIFIED BY '{PASSWORD}'; GRANT SELECT ON *.* TO reader"),
            Engine::Postgres => {
                format!("CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; GRANT pg_read_all_data TO reader")
            }
        };
        aurora.execute(DATABASE, &user).await?;
        Ok(Self { dir, aurora, bigquery, metadata })
    }

    async fn runs(&self, rows: u64, times: usize) -> Result<Vec<Run>> {
        let filled = filled(self.aurora.engine(), rows);
        self.aurora.execute(DATABASE, &format!("DROP TABLE IF EXISTS t; CREATE TABLE t ({COLUMNS}); {filled}")).await?;
        let mut runs = Vec::new();
        for _ in 0..times {
            let run = self.run(rows).await?;
            eprintln!(
                "extract, {}, {rows} rows: {:.2} s in the transaction, {:.2} s in all, {:.1} MB",
                self.aurora.engine().server(),
                run.transaction_seconds,
                run.seconds,
                run.peak_mb
            );
            runs.push(run);
        }
        Ok(runs)
    }

    async fn run(&self, rows: u64) -> Result<Run> {
        let engine = match self.aurora.engine() {
            Engine::Mysql => "mysql",
            Engine::Postgres => "postgres",
        };
        let list = json!({"databases": {DATABASE: {"engine": engine, "tables": {"t": {}}}}});
        let variables = [
            ("EXTRACTS", list.to_string()),
            ("DATABASE_URL_BENCH", self.aurora.url_of("reader", DATABASE)),
            ("DATABASE_PASSWORD_BENCH", PASSWORD.to_owned()),
            ("GOOGLE_CLOUD_PROJECT", PROJECT.to_owned()),
            ("BIGQUERY_LOCATION", "US".to_owned()),
            ("BIGQUERY_ENDPOINT", self.bigquery.endpoint()),
            ("GCE_METADATA_HOST", self.metadata.host()),
            ("WORK_DIR", self.dir.path().display().to_string()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        let finished =
            Job::new(&tools::program("database-to-bigquery")?, self.dir.path(), variables).run(&["--json"]).await?;
        let mut lines = finished.log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let report = lines.find(|line| line["tables"].is_array()).with_context(|| finished.log.clone())?;
        let table = &report["tables"][0];
        ensure!(finished.exit_code == Some(0) && table["rows_loaded"] == rows, "{table}");
        #[allow(clippy::cast_precision_loss)] // kilobytes
        let peak_mb = finished.peak_memory_kib as f64 / 1024.0;
        let transaction_seconds = table["transaction_seconds"].as_f64().context("no time of the transaction")?;
        Ok(Run { transaction_seconds, seconds: finished.elapsed.as_secs_f64(), peak_mb })
    }
}

fn filled(engine: Engine, rows: u64) -> String {
    let (number, source, hash, time) = match engine {
        Engine::Mysql => {
            ("seq", format!("seq_1_to_{rows}"), "SHA1", "TIMESTAMPADD(SECOND, seq, '2020-01-01 00:00:00')")
        }
        Engine::Postgres => {
            ("n", format!("generate_series(1, {rows}) AS n"), "MD5", "TIMESTAMP '2020-01-01' + n * INTERVAL '1 second'")
        }
    };
    let text = match engine {
        Engine::Mysql => "seq".to_owned(),
        Engine::Postgres => "n::text".to_owned(),
    };
    format!(
        "INSERT INTO t SELECT {number}, {number} % 50000, {number} / 100.0, {number} % 7, {number} / 3.0, \
         CONCAT('customer', {number} % 50000, '@example.com'), {hash}({text}), {time}, \
         DATE '2020-01-01', {number} % 2 FROM {source}"
    )
}
