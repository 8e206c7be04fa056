//! Runs laid out for TensorBoard: a folder for each, named by its start and its experiment, with the curves of its event
//! file, the graph of backbone and head, and, where it is asked for, the features for the embedding projector.

mod graph;
mod layout;
mod projector;
mod sprite;

pub use graph::Shown;
pub use projector::{Projected, ProjectorConfig};

use crate::dataset::Refused;
use crate::error::Result;
use crate::events::{Events, file_name};
use crate::fs;
use crate::monitor::{Monitor, Unit};
use crate::run::{self, Snapshots};
use graph::Backbones;
use layout::Entry;
use projector::Album;
use serde::Serialize;
use std::path::PathBuf;

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
    let mut backbones = Backbones::new(&config.models);
    let mut album: Option<Album> = None;
    let (mut runs, mut refused) = (Vec::new(), Vec::new());
    let task = monitor.task("laying out runs", Some(entries.len() as u64), Unit::Runs);
    for entry in entries {
        let (head, _, spec) = run::read_head(&entry.run)?;
        let (nodes, shown) = graph::nodes(&spec, &head, &mut backbones, monitor);
        let mut events = Events::after(curves(&entry, &head)?);
        events.graph(entry.record.time as f64, &nodes);
        let points = match &config.projector {
            Some(projector) => {
                // Runs of one cache share their points; usually they come one after the other.
                if album.as_ref().is_none_or(|album| !album.is_of(&entry.record.cache)) {
                    let opened = Album::open(entry.record.cache.as_ref(), projector, monitor)?;
                    refused.extend_from_slice(opened.refused());
                    album = Some(opened);
                }
                album.as_ref().map(|album| album.files(&entry.run, &entry.record, &head)).transpose()?
            }
            None => None,
        };
        fs::write_folder(&entry.folder, |folder| {
            // The event file comes last: TensorBoard takes a folder without one for nothing of its own.
            for (name, bytes) in points.iter().flat_map(|(_, files)| files) {
                fs::write_atomic(&folder.join(name), bytes)?;
            }
            fs::write_atomic(&folder.join(file_name(entry.record.time)), &events.finish())
        })?;
        let epochs = entry.record.history.len();
        let projector = points.map(|(projected, _)| projected);
        runs.push(Laid { run: entry.run, folder: entry.folder, epochs, graph: shown, projector });
        task.advance(1);
    }
    refused.sort();
    refused.dedup();
    Ok(TensorboardStats { logdir: config.logdir.clone(), runs, refused })
}

/// The event file of a run; for one from before there were any, what `run.json` and the head tell.
fn curves(entry: &Entry, head: &crate::head::Head) -> Result<Vec<u8>> {
    let file = entry.run.join(file_name(entry.record.time));
    match file.exists() {
        true => fs::read(&file),
        false => Ok(run::event_file(&entry.record, &Snapshots::default(), head)),
    }
}
