//! Puts libonnxruntime into the user's cache folder: a pinned wheel, fetched by pip or given as a file, checked by its
//! digest, unpacked beside and renamed into place. Also runs the package clients (pip, npm) for whoever needs a file.

use super::install_folder;
use crate::archive;
use crate::digest::{Digest, sha256_file};
use crate::error::{Error, Kind, Result};
use crate::fs::{self, Lock, TEMPORARY_PREFIX};
use crate::monitor::{Monitor, Unit};
use crate::registry::{Wheel, registry};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What stands in an installed folder, as `installed.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Installed {
    wheel_sha256: Digest,
    files: BTreeMap<String, u64>,
}

fn home_of(base: &Path, wheel: &Wheel) -> PathBuf {
    base.join(format!("{}-{}-{}-{}", wheel.package, registry().runtime.version, wheel.os, wheel.arch))
}

/// The library of an earlier install below `base`, or `None`. The files' sizes are compared with what was installed.
///
/// # Errors
/// [`Kind::Runtime`] when the install is damaged.
pub fn installed(base: &Path, wheel: &Wheel) -> Result<Option<PathBuf>> {
    let home = home_of(base, wheel);
    if !home.exists() {
        return Ok(None);
    }
    let damaged = || {
        Error::new(Kind::Runtime, "the installed ONNX Runtime is damaged")
            .at(&home)
            .help("delete that folder, then run `headstart setup --yes`")
    };
    let text = fs::read(&home.join("installed.json")).map_err(|e| damaged().because(e))?;
    let noted: Installed = serde_json::from_slice(&text).map_err(|e| damaged().because(e))?;
    let whole = |(name, size): (&String, &u64)| {
        std::fs::metadata(home.join(name)).is_ok_and(|found| found.len() == *size)
    };
    if noted.wheel_sha256 != wheel.sha256 || !noted.files.iter().all(whole) {
        return Err(damaged());
    }
    Ok(Some(home.join(&wheel.library)))
}

/// Installs the library of `wheel`: from `file` when given, else fetched by pip. Returns the library's path.
///
/// # Errors
/// [`Kind::Runtime`] when the wheel cannot be had or is not the pinned one; nothing stays behind then.
pub fn install(wheel: &Wheel, file: Option<&Path>, monitor: &dyn Monitor) -> Result<PathBuf> {
    let base = install_folder()?;
    let home = home_of(&base, wheel);
    let staging = Staging::new(&base)?;
    let archive = match file {
        Some(file) => file.to_path_buf(),
        None => pip_download(wheel, staging.path(), monitor)?,
    };
    check_digest(&archive, wheel.sha256, wheel.bytes).map_err(|e| match file {
        Some(_) => e,
        // The download goes away with the staging folder: its path would be of no use.
        None => e.at(format!("{} {}", wheel.package, registry().runtime.version)),
    })?;
    let unpacked = staging.path().join("unpacked");
    fs::create_folder(&unpacked)?;
    let is_library = |name: &str| {
        let provider = name.contains("onnxruntime_providers_");
        (provider || name == wheel.library) && !name.ends_with(".py")
    };
    let files = archive::extract_zip(&archive, "onnxruntime/capi/", is_library, &unpacked)?;
    if !files.contains_key(&wheel.library) {
        return Err(Error::new(Kind::Runtime, format!("the wheel holds no {}", wheel.library)).at(archive));
    }
    let noted = serde_json::to_vec_pretty(&Installed { wheel_sha256: wheel.sha256, files });
    fs::write_atomic(&unpacked.join("installed.json"), &noted.expect("plain data"))?;
    fs::replace_folder(&unpacked, &home)?;
    Ok(home.join(&wheel.library))
}

/// Refuses a download that is not byte for byte the pinned one.
///
/// # Errors
/// [`Kind::Runtime`], naming both digests.
pub fn check_digest(file: &Path, sha256: Digest, bytes: u64) -> Result<()> {
    let size = std::fs::metadata(file).map_err(|e| Error::io("read", file, e))?.len();
    let found = sha256_file(file)?;
    if found == sha256 {
        return Ok(());
    }
    let what = if size < bytes { "cut short" } else { "not the pinned one" };
    Err(Error::new(
        Kind::Runtime,
        format!("the download is {what}: sha256 {found} and {size} bytes, expected {sha256} and {bytes}"),
    )
    .at(file)
    .help("nothing was installed; fetch it again, from a place you trust"))
}

/// A folder for half-finished work that goes away with its owner. One at a time for each base folder.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    _lock: Lock,
}

impl Staging {
    /// A new folder below `base`, which is created when missing; removes what killed owners left there.
    ///
    /// # Errors
    /// [`Kind::Locked`] when another process has one there, [`Kind::Io`] when it cannot be created.
    pub fn new(base: &Path) -> Result<Self> {
        fs::create_folder(base)?;
        let base = std::fs::canonicalize(base).map_err(|e| Error::io("find", base, e))?;
        let lock = Lock::take(&base.join(".lock"))?;
        fs::remove_leftovers(&base)?;
        let path = base.join(format!("{TEMPORARY_PREFIX}{}-install", std::process::id()));
        fs::create_folder(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove(&self.path);
    }
}

fn pip_download(wheel: &Wheel, folder: &Path, monitor: &dyn Monitor) -> Result<PathBuf> {
    let pin = format!("{}=={} --hash=sha256:{}\n", wheel.package, registry().runtime.version, wheel.sha256);
    let requirements = folder.join("requirements.txt");
    fs::write_atomic(&requirements, pin.as_bytes())?;
    let target = folder.join("wheel");
    fs::create_folder(&target)?;
    let mut command = pip()?;
    command.args(["download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]);
    command.args(["--no-deps", "--require-hashes", "--only-binary=:all:"]);
    // The wheel is unpacked, not installed: any Python's pip may fetch the one that is pinned.
    command.args(["--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"]);
    command.args(["--platform", &wheel.platform]).arg("--requirement").arg(requirements);
    command.arg("--dest").arg(&target).env("TMPDIR", folder);
    let label = format!("fetching {} {}", wheel.package, registry().runtime.version);
    run_client(command, &label, folder, wheel.bytes, monitor).map_err(|e| {
        e.help(
            "check the network, or fetch the wheel elsewhere and give it with `headstart setup --wheel FILE`",
        )
    })?;
    only_file(&target)
}

/// The one file in a folder.
///
/// # Errors
/// [`Kind::Runtime`] when there is none or more than one.
pub fn only_file(folder: &Path) -> Result<PathBuf> {
    match &fs::list(folder)?[..] {
        [entry] => Ok(entry.path.clone()),
        found => Err(Error::new(Kind::Runtime, format!("the download left {} files, not one", found.len()))),
    }
}

fn pip() -> Result<Command> {
    let mut candidates = vec![];
    for python in ["python3", "python"] {
        let mut command = Command::new(python);
        command.args(["-m", "pip"]);
        candidates.push(command);
    }
    candidates.extend(["pip3", "pip"].map(Command::new));
    for mut command in candidates {
        let mut probe = Command::new(command.get_program());
        probe.args(command.get_args()).arg("--version").stdin(Stdio::null());
        if probe.output().is_ok_and(|out| out.status.success()) {
            command.stdin(Stdio::null());
            return Ok(command);
        }
    }
    Err(Error::new(Kind::Runtime, "no Python with pip was found to fetch ONNX Runtime with")
        .help("install Python, or fetch the wheel elsewhere and give it with `headstart setup --wheel FILE`"))
}

/// Runs a package client to its end, telling `monitor` how the bytes below `folder` grow towards `bytes`.
///
/// # Errors
/// [`Kind::Runtime`] with what the client said when it fails.
pub fn run_client(
    mut command: Command,
    label: &str,
    folder: &Path,
    bytes: u64,
    monitor: &dyn Monitor,
) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let log = folder.join("client.log");
    let file = std::fs::File::create(&log).map_err(|e| Error::io("create", &log, e))?;
    let copy = file.try_clone().map_err(|e| Error::io("open", &log, e))?;
    let child = command.stdin(Stdio::null()).stdout(file).stderr(copy).spawn();
    let mut child =
        child.map_err(|e| Error::new(Kind::Runtime, format!("{program} could not be started")).because(e))?;
    let task = monitor.task(label, Some(bytes), Unit::Bytes);
    let mut told = 0;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|e| Error::io("wait for the client of", folder, e))? {
            break status;
        }
        if monitor.is_interrupted() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::new(Kind::Interrupted, format!("interrupted while {label}"))
                .help("nothing was installed; the same command begins anew"));
        }
        std::thread::sleep(Duration::from_millis(100));
        let now = size_below(folder).min(bytes);
        task.advance(now.saturating_sub(told));
        told = told.max(now);
    };
    if status.success() {
        task.advance(bytes - told);
        return Ok(());
    }
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    Err(Error::new(Kind::Runtime, format!("{label} failed")).because(format!("{program}: {}", reason(&said))))
}

/// What a package client's log says went wrong, in one line.
fn reason(log: &str) -> String {
    let telling = |line: &&str| line.to_lowercase().contains("error") && !line.contains("log of this run");
    let lines: Vec<&str> = log.lines().filter(telling).map(str::trim).take(4).collect();
    match lines.is_empty() {
        true => log.lines().last().unwrap_or("it said nothing").trim().to_string(),
        false => lines.join("; "),
    }
}

fn size_below(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size_below(&entry.path()),
            _ => entry.metadata().map_or(0, |m| m.len()),
        })
        .sum()
}
