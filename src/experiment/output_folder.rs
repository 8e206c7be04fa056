//! The folder of the results: its layout, and whether it may be used.

use crate::error::{Error, Kind, Result};
use crate::io::fs;
use std::path::Path;

/// The copy of the experiment's file, which marks the folder of an experiment.
pub(super) const COPY: &str = "experiment.toml";

/// The folder of caches.
pub(super) const CACHES: &str = "caches";

/// The folder of runs.
pub(super) const RUNS: &str = "runs";

/// Checks that the folder may be written to: it does not exist, is empty, or holds an experiment.
///
/// # Errors
/// [`Kind::Run`] for a file, or a folder that holds something else.
pub(super) fn check(out: &Path) -> Result<()> {
    let refuse =
        |message: &str| Err(Error::new(Kind::Run, message).at(out).help("choose another folder for `out`"));
    fs::check_place(out)?;
    match out.exists() {
        false => Ok(()),
        true if fs::list(out)?.iter().all(|entry| entry.name == CACHES) => Ok(()),
        // Caches are written before all else, so a file of that name alone belongs to someone else.
        true if out.join(COPY).exists() && out.join(CACHES).is_dir() => Ok(()),
        true => refuse("the folder is not empty and holds no experiment, so it is left alone"),
    }
}
