//! Runs exported for TensorBoard: a folder for each run with its training curves, the graph of backbone and head and, on
//! request, the features for the embedding projector.

mod graph;
mod logdir;
mod points;
mod projector;
mod sprite;

pub use graph::GraphScope;
pub use projector::{ProjectorConfig, ProjectorStats};

use crate::data::dataset::Refused;
use crate::error::Result;
use crate::io::events::{EventFile, event_file_name};
use crate::io::fs;
use crate::monitor::{Monitor, Unit};
use crate::run::StoredRun;
use graph::Backbones;
use logdir::Entry;
use projector::ProjectorData;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Settings of [`tensorboard`].
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct TensorboardConfig {
    /// Runs, or folders of runs such as those of a sweep. Default: none.
    pub runs: Vec<PathBuf>,
    /// The log directory. Other files in it are left alone. Default: empty.
    pub logdir: PathBuf,
    /// Settings of the embedding projector. Default: no projector.
    pub projector: Option<ProjectorConfig>,
    /// Folder of built backbones. Default: empty.
    pub models: PathBuf,
    /// The ONNX file of the backbone. Default: looked for where it was, near each run and in `models`.
    pub backbone: Option<PathBuf>,
    /// The cache of the runs. Default: looked for where it was and near each run.
    pub cache: Option<PathBuf>,
}

/// Result of [`tensorboard`].
#[derive(Debug, Clone, Serialize)]
pub struct TensorboardStats {
    /// The log directory.
    pub logdir: PathBuf,
    /// The exported runs, in the order given.
    pub runs: Vec<ExportedRun>,
    /// Images with a blank thumbnail, and why.
    pub refused: Vec<Refused>,
}

/// A run in the log directory.
#[derive(Debug, Clone, Serialize)]
pub struct ExportedRun {
    /// Folder of the run.
    pub run: PathBuf,
    /// Its folder in the log directory.
    pub folder: PathBuf,
    /// Number of epochs in its curves.
    pub epochs: usize,
    /// What its graph contains.
    pub graph: GraphScope,
    /// Its points in the embedding projector, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projector: Option<ProjectorStats>,
}

/// Exports runs to a log directory. A run's folder from an earlier export is replaced.
///
/// # Errors
/// [`crate::error::Kind::Run`] when a run is missing or damaged or is trained again meanwhile, or a folder holds other files. With the projector also [`crate::error::Kind::Cache`] when the cache of a run is missing or damaged, and
/// [`crate::error::Kind::Input`] when the given folder of images does not exist.
pub fn tensorboard(config: &TensorboardConfig, monitor: &dyn Monitor) -> Result<TensorboardStats> {
    if let Some(projector) = &config.projector {
        projector.check()?;
    }
    let entries = logdir::entries(&config.runs, &config.logdir)?;
    let backbones = Backbones::new(&config.models, config.backbone.as_deref());
    let mut exporter =
        Exporter { config, monitor, backbones, projector_data: None, refused: BTreeSet::new() };
    let task = monitor.task("exporting runs", Some(entries.len() as u64), Unit::Runs);
    let mut runs = Vec::new();
    for entry in entries {
        runs.push(exporter.export(entry)?);
        task.advance(1);
    }
    let refused = exporter.refused.into_iter().collect();
    Ok(TensorboardStats { logdir: config.logdir.clone(), runs, refused })
}

/// State shared by the exports of all runs.
struct Exporter<'a> {
    config: &'a TensorboardConfig,
    monitor: &'a dyn Monitor,
    backbones: Backbones,
    /// Data of the latest cache. Consecutive runs mostly share one.
    projector_data: Option<ProjectorData>,
    refused: BTreeSet<Refused>,
}

impl Exporter<'_> {
    fn export(&mut self, entry: Entry) -> Result<ExportedRun> {
        let Entry { run, folder, .. } = &entry;
        let (run, folder) = (run.clone(), folder.clone());
        let (stored, curves) = entry.open_again()?;
        let (record, trained) = (stored.record(), stored.head()?);
        let graph = graph::of_run(&run, &trained, &mut self.backbones, self.monitor);
        let mut events = EventFile::continue_from(curves);
        events.add_graph(record.time as f64, &graph.nodes);
        let data = match &self.config.projector {
            Some(projector) => Some(self.projector_data(&stored, projector)?),
            None => None,
        };
        let points = data.as_ref().map(|data| data.of_run(&stored, &trained)).transpose()?;
        fs::write_folder(&folder, |staging| {
            if let Some((data, points)) = data.zip(points.as_ref()) {
                data.write(points, staging, &folder)?;
            }
            // The event file comes last: TensorBoard ignores a folder without one, so it never sees half an export.
            fs::write_atomic(&staging.join(event_file_name(record.time)), &events.finish())
        })?;
        let (epochs, projector) = (record.history.len(), points.map(|points| points.stats));
        Ok(ExportedRun { run, folder, epochs, graph: graph.scope, projector })
    }

    /// Returns the data of a run's cache, read anew only when the previous run had another cache.
    fn projector_data(&mut self, run: &StoredRun, config: &ProjectorConfig) -> Result<&mut ProjectorData> {
        let cache = run.open_cache(self.config.cache.as_deref())?;
        let data = match self.projector_data.take().filter(|data| data.is_of(cache.root())) {
            Some(data) => data,
            None => {
                let data = ProjectorData::read(cache, config, self.monitor)?;
                self.refused.extend(data.refused.iter().cloned());
                data
            }
        };
        Ok(self.projector_data.insert(data))
    }
}
