//! What comes out, run after run.

use anyhow::{Result, ensure};
use serde_json::json;
use stories::reverse::{OBJECTS, PACKED, Reverse, numbered, outcome};
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
    let parquet = parquet.iter().filter(|request| request.method == "PUT" && request.path.ends_with(".parquet")).count();
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
