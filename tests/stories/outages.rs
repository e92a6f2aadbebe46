//! What bigquery-to-s3 lives through.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use local::read::{Code, ReadFault, ReadRequest, Status, rst_stream};
use local::sts::{Sts, Trust};
use local::wire::{Effect, Wire};
use stories::reverse::{OBJECTS, PACKED, Reverse, is_row_put, numbered, outcome};
use stories::{Stage, ended_with};

const BOTH: [&str; 2] = [OBJECTS, PACKED];

pub async fn of_single_puts_lose_nothing_and_leave_nothing_extra(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-puts").await?;
    reverse.sync(&BOTH, "    shards: 8\n")?;
    let slow_down = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
    let put = |request: &local::wire::Recorded| request.method == "PUT";
    for (round, effect) in
        [Effect::Refuse(503, slow_down.into()), Effect::Reset, Effect::LoseAnswer, Effect::Refuse(500, "oops".into())]
            .into_iter()
            .enumerate()
    {
        reverse.fill(&numbered(1, 600, &format!(" v{round}"))).await?;
        reverse.cloud().wires.s3.fault_share(0.1, effect.clone(), put);
        let run = reverse.run().await?;
        reverse.cloud().wires.s3.heal();
        ended_with(&run, 0).with_context(|| format!("{effect:?}"))?;
        reverse.is_exactly(&BOTH, &reverse.expected().await?).with_context(|| format!("{effect:?}"))?;
        let outcome = outcome(&run, OBJECTS)?;
        ensure!(outcome["put_retries"].as_u64().is_some_and(|retries| retries > 20), "{outcome}");
        ensure!(round > 0 || outcome["slow_downs"].as_u64().is_some_and(|n| n > 20), "{outcome}");
    }
    Ok(())
}

pub async fn of_all_of_s3_for_a_minute_are_waited_out(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-outage").await?;
    reverse.sync(&[OBJECTS], "    shards: 8\n")?;
    reverse.fill_numbered(2000, "").await?;
    let wire = &reverse.cloud().wires.s3;
    wire.delay(Duration::from_millis(50));
    let job = reverse.execution()?;
    let running = job.start(&["--json"])?;
    while wire.requests().iter().filter(|request| is_row_put(request)).count() < 300 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    wire.outage();
    tokio::time::sleep(Duration::from_mins(1)).await;
    ensure!(reverse.published(OBJECTS)?.is_none());
    wire.restore();
    let back = Instant::now();
    let finished = running.finish().await?;
    ended_with(&finished, 0)?;
    ensure!(back.elapsed() < Duration::from_secs(30), "it took {:?} after S3 was back", back.elapsed());
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)
}

pub async fn of_a_stream_are_resumed_at_the_row_where_it_was_cut(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-stream").await?;
    reverse.sync(&[PACKED], "    shards: 4\n")?;
    reverse.fill_numbered(40_000, "").await?;
    let expected = reverse.expected().await?;
    let wire = &reverse.cloud().wires.bigquery_storage;
    let unavailable = || Status::unavailable("the connection went away");
    let mut faults: Vec<ReadFault> =
        [1, 2, 3, 5].map(|messages| ReadFault::CutAfter { messages, status: unavailable() }).into();
    faults.extend([1, 4].map(|messages| ReadFault::CutAfter { messages, status: rst_stream() }));
    faults.extend([ReadFault::DropAfter { messages: 2 }, ReadFault::EndAfter { messages: 3 }]);
    faults.extend([ReadFault::HangAfter { messages: 2 }, ReadFault::Refuse(unavailable())]);
    for fault in faults {
        wire.forget();
        wire.fault(1, fault.clone(), ReadRequest::is_rows);
        let run = reverse.execution()?.with("STREAM_IDLE_SECONDS", "1").run(&["--json"]).await?;
        wire.heal();
        ended_with(&run, 0).with_context(|| format!("{fault:?}"))?;
        reverse.is_exactly(&[PACKED], &expected).with_context(|| format!("{fault:?}"))?;
        let (rows, sessions) = (wire.rows(), wire.sessions().len());
        let ended_early = matches!(fault, ReadFault::EndAfter { .. });
        // An end without an error is noticed by the count alone, and only a new session can be trusted then.
        ensure!(ended_early == (sessions > 1), "{fault:?}: {sessions} sessions");
        if let ReadFault::CutAfter { messages, .. } = fault {
            let offset = i64::try_from(messages * 5000)?;
            ensure!(rows.iter().any(|rows| rows.offset == offset), "{fault:?}: no stream was resumed at row {offset}");
        }
    }
    Ok(())
}

pub async fn of_a_read_session_that_expires_are_read_anew(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-session").await?;
    reverse.sync(&[PACKED], "    shards: 4\n")?;
    reverse.fill_numbered(30_000, "").await?;
    let wire = &reverse.cloud().wires.bigquery_storage;
    wire.fault(1, ReadFault::HangAfter { messages: 2 }, ReadRequest::is_rows);
    let running = reverse.execution()?.with("STREAM_IDLE_SECONDS", "2").start(&["--json"])?;
    wire.held().await;
    wire.expire_sessions(&Status::new(Code::FailedPrecondition, "session expired"));
    let finished = running.finish().await?;
    ended_with(&finished, 0)?;
    ensure!(wire.sessions().len() == 2, "{} sessions", wire.sessions().len());
    reverse.is_exactly(&[PACKED], &reverse.expected().await?)
}

/// How long credentials live, and when STS is away.
struct Weather {
    life: Duration,
    away: std::ops::Range<Duration>,
    rows: u32,
    puts_at_once: &'static str,
}

pub async fn of_sts_and_credentials_that_run_out_again_and_again_lose_nothing(stage: &Stage) -> Result<()> {
    let seconds = Duration::from_secs;
    let weather = Weather { life: seconds(3), away: seconds(7)..seconds(15), rows: 6000, puts_at_once: "40" };
    let keys = publish_in(stage, "rv-sts", &weather).await?;
    ensure!(keys.len() > 3, "the run outlived {} sets of credentials", keys.len());
    Ok(())
}

/// The same on the clock of a real outage. It takes eight minutes, so it is run by hand:
/// `cargo test -p stories --test stories five_minutes -- --ignored`.
pub async fn of_sts_for_five_minutes_lose_nothing(stage: &Stage) -> Result<()> {
    let seconds = Duration::from_secs;
    let weather = Weather { life: seconds(60), away: seconds(70)..seconds(370), rows: 15_000, puts_at_once: "10" };
    let began = Instant::now();
    let keys = publish_in(stage, "rv-sts-long", &weather).await?;
    ensure!(began.elapsed() > weather.away.end, "the run was over before STS was back");
    println!("{} rows, {} sets of credentials, {:?}", weather.rows, keys.len(), began.elapsed());
    Ok(())
}

/// The access keys that the run had.
async fn publish_in(stage: &Stage, environment: &str, weather: &Weather) -> Result<BTreeSet<String>> {
    let reverse = Reverse::begin(stage, environment).await?;
    reverse.sync(&[OBJECTS], "    shards: 8\n")?;
    reverse.fill_numbered(weather.rows, "").await?;
    let (cloud, emulators) = (reverse.cloud(), &stage.emulators);
    let job = reverse.execution()?;
    let role = job.variable("AWS_ROLE_ARN").context("no role")?.to_owned();
    let (id, oaud) = (local::cloud::UNIQUE_ID.to_owned(), local::cloud::AUDIENCE.to_owned());
    let trust = Trust { role_arn: role, aud: id.clone(), oaud, sub: id };
    let sts = Sts::start(trust, &emulators.metadata, &emulators.moto).await?;
    sts.set_lifetime(weather.life);
    let sts_wire = Wire::start(&sts.endpoint()).await?;
    cloud.wires.s3.delay(Duration::from_millis(120));
    let job = job.with("AWS_ENDPOINT_URL_STS", &sts_wire.endpoint()).with("MAX_CONCURRENCY", weather.puts_at_once);
    let running = job.start(&["--json"])?;
    tokio::select! {
        never = expire(&reverse, &sts_wire, weather) => never?,
        finished = running.finish() => ended_with(&finished?, 0)?,
    }
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)?;
    Ok(cloud.access_keys())
}

/// S3 refuses each key when its time is over.
async fn expire(reverse: &Reverse, sts: &Wire, weather: &Weather) -> Result<()> {
    let began = Instant::now();
    let mut seen: Vec<(String, Instant)> = Vec::new();
    let (mut down, mut up) = (false, false);
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        for key in reverse.cloud().access_keys() {
            if !seen.iter().any(|(known, _)| *known == key) {
                seen.push((key, Instant::now()));
            }
        }
        for (key, since) in &seen {
            if since.elapsed() > weather.life {
                reverse.cloud().s3.expire(key);
            }
        }
        if !down && began.elapsed() > weather.away.start {
            sts.outage();
            down = true;
        }
        if !up && began.elapsed() > weather.away.end {
            sts.restore();
            up = true;
        }
    }
}
