//! A user's clone, in which every tool is played.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const TOOLS: [&str; 6] = ["terraform", "aws", "gcloud", "sam", "cargo", "git"];

/// A clone with three values edited, and a cloud that is empty.
pub struct Clone {
    pub folder: tempfile::TempDir,
}

impl Clone {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for file in
            ["rotate-transfer-key.sh", "gcp/stg.tfvars", "gcp/backend/stg.hcl", "aws/stg.tfvars", "aws/backend/stg.hcl"]
        {
            let to = folder.path().join("terraform").join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(root.join("terraform").join(file), to).unwrap();
        }
        fs::copy(root.join("samconfig.toml"), folder.path().join("samconfig.toml")).unwrap();
        fs::create_dir_all(folder.path().join("config")).unwrap();
        let environments = "stg: {project: shop-isthmus-stg, cluster: shop-aurora, emails: [data@shop.test]}\n";
        fs::write(folder.path().join("config/environments.yaml"), environments).unwrap();
        fs::create_dir_all(folder.path().join("played/made")).unwrap();
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        let played = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/played.sh");
        for tool in TOOLS {
            symlink(&played, folder.path().join("bin").join(tool)).unwrap();
        }
        Self { folder }
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display());
        command.current_dir(self.folder.path()).env("PATH", path).env("PLAYED", self.played("")).stdin(Stdio::null());
        command
    }

    pub fn isthmus(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_isthmus"));
        command.args(arguments);
        command
    }

    pub fn played(&self, file: &str) -> PathBuf {
        self.folder.path().join("played").join(file)
    }

    pub fn refuse(&self, call: &str) {
        fs::write(self.played("refused"), call).unwrap();
    }

    pub fn refuse_nothing(&self) {
        fs::remove_file(self.played("refused")).unwrap();
    }

    /// As an earlier rotation wrote it.
    pub fn leave_key(&self, id: &str, version: u64) {
        let file = self.folder.path().join("terraform/gcp/generated/stg.key.tfvars.json");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let text = format!("{{\"transfer_key\": {{\"access_key_id\": \"{id}\", \"secret_version\": {version}}}}}\n");
        fs::write(file, text).unwrap();
    }

    /// Since the last time.
    pub fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.played("calls")).unwrap_or_default();
        let _ = fs::remove_file(self.played("calls"));
        calls.lines().map(str::to_owned).collect()
    }
}

pub fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

pub fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{}", said(&output));
    said(&output)
}

pub fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

pub fn count(calls: &[String], begin: &str) -> usize {
    calls.iter().filter(|call| call.starts_with(begin)).count()
}
