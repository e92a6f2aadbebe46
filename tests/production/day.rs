//! A whole day, and one run back.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use local::cloud::Cloud;
use local::lookup::Lookup;
use local::production::{Connection, Host, Production};
use stories::reverse::{OBJECTS, PACKED, Reverse};
use stories::{Outcome, Stage, Story, ended_with, table};

use crate::namespace::ENV;

/// An environment whose S3 knows a secret for each key and refuses everybody else.
pub async fn begin(stage: &Stage) -> Result<(Reverse, Production)> {
    let reverse = Reverse::begin(stage, ENV).await?;
    let cloud = reverse.cloud();
    cloud.rds.set_tables(vec![table("orders", 120), table("items", 7), table("empty", 0)]);
    cloud.s3.allow("local", "secret");
    cloud.s3.verify(&stage.emulators.sts);
    let production = Production::start(cloud, stage.dir.path()).await?;
    Ok((reverse, production))
}

pub async fn start(story: &Story, production: &Production) -> Result<local::lambda::Invocation> {
    production.function(story.cloud.start_export()?).invoke(&story.scheduled()).await
}

pub async fn runs_by_the_names_of_production_and_every_request_is_verified(stage: &Stage) -> Result<()> {
    let (reverse, production) = begin(stage).await?;
    let (story, cloud) = (&reverse.story, reverse.cloud());
    story.configure(&["orders", "items", "empty"]).await?;
    story.snapshot().await?;
    let mut events = cloud.rds.events();
    start(story, &production).await?.expect_success()?;
    let event = loop {
        let event = events.recv().await?;
        if event["detail"]["EventID"] == "RDS-EVENT-0164" {
            break event;
        }
    };
    let published = production.function(cloud.publish_export(None)?).invoke(&event).await?.expect_success()?;
    ensure!(published["published"].as_array().is_some_and(|ids| ids.len() == 1), "{published}");
    let date = story.date().to_string();
    ended_with(&production.job(cloud.load_export()?).run(&["--export-date", &date]).await?, 0)?;
    ensure!(story.rows("orders").await? == 120 && story.rows("items").await? == 7, "not every row is in BigQuery");

    reverse.fill_numbered(500, "a").await?;
    reverse.sync(&[OBJECTS, PACKED], "")?;
    ended_with(&production.job(reverse.execution()?).run(&["--json"]).await?, 0)?;
    for layout in [OBJECTS, PACKED] {
        ensure!(reverse.published(layout)? == Some(reverse.expected().await?), "{layout} is not what BigQuery has");
    }
    look_up(cloud, &production).await?;
    every_service_was_reached_as_it_is_called(&production.take_connections())
}

async fn look_up(cloud: &Cloud, production: &Production) -> Result<()> {
    let authority = [("SSL_CERT_FILE", production.authority().display().to_string())];
    let lookup = Lookup::start_with(cloud, &[OBJECTS, PACKED], None, authority).await?;
    for sync in [OBJECTS, PACKED] {
        let found = lookup.get(sync, "17").await?.with_context(|| format!("{sync} has no row 17"))?;
        ensure!(found.body.contains("\"id\":17"), "{sync}: {}", found.body);
    }
    Ok(())
}

fn every_service_was_reached_as_it_is_called(connections: &[Connection]) -> Result<()> {
    let old: Vec<_> = connections.iter().filter(|connection| connection.version != "TLSv1_3").collect();
    ensure!(old.is_empty(), "not TLS 1.3: {old:?}");
    let hosts: BTreeSet<&str> = connections.iter().map(|connection| connection.host.as_str()).collect();
    let s3 = Host::s3();
    let wanted = Host::names(ENV);
    // SNS has nothing to say on a good day; the service's own host is for requests that name no bucket; the metadata
    // server has no TLS.
    let quiet = |name: &str| name.starts_with("sns.") || name == s3 || name == "metadata.google.internal";
    let missing: Vec<_> = wanted.iter().filter(|name| !hosts.contains(name.as_str()) && !quiet(name)).collect();
    ensure!(missing.is_empty(), "nobody called {missing:?}: {hosts:?}");
    let rows = connections.iter().filter(|connection| connection.host == "bigquerystorage.googleapis.com");
    let slow: Vec<_> = rows.filter(|connection| connection.protocol != "h2").collect();
    ensure!(slow.is_empty(), "gRPC needs HTTP/2: {slow:?}");
    Ok(())
}
