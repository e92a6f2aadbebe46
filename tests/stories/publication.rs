//! What comes out, run after run.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use stories::reverse::{OBJECTS, PACKED, Reverse, Rows, numbered, object_path, outcome};
use stories::{Stage, ended_with};

const BOTH: [&str; 2] = [OBJECTS, PACKED];

pub async fn holds_every_row_of_the_query_and_then_only_writes_what_changed(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-delta").await?;
    reverse.sync(&BOTH, "    shards: 16\n")?;
    reverse.fill_numbered(3000, "").await?;
    let first = reverse.run().await?;
    ended_with(&first, 0)?;
    reverse.is_exactly(&BOTH, &reverse.expected().await?)?;
    ensure!(reverse.row_puts() == 3000, "{} PUTs", reverse.row_puts());

    reverse.cloud().wires.s3.forget();
    let again = reverse.run().await?;
    ended_with(&again, 0)?;
    ensure!(reverse.row_puts() == 0, "nothing changed, but {} rows were written", reverse.row_puts());
    let parquet = reverse.cloud().wires.s3.requests();
    let parquet =
        parquet.iter().filter(|request| request.method == "PUT" && request.path.ends_with(".parquet")).count();
    ensure!(parquet == 0, "nothing changed, but {parquet} shards were written");
    for sync in BOTH {
        let outcome = outcome(&again, sync)?;
        ensure!((&outcome["unchanged"], &outcome["created"]) == (&json!(3000), &json!(0)), "{outcome}");
    }

    // 30 rows change, 20 vanish, 10 are new.
    reverse.cloud().wires.s3.forget();
    let kept = numbered(21, 2970, "");
    let (changed, new) = (numbered(2971, 3000, " of a new version"), numbered(5001, 5010, ""));
    reverse.fill(&format!("{kept} UNION ALL {changed} UNION ALL {new}")).await?;
    let delta = reverse.run().await?;
    ended_with(&delta, 0)?;
    reverse.is_exactly(&BOTH, &reverse.expected().await?)?;
    ensure!(reverse.row_puts() == 40, "{} PUTs", reverse.row_puts());
    for sync in BOTH {
        let found = outcome(&delta, sync)?;
        let counts = ["created", "updated", "deleted", "unchanged", "rejected"].map(|name| found[name].as_u64());
        ensure!(counts == [10, 30, 20, 2950, 0].map(Some), "{found}");
    }
    Ok(())
}

pub async fn is_held_back_by_each_guard_and_the_last_good_one_stays(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-guards").await?;
    reverse.sync(&BOTH, "    shards: 4\n    max_body_bytes: 1000\n")?;
    reverse.fill_numbered(1000, "").await?;
    ended_with(&reverse.run().await?, 0)?;
    let good = reverse.expected().await?;

    let nothing = format!("{} LIMIT 0", numbered(1, 1, ""));
    let (most_gone, many_gone) =
        (numbered(1, 400, ""), format!("{} UNION ALL {}", numbered(1, 880, ""), numbered(2001, 2120, "")));
    let twice = format!("{} UNION ALL {}", numbered(1, 1000, ""), numbered(7, 7, " again"));
    let too_large = format!("{} UNION ALL {}", numbered(1, 970, " b"), large(971, 1000));
    let no_keys = format!("{} UNION ALL SELECT CAST(NULL AS INT64), 'nobody', FALSE", numbered(1, 1000, " b"));
    let stood = reverse.row_objects();
    for (select, guard) in [
        (&nothing, "guard on_empty: the query gave no rows"),
        (&most_gone, "guard max_deletes: the query gave 400 rows, 1000 are published: at least 600 would go"),
        // As many came as went, so only the comparison tells.
        (&many_gone, "guard max_deletes: 120 of 1000 published keys would be deleted"),
        // BigQuery counts these, so no row is read.
        (
            &twice,
            "guard max_rejects: 2 of 1001 rows cannot be published: 0 have no key, 2 have one that other rows have",
        ),
        (&no_keys, "guard max_rejects: 1 of 1001 rows cannot be published: 1 have no key"),
        (&too_large, "guard max_rejects: 30 of 1000 rows cannot be published; the generation's rejects/ say why"),
    ] {
        reverse.cloud().wires.s3.forget();
        reverse.fill(select).await?;
        let held_back = reverse.run().await?;
        ended_with(&held_back, 1)?;
        for sync in BOTH {
            let outcome = outcome(&held_back, sync)?;
            ensure!(outcome["error"].as_str().unwrap_or_default().starts_with(guard), "{outcome}");
            let generation = reverse.manifest(sync)?.map(|manifest| manifest["totals"]["rows"].clone());
            ensure!(generation == Some(json!(1000)), "{guard}: the last good generation stays");
        }
        ensure!(reverse.row_puts() == 0, "{guard}: {} rows were written", reverse.row_puts());
        ensure!(reverse.row_objects() == stood, "{guard}: a row object is another one, or gone");
    }

    // What the held-back runs wrote is put right by the next one.
    reverse.fill_numbered(1000, "").await?;
    ended_with(&reverse.run().await?, 0)?;
    reverse.is_exactly(&BOTH, &good)?;

    reverse.sync(&BOTH, "    shards: 4\n    guards: {on_empty: publish, max_deletes: {fraction: 1}}\n")?;
    reverse.fill(&nothing).await?;
    ended_with(&reverse.run().await?, 0)?;
    reverse.is_exactly(&BOTH, &Rows::new())
}

/// Rows with bodies over 1,000 bytes.
fn large(first: u32, last: u32) -> String {
    format!("SELECT n AS id, REPEAT('x', 2000) AS name, FALSE AS vip FROM UNNEST(GENERATE_ARRAY({first}, {last})) AS n")
}

pub async fn leaves_out_the_rows_that_cannot_be_published_and_says_why(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-rejects").await?;
    reverse.sync(&BOTH, "    shards: 4\n    max_body_bytes: 2000\n    guards: {max_rejects: {rows: 100}}\n")?;
    let odd = ["a/b", "..", "../x", "50%", "a b+c", "%2F", "🛫 羽田", "\\\\", "CURRENT", "g/x", "é"];
    let long = [1000, 1024, 1025].map(|length| "k".repeat(length));
    let keys = odd.iter().copied().chain(long.iter().map(String::as_str));
    let mut rows: Vec<String> = keys.map(|key| format!("SELECT '{key}' AS id, 'x' AS name, 1.5 AS score")).collect();
    rows.extend(["NULL", "NULL", "'twice'", "'twice'", "''"].map(|key| format!("SELECT {key}, 'x', 1.5")));
    rows.push("SELECT 'nan', 'x', CAST('nan' AS FLOAT64)".into());
    rows.push("SELECT 'infinite', 'x', CAST('-inf' AS FLOAT64)".into());
    rows.push("SELECT 'large', REPEAT('x', 3000), 1.5".into());
    reverse.fill(&rows.join(" UNION ALL ")).await?;
    let run = reverse.run().await?;
    ended_with(&run, 0)?;

    let too_long = |layout: &str, key: &str| object_path(layout, key).len() > 1024;
    for layout in BOTH {
        let bad = ["twice", "", "nan", "infinite", "large"];
        let mut expected = reverse.expected().await?;
        expected.retain(|key, _| key != "null" && key.len() <= 1024 && !bad.contains(&key.as_str()));
        if layout == OBJECTS {
            expected.retain(|key, _| !too_long(layout, key));
        }
        reverse.is_exactly(&[layout], &expected)?;
        let rejects = reverse.rejects(layout)?;
        let why = |key: &str| rejects.get(key).map_or("", String::as_str);
        ensure!(why("null") == "the key is null" && why("") == "the key is empty", "{rejects:#?}");
        ensure!(why("twice") == "2 rows have this key", "{rejects:#?}");
        ensure!(why("nan").contains("score") && why("infinite").contains("score"), "{rejects:#?}");
        ensure!(why("large").contains("2000 is the limit (max_body_bytes)"), "{rejects:#?}");
        ensure!(why(&long[2]).ends_with("1024 is the limit"), "{rejects:#?}");
        let rejected = outcome(&run, layout)?["rejected"].as_u64().unwrap_or_default();
        let rows_left = outcome(&run, layout)?["rows"].as_u64().unwrap_or_default();
        ensure!(rejected + rows_left == rows.len() as u64, "{rejected} + {rows_left} of {}", rows.len());
    }
    Ok(())
}

pub async fn names_rows_by_the_text_of_their_keys_and_takes_none_that_a_time_zone_changes(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-keys").await?;
    reverse.sync(&BOTH, "    shards: 4\n    guards: {max_deletes: {fraction: 1}}\n")?;
    for (key, text) in [
        ("CAST(-7 AS INT64)", "-7"),
        ("TRUE", "true"),
        ("DATE '2026-11-26'", "2026-11-26"),
        ("DATETIME '2026-11-26 04:00:00'", "2026-11-26 04:00:00"),
        ("'本'", "本"),
    ] {
        reverse.fill(&format!("SELECT {key} AS id, 'x' AS name")).await?;
        ended_with(&reverse.run().await?, 0).context(key)?;
        let keys: Vec<String> = reverse.published(PACKED)?.context("nothing is published")?.into_keys().collect();
        ensure!(keys == [text], "{key}: {keys:?}");
    }
    reverse.fill("SELECT TIMESTAMP '2026-11-26 04:00:00+09' AS id, 'x' AS name").await?;
    let refused = reverse.run().await?;
    ended_with(&refused, 1)?;
    let error = outcome(&refused, PACKED)?["error"].to_string();
    ensure!(error.contains("FORMAT_TIMESTAMP('%FT%TZ', id) AS id"), "{error}");
    Ok(())
}

pub async fn can_be_cut_into_another_number_of_shards_and_written_in_full(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-shards").await?;
    reverse.fill_numbered(500, "").await?;
    for shards in [16, 64, 4, 1, 16] {
        reverse.cloud().wires.s3.forget();
        reverse.sync(&BOTH, &format!("    shards: {shards}\n"))?;
        let run = reverse.run().await?;
        ended_with(&run, 0)?;
        reverse.is_exactly(&BOTH, &reverse.expected().await?)?;
        let outcome = outcome(&run, OBJECTS)?;
        let first = outcome["previous"].is_null();
        ensure!(reverse.row_puts() == if first { 500 } else { 0 }, "{shards}: {} PUTs", reverse.row_puts());
    }
    reverse.cloud().wires.s3.forget();
    reverse.sync(&[OBJECTS], "    shards: 16\n    mode: full\n")?;
    ended_with(&reverse.run().await?, 0)?;
    ensure!(reverse.row_puts() == 500, "mode full writes all rows: {}", reverse.row_puts());

    reverse.sync(&[OBJECTS], "    shards: 16\n")?;
    let text = std::fs::read_to_string(reverse.cloud().syncs_file())?.replace("layout: objects", "layout: packed");
    std::fs::write(reverse.cloud().syncs_file(), text)?;
    let refused = reverse.run().await?;
    ended_with(&refused, 1)?;
    ensure!(
        refused.log.contains("holds layout objects: give a sync of another layout another prefix"),
        "{}",
        refused.log
    );
    Ok(())
}

pub async fn is_planned_without_a_write_listed_collected_and_rolled_back(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-back").await?;
    reverse.sync(&BOTH, "    shards: 4\n    keep_generations: 2\n")?;
    let mut versions = Vec::new();
    for version in ["", " b", " c"] {
        reverse.fill_numbered(200, version).await?;
        let before = reverse.story_objects();
        let plan = reverse.execution()?.run(&["plan", "--json"]).await?;
        ended_with(&plan, 0)?;
        ensure!(reverse.story_objects() == before, "a plan writes nothing");
        let planned = outcome(&plan, OBJECTS)?;
        let (created, updated) = if version.is_empty() { (200, 0) } else { (0, 200) };
        ensure!((&planned["created"], &planned["updated"]) == (&json!(created), &json!(updated)), "{planned}");
        ensure!(planned["put_requests"].as_u64().is_some_and(|puts| (205..230).contains(&puts)), "{planned}");
        ensure!(planned["put_usd_a_month"].as_f64().is_some_and(|usd| usd > 0.0), "{planned}");
        ended_with(&reverse.run().await?, 0)?;
        versions.push(reverse.expected().await?);
    }
    let listed = reverse.execution()?.run(&["generations", "--json"]).await?;
    let mut back = Vec::new();
    for sync in BOTH {
        let kept = outcome(&listed, sync)?["generations"].clone();
        ensure!(kept.as_array().map(Vec::len) == Some(2), "two are kept: {kept}");
        ensure!((&kept[0]["current"], &kept[1]["current"]) == (&json!(true), &json!(false)), "{kept}");
        back.push(kept[1]["generation"].as_str().unwrap_or_default().to_owned());
    }
    for (sync, generation) in BOTH.iter().zip(&back) {
        let rollback = reverse.execution()?.run(&["rollback", "--sync", sync, "--to", generation, "--json"]).await?;
        ended_with(&rollback, 0)?;
        reverse.is_exactly(&[sync], &versions[1])?;
    }
    // And forward again, from wherever it is.
    ended_with(&reverse.run().await?, 0)?;
    reverse.is_exactly(&BOTH, &versions[2])?;
    let gone = reverse.execution()?.run(&["rollback", "--sync", PACKED, "--to", "20200101T000000Z"]).await?;
    ended_with(&gone, 1)?;
    ensure!(gone.log.contains("20200101T000000Z is not kept at s3://rv-back-app/packed"), "{}", gone.log);
    Ok(())
}

pub async fn is_explained_by_doctor_where_aws_refuses_it(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-doctor").await?;
    reverse.sync(&BOTH, "")?;
    reverse.fill_numbered(10, "").await?;
    let healthy = reverse.execution()?.run(&["doctor"]).await?;
    ended_with(&healthy, 0)?;
    ensure!(healthy.log.contains("✓ AWS role: assumed arn:aws:iam::"), "{}", healthy.log);

    let policy = reverse.cloud().dir.join("trust.json");
    let pinned =
        json!({"accounts.google.com:aud": "104123456789012345678", "accounts.google.com:oaud": "isthmus-prod"});
    std::fs::write(&policy, json!({"Statement": [{"Condition": {"StringEquals": pinned}}]}).to_string())?;
    let job = reverse.execution()?.with("AWS_AUDIENCE", "isthmus-stg");
    let sick = job.run(&["doctor", "--trust-policy", &policy.display().to_string()]).await?;
    ended_with(&sick, 1)?;
    for line in [
        "✓ condition accounts.google.com:aud: the token's azp is 104123456789012345678; the role expects 104123456789012345678",
        "✗ condition accounts.google.com:oaud: the token's aud is isthmus-stg; the role expects isthmus-prod",
        "✗ condition accounts.google.com:sub: the token's sub is 104123456789012345678; the role does not pin it",
        "✗ AWS role: assume arn:aws:iam::",
        "✓ BigQuery, sync packed: the query is valid",
    ] {
        ensure!(sick.log.contains(line), "no {line:?} in\n{}", sick.log);
    }
    ensure!(!sick.log.contains("eyJ"), "the token must not be printed:\n{}", sick.log);
    Ok(())
}

/// A second reader of layout `packed`, which shares nothing with ours: the sample of `docs/spec/packed.md`.
pub async fn in_layout_packed_is_read_by_the_python_of_the_document(stage: &Stage) -> Result<()> {
    const ALL: &str = "\n
import sys
bucket, prefix = sys.argv[1:]
rows = {key: row(bucket, prefix, key) for key in json.load(sys.stdin)}
print(json.dumps({key: body if body is None or isinstance(body, str) else body.decode() for key, body in rows.items()}))
";
    let reverse = Reverse::begin(stage, "rv-python").await?;
    reverse.sync(&[PACKED], "    shards: 16\n")?;
    reverse.fill_numbered(500, "").await?;
    ended_with(&reverse.run().await?, 0)?;
    reverse.fill_numbered(450, " of a second generation").await?;
    ended_with(&reverse.run().await?, 0)?;

    let document = std::fs::read_to_string(stories::infrastructure::root().join("docs/spec/packed.md"))?;
    let sample = document.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    let program = sample.context("packed.md has no sample")?.to_owned() + ALL;
    let keys: Vec<String> = (1..=500).map(|n| n.to_string()).collect();
    let expected = reverse.expected().await?;
    let input = reverse.cloud().dir.join("keys.json");
    std::fs::write(&input, json!(keys).to_string())?;
    let output = std::process::Command::new(local::tools::emulator("python")?)
        .args(["-c", &program, &reverse.cloud().app_bucket, PACKED])
        .env("AWS_ENDPOINT_URL_S3", reverse.cloud().s3.endpoint())
        .envs([
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ])
        .stdin(std::fs::File::open(&input)?)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: std::collections::BTreeMap<String, Option<String>> = serde_json::from_slice(&output.stdout)?;
    ensure!(read.len() == 500 && expected.len() == 450, "{} keys asked, {} rows published", read.len(), expected.len());
    for (key, body) in read {
        ensure!(
            body.as_ref() == expected.get(&key),
            "{key}: Python reads {body:?}, published is {:?}",
            expected.get(&key)
        );
    }
    Ok(())
}
