//! The runs to export and their folders in the log directory.

use super::projector;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::events::is_event_file_name;
use crate::io::fs;
use crate::report::format;
use crate::run::{self, StoredRun, WeightHistograms};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// A run and its folder in the log directory.
#[derive(Debug)]
pub(super) struct Entry {
    pub run: PathBuf,
    pub folder: PathBuf,
    /// Digest of its event file.
    curves: Digest,
}

impl Entry {
    /// Opens the run with its event file once its turn has come.
    ///
    /// # Errors
    /// [`Kind::Run`] when it has been trained again since it was listed.
    pub fn open_again(&self) -> Result<(StoredRun, Vec<u8>)> {
        let stored = StoredRun::open(&self.run)?;
        let curves = curves(&stored)?;
        match sha256(&curves) == self.curves {
            true => Ok((stored, curves)),
            false => Err(Error::new(Kind::Run, "it was trained again while it was being exported")
                .at(&self.run)
                .help("export it again")),
        }
    }
}

/// Lists the runs, each once, with folders in `logdir` that may be written.
pub(super) fn entries(runs: &[PathBuf], logdir: &Path) -> Result<Vec<Entry>> {
    check_logdir(logdir)?;
    let (mut seen, mut folders, mut entries) = (HashSet::new(), HashMap::new(), Vec::new());
    for run in expand(runs)? {
        let stored = StoredRun::open(&run)?;
        let real = fs::resolve(&run)?;
        if !seen.insert(real.clone()) {
            continue;
        }
        let curves = curves(&stored)?;
        let digest = sha256(&curves);
        let plain = logdir.join(folder_name(stored.record().time, &real));
        check_folder(&plain)?;
        let is_taken = match folders.get(&plain) {
            Some(owner) => *owner != digest,
            None => holds_another_run(&plain, &curves)?,
        };
        let folder = if is_taken { with_digest(&plain, digest) } else { plain };
        check_folder(&folder)?;
        folders.insert(folder.clone(), digest);
        entries.push(Entry { run, folder, curves: digest });
    }
    Ok(entries)
}

/// Whether the folder holds the export of another run than the one with these curves: its event file starts otherwise.
fn holds_another_run(folder: &Path, curves: &[u8]) -> Result<bool> {
    let entries = if folder.exists() { fs::list(folder)? } else { Vec::new() };
    let events = entries.into_iter().find(|entry| is_event_file_name(&entry.name));
    events.map_or(Ok(false), |events| Ok(!fs::read(&events.path)?.starts_with(curves)))
}

/// The name of the folder where another run has the plain name: runs of one name and start differ in their curves.
fn with_digest(plain: &Path, curves: Digest) -> PathBuf {
    let name = plain.file_name().unwrap_or_default().to_string_lossy();
    plain.with_file_name(format!("{name}-{}", &curves.short()[..8]))
}

/// Reads the event file of a run. Runs of older versions have none; theirs is made from `run.json` and the head.
fn curves(run: &StoredRun) -> Result<Vec<u8>> {
    match run.events()? {
        Some(events) => Ok(events),
        None => Ok(run::event_file(run.record(), &WeightHistograms::default(), &run.head()?.head)),
    }
}

/// Replaces each folder of runs by the runs in it.
fn expand(runs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for run in runs {
        let inner = if run.is_dir() && !run::is_run(run) { fs::list(run)? } else { Vec::new() };
        let inner: Vec<PathBuf> =
            inner.into_iter().map(|entry| entry.path).filter(|path| run::is_run(path)).collect();
        match inner.is_empty() {
            true => all.push(run.clone()),
            false => all.extend(inner),
        }
    }
    Ok(all)
}

/// Names the folder of a run by its start in UTC and its own name. A `time` of 0 is unknown and left out.
fn folder_name(time: u64, run: &Path) -> String {
    let name = run.file_name().unwrap_or_default().to_string_lossy();
    match time {
        0 => name.into_owned(),
        time => format!("{}-{name}", format::format_utc(time, "%Y-%m-%d_%H-%M-%S")),
    }
}

fn check_logdir(logdir: &Path) -> Result<()> {
    let refuse = |message: &str| {
        Err(Error::new(Kind::Run, message).at(logdir).help("choose another folder for `logdir`"))
    };
    match logdir.exists() {
        true if !logdir.is_dir() => refuse("the runs cannot be exported here: it is a file"),
        true if run::is_run(logdir) => refuse("the folder is a run itself"),
        _ => Ok(()),
    }
}

/// Checks that a folder may be replaced: it does not exist, or holds nothing but an earlier export.
fn check_folder(folder: &Path) -> Result<()> {
    let refuse = |message: &str| {
        Err(Error::new(Kind::Run, message).at(folder).help("choose another folder for `logdir`"))
    };
    let is_ours = |name: &str| is_event_file_name(name) || projector::FILES.contains(&name);
    match folder.symlink_metadata().is_ok() {
        false => Ok(()),
        true if folder.is_symlink() || !folder.is_dir() => {
            refuse("it cannot be replaced: it is not a folder")
        }
        true => match fs::list(folder)?.into_iter().find(|entry| !is_ours(&entry.name)) {
            Some(entry) => refuse(&format!("it cannot be replaced: it holds {:?} as well", entry.name)),
            None => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_by_start_and_run() {
        assert_eq!(folder_name(1_502_114_602, "runs/shifts".as_ref()), "2017-08-07_14-03-22-shifts");
        assert_eq!(folder_name(0, "lr=0.1".as_ref()), "lr=0.1");
        assert_eq!(folder_name(u64::MAX, "x".as_ref()), format!("{}-x", u64::MAX));
    }
}
