//! Downloads through package clients (pip, npm): runs the client, reports progress, verifies the file.

use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256_file};
use crate::io::fs;
use crate::monitor::{Monitor, Unit};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A download that a package client performs.
#[derive(Debug)]
pub struct Download<'a> {
    /// The client and its arguments.
    pub command: Command,
    /// What is downloaded, for progress and errors, such as `fetching onnxruntime 1.23`.
    pub label: String,
    /// The folder that the client writes to.
    pub folder: &'a Path,
    /// Expected size in bytes.
    pub bytes: u64,
}

impl Download<'_> {
    /// Runs the client to its end. Progress is the growth of the folder.
    ///
    /// # Errors
    /// [`Kind::Runtime`] with the client's error message when it fails, [`Kind::Interrupted`] when the monitor asks to
    /// stop.
    pub fn run(self, monitor: &dyn Monitor) -> Result<()> {
        let Self { mut command, label, folder, bytes } = self;
        let program = command.get_program().to_string_lossy().into_owned();
        let log = folder.join("client.log");
        let file = std::fs::File::create(&log).map_err(|e| Error::io("create", &log, e))?;
        let copy = file.try_clone().map_err(|e| Error::io("open", &log, e))?;
        let child = command.stdin(Stdio::null()).stdout(file).stderr(copy).spawn();
        let mut child = child
            .map_err(|e| Error::new(Kind::Runtime, format!("{program} could not be started")).because(e))?;
        if wait(&mut child, &label, folder, bytes, monitor)?.success() {
            return Ok(());
        }
        let output = std::fs::read_to_string(&log).unwrap_or_default();
        Err(Error::new(Kind::Runtime, format!("{label} failed"))
            .because(format!("{program}: {}", error_lines(&output))))
    }
}

/// Waits for the client, reporting how `folder` grows towards `bytes`. Kills the client when the monitor asks to stop.
fn wait(
    child: &mut Child,
    label: &str,
    folder: &Path,
    bytes: u64,
    monitor: &dyn Monitor,
) -> Result<ExitStatus> {
    let task = monitor.task(label, Some(bytes), Unit::Bytes);
    let mut reported = 0;
    loop {
        if let Some(status) = child.try_wait().map_err(|e| Error::io("wait for the client of", folder, e))? {
            if status.success() {
                task.advance(bytes - reported);
            }
            return Ok(status);
        }
        if monitor.is_interrupted() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::new(Kind::Interrupted, format!("interrupted while {label}"))
                .help("nothing was installed; the next attempt starts over"));
        }
        std::thread::sleep(Duration::from_millis(100));
        let size = folder_size(folder).min(bytes);
        task.advance(size.saturating_sub(reported));
        reported = reported.max(size);
    }
}

/// Summarizes in one line what a client's log says about its failure.
fn error_lines(log: &str) -> String {
    let is_error = |line: &&str| line.to_lowercase().contains("error") && !line.contains("log of this run");
    let lines: Vec<&str> = log.lines().filter(is_error).map(str::trim).take(4).collect();
    match lines.is_empty() {
        true => log.lines().last().unwrap_or("it said nothing").trim().to_string(),
        false => lines.join("; "),
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

/// Returns the only file in `folder`.
///
/// # Errors
/// [`Kind::Runtime`] when there is no file or more than one.
pub fn only_file(folder: &Path) -> Result<PathBuf> {
    match &fs::list(folder)?[..] {
        [entry] => Ok(entry.path.clone()),
        found => Err(Error::new(Kind::Runtime, format!("the download left {} files, not one", found.len()))),
    }
}

/// Verifies that a download is the pinned file: its digest is `sha256`. `bytes` is the pinned size.
///
/// # Errors
/// [`Kind::Runtime`] with both digests when it is another file.
pub fn verify_download(file: &Path, sha256: Digest, bytes: u64) -> Result<()> {
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
