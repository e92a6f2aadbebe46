//! The application's side: a row by its key, from S3, from memory, from Redis, and anew after a publication.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Serialize, Serializer};

use super::steps::Steps;
use super::sync::LATE;
use crate::cloud::Cloud;
use crate::lookup::Lookup;
use crate::redis::Redis;

const SYNC: &str = "planes";
/// lookup looks for a new generation every second here.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// What runs from the first publication on.
pub(super) struct Application {
    _redis: Redis,
    lookup: Lookup,
    pub(super) asked: Vec<Asked>,
}

/// One answer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Asked {
    pub(super) generation: String,
    pub(super) from: String,
    #[serde(serialize_with = "milliseconds", rename = "ms")]
    pub(super) took: Duration,
    #[serde(skip)]
    pub(super) body: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's form
fn milliseconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((took.as_secs_f64() * 1e6).round() / 1e3)
}

/// Once from S3, again from memory, and by another instance from Redis.
pub(super) async fn ask(steps: &mut Steps, cloud: &Cloud) -> Result<Application> {
    let work = async {
        let redis = Redis::start(&cloud.dir).await?;
        let lookup = Lookup::start(cloud, &[SYNC, "routes"], Some(&redis)).await?;
        let mut asked = vec![get(&lookup).await?, get(&lookup).await?];
        asked.push(from_redis(cloud, &redis).await?);
        Ok(Application { _redis: redis, lookup, asked })
    };
    steps.run("lookup", "lookup, with Redis (a server)", work, |application| told(&application.asked)).await
}

/// Redis is written behind the answer, so a new instance may be quicker than that.
async fn from_redis(cloud: &Cloud, redis: &Redis) -> Result<Asked> {
    let began = Instant::now();
    loop {
        let other = Lookup::start(cloud, &[SYNC], Some(redis)).await?;
        let asked = get(&other).await?;
        if asked.from == "redis" || began.elapsed() > SEEN_WITHIN {
            return Ok(asked);
        }
    }
}

/// The next generation is seen without any flush.
pub(super) async fn ask_again(steps: &mut Steps, application: &mut Application) -> Result<()> {
    let old = application.asked[0].generation.clone();
    let work = async {
        let began = Instant::now();
        loop {
            let asked = get(&application.lookup).await?;
            if asked.generation != old {
                return Ok(asked);
            }
            ensure!(began.elapsed() < SEEN_WITHIN, "lookup still answers from {old}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let asked =
        steps.run("lookup_changed", "lookup, after the publication", work, |a| told(std::slice::from_ref(a))).await?;
    application.asked.push(asked);
    Ok(())
}

impl Application {
    pub(super) fn base(&self) -> String {
        self.lookup.endpoint()
    }

    pub(super) fn url(&self) -> String {
        self.lookup.url_of(SYNC, LATE)
    }

    /// The three first answers are one row; the last one is the row that is published now.
    pub(super) fn check(asked: &[Asked], now: &str) -> Result<()> {
        let [first, again, other, last] = asked else { anyhow::bail!("{} answers of lookup", asked.len()) };
        ensure!(again.body == first.body && other.body == first.body, "lookup gave two rows for one generation");
        let from = [first, again, other].map(|asked| asked.from.as_str());
        ensure!(from == ["s3", "memory", "redis"], "lookup's answers came from {from:?}");
        ensure!(last.body == now && last.body != first.body, "lookup gives {}, published is {now}", last.body);
        Ok(())
    }
}

async fn get(lookup: &Lookup) -> Result<Asked> {
    let looked = lookup.get(SYNC, LATE).await?.with_context(|| format!("lookup does not find {LATE}"))?;
    Ok(Asked { generation: looked.generation, from: looked.from, took: looked.took, body: looked.body })
}

/// `S3 12.1 ms, memory 0.3 ms, Redis 0.9 ms`
fn told(asked: &[Asked]) -> String {
    let name = |from: &str| match from {
        "s3" => "S3".to_owned(),
        "redis" => "Redis".to_owned(),
        other => other.to_owned(),
    };
    let one = |asked: &Asked| format!("{} {:.1} ms", name(&asked.from), asked.took.as_secs_f64() * 1e3);
    asked.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: &str, body: &str) -> Asked {
        Asked { generation: "g".into(), from: from.into(), took: Duration::from_micros(1234), body: body.into() }
    }

    #[test]
    fn a_stale_row_or_one_from_elsewhere_fails_the_demo() {
        let good = [asked("s3", "a"), asked("memory", "a"), asked("redis", "a"), asked("s3", "b")];
        assert!(Application::check(&good, "b").is_ok());
        assert!(Application::check(&good, "c").unwrap_err().to_string().starts_with("lookup gives b"));
        let from_s3 = [asked("s3", "a"), asked("s3", "a"), asked("redis", "a"), asked("s3", "b")];
        assert!(Application::check(&from_s3, "b").is_err());
        let stale = [asked("s3", "a"), asked("memory", "a"), asked("redis", "a"), asked("memory", "a")];
        assert!(Application::check(&stale, "a").is_err());
        assert_eq!(told(&good[..2]), "S3 1.2 ms, memory 1.2 ms");
    }
}
