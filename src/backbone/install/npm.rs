//! Downloads the tarball of an npm package with npm 6 or later.

use super::client::{Download, only_file};
use super::process::client;
use crate::error::Result;
use crate::io::fs;
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};

/// Settings of npm over those of the user's that would leave no tarball in the staging folder. The registry, proxies and
/// credentials are kept. `logs-max` is not among them: npm 6 fails where it is 0.
const SETTINGS: [(&str, &str); 3] = [
    ("npm_config_pack_destination", "."),
    ("npm_config_workspaces", "false"),
    ("npm_config_update_notifier", "false"),
];

/// An npm package of an exact version.
#[derive(Debug, Clone, Copy)]
pub(super) struct NpmPackage<'a> {
    pub name: &'a str,
    pub version: &'a str,
    /// Size of the tarball in bytes.
    pub bytes: u64,
}

impl NpmPackage<'_> {
    /// How to get the tarball on another machine, and what to do with it.
    pub fn elsewhere(&self) -> String {
        let Self { name, version, .. } = self;
        format!(
            "fetch {name}-{version}.tgz elsewhere, with `npm pack {name}@{version}`, and give it to `setup` as `tarball`"
        )
    }

    /// Downloads the tarball into the staging folder `folder`, and returns its path.
    ///
    /// # Errors
    /// Those of [`Download::run`].
    pub fn download(&self, folder: &Path, monitor: &dyn Monitor) -> Result<PathBuf> {
        let Self { name, version, bytes } = *self;
        // npm 6 and 7 know no `--pack-destination`; every npm packs into the current folder.
        let target = folder.join("package");
        fs::create_folder(&target)?;
        let mut command = client(if cfg!(windows) { "npm.cmd" } else { "npm" }, &target);
        command.args(["pack", &format!("{name}@{version}"), "--ignore-scripts", "--loglevel=error"]);
        command.env("TMPDIR", folder).args(["--dry-run=false", "--json=false", "--global=false"]);
        for (name, value) in SETTINGS {
            command.env_remove(name.to_uppercase()).env(name, value);
        }
        command.env_remove("NPM_CONFIG_CACHE").env("npm_config_cache", folder.join("npm-cache"));
        let download = Download {
            what: format!("{name} {version}"),
            client: "npm",
            settings: "npm_config_registry",
            folder,
            bytes,
            elsewhere: self.elsewhere(),
        };
        download.run(command, monitor)?;
        only_file(&target, ".tgz")
    }
}
