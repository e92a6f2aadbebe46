//! A Python environment in `target/tools`, exactly as a list of requirements says.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::python;
use crate::step::Running;

pub(crate) fn install(step: &mut Running<'_>, name: &str) -> Result<String> {
    install_from(step, name, &format!("xtask/requirements/{name}.txt"))
}

/// Makes the environment anew unless it was made from the same requirements. The copy of the requirements inside it is
/// written last: if we die before that, the next run starts again.
pub(crate) fn install_from(step: &mut Running<'_>, name: &str, requirements: &str) -> Result<String> {
    let requirements = step.workspace.root.join(requirements);
    let wanted = crate::read(&requirements)?;
    let folder = step.workspace.tool(name);
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok("already there".to_owned());
    }
    let uv = python::uv(step)?;
    remove(&folder)?;
    step.finish(step.program(&uv).args(["venv", "--quiet", "--python"]).arg(python::interpreter()).arg(&folder))
        .context(
            "no Python 3.13: install it (pyenv install 3.13, or your system's python3.13), or let uv download it",
        )?;
    let into = step.workspace.tool_program(name, "python");
    step.finish(step.program(&uv).args(["pip", "sync", "--python"]).arg(into).arg(&requirements))?;
    fs::write(&installed, &wanted).with_context(|| format!("cannot write {}", installed.display()))?;
    // One with hashes has them on lines of their own.
    Ok(format!("{} packages installed", wanted.lines().filter(|line| line.contains("==")).count()))
}

/// A link goes, not what it points to.
fn remove(folder: &Path) -> Result<()> {
    let result = match folder.symlink_metadata() {
        Err(_) => return Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir_all(folder),
        Ok(_) => fs::remove_file(folder),
    };
    result.with_context(|| format!("cannot remove {}", folder.display()))
}
