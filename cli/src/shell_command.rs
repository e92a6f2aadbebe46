//! `isthmus completions` and `isthmus man`: what a shell and a reader are told of the command, from the command itself.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;

#[derive(Debug, Args)]
pub struct Completions {
    /// Whose: put what is printed where this shell reads completions
    shell: Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// Where a page for each command is written; `man` reads FOLDER/isthmus.1
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub fn completions(arguments: &Completions, mut command: Command) {
    clap_complete::generate(arguments.shell, &mut command, "isthmus", &mut std::io::stdout());
}

pub fn man(arguments: &Man, command: Command) -> Result<()> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .with_context(|| format!("write the pages into {}", folder.display()))
}
