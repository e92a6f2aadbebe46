//! Where the programs are: the emulators in a Python environment that xtask installs in `target/tools/emulators`, ours
//! where this program was built.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const FOLDER: &str = "tools/emulators/bin";

/// The path of a program of the emulators: `python`, `moto_server`, `local-bigquery`.
pub fn emulator(program: &str) -> Result<PathBuf> {
    let here = std::env::current_exe().context("find the folder of this program")?;
    emulator_near(&here, program)
}

/// `target/debug/local` and `target/debug/deps/local-0a1b` both find `target/tools`.
fn emulator_near(here: &Path, program: &str) -> Result<PathBuf> {
    let found = here.ancestors().map(|folder| folder.join(FOLDER).join(program)).find(|path| path.exists());
    found.with_context(|| {
        format!(
            "the emulator {program} is not in {FOLDER} above {}: \
             run `cargo xtask demo` or `cargo xtask test` once: they install it",
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
    fn a_missing_emulator_names_the_command_that_installs_it() {
        let error = emulator_near(Path::new("/nowhere/target/debug/local"), "moto_server").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the emulator moto_server is not in tools/emulators/bin above /nowhere/target/debug/local: \
             run `cargo xtask demo` or `cargo xtask test` once: they install it"
        );
    }

    #[test]
    fn programs_and_tests_find_the_same_emulator() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("target").join(FOLDER);
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join("python"), "").unwrap();
        for program in ["target/debug/local", "target/debug/deps/local-0a1b", "target/release/local"] {
            assert_eq!(emulator_near(&folder.path().join(program), "python").unwrap(), bin.join("python"));
        }
    }
}
