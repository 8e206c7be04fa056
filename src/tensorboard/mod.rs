//! Runs laid out for TensorBoard: a folder for each, named by its start and its experiment, with the curves of its event
//! file, the graph of backbone and head, and, where it is asked for, the features for the embedding projector.

mod graph;
mod layout;
mod points;
mod projector;
mod sprite;

pub use graph::Shown;
pub use projector::{Projected, ProjectorConfig};

use crate::dataset::Refused;
use crate::error::Result;
use crate::events::{Events, file_name};
use crate::fs;
use crate::head::Head;
use crate::monitor::{Monitor, Unit};
use crate::run::{self, Record, Snapshots};
use graph::Backbones;
use layout::Entry;
use projector::Album;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What `tensorboard` was asked for.
#[derive(Debug, Clone)]
pub struct TensorboardConfig {
    /// Runs, or folders of runs such as a sweep writes.
    pub runs: Vec<PathBuf>,
    /// The log directory; what else is there stays.
    pub logdir: PathBuf,
    /// Features for the embedding projector, where they are wanted.
    pub projector: Option<ProjectorConfig>,
    /// Folder of built backbones.
    pub models: PathBuf,
}

/// What `tensorboard` did.
#[derive(Debug, Clone, Serialize)]
pub struct TensorboardStats {
    /// The log directory.
    pub logdir: PathBuf,
    /// Each run, in the order given.
    pub runs: Vec<Laid>,
    /// Pictures that have a blank thumbnail, and why.
    pub refused: Vec<Refused>,
}

/// A run in the log directory.
#[derive(Debug, Clone, Serialize)]
pub struct Laid {
    /// The run.
    pub run: PathBuf,
    /// Its folder in the log directory.
    pub folder: PathBuf,
    /// Epochs that its curves have.
    pub epochs: usize,
    /// What its graph shows.
    pub graph: Shown,
    /// Its points in the embedding projector, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projector: Option<Projected>,
}

/// Lays out the runs. A folder of the same name that an earlier call has made is replaced.
///
/// # Errors
/// [`crate::error::Kind::Run`] when a run is missing or damaged, two would have one folder, or a folder holds something
/// else; for the projector also [`crate::error::Kind::Cache`] when the cache of a run is gone or damaged, and
/// [`crate::error::Kind::Input`] when the folder of images that was named is not there.
pub fn tensorboard(config: &TensorboardConfig, monitor: &dyn Monitor) -> Result<TensorboardStats> {
    if let Some(projector) = &config.projector {
        projector.check()?;
    }
    let entries = layout::entries(&config.runs, &config.logdir)?;
    let backbones = Backbones::new(&config.models);
    let mut board = Board { config, monitor, backbones, album: None, refused: BTreeSet::new() };
    let task = monitor.task("laying out runs", Some(entries.len() as u64), Unit::Runs);
    let mut runs = Vec::new();
    for entry in entries {
        runs.push(board.lay_out(entry)?);
        task.advance(1);
    }
    let refused = board.refused.into_iter().collect();
    Ok(TensorboardStats { logdir: config.logdir.clone(), runs, refused })
}

/// What all runs share.
struct Board<'a> {
    config: &'a TensorboardConfig,
    monitor: &'a dyn Monitor,
    backbones: Backbones,
    /// Of the cache of the last run: usually the next is of the same.
    album: Option<Album>,
    refused: BTreeSet<Refused>,
}

impl Board<'_> {
    fn lay_out(&mut self, entry: Entry) -> Result<Laid> {
        let Entry { run, record, folder } = entry;
        let read = run::read_head(&run)?;
        let (head, _, spec) = &read;
        let (nodes, graph) = graph::nodes(spec, head, &mut self.backbones, self.monitor);
        let mut events = Events::after(curves(&run, &record, head)?);
        events.graph(record.time as f64, &nodes);
        let album = match &self.config.projector {
            Some(projector) => Some(self.album_of(&record, projector)?),
            None => None,
        };
        let page = album.as_ref().map(|album| album.page(&run, &read)).transpose()?;
        fs::write_folder(&folder, |beside| {
            if let Some((album, page)) = album.zip(page.as_ref()) {
                album.write(page, beside, &folder)?;
            }
            // The event file comes last: TensorBoard takes a folder without one for nothing of its own.
            fs::write_atomic(&beside.join(file_name(record.time)), &events.finish())
        })?;
        let (epochs, projector) = (record.history.len(), page.map(|page| page.told));
        Ok(Laid { run, folder, epochs, graph, projector })
    }

    fn album_of(&mut self, record: &Record, config: &ProjectorConfig) -> Result<&mut Album> {
        let album = match self.album.take().filter(|album| album.is_of(&record.cache)) {
            Some(album) => album,
            None => {
                let album = Album::open(record.cache.as_ref(), config, self.monitor)?;
                self.refused.extend(album.refused.iter().cloned());
                album
            }
        };
        Ok(self.album.insert(album))
    }
}

/// The event file of a run; for one from before there were any, what `run.json` and the head tell.
fn curves(run: &Path, record: &Record, head: &Head) -> Result<Vec<u8>> {
    let file = run.join(file_name(record.time));
    match file.exists() {
        true => fs::read(&file),
        false => Ok(run::event_file(record, &Snapshots::default(), head)),
    }
}
