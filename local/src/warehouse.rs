//! The warehouse of an environment: a dbt project as its image would have it, and the job that builds it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use handoff::{ExportDate, ExportKey};

use crate::bigquery::PROJECT;
use crate::cloud::Cloud;
use crate::job::Job;
use crate::tools;
use crate::transfer::LOCATION;

/// Terraform's: the layers, and what the job has for itself.
const DATASETS: [&str; 4] = ["staging", "warehouse", "mart", "isthmus_dbt"];
const OWN_PROJECT: &str = "warehouse";

/// This repository, which dbt reads where it is.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/")).to_owned()
}

impl Cloud {
    /// Puts the dbt project of this folder of the repository where the job finds it, with the macros and the profile of
    /// the repository's own project, and with the sources of the day's manifest and the exposures of the list of syncs.
    pub async fn deploy_warehouse(&self, folder: &str, date: ExportDate) -> Result<()> {
        self.deploy_project(folder).await?;
        let key = ExportKey::Manifest(&self.env, date).to_string();
        let manifest = self.s3.store().get(&self.bucket, &key).with_context(|| format!("read {key}"))?;
        std::fs::write(self.dir.join("manifest.json"), &manifest.bytes).context("write manifest.json")?;
        let lists = ["--tables", "tables.yaml", "--extracts", "extracts.yaml", "--federated", "federated.yaml"];
        self.isthmus(&[&["dbt", "sources", "--manifest", "manifest.json"], &lists[..]].concat())?;
        self.isthmus(&[&["dbt", "exposures", "--syncs", "syncs.yaml"], &lists[..]].concat())?;
        Ok(())
    }

    /// The project as it stands, with what the repository's own shares with it.
    pub async fn deploy_project(&self, folder: &str) -> Result<()> {
        for dataset in DATASETS {
            self.emulators.bigquery.create_dataset(dataset).await?;
        }
        std::fs::create_dir_all(self.artifacts()).context("make the folder of dbt's artifacts")?;
        let (root, project) = (repository(), self.warehouse());
        for shared in ["macros", "profiles.yml"] {
            copy(&root.join(OWN_PROJECT).join(shared), &project.join(shared))?;
        }
        copy(&root.join(folder), &project)
    }

    /// The operator's command, in the folder of this environment; what it printed.
    pub fn isthmus(&self, arguments: &[&str]) -> Result<String> {
        self.isthmus_ending(0, arguments)
    }

    /// What it printed while it said that something is not as it should be.
    pub fn isthmus_failing(&self, arguments: &[&str]) -> Result<String> {
        self.isthmus_ending(1, arguments)
    }

    fn isthmus_ending(&self, code: i32, arguments: &[&str]) -> Result<String> {
        let mut isthmus = Command::new(tools::program("isthmus")?);
        isthmus.env("BIGQUERY_ENDPOINT", self.wires.bigquery.endpoint());
        isthmus.env("GCE_METADATA_HOST", self.emulators.metadata.host());
        let output = isthmus.args(arguments).current_dir(&self.dir).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let ended = output.status.code();
        ensure!(ended == Some(code), "isthmus {} ended with {ended:?}, not {code}: {said}", arguments.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub fn dbt(&self) -> Result<Job> {
        let root = repository();
        let variables = [
            ("GOOGLE_CLOUD_PROJECT", PROJECT.to_owned()),
            ("BIGQUERY_LOCATION", LOCATION.to_owned()),
            ("WAREHOUSE_DIR", self.warehouse().display().to_string()),
            ("ARTIFACTS_DIR", self.artifacts().display().to_string()),
            ("AUDIT_DATASET", self.audit_dataset()),
            ("BIGQUERY_ENDPOINT", self.wires.bigquery.endpoint()),
            ("GCE_METADATA_HOST", self.emulators.metadata.host()),
            ("GCE_METADATA_IP", self.emulators.metadata.host()),
            // What the image has at /packages.
            ("PYTHONPATH", root.join("jobs/dbt").display().to_string()),
        ];
        let federated = Some(self.federated_file()).filter(|file| file.is_file());
        let federated = federated.map(|file| ("FEDERATED_FILE", file.display().to_string()));
        let variables = variables.into_iter().chain(federated).chain(tools::keep_compiled()?);
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Ok(Job::new(&tools::tool("dbt", "python")?, &self.dir, variables).started_by("dbt", &["-m", "isthmus_dbt"]))
    }

    /// The list of tables that BigQuery reads from another database; there may be none.
    pub fn federated_file(&self) -> PathBuf {
        self.dir.join("federated.yaml")
    }

    pub fn warehouse(&self) -> PathBuf {
        self.dir.join("warehouse")
    }

    /// What the job leaves in the config bucket: `manifest.json`, `run_results.json`, `gates.json`.
    pub fn artifacts(&self) -> PathBuf {
        self.dir.join("dbt")
    }
}

/// A file, or a folder with all that is in it but what dbt itself has written there.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = || format!("copy {} to {}", from.display(), to.display());
    if from.is_file() {
        std::fs::create_dir_all(to.parent().unwrap_or(to)).with_context(failed)?;
        std::fs::copy(from, to).with_context(failed)?;
        return Ok(());
    }
    for entry in from.read_dir().with_context(failed)? {
        let entry = entry.with_context(failed)?;
        if !["target", "logs"].iter().any(|made| entry.file_name() == *made) {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
