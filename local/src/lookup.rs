//! lookup as a server, as ECS would run it.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::cloud::Cloud;
use crate::process::{Process, free_port};
use crate::rds::REGION;
use crate::redis::Redis;
use crate::tools;

const READY_WITHIN: Duration = Duration::from_secs(20);

pub struct Lookup {
    endpoint: String,
    client: reqwest::Client,
    process: Process,
}

/// An answer with a row, and where the row came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    pub body: String,
    pub generation: String,
    pub from: String,
    pub took: Duration,
}

impl Lookup {
    /// Serves these syncs of the application bucket. Looks for a new generation every second.
    pub async fn start(cloud: &Cloud, syncs: &[&str], redis: Option<&Redis>) -> Result<Self> {
        let endpoint = [("AWS_ENDPOINT_URL_S3", cloud.wires.s3.endpoint())];
        Self::start_with(cloud, syncs, redis, endpoint).await
    }

    /// `variables` say how it reaches S3.
    pub async fn start_with<const N: usize>(
        cloud: &Cloud,
        syncs: &[&str],
        redis: Option<&Redis>,
        variables: [(&str, String); N],
    ) -> Result<Self> {
        let port = free_port()?;
        let place = |sync: &&str| format!("{sync}=s3://{}/{sync}", cloud.app_bucket);
        let mut command = Command::new(tools::program("lookup")?);
        command.env_clear().envs([
            ("ENV", cloud.env.to_string()),
            ("SYNCS", syncs.iter().map(place).collect::<Vec<_>>().join(",")),
            ("REDIS_URL", redis.map(Redis::url).unwrap_or_default()),
            ("POLL_SECONDS", "1".to_owned()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", port.to_string()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ]);
        command.envs(variables);
        let process = Process::spawn("lookup", command, &cloud.dir.join(format!("lookup-{port}.log")))?;
        let (endpoint, client) = (format!("http://127.0.0.1:{port}"), reqwest::Client::new());
        let mut lookup = Self { endpoint, client, process };
        let (client, probe) = (lookup.client.clone(), lookup.uri("healthz"));
        let up = async || client.get(&probe).send().await.is_ok_and(|answer| answer.status().is_success());
        lookup.process.ready(READY_WITHIN, up).await?;
        Ok(lookup)
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    fn uri(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint)
    }

    /// `None` is the answer 404. The key is one that stands in a URL as it is.
    pub async fn get(&self, sync: &str, key: &str) -> Result<Option<Looked>> {
        let began = Instant::now();
        let answer = self.client.get(self.uri(&format!("v1/{sync}/{key}"))).send().await?;
        if answer.status().as_u16() == 404 {
            return Ok(None);
        }
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.text().await?;
        let took = began.elapsed();
        ensure!(status.is_success(), "lookup answers {status}: {body}\n{}", self.process.log());
        let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let (generation, from) = header("x-isthmus-generation").zip(header("x-isthmus-from")).context("no headers")?;
        Ok(Some(Looked { body, generation, from, took }))
    }

    pub fn url_of(&self, sync: &str, key: &str) -> String {
        self.uri(&format!("v1/{sync}/{key}"))
    }
}
