//! Downloads the tarball of an npm package with npm 6 or later.

use super::client::{Download, only_file};
use super::process::client;
use crate::error::Result;
use crate::io::fs;
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};

/// Settings of npm over those of the user's that would leave no tarball in the staging folder. The registry, proxies and
/// credentials are kept. `logs-max` is not among them: npm 6 fails where it is 0.
const SETTINGS: [(&str, &str); 3] =
    [("pack_destination", "."), ("workspaces", "false"), ("update_notifier", "false")];

/// Settings of the same effect as arguments, which go before a `.npmrc` too.
const ARGUMENTS: [&str; 7] = [
    "--ignore-scripts",
    "--loglevel=error",
    "--dry-run=false",
    "--json=false",
    "--global=false",
    "--offline=false",
    "--before=null",
];

/// Variables of npm that are removed, beside those of [`SETTINGS`].
const CLEARED: [&str; 7] = ["cache", "workspace", "offline", "before", "dry_run", "json", "global"];

/// Prefix of the variables of npm.
const PREFIX: &str = "npm_config_";

/// Whether an environment variable is one that is set anew or removed. npm reads them in any case, with `-` or `_`.
fn is_replaced(variable: &str) -> bool {
    let variable = variable.to_lowercase().replace('-', "_");
    let name = variable.strip_prefix(PREFIX);
    name.is_some_and(|name| CLEARED.contains(&name) || SETTINGS.iter().any(|(own, _)| *own == name))
}

/// An npm package of an exact version.
#[derive(Debug, Clone, Copy)]
pub(super) struct NpmPackage<'a> {
    pub name: &'a str,
    pub version: &'a str,
    /// Size of the tarball in bytes.
    pub bytes: u64,
    /// How to get the tarball on another machine, and what to do with it.
    pub elsewhere: &'a str,
}

impl NpmPackage<'_> {
    /// Downloads the tarball into the staging folder `folder`, and returns its path.
    ///
    /// # Errors
    /// Those of [`Download::run`].
    pub fn download(&self, folder: &Path, monitor: &dyn Monitor) -> Result<PathBuf> {
        let Self { name, version, bytes, elsewhere } = *self;
        // npm 6 and 7 know no `--pack-destination`; every npm packs into the current folder.
        let target = folder.join("package");
        fs::create_folder(&target)?;
        let mut command = client(if cfg!(windows) { "npm.cmd" } else { "npm" }, &target);
        command.args(["pack", &format!("{name}@{version}")]).args(ARGUMENTS).env("TMPDIR", folder);
        for (variable, _) in
            std::env::vars_os().filter(|(variable, _)| is_replaced(&variable.to_string_lossy()))
        {
            command.env_remove(variable);
        }
        for (name, value) in SETTINGS {
            command.env(format!("{PREFIX}{name}"), value);
        }
        command.env(format!("{PREFIX}cache"), folder.join("npm-cache"));
        let download = Download {
            what: format!("{name} {version}"),
            client: "npm",
            settings: "npm_config_registry",
            folder,
            bytes,
            elsewhere: elsewhere.into(),
        };
        download.run(command, monitor)?;
        only_file(&target, ".tgz")
    }
}
