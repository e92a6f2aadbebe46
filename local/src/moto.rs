//! moto: STS, SNS, KMS and the rest of AWS that we have no closer stand-in for. <https://docs.getmoto.org>

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process::{Process, free_port};
use crate::tools::{emulator, keep_compiled};

/// It needs 2 s alone; a busy laptop takes longer.
const READY_WITHIN: Duration = Duration::from_mins(1);

pub struct Moto {
    endpoint: String,
    /// Held for its end.
    _process: Option<Process>,
}

impl Moto {
    /// `dir` is a folder for its log.
    pub async fn start(dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(emulator("moto_server")?);
        command.envs(keep_compiled()?);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let mut process = Process::spawn("moto", command, &dir.join("moto.log"))?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let probe = format!("{endpoint}/moto-api/");
        process.ready(READY_WITHIN, async || reqwest::get(&probe).await.is_ok_and(|r| r.status().is_success())).await?;
        Ok(Self { endpoint, _process: Some(process) })
    }

    /// One that someone else holds.
    pub(crate) fn at(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), _process: None }
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }
}
