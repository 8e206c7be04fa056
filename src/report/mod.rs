//! What a head learned and where it fails, as a page: from the files of a run, the cache's list of samples, and the pictures
//! where they still are. It refuses to compute what `evaluate` computes.

mod album;
mod commands;
mod plots;
mod sections;
mod tables;

use crate::augment::Variant;
use crate::dataset::Split;
use crate::error::Result;
use crate::evaluate::{EvaluateConfig, EvaluateStats, evaluate};
use crate::monitor::Monitor;
use crate::places::{Made, Places, Written};
use crate::run::{self, Record};
use crate::store::{FeatureCache, Samples};
use album::Album;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What `report` was asked for.
#[derive(Debug, Clone)]
pub struct ReportConfig {
    /// The run.
    pub run: PathBuf,
    /// Validation or test.
    pub split: Split,
    /// The page; `None` is `report.html` in the run.
    pub out: Option<PathBuf>,
    /// The folder of images, where it is no longer the one that the cache was made from.
    pub images: Option<PathBuf>,
    /// Where every plot goes as SVG and PNG.
    pub plots: Option<PathBuf>,
    /// Where every table goes as CSV.
    pub tables: Option<PathBuf>,
}

/// What `report` did.
#[derive(Debug, Clone, Serialize)]
pub struct ReportStats {
    /// The page.
    pub out: PathBuf,
    /// Its bytes.
    pub bytes: usize,
    /// The plots in it, by name.
    pub plots: Vec<String>,
    /// The tables that belong to it, by name.
    pub tables: Vec<String>,
    /// Pictures in it.
    pub pictures: usize,
    /// Pictures that could not be shown.
    pub missing_pictures: usize,
    /// Wall time.
    pub seconds: f64,
}

/// All that a report is made from.
struct Material {
    run: PathBuf,
    record: Record,
    stats: EvaluateStats,
    samples: Option<Samples>,
    /// Whether held-out images have variants too.
    is_varied: bool,
    album: Album,
}

/// Writes a page about a run, and its plots and tables as files where that was asked for; files of the same names are
/// replaced.
///
/// # Errors
/// Those of [`evaluate`]; [`Input`](crate::error::Kind::Input) when a file that is no page of headstart stands where the page belongs;
/// [`Usage`](crate::error::Kind::Usage) when something is to be written into the run, the cache or the folder of images;
/// [`Io`](crate::error::Kind::Io) when it cannot be written.
pub fn report(config: &ReportConfig, monitor: &dyn Monitor) -> Result<ReportStats> {
    let started = Instant::now();
    let record = run::read_record(&config.run)?;
    let out = config.out.clone().unwrap_or_else(|| config.run.join(run::REPORT));
    let places = Places { flag: "--out", out, plots: config.plots.clone(), tables: config.tables.clone() };
    places.check(None, Some(&config.run.join(run::REPORT)))?;
    let stats =
        evaluate(&EvaluateConfig { run: config.run.clone(), split: config.split, tta: false, reject: None })?;
    let samples = samples(&record, monitor);
    let root = config.images.clone().or_else(|| samples.as_ref().map(|samples| samples.root.clone()));
    places.check(root.as_deref(), Some(&config.run.join(run::REPORT)))?;
    let predictions = run::read_predictions(&config.run)?;
    let album = Album::open(&predictions, &record, &stats, root)?;
    album.warn(monitor);
    let is_varied = predictions.iter().any(|row| row.variant != Variant::None);
    let material = Material { run: config.run.clone(), record, stats, samples, is_varied, album };
    let (figures, tables) = (plots::all(&material), tables::all(&material));
    let page = sections::page(&material, &figures, &tables);
    let Written { out, bytes, plots, tables } = places.write(&Made { page, figures, tables })?;
    let (pictures, missing_pictures) = material.album.counts();
    Ok(ReportStats {
        out,
        bytes,
        plots,
        tables,
        pictures,
        missing_pictures,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The samples of the run's cache, where it is still there: they say where the pictures are and how they were split.
fn samples(record: &Record, monitor: &dyn Monitor) -> Option<Samples> {
    match FeatureCache::open(Path::new(&record.cache)).and_then(|store| store.samples()) {
        Ok(samples) => Some(samples),
        Err(error) => {
            monitor.warn(&format!("the report goes without the cache: {}", error.with_causes()));
            None
        }
    }
}
