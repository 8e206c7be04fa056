//! Downloads through package clients (pip, npm): runs the client, reports progress, verifies the file.

use super::cause::{Cause, cause, error_lines};
use super::process::ClientProcess;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256_file};
use crate::io::fs;
use crate::monitor::{Monitor, Unit};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// A download that a package client performs.
#[derive(Debug)]
pub(super) struct Download<'a> {
    /// What is downloaded, such as `onnxruntime 1.23`.
    pub what: String,
    /// The name of the client.
    pub client: &'a str,
    /// The settings that name its index, for advice.
    pub settings: &'a str,
    /// The folder below which the client writes.
    pub folder: &'a Path,
    /// Expected size in bytes.
    pub bytes: u64,
    /// How to get the file without this client.
    pub elsewhere: String,
}

impl Download<'_> {
    /// Runs a command of [`super::process::client`] to its end. Progress is the growth of the folder.
    ///
    /// # Errors
    /// [`Kind::Runtime`] with the client's error message when it fails, [`Kind::Interrupted`] when the monitor asks to
    /// stop. Nothing that the client started is alive then.
    pub fn run(&self, command: Command, monitor: &dyn Monitor) -> Result<()> {
        let mut process = ClientProcess::spawn(command).map_err(|e| match e.kind() {
            Kind::Runtime => e.help(format!("install {}, or {}", self.client, self.elsewhere)),
            _ => e,
        })?;
        let status = self.wait(&mut process, monitor)?;
        let log = process.finish();
        if status.success() {
            return Ok(());
        }
        let cause = cause(status.code(), &log);
        let reason = match cause {
            Cause::NoProgram => format!("{} is not installed", self.client),
            _ => format!("{}: {}", self.client, error_lines(&log)),
        };
        let advice = cause.advice(self.client, self.settings);
        Err(Error::new(Kind::Runtime, format!("fetching {} failed", self.what))
            .because(reason)
            .help(format!("{advice}, or {}", self.elsewhere)))
    }

    /// Waits for the client, reporting how the folder grows.
    fn wait(&self, process: &mut ClientProcess, monitor: &dyn Monitor) -> Result<ExitStatus> {
        let label = format!("fetching {}", self.what);
        let task = monitor.task(&label, Some(self.bytes), Unit::Bytes);
        let (started, before) = (Instant::now(), folder_size(self.folder));
        let mut reported = 0;
        loop {
            if let Some(status) = process.try_wait()? {
                if status.success() {
                    task.advance(self.bytes - reported);
                }
                return Ok(status);
            }
            if monitor.is_interrupted() {
                return Err(Error::new(Kind::Interrupted, format!("interrupted while {label}"))
                    .help("nothing was installed; the next attempt starts over"));
            }
            std::thread::sleep(Duration::from_millis(100));
            let size = folder_size(self.folder).saturating_sub(before).min(self.bytes);
            task.status(&match size {
                0 => format!("no answer yet, {} s", started.elapsed().as_secs()),
                _ => String::new(),
            });
            task.advance(size.saturating_sub(reported));
            reported = reported.max(size);
        }
    }
}

/// Size in bytes of all files below `folder`.
fn folder_size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => folder_size(&entry.path()),
            _ => entry.metadata().map_or(0, |m| m.len()),
        })
        .sum()
}

/// Returns the only file in `folder` whose name ends with `suffix`.
///
/// # Errors
/// [`Kind::Runtime`] when there is no file or more than one.
pub(super) fn only_file(folder: &Path, suffix: &str) -> Result<PathBuf> {
    let found: Vec<_> = fs::list(folder)?.into_iter().filter(|entry| entry.name.ends_with(suffix)).collect();
    match &found[..] {
        [entry] => Ok(entry.path.clone()),
        found => Err(Error::new(
            Kind::Runtime,
            format!("the download left {} files *{suffix}, not one", found.len()),
        )),
    }
}

/// Verifies that a download is the pinned file: its digest is `sha256`. `bytes` is the pinned size.
///
/// # Errors
/// [`Kind::Runtime`] with both digests when it is another file.
pub(super) fn verify_download(file: &Path, sha256: Digest, bytes: u64) -> Result<()> {
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
