//! Tables that BigQuery reads from another database by itself: a real PostgreSQL behind a connection.

use anyhow::{Context, Result, ensure};
use local::aurora::{Aurora, Engine};
use serde_json::json;
use stories::warehouse::Warehouse;
use stories::{Stage, ended_with, table};

const DATABASE: &str = "pharmacy";
const TABLES: &str = "
    CREATE TABLE prescriptions (id bigint PRIMARY KEY, patient uuid NOT NULL, price numeric(10, 2));
    INSERT INTO prescriptions SELECT n, gen_random_uuid(), n * 1.5 FROM generate_series(1, 40) AS n;
    CREATE TABLE events (id bigint PRIMARY KEY, note text);
    INSERT INTO events SELECT n, 'note ' || n FROM generate_series(1, 10) AS n;";
const LIST: &str = "
connections:
  pharmacy:
    engine: postgres
    dataset: raw_pharmacy
    tables:
      public.prescriptions: {columns: \"id, CAST(patient AS text) AS patient, price\"}
      public.events: {mode: incremental, key: id}
";
const PRESCRIPTIONS: &str = "SELECT id, patient, price FROM {{ source('pharmacy', 'prescriptions') }}\n";
const SYNC: &str = "
  prescriptions:
    query: SELECT id, patient FROM mart.prescriptions
    key: id
    destination: {prefix: prescriptions}
    layout: packed
    shards: 1
    require: fresh
";

pub async fn tables_are_proven_like_all_others_and_one_that_is_down_holds_back_what_is_made_of_it(
    stage: &Stage,
) -> Result<()> {
    let database = Aurora::start(Engine::Postgres, &stage.dir.path().join("wh-federated-database")).await?;
    let day = beside(&database, stage).await?;
    let lists = |list: &str| std::fs::write(day.story.cloud.federated_file(), list).context("write the list");

    ended_with(&day.build(&[]).await?, 0)?;
    ensure!((day.rows("raw_pharmacy.prescriptions").await?, day.rows("raw_pharmacy.events").await?) == (40, 10));
    let audit = format!(
        "SELECT table_name, state, rows_expected, rows_loaded FROM {}.latest_loads WHERE table_name LIKE 'pharmacy.%' ORDER BY 1",
        day.story.cloud.audit_dataset()
    );
    let row = |name: &str, rows: u64| json!({"table_name": name, "state": "loaded", "rows_expected": rows, "rows_loaded": rows});
    let expected = [row("pharmacy.public.events", 10), row("pharmacy.public.prescriptions", 40)];
    ensure!(day.story.query(&audit).await? == expected, "{:#?}", day.story.query(&audit).await?);
    ended_with(&day.publish().await?, 0)?;
    ensure!(day.published("prescriptions")? == 40);

    rows_of_now_are_of_today(&day).await?;

    // New events are added, old ones stay; an event that is changed behind the key is found by the count.
    database.execute(DATABASE, "INSERT INTO events VALUES (11, 'new'), (12, 'newer')").await?;
    ended_with(&day.build(&[]).await?, 0)?;
    ensure!(day.rows("raw_pharmacy.events").await? == 12);
    database.execute(DATABASE, "DELETE FROM events WHERE id = 3").await?;
    let finished = day.build(&[]).await?;
    ended_with(&finished, 1)?;
    ensure!(
        finished
            .log
            .contains("pharmacy.public.events is failed: 12 of 11 rows: rows were changed or deleted behind the key"),
        "{}",
        finished.log
    );

    // A type that BigQuery does not know is named, and so is a key by which nobody can tell what is new: the rows of
    // before stay.
    lists(&LIST.replace("CAST(patient AS text) AS patient", "patient").replace("key: id", "key: note"))?;
    let finished = day.build(&[]).await?;
    ended_with(&finished, 1)?;
    for told in [
        "Postgres type (OID = 2950) isn't supported",
        "write in its columns: CAST(patient AS text) AS patient",
        "pharmacy.public.events is failed: key note is text, no whole number: read it whole (mode: full)",
    ] {
        ensure!(finished.log.contains(told), "{}", finished.log);
    }
    ensure!((day.rows("raw_pharmacy.prescriptions").await?, day.rows("raw_pharmacy.events").await?) == (40, 12));

    // The database is down.
    lists(LIST)?;
    drop(database);
    let finished = day.build(&[]).await?;
    ended_with(&finished, 1)?;
    ensure!(
        day.because("prescriptions")?.contains("table pharmacy.public.prescriptions: failed"),
        "{}",
        day.because("prescriptions")?
    );
    ensure!(day.gate("orders")?["fresh"] == true && day.rows("raw_pharmacy.prescriptions").await? == 40);
    the_audit_is_made_where_there_is_none(&day, &audit).await
}

/// A loaded day, and a mart and a sync of what is in the other database.
async fn beside(database: &Aurora, stage: &Stage) -> Result<Warehouse> {
    database.create_database(DATABASE).await?;
    database.execute(DATABASE, TABLES).await?;
    let day = Warehouse::begin(stage, "wh-federated", vec![table("orders", 5), table("items", 7)]).await?;
    let bigquery = &day.story.cloud.emulators.bigquery;
    bigquery.connect("pharmacy", &database.url(DATABASE))?;
    bigquery.create_dataset("raw_pharmacy").await?;
    day.configure(&["items", "orders"]).await?;
    std::fs::write(day.story.cloud.federated_file(), LIST)?;
    let syncs = std::fs::read_to_string(day.story.cloud.syncs_file())? + SYNC;
    std::fs::write(day.story.cloud.syncs_file(), syncs)?;
    let mart = day.story.cloud.warehouse().join("models/mart");
    std::fs::create_dir_all(&mart)?;
    std::fs::write(mart.join("prescriptions.sql"), PRESCRIPTIONS)?;
    day.load_and_deploy().await?;
    Ok(day)
}

/// Also under a build of a day of the past, which has them proven.
async fn rows_of_now_are_of_today(day: &Warehouse) -> Result<()> {
    let today = format!(
        "SELECT DISTINCT export_date = CURRENT_DATE('Asia/Tokyo') AS today FROM {}.loads WHERE table_name LIKE 'pharmacy.%'",
        day.story.cloud.audit_dataset()
    );
    day.build(&["--export-date", "2020-02-02", "--without-catalog", "--select", "prescriptions"]).await?;
    ensure!(day.story.query(&today).await? == [json!({"today": true})], "{:#?}", day.story.query(&today).await?);
    ensure!(day.gate("prescriptions")?["fresh"] == true, "{}", day.because("prescriptions")?);
    Ok(())
}

/// It is the first to load: by its rows, every table is late.
async fn the_audit_is_made_where_there_is_none(day: &Warehouse, audit: &str) -> Result<()> {
    let dataset = day.story.cloud.audit_dataset();
    for made in ["VIEW", "TABLE"] {
        let name = if made == "VIEW" { "latest_loads" } else { "loads" };
        day.story.query(&format!("DROP {made} {dataset}.{name}")).await?;
    }
    ended_with(&day.build(&[]).await?, 1)?;
    let written = day.story.query(audit).await?;
    ensure!(written.len() == 2 && written.iter().all(|row| row["state"] == "failed"), "{written:#?}");
    Ok(())
}
