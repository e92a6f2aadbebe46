//! The end of the demo: the page about its day, which anybody can open.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use handoff::ExportDate;

use super::steps::Steps;
use crate::cloud::Cloud;

/// Everything is there, or the demo fails. The page stays when the rest of the demo is gone.
pub(super) async fn page(steps: &mut Steps, cloud: &Cloud, date: ExportDate, lookup: &str) -> Result<PathBuf> {
    let file = place()?;
    let work = async {
        cloud.deploy_stack().await?;
        let mut arguments = cloud.status_arguments(date);
        arguments.extend(["--lookup-url", lookup, "--html", &file.display().to_string()].map(str::to_owned));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let finished = cloud.operator()?.run(&arguments).await?;
        ensure!(finished.exit_code == Some(0), "isthmus status ended with {:?}\n{}", finished.exit_code, finished.log);
        Ok(())
    };
    steps.run("status", "isthmus status (the operator's command)", work, |()| "everything is there".into()).await?;
    Ok(file)
}

/// `target/demo/status.html`, above the folder of this program.
fn place() -> Result<PathBuf> {
    let here = std::env::current_exe().context("find the folder of this program")?;
    let target = here.ancestors().nth(2).context("this program is not in a build folder")?;
    let folder = target.join("demo");
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder.join("status.html"))
}
