//! bigquery-to-s3 killed, run twice, run by many: the same end, and no reader ever sees half.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use local::wire::{Effect, Recorded};
use stories::reverse::{OBJECTS, PACKED, Reverse, is_row_put, numbered, outcome};
use stories::{Stage, ended_with};

const BOTH: [&str; 2] = [OBJECTS, PACKED];

/// Numbers that look random and are the same in every run of the test.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below).unwrap_or(0)
    }
}

/// Looks at what `CURRENT` names, again and again, until it is dropped; what it saw is an error or a count.
async fn reading(reverse: &Reverse) -> Result<()> {
    let mut seen = BTreeMap::new();
    loop {
        for layout in BOTH {
            for (key, etag) in named(reverse, layout)? {
                let first = seen.entry(key.clone()).or_insert_with(|| etag.clone());
                ensure!(*first == etag, "{key} was named by CURRENT, and became another one");
            }
            // In layout objects a row may be newer than CURRENT says, but none is ever missing or torn. After the next
            // flip the objects of vanished keys go: who holds the older CURRENT then looks again.
            let current = reverse.current(layout)?;
            if let Err(error) = reverse.published(layout)
                && reverse.current(layout)? == current
            {
                return Err(error).with_context(|| format!("a reader of {layout}"));
            }
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// What `CURRENT` leads to under `g/`, with its `ETag`.
fn named(reverse: &Reverse, layout: &str) -> Result<Vec<(String, String)>> {
    let (Some(current), Some(manifest)) = (reverse.current(layout)?, reverse.manifest(layout)?) else {
        return Ok(Vec::new());
    };
    let records = manifest["records"].as_array().into_iter().flatten();
    let shards = records.filter_map(|record| {
        Some(format!("{layout}/g/{}/{:05}.parquet", record["file"]["generation"].as_str()?, record["shard"].as_u64()?))
    });
    let changes = manifest["changes"].as_array().into_iter().flatten().filter_map(|key| Some(key.as_str()?.to_owned()));
    let keys = shards.chain(changes).chain(current["manifest"].as_str().map(str::to_owned));
    let (store, bucket) = (reverse.cloud().s3.store(), &reverse.cloud().app_bucket);
    Ok(keys.filter_map(|key| Some((key.clone(), store.head(bucket, &key)?.etag))).collect())
}

pub async fn after_sigkill_at_twenty_points_ends_with_exactly_the_rows(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-kill").await?;
    reverse.sync(&BOTH, "    shards: 8\n    guards: {max_deletes: {fraction: 0.5}}\n")?;
    reverse.fill_numbered(600, "").await?;
    ended_with(&reverse.run().await?, 0)?;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    tokio::select! {
        done = kill_twenty_times(&reverse, &mut dice) => done,
        seen = reading(&reverse) => seen,
    }
}

async fn kill_twenty_times(reverse: &Reverse, dice: &mut Dice) -> Result<()> {
    let mut killed = 0;
    for round in 0..20 {
        // Each round another result: some rows go, some change, some come.
        let (first, version) = (1 + round * 7, format!(" v{round}"));
        let (same, changed) = (numbered(first, first + 400, ""), numbered(first + 401, first + 600, &version));
        reverse.fill(&format!("{same} UNION ALL {changed}")).await?;
        let wire = &reverse.cloud().wires.s3;
        let (point, effect) = (dice.roll(450), if round % 2 == 0 { Effect::HoldRequest } else { Effect::HoldAnswer });
        wire.fault_after(point, 1, effect, |_| true);
        let job = reverse.mortal()?;
        let task = job.start(&["--json"])?;
        tokio::select! {
            () = wire.held() => killed += 1,
            done = task.finish() => ended_with(&done?, 0)?,
        }
        wire.heal();
        // Cloud Run's retry is the same execution; somebody who starts the job by hand is another one. Where it is not
        // killed, S3 is away for longer than its lease, and another one is waiting already.
        match round % 4 {
            0 => ended_with(&reverse.mortal()?.run(&["--json"]).await?, 0)?,
            1 => outlast(reverse).await?,
            _ => ended_with(&job.with("CLOUD_RUN_TASK_ATTEMPT", "1").run(&["--json"]).await?, 0)?,
        }
        let expected = reverse.expected().await?;
        reverse.is_exactly(&BOTH, &expected).with_context(|| format!("round {round}, killed at request {point}"))?;
    }
    ensure!(killed >= 12, "only {killed} runs were long enough to be killed");
    Ok(())
}

/// Two executions while S3 is away for longer than a lease: one of them publishes, the other one says why not.
async fn outlast(reverse: &Reverse) -> Result<()> {
    let wire = &reverse.cloud().wires.s3;
    let begun = wire.passed();
    let first = reverse.mortal()?.start(&["--json"])?;
    while wire.passed() < begun + 60 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    wire.outage();
    let second = reverse.mortal()?.start(&["--json"])?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    wire.restore();
    let (first, second) = tokio::try_join!(first.finish(), second.finish())?;
    for layout in BOTH {
        // Where it was away before it had begun, the other one may have both, or each has one.
        let published = |finished| Ok::<_, anyhow::Error>(outcome(finished, layout)?["state"] == "published");
        ensure!(published(&first)? || published(&second)?, "{layout}\n{}\n{}", first.log, second.log);
    }
    for finished in [&first, &second].into_iter().filter(|finished| finished.exit_code != Some(0)) {
        let told = finished.log.contains("took the lease") || finished.log.contains("is being written by execution");
        ensure!(told || finished.log.contains("start a new execution"), "{}", finished.log);
    }
    Ok(())
}

/// Writes all rows and is refused the manifest.
async fn run_unpublished(reverse: &Reverse, version: &str) -> Result<()> {
    reverse.fill_numbered(200, version).await?;
    let is_manifest = |request: &Recorded| request.method == "PUT" && request.path.ends_with("/manifest.json");
    reverse.cloud().wires.s3.fault(100, Effect::Refuse(403, String::new()), is_manifest);
    ended_with(&reverse.mortal()?.run(&["--json"]).await?, 1)?;
    reverse.cloud().wires.s3.heal();
    Ok(())
}

pub async fn after_two_runs_that_never_published_writes_and_lists_every_key_that_they_touched(
    stage: &Stage,
) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-touched", "    shards: 4\n", 200).await?;
    // The first writes new rows, the second the old ones again; neither may publish.
    run_unpublished(&reverse, " b").await?;
    run_unpublished(&reverse, "").await?;
    // Readers may hold a row of either: both outcomes have to list it.
    for version in ["", " b"] {
        reverse.fill_numbered(200, version).await?;
        let run = reverse.run().await?;
        ended_with(&run, 0)?;
        reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)?;
        let updated = outcome(&run, OBJECTS)?["updated"].clone();
        ensure!(updated == 200, "{updated} of 200 rows are listed as updated");
    }
    Ok(())
}

pub async fn after_two_runs_that_never_published_publishes_the_rows_of_the_first(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-twice", "    shards: 4\n", 200).await?;
    run_unpublished(&reverse, " b").await?;
    run_unpublished(&reverse, "").await?;
    reverse.fill_numbered(200, " b").await?;
    ended_with(&reverse.run().await?, 0)?;
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)
}

pub async fn after_a_run_that_was_given_up_leaves_nothing_of_it(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(
        stage,
        "rv-given-up",
        "    shards: 8\n    guards: {max_deletes: {fraction: 0.5}}\n",
        300,
    )
    .await?;
    // A run writes new values and new keys, and dies; what it was to publish never comes back.
    for point in [30, 90, 200, 330, 400] {
        reverse.fill(&format!("{} UNION ALL {}", numbered(1, 300, " draft"), numbered(901, 1000, ""))).await?;
        let wire = &reverse.cloud().wires.s3;
        wire.fault_after(point, 1, Effect::HoldAnswer, |_| true);
        let task = reverse.mortal()?.start(&[])?;
        tokio::select! {
            () = wire.held() => {}
            done = task.finish() => ended_with(&done?, 0)?,
        }
        wire.heal();
        reverse.fill_numbered(300, "").await?;
        ended_with(&reverse.run().await?, 0)?;
        let expected = reverse.expected().await?;
        reverse.is_exactly(&[OBJECTS], &expected).with_context(|| format!("killed at request {point}"))?;
    }
    Ok(())
}

pub async fn while_another_execution_writes_says_who_it_is_and_changes_nothing(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-two").await?;
    reverse.sync(&[OBJECTS], "    shards: 8\n")?;
    reverse.fill_numbered(400, "").await?;
    let wire = &reverse.cloud().wires.s3;
    wire.fault_after(100, usize::MAX, Effect::HoldAnswer, is_row_put);
    let (first, second) = (reverse.execution()?, reverse.execution()?);
    let running = first.start(&["--json"])?;
    wire.held().await;
    let refused = second.run(&["--json"]).await?;
    ended_with(&refused, 3)?;
    let error = outcome(&refused, OBJECTS)?["error"].clone();
    ensure!(
        error == "s3://rv-two-app/objects is being written by execution bigquery-to-s3-0: wait for its end, or stop it",
        "{error}"
    );
    wire.heal();
    drop(running);
    ended_with(&first.run(&["--json"]).await?, 0)?;
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)
}

pub async fn by_four_tasks_of_which_one_is_killed_is_published_once_by_the_last(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-four").await?;
    reverse.sync(&BOTH, "    shards: 16\n")?;
    reverse.fill_numbered(800, "").await?;
    let execution = reverse.execution()?.with("CLOUD_RUN_TASK_COUNT", "4");
    let task = |index: usize| execution.clone().with("CLOUD_RUN_TASK_INDEX", &index.to_string());
    let wire = &reverse.cloud().wires.s3;
    let doomed = task(3);
    wire.fault_after(60, 1, Effect::HoldAnswer, |_| true);
    let dying = doomed.start(&["--json"])?;
    wire.held().await;
    wire.heal();
    drop(dying);
    let others = [task(0), task(1), task(2)];
    let (a, b, c) =
        tokio::try_join!(others[0].run(&["--json"]), others[1].run(&["--json"]), others[2].run(&["--json"]))?;
    for finished in [a, b, c] {
        ended_with(&finished, 0)?;
        ensure!(outcome(&finished, PACKED)?["state"] == "share_done", "{}", finished.log);
    }
    ensure!(
        BOTH.iter().all(|layout| reverse.published(layout).is_ok_and(|rows| rows.is_none())),
        "published too early"
    );
    let last = doomed.with("CLOUD_RUN_TASK_ATTEMPT", "1").run(&["--json"]).await?;
    ended_with(&last, 0)?;
    for layout in BOTH {
        ensure!(outcome(&last, layout)?["state"] == "published", "{}", last.log);
    }
    reverse.is_exactly(&BOTH, &reverse.expected().await?)?;
    let queries = reverse.cloud().wires.bigquery.requests();
    let made = queries.iter().filter(|request| {
        request.method == "POST" && request.status == Some(200) && request.body_text().contains("CREATE TABLE")
    });
    ensure!(made.count() == 2, "each query ran once, for all tasks");
    // A task that Cloud Run starts once more finds that there is nothing to do.
    let late = task(1).run(&["--json"]).await?;
    ensure!(outcome(&late, PACKED)?["state"] == "already_published", "{}", late.log);
    Ok(())
}

pub async fn that_is_told_to_stop_ends_in_time_and_the_next_attempt_goes_on(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-term").await?;
    reverse.sync(&[OBJECTS], "    shards: 8\n")?;
    reverse.fill_numbered(400, "").await?;
    let wire = &reverse.cloud().wires.s3;
    wire.fault_after(100, usize::MAX, Effect::HoldRequest, |request| request.method == "PUT");
    let job = reverse.execution()?;
    let task = job.start(&["--json"])?;
    wire.held().await;
    let asked = std::time::Instant::now();
    task.signal(15);
    let stopped = task.finish().await?;
    ended_with(&stopped, 143)?;
    ensure!(asked.elapsed() < Duration::from_secs(9), "it took {:?}", asked.elapsed());
    ensure!(reverse.published(OBJECTS)?.is_none());
    wire.heal();
    ended_with(&job.with("CLOUD_RUN_TASK_ATTEMPT", "1").run(&["--json"]).await?, 0)?;
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)
}

pub async fn after_somebody_else_took_the_lease_or_flipped_current_gives_up(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-lost", "    shards: 8\n", 600).await?;
    let (cloud, before) = (reverse.cloud(), reverse.json("objects/CURRENT")?.context("nothing is published")?);
    let (bucket, store) = (cloud.app_bucket.clone(), cloud.s3.store());
    for (key, said) in [("objects/lease.json", "lease"), ("objects/CURRENT", "was flipped to")] {
        reverse.fill_numbered(600, &format!(" for {key}")).await?;
        cloud.wires.s3.forget();
        cloud.wires.s3.delay(Duration::from_millis(60));
        let running = reverse.mortal()?.with("MAX_CONCURRENCY", "10").start(&["--json"])?;
        while reverse.row_puts() < 50 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The same words in other bytes: another ETag, as after somebody else's write.
        let mut theirs = reverse.json(key)?.context("it is not there")?;
        if key.ends_with("lease.json") {
            theirs["holder"] = "somebody-else".into();
        }
        store.put(&bucket, key, format!("{theirs:#}"));
        let finished = running.finish().await?;
        cloud.wires.s3.delay(Duration::ZERO);
        ended_with(&finished, 1).context(key)?;
        let error = outcome(&finished, OBJECTS)?["error"].to_string();
        ensure!(error.contains(said), "{key}: {error}");
        ensure!(reverse.json("objects/CURRENT")?.as_ref() == Some(&before), "{key}: readers saw a change");
        store.delete(&bucket, "objects/lease.json");
    }
    ended_with(&reverse.run().await?, 0)?;
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)
}
