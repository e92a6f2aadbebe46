//! Where the servers are that come from the system.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Servers are where not every PATH leads.
const FOLDERS: [&str; 5] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];

/// A program, looked for in `first`, then in PATH, then where systems have servers.
pub(super) fn installed(program: &str, package: &str, first: &[PathBuf]) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = std::env::split_paths(&path).chain(FOLDERS.iter().map(PathBuf::from));
    let found = first.iter().cloned().chain(others).map(|folder| folder.join(program)).find(|file| file.is_file());
    found.with_context(|| format!("{program} is not installed: apt-get install {package} (Debian, Ubuntu)"))
}

pub(super) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|me| me.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_the_package_that_has_it() {
        let error = installed("mariadb-no-such", "mariadb-server", &[]).unwrap_err().to_string();
        assert_eq!(error, "mariadb-no-such is not installed: apt-get install mariadb-server (Debian, Ubuntu)");
    }

    #[test]
    fn a_folder_that_comes_first_is_looked_in_first() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("env"), "").unwrap();
        let found = installed("env", "coreutils", &[folder.path().to_owned()]).unwrap();
        assert_eq!(found, folder.path().join("env"));
    }
}
