//! The text of a sync's query, as people write it.

use anyhow::{Context, Result, ensure};
use local::wire::Effect;
use serde_json::json;
use stories::reverse::{OBJECTS, Reverse};
use stories::{Stage, ended_with};

const FILE: &str = "objects.sql";

/// A sync whose query stands in a file.
fn write(reverse: &Reverse, text: &str) -> Result<()> {
    let list = reverse.cloud().syncs_file();
    reverse.sync(&[OBJECTS], "    shards: 4\n")?;
    let inline = format!("query: SELECT * FROM {}", reverse.source());
    std::fs::write(&list, std::fs::read_to_string(&list)?.replace(&inline, &format!("query_file: {FILE}")))?;
    Ok(std::fs::write(list.with_file_name(FILE), text)?)
}

pub async fn that_ends_in_a_comment_behind_its_semicolon_is_published(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-comment").await?;
    for (n, end) in [(10, "; -- pick"), (20, "; /* b */"), (30, " # no semicolon"), (40, ";\n\n-- the end\n;")] {
        reverse.fill_numbered(n, "").await?;
        write(&reverse, &format!("-- users;\nSELECT *\nFROM {} -- ; all\n{end}\n", reverse.source()))?;
        ended_with(&reverse.run().await?, 0).with_context(|| format!("{end:?}"))?;
        reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)?;
    }
    Ok(())
}

pub async fn that_is_wrong_is_told_with_the_lines_of_its_file(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-lines").await?;
    reverse.fill_numbered(10, "").await?;
    write(&reverse, &format!("\n-- users\nSELECT *\nFORM {}\n", reverse.source()))?;
    // What BigQuery says of the statement that is sent: the query begins on its sixth line.
    let message = "Syntax error: Expected end of input but got identifier \"FORM\" at [9:1]";
    let error = json!({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}).to_string();
    for command in [&["--json"][..], &["plan", "--json"], &["doctor", "--json"]] {
        reverse.cloud().wires.bigquery.fault(1, Effect::Refuse(400, error.clone()), |request| {
            request.method == "POST" && request.path.ends_with("/jobs")
        });
        let finished = reverse.execution()?.run(command).await?;
        ended_with(&finished, 1)?;
        let told = &finished.log;
        ensure!(told.contains("FORM") && told.contains(" at [4:1]") && !told.contains("[9:1]"), "{command:?}: {told}");
    }
    Ok(())
}
