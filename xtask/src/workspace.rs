//! Where things are: the repository, the build folder, the tools in it.

use std::path::{Path, PathBuf};

pub struct Workspace {
    pub root: PathBuf,
    pub target: PathBuf,
}

impl Workspace {
    /// The repository that this program was built from, and the folder that cargo builds it in. `cargo run` says where
    /// that is now: two clones that share a build folder share this program too.
    pub fn of_this_build() -> Self {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).parent().unwrap_or(Path::new("/")).to_owned();
        // As cargo reads it: relative to where cargo was started.
        let target = std::env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty());
        let target = match target.map(PathBuf::from) {
            Some(target) => std::path::absolute(&target).unwrap_or(target),
            None => root.join("target"),
        };
        Self { root, target }
    }

    /// `target/tools/{name}`: one Python environment.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.target.join("tools").join(name)
    }

    /// The program in a Python environment.
    pub fn tool_program(&self, environment: &str, program: &str) -> PathBuf {
        self.tool(environment).join("bin").join(program)
    }

    /// What one step printed.
    pub fn log(&self, step: &str) -> PathBuf {
        self.target.join("xtask").join(format!("{step}.log"))
    }

    /// Where the tests leave the statements that they sent to BigQuery.
    pub fn statements(&self) -> PathBuf {
        self.target.join("xtask").join("statements")
    }

    /// Where the tests leave pages that a browser then looks at.
    pub fn pages(&self) -> PathBuf {
        self.target.join("xtask").join("pages")
    }

    /// Every file below the folders that people write, with this ending, sorted; no build output, no hidden folder.
    pub fn files(&self, ending: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        gather(&self.root, ending, &mut found);
        found.retain(|path| !path.starts_with(&self.target));
        found.sort();
        found
    }

    /// The path as a reader of the repository writes it.
    pub fn short<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

fn gather(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && !name.starts_with('.') && name != "target" {
            gather(&entry.path(), ending, found);
        } else if !is_folder && name.ends_with(ending) {
            found.push(entry.path());
        }
    }
}
