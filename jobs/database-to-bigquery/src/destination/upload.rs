//! A file into a load job by Google's resumable upload, which Google's own clients for Rust do not have.
//! <https://cloud.google.com/bigquery/docs/reference/api-uploads#resumable>
//!
//! A session takes the file in chunks and says after each how much it has; what it does not say it has, it is sent again
//! from there, and no byte is stored twice. The answer to the last chunk is the job. A session that Google has forgotten
//! is begun anew: the job's id is our own, so there is one job whatever happens.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use bigquery::ProjectId;
use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tokio::time::sleep;
use tracing::{info, warn};

use super::rest::{Rest, is_passing, message};
use crate::sheet::ParquetFile;

/// A multiple of 256 KiB, as every chunk but the last must be.
const CHUNK_BYTES: u64 = 8 << 20;
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Uploads {
    rest: Rest,
    url: String,
    give_up_after: Duration,
}

/// What an answer to a part of an upload means.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// The session holds so many bytes.
    Holds(u64),
    /// The job that was made.
    Done(Value),
    /// There is a job of this id already.
    Exists,
    /// The session is gone.
    Forgotten,
    /// Another time may do.
    TryAgain(String),
    Refused(String),
}

impl Uploads {
    pub fn new(rest: &Rest, project: &ProjectId, give_up_after: Duration) -> Self {
        let url = format!("{}/upload/bigquery/v2/projects/{project}/jobs?uploadType=resumable", rest.endpoint);
        Self { rest: rest.clone(), url, give_up_after }
    }

    /// The job as it was made; none where a job of its id is there already.
    pub async fn load(&self, job: &Value, file: &ParquetFile) -> Result<Option<Value>> {
        let mut patience = Patience::new(self.give_up_after);
        loop {
            let session = match self.begin(job, file.bytes).await {
                Begun::Session(session) => session,
                Begun::Not(Answer::Exists) => return Ok(None),
                Begun::Not(Answer::TryAgain(why)) => {
                    patience.wait(&why).await?;
                    continue;
                }
                Begun::Not(other) => bail!("begin the upload: {}", other.told()),
            };
            match self.send(&session, file, &mut patience).await? {
                Answer::Done(job) => return Ok(Some(job)),
                Answer::Exists => return Ok(None),
                Answer::Forgotten => patience.wait("Google has forgotten the upload, beginning it anew").await?,
                other => bail!("upload: {}", other.told()),
            }
        }
    }

    async fn begin(&self, job: &Value, bytes: u64) -> Begun {
        let request =
            self.rest.client.post(&self.url).json(job).header("X-Upload-Content-Type", "application/octet-stream");
        let request = request.header("X-Upload-Content-Length", bytes);
        let answer = match self.rest.send(request).await {
            Ok(answer) => answer,
            Err(error) => return Begun::Not(Answer::TryAgain(startup::with_causes(error.as_ref()))),
        };
        let session = answer.headers().get(LOCATION).and_then(|session| session.to_str().ok()).map(str::to_owned);
        match (answer.status(), session) {
            (StatusCode::OK, Some(session)) => Begun::Session(session),
            _ => Begun::Not(read(answer).await),
        }
    }

    /// Sends what the session lacks, until it answers with something else than what it holds.
    async fn send(&self, session: &str, file: &ParquetFile, patience: &mut Patience) -> Result<Answer> {
        let (mut held, mut known) = (0, true);
        loop {
            let answer =
                if known { self.chunk(session, file, held).await } else { self.ask(session, file.bytes).await };
            match answer {
                Answer::Holds(now) => {
                    if now > held {
                        patience.progress();
                    } else if known && now < file.bytes {
                        patience.wait("the upload makes no progress").await?;
                    }
                    (held, known) = (now, true);
                }
                // The chunk may have arrived all the same: the session knows.
                Answer::TryAgain(why) => {
                    patience.wait(&why).await?;
                    known = false;
                }
                other => return Ok(other),
            }
        }
    }

    async fn chunk(&self, session: &str, file: &ParquetFile, from: u64) -> Answer {
        let chunk = match chunk(&file.file, from, file.bytes).await {
            Ok(chunk) => chunk,
            Err(error) => return Answer::Refused(format!("read the Parquet file: {error}")),
        };
        let range = match chunk.len() as u64 {
            0 => format!("bytes */{}", file.bytes),
            length => format!("bytes {from}-{}/{}", from + length - 1, file.bytes),
        };
        self.put(session, &range, chunk).await
    }

    /// How much the session holds.
    async fn ask(&self, session: &str, bytes: u64) -> Answer {
        self.put(session, &format!("bytes */{bytes}"), Vec::new()).await
    }

    async fn put(&self, session: &str, range: &str, body: Vec<u8>) -> Answer {
        let request = self.rest.client.put(session).header(CONTENT_RANGE, range).body(body);
        match self.rest.send(request).await {
            Ok(answer) => read(answer).await,
            Err(error) => Answer::TryAgain(startup::with_causes(error.as_ref())),
        }
    }
}

enum Begun {
    Session(String),
    Not(Answer),
}

async fn chunk(file: &Arc<File>, from: u64, bytes: u64) -> std::io::Result<Vec<u8>> {
    let (file, length) = (Arc::clone(file), CHUNK_BYTES.min(bytes.saturating_sub(from)));
    let read = tokio::task::spawn_blocking(move || {
        let mut chunk = vec![0; usize::try_from(length).unwrap_or_default()];
        file.read_exact_at(&mut chunk, from).map(|()| chunk)
    });
    read.await.map_err(std::io::Error::other)?
}

async fn read(answer: Response) -> Answer {
    let (status, range) = (answer.status(), answer.headers().get(RANGE).cloned());
    let range = range.and_then(|range| range.to_str().map(str::to_owned).ok());
    match answer.text().await {
        Ok(body) => meaning(status.as_u16(), range.as_deref(), &body),
        Err(error) => Answer::TryAgain(error.to_string()),
    }
}

/// `range` is what the session holds, `bytes=0-41`; none for nothing.
fn meaning(status: u16, range: Option<&str>, body: &str) -> Answer {
    match status {
        200 | 201 => match serde_json::from_str::<Value>(body) {
            Ok(job) if job["jobReference"]["jobId"].is_string() => Answer::Done(job),
            _ => Answer::TryAgain("the answer names no job".to_owned()),
        },
        308 => {
            let last = range.and_then(|range| range.rsplit_once('-')).and_then(|(_, last)| last.parse::<u64>().ok());
            Answer::Holds(last.map_or(0, |last| last + 1))
        }
        409 => Answer::Exists,
        404 | 410 => Answer::Forgotten,
        _ if is_passing(status, body) => Answer::TryAgain(format!("HTTP {status}: {}", message(body))),
        _ => Answer::Refused(format!("HTTP {status}: {}", message(body))),
    }
}

impl Answer {
    fn told(self) -> String {
        match self {
            Self::Refused(why) | Self::TryAgain(why) => why,
            Self::Forgotten => "Google knows nothing of it".to_owned(),
            other => format!("an answer out of turn: {other:?}"),
        }
    }
}

/// Waits longer each time, until nothing has moved for too long.
struct Patience {
    limit: Duration,
    pause: Duration,
    since: Instant,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, pause: FIRST_PAUSE, since: Instant::now() }
    }

    fn progress(&mut self) {
        (self.pause, self.since) = (FIRST_PAUSE, Instant::now());
    }

    async fn wait(&mut self, why: &str) -> Result<()> {
        if self.since.elapsed() > self.limit {
            return Err(anyhow!("gave up after {} s without progress: {why}", self.limit.as_secs()));
        }
        let pause = self.pause;
        if pause > FIRST_PAUSE {
            warn!("upload: {why}");
        } else {
            info!("upload: {why}");
        }
        sleep(pause).await;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_says_how_to_go_on() {
        assert_eq!(meaning(308, Some("bytes=0-41"), ""), Answer::Holds(42));
        assert_eq!(meaning(308, Some("0-41"), ""), Answer::Holds(42), "as an old book prints it");
        assert_eq!(meaning(308, None, ""), Answer::Holds(0));
        let job = r#"{"jobReference": {"jobId": "a"}}"#;
        assert!(matches!(meaning(200, None, job), Answer::Done(_)));
        assert!(matches!(meaning(200, None, "{}"), Answer::TryAgain(_)));
        assert_eq!((meaning(409, None, ""), meaning(410, None, "")), (Answer::Exists, Answer::Forgotten));
        let quota = r#"{"error": {"message": "too many", "errors": [{"reason": "quotaExceeded"}]}}"#;
        assert_eq!(meaning(403, None, quota), Answer::TryAgain("HTTP 403: too many".into()));
        let denied = r#"{"error": {"message": "no"}}"#;
        assert_eq!(meaning(403, None, denied), Answer::Refused("HTTP 403: no".into()));
        assert!(matches!(meaning(503, None, ""), Answer::TryAgain(_)));
    }
}
