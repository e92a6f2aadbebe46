//! What the stories share: a MariaDB, a PostgreSQL, the BigQuery emulator. Each story has a database of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use database_to_bigquery::destination::{BigQuery as Destination, Place};
use google_cloud_auth::credentials::anonymous;
use local::aurora::{Aurora, Certificates, Engine};
use local::bigquery::{BigQuery, PROJECT};
use local::job::{Finished, Job};
use local::metadata::{Metadata, ServiceAccount};
use local::wire::Wire;
use serde_json::Value;

pub const USER: &str = "isthmus";
pub const PASSWORD: &str = "a secret of 20 bytes";
pub const MASK_KEY: &str = "a key that nobody guesses";

pub struct Stage {
    pub dir: tempfile::TempDir,
    pub certificates: Certificates,
    pub mysql: Aurora,
    pub postgres: Aurora,
    pub bigquery: BigQuery,
    metadata: Metadata,
}

impl Stage {
    pub async fn set() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("isthmus-direct-").tempdir()?;
        let certificates = Certificates::make(&dir.path().join("certificates"))?;
        let account =
            ServiceAccount { email: format!("direct@{PROJECT}.iam.gserviceaccount.com"), unique_id: "104123".into() };
        let (my, pg) = (dir.path().join("mysql"), dir.path().join("postgres"));
        std::fs::create_dir_all(&my)?;
        std::fs::create_dir_all(&pg)?;
        let (mysql, postgres, bigquery, metadata) = tokio::try_join!(
            Aurora::start_with(Engine::Mysql, &my, Some(&certificates)),
            Aurora::start_with(Engine::Postgres, &pg, Some(&certificates)),
            BigQuery::start(dir.path()),
            Metadata::start(account)
        )?;
        for dataset in ["isthmus_audit", "isthmus_scratch"] {
            bigquery.create_dataset(dataset).await?;
        }
        // As a deployment has it: a user that can only read.
        mysql.create_database("anything").await?;
        mysql
            .execute(
                "anything",
                &format!("CREATE USER {USER} IDENTIFIED BY '{PASSWORD}'; GRANT SELECT ON *.* TO {USER}"),
            )
            .await?;
        postgres
            .execute(
                "postgres",
                &format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'; GRANT pg_read_all_data TO {USER}"),
            )
            .await?;
        Ok(Self { dir, certificates, mysql, postgres, bigquery, metadata })
    }

    /// A database of the story's own, loaded into the dataset `raw_{name}`.
    pub async fn story(&self, engine: Engine, name: &str) -> Result<Story<'_>> {
        let aurora = match engine {
            Engine::Mysql => &self.mysql,
            Engine::Postgres => &self.postgres,
        };
        aurora.create_database(name).await?;
        self.bigquery.create_dataset(&format!("raw_{name}")).await?;
        let dir = self.dir.path().join(name);
        std::fs::create_dir_all(dir.join("work"))?;
        let wire = Wire::start(&self.bigquery.endpoint()).await?;
        Ok(Story { stage: self, aurora, engine, name: name.to_owned(), dir, wire })
    }
}

pub struct Story<'a> {
    pub stage: &'a Stage,
    pub aurora: &'a Aurora,
    engine: Engine,
    name: String,
    pub dir: PathBuf,
    /// Between the program and BigQuery.
    pub wire: Wire,
}

impl Story<'_> {
    pub async fn execute(&self, sql: &str) -> Result<()> {
        self.aurora.execute(&self.name, sql).await
    }

    /// As the database's own text protocol shows it.
    pub async fn source(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.aurora.query(&self.name, sql).await
    }

    /// What the program has of BigQuery, for what no run of it shows.
    pub async fn bigquery(&self) -> Result<Destination> {
        let place = Place {
            endpoint: Some(self.wire.endpoint()),
            project: PROJECT.parse().map_err(anyhow::Error::msg)?,
            location: "US".to_owned(),
            scratch: "isthmus_scratch".parse().map_err(anyhow::Error::msg)?,
            audit: "isthmus_audit".parse().map_err(anyhow::Error::msg)?,
            give_up_after: std::time::Duration::from_mins(1),
        };
        Destination::connect(place, &anonymous::Builder::new().build()).await
    }

    /// `{raw}` is the story's dataset.
    pub async fn warehouse(&self, sql: &str) -> Result<Vec<Value>> {
        self.stage.bigquery.query(&sql.replace("{raw}", &self.dataset())).await
    }

    pub async fn rows(&self, table: &str) -> Result<u64> {
        self.stage.bigquery.row_count(&self.dataset(), table).await
    }

    pub fn name(&self) -> String {
        self.name.clone()
    }

    pub fn dataset(&self) -> String {
        format!("raw_{}", self.name)
    }

    /// The program, with these tables of the story's database: the lines below `tables:`.
    pub fn job(&self, tables: &str) -> Result<Job> {
        let engine = match self.engine {
            Engine::Mysql => "mysql",
            Engine::Postgres => "postgres",
        };
        let tables: String = tables.lines().map(|line| format!("      {line}\n")).collect();
        self.job_of(&format!("databases:\n  {}:\n    engine: {engine}\n    tables:\n{tables}", self.name))
    }

    pub fn job_of(&self, list: &str) -> Result<Job> {
        let file = self.dir.join("extracts.yaml");
        std::fs::write(&file, list)?;
        let suffix = self.name.to_uppercase();
        let url = self.aurora.url(&self.name).replace("root@", "isthmus@").replace("postgres@", "isthmus@");
        let variables = [
            ("EXTRACTS_FILE", file.display().to_string()),
            ("GOOGLE_CLOUD_PROJECT", PROJECT.to_owned()),
            ("BIGQUERY_LOCATION", "US".to_owned()),
            ("BIGQUERY_ENDPOINT", self.wire.endpoint()),
            ("GCE_METADATA_HOST", self.stage.metadata.host()),
            ("WORK_DIR", self.dir.join("work").display().to_string()),
            ("MASK_KEY", MASK_KEY.to_owned()),
            ("DATABASE_CA_FILE", self.stage.certificates.ca.display().to_string()),
        ];
        let own =
            [(format!("DATABASE_URL_{suffix}"), url), (format!("DATABASE_PASSWORD_{suffix}"), PASSWORD.to_owned())];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(own);
        Ok(Job::new(Path::new(env!("CARGO_BIN_EXE_database-to-bigquery")), &self.dir, variables))
    }

    /// Runs it with `--json` and gives what it says of each table.
    pub async fn run(&self, tables: &str) -> Result<Vec<Value>> {
        let finished = self.job(tables)?.run(&["--json"]).await?;
        ended_with(&finished, 0)?;
        report(&finished).map(|report| report["tables"].as_array().cloned().unwrap_or_default())
    }

    /// Nothing of the program is left in the database.
    pub async fn no_transaction_is_open(&self) -> Result<()> {
        self.open_transactions(|open| open == "0").await
    }

    pub async fn a_transaction_is_open(&self) -> Result<()> {
        self.open_transactions(|open| open != "0").await
    }

    /// As an administrator, a failover or a replica's replay does.
    pub async fn end_connections(&self) -> Result<()> {
        let sql = match self.engine {
            Engine::Mysql => "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'isthmus' AND DB = DATABASE()",
            Engine::Postgres => {
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'isthmus' AND datname = current_database()"
            }
        };
        let found = self.source(sql).await?;
        for id in found.iter().filter(|_| self.engine == Engine::Mysql).filter_map(|row| row[0].as_ref()) {
            self.execute(&format!("KILL {id}")).await?;
        }
        Ok(())
    }

    async fn open_transactions(&self, wanted: fn(&str) -> bool) -> Result<()> {
        let sql = match self.engine {
            Engine::Mysql => {
                "SELECT COUNT(*) FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p \
                 ON p.ID = t.trx_mysql_thread_id WHERE p.USER = 'isthmus' AND p.DB = DATABASE()"
            }
            Engine::Postgres => {
                "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = 'isthmus' AND xact_start IS NOT NULL \
                 AND datname = current_database()"
            }
        };
        let began = std::time::Instant::now();
        loop {
            let open = self.source(sql).await?[0][0].clone().unwrap_or_default();
            if wanted(&open) {
                return Ok(());
            }
            ensure!(began.elapsed().as_secs() < 20, "{open} transactions are open");
            // MariaDB looks anew only when nobody has looked for a tenth of a second.
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        }
    }
}

/// The JSON object that the program prints last.
pub fn report(finished: &Finished) -> Result<Value> {
    let line = finished.log.lines().rev().find(|line| line.starts_with("{\"ok\"") || line.starts_with("{\"tables\""));
    let line = line.or_else(|| finished.log.lines().rev().find(|line| line.contains("\"ok\":")));
    let line = line.with_context(|| format!("no report\n{}", finished.log))?;
    serde_json::from_str(line).with_context(|| line.to_owned())
}

pub fn ended_with(finished: &Finished, code: i32) -> Result<()> {
    ensure!(
        finished.exit_code == Some(code),
        "the job ended with {:?}, not {code}\n{}",
        finished.exit_code,
        finished.log
    );
    Ok(())
}
