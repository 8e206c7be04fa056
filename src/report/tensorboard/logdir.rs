//! The runs to export and their folders in the log directory.

use super::projector;
use crate::error::{Error, Kind, Result};
use crate::io::events::is_event_file_name;
use crate::io::fs;
use crate::report::format;
use crate::run::{self, Record};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A run and its folder in the log directory.
#[derive(Debug)]
pub(super) struct Entry {
    pub run: PathBuf,
    pub record: Record,
    pub folder: PathBuf,
}

/// Lists the runs, each once, with folders in `logdir` that may be written.
pub(super) fn entries(runs: &[PathBuf], logdir: &Path) -> Result<Vec<Entry>> {
    check_logdir(logdir)?;
    let (mut seen, mut folders, mut entries) = (HashSet::new(), HashSet::new(), Vec::new());
    for run in expand(runs)? {
        let record = run::read_record(&run)?;
        let real = fs::resolve(&run)?;
        if !seen.insert(real.clone()) {
            continue;
        }
        let folder = logdir.join(folder_name(record.time, &real));
        check_folder(&folder)?;
        if !folders.insert(folder.clone()) {
            let message =
                "another of these runs has the same name and start, so both would have the same folder";
            return Err(Error::new(Kind::Run, message).at(run).help("give each its own `logdir`"));
        }
        entries.push(Entry { run, record, folder });
    }
    Ok(entries)
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
