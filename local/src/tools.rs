//! Where the programs are: the emulators in a Python environment that xtask installs in `target/tools/emulators`, ours
//! where this program was built.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The path of a program of the emulators: `python`, `moto_server`, `local-bigquery`.
pub fn emulator(program: &str) -> Result<PathBuf> {
    tool("emulators", program)
}

/// The path of a program in one of the Python environments.
pub fn tool(environment: &str, program: &str) -> Result<PathBuf> {
    let here = std::env::current_exe().context("find the folder of this program")?;
    tool_near(&here, environment, program)
}

/// Python keeps what it compiled, even where the environment says that it shall not: each start of dbt or of an emulator
/// would compile thousands of files again. Not beside the sources, because some are the repository's.
pub fn keep_compiled() -> Result<[(&'static str, String); 2]> {
    let python = tool("emulators", "python")?;
    let target = python.ancestors().nth(4).unwrap_or(Path::new("/tmp"));
    let folder = target.join("pycache").display().to_string();
    Ok([("PYTHONPYCACHEPREFIX", folder), ("PYTHONDONTWRITEBYTECODE", String::new())])
}

/// `target/debug/local` and `target/debug/deps/local-0a1b` both find `target/tools`.
fn tool_near(here: &Path, environment: &str, program: &str) -> Result<PathBuf> {
    let bin = format!("tools/{environment}/bin");
    let found = here.ancestors().map(|folder| folder.join(&bin).join(program)).find(|path| path.exists());
    found.with_context(|| {
        format!(
            "the program {program} is not in {bin} above {}: run `cargo xtask setup` once, which installs it",
            here.display()
        )
    })
}

/// The path of one of isthmus's own binaries, built with the same profile as this program.
pub fn program(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe().context("find the folder of this program")?;
    // A test runs in `target/debug/deps`, one folder below the binaries.
    let found = here.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("the program {name} is not beside {}: run `cargo build --workspace`", here.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_the_command_that_installs_it() {
        let error = tool_near(Path::new("/nowhere/target/debug/local"), "emulators", "moto_server").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the program moto_server is not in tools/emulators/bin above /nowhere/target/debug/local: run \
             `cargo xtask setup` once, which installs it"
        );
    }

    #[test]
    fn programs_and_tests_find_the_same_emulator() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("target/tools/emulators/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join("python"), "").unwrap();
        for program in ["target/debug/local", "target/debug/deps/local-0a1b", "target/release/local"] {
            let found = tool_near(&folder.path().join(program), "emulators", "python");
            assert_eq!(found.unwrap(), bin.join("python"));
        }
    }
}
