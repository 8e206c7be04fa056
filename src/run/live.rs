//! The training curves of a fit while it runs, for TensorBoard: an event file in a folder of its own beside the run. The run
//! itself appears whole when the fit is over, with the finished event file in it.

use super::curves::EpochEvents;
use crate::error::{Error, Kind, Result};
use crate::head::{Epoch, SolverConfig};
use crate::io::events::{event_file_name, is_event_file_name};
use crate::io::fs;
use std::path::{Path, PathBuf};

/// Writes the curves of a fit that takes long, and removes them when it is dropped.
#[derive(Debug)]
pub struct LiveCurves {
    folder: PathBuf,
    name: String,
    events: EpochEvents,
    config: SolverConfig,
    /// Seconds of epochs after which writing begins.
    after: f64,
    seconds: f64,
    /// Bytes that are not written yet.
    waiting: Vec<u8>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Writing,
    GivenUp,
}

impl LiveCurves {
    /// Prepares the curves of a fit whose run will be at `run`; it began at `time`, in seconds since 1970. They are written once its
    /// epochs have taken `after` seconds.
    pub fn new(run: &Path, time: u64, config: &SolverConfig, after: f64) -> Self {
        Self {
            folder: live_folder(run),
            name: event_file_name(time),
            events: EpochEvents::new(time),
            config: config.clone(),
            after,
            seconds: 0.0,
            waiting: Vec::new(),
            state: State::Waiting,
        }
    }

    /// Adds an epoch.
    ///
    /// # Errors
    /// [`Kind::Io`] when the file cannot be written; nothing is written from then on.
    pub fn record(&mut self, epoch: &Epoch) -> Result<()> {
        if self.state == State::GivenUp {
            return Ok(());
        }
        self.seconds += epoch.seconds;
        self.waiting.extend(self.events.append(&self.config, epoch));
        if self.seconds < self.after {
            return Ok(());
        }
        self.write().inspect_err(|_| self.state = State::GivenUp)
    }

    fn write(&mut self) -> Result<()> {
        let path = self.folder.join(&self.name);
        let bytes = std::mem::take(&mut self.waiting);
        if self.state == State::Writing {
            return fs::append(&path, &bytes);
        }
        clear(&self.folder)?;
        fs::create_folder(&self.folder)?;
        self.state = State::Writing;
        fs::write_unsynced(&path, &bytes)
    }
}

impl Drop for LiveCurves {
    fn drop(&mut self) {
        if self.state == State::Writing {
            let _ = fs::remove(&self.folder);
        }
    }
}

/// Where the curves of a fit are while it runs: `runs/.first.fitting` for `runs/first`.
pub fn live_folder(run: &Path) -> PathBuf {
    let name = run.file_name().unwrap_or_default().to_string_lossy();
    run.with_file_name(format!(".{name}.fitting"))
}

/// Removes what a killed fit left.
fn clear(folder: &Path) -> Result<()> {
    if folder.symlink_metadata().is_err() {
        return Ok(());
    }
    match fs::list(folder)?.iter().all(|entry| is_event_file_name(&entry.name)) {
        true => fs::remove(folder),
        false => Err(Error::new(Kind::Io, "the folder holds other files than training curves").at(folder)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::events::EventFile;

    fn epoch(number: usize, seconds: f64) -> Epoch {
        Epoch {
            epoch: number,
            train_loss: 0.5,
            train_accuracy: 0.75,
            validation_loss: 0.25,
            validation_accuracy: 1.0,
            seconds,
        }
    }

    #[test]
    fn curves_are_written_after_the_time_epoch_by_epoch_and_removed_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("first");
        let folder = live_folder(&run);
        let mut live = LiveCurves::new(&run, 1000, &SolverConfig::default(), 10.0);
        let file = || std::fs::read(folder.join(event_file_name(1000))).ok();
        live.record(&epoch(1, 6.0)).unwrap();
        assert_eq!(file(), None);
        live.record(&epoch(2, 6.0)).unwrap();
        let two = file().unwrap();
        live.record(&epoch(3, 6.0)).unwrap();
        let three = file().unwrap();
        assert!(three.starts_with(&two) && three.starts_with(&EventFile::new(1000.0).finish()));
        assert!(three.len() > two.len() && !run.exists());
        drop(live);
        assert!(!folder.exists());
    }

    #[test]
    fn what_a_killed_fit_left_is_replaced_and_other_files_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("first");
        let folder = live_folder(&run);
        let live = || LiveCurves::new(&run, 5, &SolverConfig::default(), 0.0);
        let mut killed = live();
        killed.record(&epoch(1, 0.1)).unwrap();
        std::mem::forget(killed);
        let mut next = live();
        next.record(&epoch(1, 0.1)).unwrap();
        drop(next);
        assert!(!folder.exists());
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("mine.txt"), "irreplaceable").unwrap();
        let mut other = live();
        assert!(other.record(&epoch(1, 0.1)).is_err());
        assert!(other.record(&epoch(2, 0.1)).is_ok());
        drop(other);
        assert!(folder.join("mine.txt").exists());
    }
}
