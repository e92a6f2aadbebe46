//! What `plan` tells of a run that is not yet begun.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use stories::reverse::{OBJECTS, Reverse, outcome};
use stories::{Stage, ended_with};

pub async fn tells_that_a_run_would_be_held_back_while_its_gate_is_closed(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-plan-gate").await?;
    reverse.sync(&[OBJECTS], "    shards: 4\n")?;
    reverse.fill_numbered(20, "").await?;
    let file = reverse.cloud().dir.join("gates.json");
    let closed = "not published, it requires fresh marts: table shop.orders: short";
    for (fresh, expected) in [(false, Value::from(closed)), (true, Value::Null)] {
        let gate = json!({"fresh": fresh, "because": if fresh { vec![] } else { vec!["table shop.orders: short"] }});
        let gates = json!({"export_date": "2026-11-22", "execution": "dbt-1", "syncs": {OBJECTS: gate}});
        std::fs::write(&file, gates.to_string())?;
        let job = || Ok::<_, anyhow::Error>(reverse.execution()?.with("GATES_FILE", &file.display().to_string()));
        let plan = job()?.run(&["plan", "--json", "--export-date", "2026-11-22"]).await?;
        ended_with(&plan, 0)?;
        let planned = outcome(&plan, OBJECTS)?;
        ensure!(planned["gate"] == expected && planned["created"] == 20, "{planned}");
        let text = job()?.run(&["plan", "--export-date", "2026-11-22"]).await?;
        ensure!(text.log.contains(&format!("  would be held back: {closed}\n")) != fresh, "{}", text.log);
        // And a run does what was told.
        let run = job()?.run(&["--json", "--export-date", "2026-11-22"]).await?;
        ended_with(&run, i32::from(!fresh))?;
    }
    Ok(())
}
