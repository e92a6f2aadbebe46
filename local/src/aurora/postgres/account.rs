//! Whom the server runs as where we are root.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::aurora::installed::is_root;

/// Debian's package makes the first, every system has the second.
const NAMES: [&str; 2] = ["postgres", "nobody"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// `None`: as we are.
    pub(super) fn to_run_as() -> Result<Option<Self>> {
        if !is_root() {
            return Ok(None);
        }
        let accounts = std::fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
        let found = NAMES.iter().find_map(|name| Self::find(&accounts, name));
        let missing =
            "PostgreSQL refuses to run as root, and there is no account postgres or nobody: start this as another user";
        Ok(Some(found.context(missing)?))
    }

    fn find(accounts: &str, name: &str) -> Option<Self> {
        let lines = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let fields = lines.into_iter().find(|fields| fields.first() == Some(&name))?;
        Some(Self { name: name.to_owned(), uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
    }

    /// Gives it the folder, and lets it pass through those of the temporary directory that lead there.
    pub(super) fn own(&self, folder: &Path) -> Result<()> {
        let what = || format!("give {} to {}", folder.display(), self.name);
        self.give(folder)?;
        let temporary = std::env::temp_dir();
        let above = folder.ancestors().skip(1);
        for folder in above.take_while(|folder| **folder != temporary && folder.starts_with(&temporary)) {
            let mut permissions = std::fs::metadata(folder).with_context(what)?.permissions();
            permissions.set_mode(permissions.mode() | 0o001);
            std::fs::set_permissions(folder, permissions).with_context(what)?;
        }
        Ok(())
    }

    /// Gives it a file of a folder that it has.
    pub(super) fn give(&self, file: &Path) -> Result<()> {
        let given = chown(file, Some(self.uid), Some(self.gid));
        given.with_context(|| format!("give {} to {}", file.display(), self.name))
    }

    pub(super) fn runs(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// What to look at where the server does not start.
    pub(super) fn advice(&self) -> String {
        format!(
            "PostgreSQL refuses to run as root, so it runs as {}: that needs the right to become another user, and a \
             temporary directory (TMPDIR) that others may enter",
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts =
            "root:x:0:0:root:/root:/bin/bash\npostgresx:x:9:9::/:\npostgres:x:101:104:,,,:/var/lib/postgresql:\n";
        let found = Account { name: "postgres".into(), uid: 101, gid: 104 };
        assert_eq!(Account::find(accounts, "postgres"), Some(found));
        assert_eq!(Account::find(accounts, "nobody"), None);
    }

    #[test]
    fn a_folder_that_is_given_away_can_be_reached_and_its_neighbours_not_listed() {
        let temporary = tempfile::tempdir().unwrap();
        let (above, data) = (temporary.path().join("a"), temporary.path().join("a/data"));
        std::fs::create_dir_all(&data).unwrap();
        for folder in [temporary.path(), &above] {
            std::fs::set_permissions(folder, Permissions::from_mode(0o700)).unwrap();
        }
        let me = std::fs::metadata(&data).unwrap();
        Account { name: "me".into(), uid: me.uid(), gid: me.gid() }.own(&data).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(temporary.path()), mode(&above)), (0o701, 0o701));
    }
}
