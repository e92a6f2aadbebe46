//! What goes wrong before the first request.

use anyhow::{Result, ensure};
use local::job::Job;
use local::lambda::Lambda;
use local::production::{Fault, Host, Production};
use serde_json::{Value, json};
use stories::reverse::{OBJECTS, Reverse};
use stories::{Outcome, Stage, ended_with};

use crate::day::{begin, start};
use crate::namespace::ENV;

pub async fn with_a_certificate_of_an_unknown_authority_is_refused_by_every_program(stage: &Stage) -> Result<()> {
    let (reverse, production) = begin_with(stage, Fault::UnknownAuthority).await?;
    tokio::try_join!(
        function(&production, reverse.cloud().start_export()?, reverse.story.scheduled()),
        function(&production, reverse.cloud().publish_export(None)?, json!({"kind": "poll"})),
        job(&production, reverse.cloud().load_export()?.with("WAIT_MINUTES", "0")),
        job(&production, reverse.execution()?.with("GIVE_UP_MINUTES", "1")),
    )?;
    ensure!(production.take_connections().is_empty(), "a handshake was completed with a stranger");
    Ok(())
}

pub async fn with_the_certificate_of_another_host_is_refused(stage: &Stage) -> Result<()> {
    let (reverse, production) = begin_with(stage, Fault::WrongName).await?;
    tokio::try_join!(
        function(&production, reverse.cloud().start_export()?, reverse.story.scheduled()),
        job(&production, reverse.cloud().load_export()?.with("WAIT_MINUTES", "0")),
    )?;
    ensure!(production.take_connections().is_empty(), "a handshake was completed with a stranger");
    Ok(())
}

/// Every host shows a certificate that is not to be trusted.
async fn begin_with(stage: &Stage, fault: Fault) -> Result<(Reverse, Production)> {
    let (reverse, production) = begin(stage).await?;
    reverse.fill_numbered(20, "a").await?;
    reverse.sync(&[OBJECTS], "")?;
    reverse.story.configure(&["orders"]).await?;
    for host in Host::names(ENV) {
        production.set_fault(&host, Some(fault));
    }
    Ok((reverse, production))
}

/// It sends no byte of a request to a host that is not who it says it is, and its error says why.
async fn function(production: &Production, function: Lambda, event: Value) -> Result<()> {
    let told = production.function(function).invoke(&event).await?.expect_error()?;
    ensure!(told.error_type == "Unreachable" && told.message.contains("certificate"), "{told}");
    Ok(())
}

async fn job(production: &Production, job: Job) -> Result<()> {
    let ended = production.job(job).run(&[]).await?;
    ensure!(ended.exit_code != Some(0) && ended.log.contains("certificate"), "{}", ended.log);
    Ok(())
}

pub async fn that_is_cut_now_and_then_costs_nothing(stage: &Stage) -> Result<()> {
    let (reverse, production) = begin(stage).await?;
    reverse.fill_numbered(300, "b").await?;
    reverse.sync(&[OBJECTS], "")?;
    reverse.story.snapshot().await?;
    cut(&production, 1);
    start(&reverse.story, &production).await?.expect_success()?;
    cut(&production, 1);
    ended_with(&production.job(reverse.execution()?).run(&["--json"]).await?, 0)?;
    ensure!(reverse.published(OBJECTS)? == Some(reverse.expected().await?), "S3 is not what BigQuery has");
    Ok(())
}

fn cut(production: &Production, times: u32) {
    for host in Host::names(ENV) {
        production.set_fault(&host, Some(Fault::CutHandshake(times)));
    }
}
