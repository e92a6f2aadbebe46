//! One environment of isthmus on this machine: every endpoint that its programs talk to, each behind a wire, and the
//! programs themselves, pointed at them as a deployment would point them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use handoff::{Environment, TableList};

use crate::aurora::Aurora;
use crate::bigquery::{BigQuery, PROJECT};
use crate::job::Job;
use crate::lambda::Lambda;
use crate::metadata::{Metadata, ServiceAccount};
use crate::moto::Moto;
use crate::operator::CONFIG_BUCKET;
use crate::rds::{self, ACCOUNT, REGION, Rds};
use crate::read::ReadWire;
use crate::s3::S3;
use crate::storage::Storage;
use crate::sts::{Sts, Trust};
use crate::tools;
use crate::transfer::{self, LOCATION, Transfer};
use crate::wire::{Recorded, Wire};

pub const AUDIENCE: &str = "https://isthmus.example/local";
/// The product's key; nobody encrypts anything here.
pub const KMS_KEY: &str = "arn:aws:kms:ap-northeast-1:123456789012:key/8c5b1f4e-0000-4000-8000-000000000000";
pub const UNIQUE_ID: &str = "104123456789012345678";

/// The emulators that take seconds to start. One set serves many clouds.
pub struct Emulators {
    pub moto: Moto,
    pub metadata: Metadata,
    pub sts: Sts,
    pub bigquery: BigQuery,
}

impl Emulators {
    pub async fn start(dir: &Path) -> Result<Self> {
        let account = ServiceAccount {
            email: format!("load-export@{PROJECT}.iam.gserviceaccount.com"),
            unique_id: UNIQUE_ID.into(),
        };
        let (moto, bigquery, metadata) =
            tokio::try_join!(Moto::start(dir), BigQuery::start(dir), Metadata::start(account))?;
        let trust = Trust {
            role_arn: role_arn("load-export"),
            aud: UNIQUE_ID.into(),
            oaud: AUDIENCE.into(),
            sub: UNIQUE_ID.into(),
        };
        let writer = Trust { role_arn: role_arn("bigquery-to-s3"), ..trust.clone() };
        let sts = Sts::start(trust, &metadata, &moto).await?;
        sts.add_role(writer);
        Ok(Self { moto, metadata, sts, bigquery })
    }
}

/// Whom Data Transfer acts as.
pub fn transfer_account() -> String {
    format!("isthmus-transfer@{PROJECT}.iam.gserviceaccount.com")
}

/// The role that a job assumes.
fn role_arn(job: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/isthmus-{job}")
}

pub struct Cloud {
    pub env: Environment,
    pub bucket: String,
    /// Where bigquery-to-s3 publishes to.
    pub app_bucket: String,
    pub cluster: String,
    pub emulators: Arc<Emulators>,
    pub s3: S3,
    pub rds: Rds,
    pub transfer: Transfer,
    /// The config bucket.
    pub storage: Storage,
    pub wires: Wires,
    pub dir: PathBuf,
}

/// Between the programs and the endpoints.
pub struct Wires {
    pub s3: Wire,
    pub rds: Wire,
    pub sns: Wire,
    pub sts: Wire,
    pub transfer: Wire,
    pub bigquery: Wire,
    pub bigquery_storage: ReadWire,
    pub storage: Wire,
    /// To all of AWS that has no wire of its own.
    pub aws: Wire,
}

impl Cloud {
    /// `aurora` is the cluster that RDS takes snapshots of; without one, `rds.set_tables` says what it holds.
    pub async fn start(emulators: Arc<Emulators>, env: &str, dir: &Path, aurora: Option<Aurora>) -> Result<Self> {
        let s3 = S3::start().await?;
        let bucket = format!("{env}-exports");
        let app_bucket = format!("{env}-app");
        s3.store().create_bucket(&bucket);
        s3.store().create_bucket(&app_bucket);
        let rds = Rds::start(aurora, s3.store().clone(), rds::Options::default()).await?;
        let transfer = Transfer::start(s3.store().clone(), &emulators.bigquery, transfer::Options::default()).await?;
        let dir = dir.join(env);
        std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        let storage = Storage::start(CONFIG_BUCKET, &dir).await?;
        let wires = Wires {
            s3: Wire::start(&s3.endpoint()).await?,
            rds: Wire::start(&rds.endpoint()).await?,
            sns: Wire::start(&emulators.moto.endpoint()).await?,
            sts: Wire::start(&emulators.sts.endpoint()).await?,
            transfer: Wire::start(&transfer.endpoint()).await?,
            bigquery: Wire::start(&emulators.bigquery.endpoint()).await?,
            bigquery_storage: ReadWire::start(&emulators.bigquery.grpc_endpoint()).await?,
            storage: Wire::start(&storage.endpoint()).await?,
            aws: Wire::start(&emulators.moto.endpoint()).await?,
        };
        let cluster = format!("{env}-cluster");
        rds.add_cluster(&cluster);
        let env = env.parse()?;
        Ok(Self { env, bucket, app_bucket, cluster, emulators, s3, rds, transfer, storage, wires, dir })
    }

    /// What Terraform does with `tables.yaml`: datasets, empty destination tables, a transfer config for each table. What
    /// is there already stays as it is.
    pub async fn apply(&self, tables: &TableList) -> Result<()> {
        std::fs::write(self.tables_file(), serde_json::to_vec_pretty(tables)?)?; // JSON is YAML
        let bigquery = &self.emulators.bigquery;
        bigquery.create_dataset(&self.audit_dataset()).await?;
        for table in tables.transfers(&self.env)? {
            bigquery.create_dataset(&table.dataset).await?;
            bigquery.grant(&table.dataset, &transfer_account(), "WRITER").await?;
            if !bigquery.table_exists(&table.dataset, &table.table).await? {
                bigquery.create_table(&table.dataset, &table.table).await?;
            }
            if !self.transfer.has_config(&table.display_name) {
                self.transfer.create_config(&self.env, &self.bucket, &table, &table.pattern)?;
            }
        }
        Ok(())
    }

    pub fn tables_file(&self) -> PathBuf {
        self.dir.join("tables.yaml")
    }

    pub fn audit_dataset(&self) -> String {
        format!("audit_{}", self.env.as_str().replace('-', "_"))
    }

    pub fn start_export(&self) -> Result<Lambda> {
        let variables = [
            ("ENV", self.env.to_string()),
            ("DB_CLUSTER_IDENTIFIER", self.cluster.clone()),
            ("EXPORT_ROLE_ARN", format!("arn:aws:iam::{ACCOUNT}:role/{}-rds-export", self.env)),
            ("S3_BUCKET_NAME", self.bucket.clone()),
            ("KMS_KEY_ID", KMS_KEY.to_owned()),
            ("AWS_ENDPOINT_URL_RDS", self.wires.rds.endpoint()),
        ];
        self.lambda("start-export", variables)
    }

    /// With a topic, reports go there; without one they are errors of the function.
    pub fn publish_export(&self, topic_arn: Option<&str>) -> Result<Lambda> {
        let variables = [
            ("ENV", self.env.to_string()),
            ("S3_BUCKET_NAME", self.bucket.clone()),
            ("SNS_TOPIC_ARN", topic_arn.unwrap_or_default().to_owned()),
            ("AWS_ENDPOINT_URL_RDS", self.wires.rds.endpoint()),
            ("AWS_ENDPOINT_URL_S3", self.wires.s3.endpoint()),
            ("AWS_ENDPOINT_URL_SNS", self.wires.sns.endpoint()),
        ];
        self.lambda("publish-export", variables)
    }

    /// Quick polls, and no wait for files to grow old: the local Data Transfer sees them at once. Each is an execution of
    /// its own; what is run of it more than once are its attempts. A lease that a killed one leaves behind ends soon.
    pub fn load_export(&self) -> Result<Job> {
        let execution = format!("load-export-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let variables = [
            ("CLOUD_RUN_EXECUTION", execution),
            ("LEASE_SECONDS", "4".to_owned()),
            ("ENV", self.env.to_string()),
            ("S3_BUCKET_NAME", self.bucket.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ROLE_ARN", role_arn("load-export")),
            ("AWS_AUDIENCE", AUDIENCE.to_owned()),
            ("GOOGLE_CLOUD_PROJECT", PROJECT.to_owned()),
            ("BIGQUERY_LOCATION", LOCATION.to_owned()),
            ("TABLES_FILE", self.tables_file().display().to_string()),
            ("AUDIT_DATASET", self.audit_dataset()),
            ("MIN_FILE_AGE_SECONDS", "0".to_owned()),
            ("POLL_SECONDS", "1".to_owned()),
            ("AWS_ENDPOINT_URL_S3", self.wires.s3.endpoint()),
            ("AWS_ENDPOINT_URL_STS", self.wires.sts.endpoint()),
            ("BIGQUERY_ENDPOINT", self.wires.bigquery.endpoint()),
            ("BIGQUERY_DATA_TRANSFER_ENDPOINT", self.wires.transfer.endpoint()),
            ("GCE_METADATA_HOST", self.emulators.metadata.host()),
        ];
        Ok(Job::new(&tools::program("load-export")?, &self.dir, owned(variables)))
    }

    /// The access keys that requests to S3 were signed with.
    pub fn access_keys(&self) -> BTreeSet<String> {
        let key = |request: &Recorded| {
            let authorization = request.headers.get("authorization")?.to_str().ok()?;
            let (_, credential) = authorization.split_once("Credential=")?;
            credential.split('/').next().map(str::to_owned)
        };
        self.wires.s3.requests().iter().filter_map(key).collect()
    }

    pub fn syncs_file(&self) -> PathBuf {
        self.dir.join("syncs.yaml")
    }

    /// `SCRATCH_DATASET`, which Terraform makes.
    pub fn scratch_dataset(&self) -> String {
        format!("scratch_{}", self.env.as_str().replace('-', "_"))
    }

    /// A lease that a killed task leaves behind ends soon.
    pub fn bigquery_to_s3(&self) -> Result<Job> {
        let variables = [
            ("SYNCS_FILE", self.syncs_file().display().to_string()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ROLE_ARN", role_arn("bigquery-to-s3")),
            ("AWS_AUDIENCE", AUDIENCE.to_owned()),
            ("GOOGLE_CLOUD_PROJECT", PROJECT.to_owned()),
            ("BIGQUERY_LOCATION", LOCATION.to_owned()),
            ("SCRATCH_DATASET", self.scratch_dataset()),
            ("LEASE_SECONDS", "12".to_owned()),
            ("AWS_ENDPOINT_URL_S3", self.wires.s3.endpoint()),
            ("AWS_ENDPOINT_URL_STS", self.wires.sts.endpoint()),
            ("BIGQUERY_ENDPOINT", self.wires.bigquery.endpoint()),
            ("BIGQUERY_STORAGE_ENDPOINT", self.wires.bigquery_storage.endpoint()),
            ("GCE_METADATA_HOST", self.emulators.metadata.host()),
        ];
        Ok(Job::new(&tools::program("bigquery-to-s3")?, &self.dir, owned(variables)))
    }

    pub fn extracts_file(&self) -> PathBuf {
        self.dir.join("extracts.yaml")
    }

    /// Reads the database of the list from this address.
    pub fn database_to_bigquery(&self, database: &str, url: &str, password: &str) -> Result<Job> {
        let suffix = database.to_uppercase();
        let variables = [
            ("EXTRACTS_FILE", self.extracts_file().display().to_string()),
            ("GOOGLE_CLOUD_PROJECT", PROJECT.to_owned()),
            ("BIGQUERY_LOCATION", LOCATION.to_owned()),
            ("AUDIT_DATASET", self.audit_dataset()),
            ("SCRATCH_DATASET", self.scratch_dataset()),
            ("WORK_DIR", self.dir.display().to_string()),
            ("BIGQUERY_ENDPOINT", self.wires.bigquery.endpoint()),
            ("GCE_METADATA_HOST", self.emulators.metadata.host()),
        ];
        let own = [
            (format!("DATABASE_URL_{suffix}"), url.to_owned()),
            (format!("DATABASE_PASSWORD_{suffix}"), password.to_owned()),
        ];
        Ok(Job::new(&tools::program("database-to-bigquery")?, &self.dir, owned(variables).chain(own)))
    }

    fn lambda<const N: usize>(&self, name: &str, variables: [(&str, String); N]) -> Result<Lambda> {
        Ok(Lambda::new(&tools::program(name)?, &self.dir, owned(variables)))
    }
}

fn owned<const N: usize>(variables: [(&str, String); N]) -> impl Iterator<Item = (String, String)> + use<N> {
    variables.map(|(name, value)| (name.to_owned(), value)).into_iter()
}
