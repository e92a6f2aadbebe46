//! `isthmus deploy` with the real terraform and the real aws, on the stand-in for Google and on moto.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use local::moto::Moto;
use local::rds::REGION;
use local::tools;
use serde_json::Value;
use stories::Stage;
use stories::infrastructure::{has_terraform, root};

/// The state lies on this disk: where it would lie is not what terraform is told.
const TERRAFORM: &str = r#"#!/bin/bash
words=()
for word in "$@"; do [[ $word == -backend-config=* ]] || words+=("$word"); done
exec "$REAL_TERRAFORM" "${words[@]}"
"#;
/// What it is given on standard input is what Secret Manager would keep.
const GCLOUD: &str = r#"#!/bin/sh
echo "$*" >> gcloud-calls
case "$*" in
  "artifacts docker images describe"*) [ -e built ] ;;
  "builds submit"*) touch built ;;
  "secrets versions describe"*) echo enabled ;;
  "secrets versions add"*) cat >/dev/null; echo projects/1/secrets/s/versions/1 ;;
esac
"#;
/// Nothing is built, and the tree is as committed.
const PLAYED: &str = "#!/bin/sh\n[ \"$1\" != rev-parse ] || echo 0123456789ab\n";

struct Clone {
    folder: tempfile::TempDir,
    moto: Moto,
    terraform: PathBuf,
}

pub async fn of_an_environment_is_whole_at_once_and_changes_nothing_the_second_time(_: &Stage) -> Result<()> {
    let has_aws = Command::new("aws").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_terraform() || !has_aws || std::env::var_os("TF_CLI_CONFIG_FILE").is_none() {
        eprintln!("skipped: it needs terraform with a stand-in for Google, and the AWS CLI");
        return Ok(());
    }
    let clone = Clone::new().await?;
    tokio::task::block_in_place(|| {
        clone.done(
            "aws",
            &[
                "rds",
                "create-db-cluster",
                "--db-cluster-identifier",
                "shop-aurora",
                "--engine",
                "aurora-mysql",
                "--master-username",
                "shop",
                "--master-user-password",
                "not-a-secret",
            ],
        )?;
        let isthmus = tools::program("isthmus")?;
        let isthmus = isthmus.to_str().context("a path")?;
        clone.done(isthmus, &["deploy", "stg", "--yes"])?;
        let outputs: Value =
            serde_json::from_str(&clone.done("terraform", &["-chdir=terraform/gcp", "output", "-json"])?)?;
        ensure!(outputs["environment"]["value"] == "stg" && outputs["told"]["value"]["image_tag"] == "0123456789ab");
        ensure!(outputs["jobs"]["value"]["load_export"] == "isthmus-stg-load-export", "{outputs}");
        ensure!(outputs["transfers"]["value"].as_object().is_some_and(|transfers| !transfers.is_empty()), "{outputs}");
        clone.both_sides_name_the_same(&outputs)?;

        let said = clone.done(isthmus, &["deploy", "stg", "--yes"])?;
        ensure!(said.matches("nothing to change").count() == 2, "a second deployment changes something:\n{said}");

        // The same states, as if prod's backend named them.
        let (done, said) = clone.said(isthmus, &["deploy", "prod", "--yes"])?;
        ensure!(!done && said.contains("the state that was found for prod belongs to stg"), "{said}");
        let files = [
            "-var-file=prod.tfvars",
            "-var-file=generated/stg.tfvars.json",
            "-var-file=generated/stg.google.tfvars.json",
        ];
        let (done, said) =
            clone.said("terraform", &[&["-chdir=terraform/aws", "plan", "-input=false"], &files[..]].concat())?;
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(!done && said.contains("belongs to the environment stg"), "{said}");
        // Terraform asks the state before it plans to destroy, and so does not when it is told not to.
        let (done, said) = clone.said(
            "terraform",
            &[&["-chdir=terraform/aws", "destroy", "-auto-approve", "-input=false"], &files[..]].concat(),
        )?;
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(!done && said.contains("belongs to the environment stg"), "{said}");
        clone.both_sides_name_the_same(&outputs)?;
        let own = files.map(|file| file.replace("=prod.tfvars", "=stg.tfvars"));
        let own = own.each_ref().map(String::as_str);
        clone.done("terraform", &[&["-chdir=terraform/aws", "plan", "-destroy", "-input=false"], &own[..]].concat())?;
        Ok(())
    })
}

impl Clone {
    async fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("isthmus-deploy-").tempdir()?;
        let here = folder.path();
        for part in ["terraform/aws", "terraform/gcp", "config"] {
            copy_folder(&root().join(part), &here.join(part))?;
        }
        for file in ["samconfig.toml", "terraform/rotate-transfer-key.sh"] {
            fs::copy(root().join(file), here.join(file))?;
        }
        let entry = |name| {
            format!("{name}: {{project: shop-isthmus-{name}, cluster: shop-aurora, emails: [data@shop.test]}}\n")
        };
        fs::write(here.join("config/environments.yaml"), entry("stg") + &entry("prod"))?;
        for cloud in ["aws", "gcp"] {
            fs::write(
                here.join("terraform").join(cloud).join("backend_override.tf"),
                "terraform {\n  backend \"local\" {}\n}\n",
            )?;
        }
        fs::create_dir(here.join("bin"))?;
        for (name, text) in
            [("terraform", TERRAFORM), ("gcloud", GCLOUD), ("sam", PLAYED), ("cargo", PLAYED), ("git", PLAYED)]
        {
            fs::write(here.join("bin").join(name), text)?;
            fs::set_permissions(here.join("bin").join(name), fs::Permissions::from_mode(0o755))?;
        }
        let path = std::env::var_os("PATH").context("no PATH")?;
        let mut found = std::env::split_paths(&path).map(|folder| folder.join("terraform"));
        let terraform = found.find(|path| path.is_file()).context("terraform is in no folder of PATH")?;
        let moto = Moto::start(here).await?;
        Ok(Self { folder, moto, terraform })
    }

    /// What the jobs on Google are given is what is there on AWS.
    fn both_sides_name_the_same(&self, google: &Value) -> Result<()> {
        let aws: Value =
            serde_json::from_str(&self.done("terraform", &["-chdir=terraform/aws", "output", "-json", "aws"])?)?;
        let state = self.done("terraform", &["-chdir=terraform/gcp", "show", "-json"])?;
        for name in ["export_bucket", "app_bucket", "load_export_role_arn", "bigquery_to_s3_role_arn"] {
            let name = aws[name].as_str().context("no such name")?;
            ensure!(state.contains(&format!("\"{name}\"")), "terraform/gcp does not know {name}");
        }
        let start = self.done(
            "aws",
            &["ssm", "get-parameters-by-path", "--path", "/isthmus/stg", "--query", "Parameters[].Value"],
        )?;
        for (part, name) in google["start_load"]["value"].as_object().context("no start_load")? {
            ensure!(start.contains(&name.to_string()), "SAM is not told the {part} {name}: {start}");
        }
        Ok(())
    }

    /// What it printed on standard output.
    fn done(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let output = self.command(program).args(arguments).output().with_context(|| format!("start {program}"))?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{program} {}:\n{out}\n{err}", arguments.join(" "));
        Ok(if arguments.contains(&"deploy") { err.into_owned() } else { out.into_owned() })
    }

    fn said(&self, program: &str, arguments: &[&str]) -> Result<(bool, String)> {
        let output = self.command(program).args(arguments).output().with_context(|| format!("start {program}"))?;
        let said = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
        Ok((output.status.success(), said))
    }

    fn command(&self, program: &str) -> Command {
        let here = self.folder.path();
        let path = format!("{}:{}", here.join("bin").display(), std::env::var("PATH").unwrap_or_default());
        // Found by its path: a program's own PATH is not where it is looked for.
        let own = here.join("bin").join(program);
        let mut command = Command::new(if own.is_file() { own } else { program.into() });
        command.current_dir(here).env("PATH", path).env("REAL_TERRAFORM", &self.terraform).env_remove("TF_DATA_DIR");
        command.env("TF_CLI_ARGS", "-no-color").env("TF_VAR_api_wait_seconds", "0");
        command.env("AWS_ENDPOINT_URL", self.moto.endpoint()).env("AWS_DEFAULT_REGION", REGION);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }
}

/// Without hidden files: `.terraform`, and a lock file of other providers.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let is_state = name == "generated" || name.to_string_lossy().starts_with('.');
        match path.is_dir() {
            _ if is_state => {}
            true => copy_folder(&path, &to.join(name))?,
            false => drop(fs::copy(&path, to.join(name))?),
        }
    }
    Ok(())
}
