//! Pages and their plots and tables. Here is the page of a run: what the head learned and where it fails, from the files of
//! the run, the samples of its cache, and the pictures as far as they are still there.

mod calibration_plots;
mod class_sections;
mod confused_pairs;
mod curve_plots;
mod examples;
mod explained;
mod multi_label;
mod origin;
mod plots;
mod run_data;
mod sections;
mod settings;
mod tables;

pub use run_data::CommandLine;

use crate::cache::Samples;
use crate::data::augment::Variant;
use crate::data::dataset::{Split, refuse_for_label_sets};
use crate::error::Result;
use crate::evaluate::explain::Explainer;
use crate::evaluate::predict::PredictorConfig;
use crate::evaluate::{EvaluateConfig, evaluate_run};
use crate::monitor::Monitor;
use crate::report::map::FeatureMap;
use crate::report::output::{PageContent, PageOutput, WrittenPage};
use crate::run::{self, Prediction, StoredRun};
use crate::score::NewImages;
use examples::{Examples, ImageFiles};
use multi_label::{MultiLabelPage, WrittenPictures};
use run_data::RunData;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Configuration of [`report`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReportConfig {
    /// The run.
    pub run: PathBuf,
    /// Validation or test.
    pub split: Split,
    /// The page; `None` for `report.html` in the run.
    pub out: Option<PathBuf>,
    /// The folder of images, if it is no longer where the cache was made from.
    pub images: Option<PathBuf>,
    /// The cache of the run; `None` looks where it was and near the run.
    pub cache: Option<PathBuf>,
    /// Folder for each plot as SVG and PNG.
    pub plots: Option<PathBuf>,
    /// Folder for each table as CSV.
    pub tables: Option<PathBuf>,
    /// How to open the backbone of the run, to show where it looked in the most confident errors; `None` leaves it closed.
    pub explain: Option<PredictorConfig>,
    /// Commands that make the run again, for the page to show; may be empty.
    pub commands: Vec<CommandLine>,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self {
            run: PathBuf::new(),
            split: Split::Test,
            out: None,
            images: None,
            cache: None,
            plots: None,
            tables: None,
            explain: None,
            commands: Vec::new(),
        }
    }
}

/// Result of [`report`].
#[derive(Debug, Clone, Serialize)]
pub struct ReportStats {
    /// The page.
    pub out: PathBuf,
    /// Its size in bytes.
    pub bytes: usize,
    /// Names of its plots.
    pub plots: Vec<String>,
    /// Names of its tables.
    pub tables: Vec<String>,
    /// Number of pictures in it.
    pub pictures: usize,
    /// Number of pictures that could not be shown.
    pub missing_pictures: usize,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// Writes the page of a run and, if asked for, its plots and tables as files; files of the same names are replaced.
///
/// # Errors
/// Those of [`evaluate_run`], and of [`Explainer::open`] where errors are explained; [`Kind::Input`](crate::error::Kind::Input) when a file that is no page of headstart is in the
/// way of the page; [`Kind::Usage`](crate::error::Kind::Usage) when something would be written into the run, the cache or
/// the folder of images; [`Kind::Io`](crate::error::Kind::Io) when a file cannot be written.
pub fn report(config: &ReportConfig, monitor: &dyn Monitor) -> Result<ReportStats> {
    report_run(&StoredRun::open_any(&config.run)?, config, monitor)
}

/// Writes the page of an open run as [`report`] does.
///
/// # Errors
/// Those of [`report`].
pub fn report_run(run: &StoredRun, config: &ReportConfig, monitor: &dyn Monitor) -> Result<ReportStats> {
    let started = Instant::now();
    let own_page = config.run.join(run::REPORT);
    let out = config.out.clone().unwrap_or_else(|| own_page.clone());
    let output = PageOutput { out, plots: config.plots.clone(), tables: config.tables.clone() };
    let samples = samples(run, config.cache.as_deref(), monitor)?;
    let root = config.images.clone().or_else(|| samples.as_ref().map(|samples| samples.root.clone()));
    let has_manifest = samples.as_ref().is_some_and(|samples| samples.manifest.is_some());
    let protected = root.as_deref().filter(|_| !has_manifest);
    output.check(protected, Some(&own_page))?;
    if run.record().multi_label.is_some() {
        return report_multi_label(run, config, (samples.as_ref(), root.as_deref()), &output, started);
    }
    let stats =
        evaluate_run(run, &EvaluateConfig { split: config.split, ..EvaluateConfig::new(&config.run) })?;
    let explain = config.explain.as_ref();
    let explainer = explain.map(|config| Explainer::open(run, config, monitor)).transpose()?;
    let files = ImageFiles::new(root.clone(), samples.as_ref());
    let predictions = run.predictions()?;
    let map = map(run, config, samples.as_ref(), root.as_deref(), &predictions);
    let mut examples = Examples::load(&predictions, run.record(), &stats, files)?;
    if let Some(mut explainer) = explainer {
        examples.explain(&mut explainer, monitor)?;
    }
    let (run, record, commands) = (config.run.clone(), run.record().clone(), config.commands.clone());
    write(
        &RunData { run, record, stats, samples, examples, map, commands, new_images: None },
        &output,
        started,
        monitor,
    )
}

/// Writes the page of a run on images with several labels.
fn report_multi_label(
    run: &StoredRun,
    config: &ReportConfig,
    (samples, root): (Option<&Samples>, Option<&Path>),
    output: &PageOutput,
    started: Instant,
) -> Result<ReportStats> {
    if config.explain.is_some() {
        return Err(refuse_for_label_sets("explain").at(run.path()));
    }
    let data = MultiLabelPage { run, split: config.split, samples, root, commands: &config.commands };
    let WrittenPictures { page, shown, missing } = multi_label::write(&data, output)?;
    let WrittenPage { out, bytes, plots, tables } = page;
    let seconds = started.elapsed().as_secs_f64();
    Ok(ReportStats { out, bytes, plots, tables, pictures: shown, missing_pictures: missing, seconds })
}

/// Writes the page of a run with its scores on images that it never saw, as [`report`] does with those on its test images.
///
/// # Errors
/// Those of [`report`].
pub fn report_new_images(
    run: &StoredRun,
    measured: &NewImages,
    output: &PageOutput,
    monitor: &dyn Monitor,
) -> Result<ReportStats> {
    let started = Instant::now();
    output.check(Some(&measured.images), None)?;
    let (stats, folder) = (measured.scores.clone(), Some(measured.folder.clone()));
    let files = ImageFiles::new(folder.clone(), None);
    let examples = Examples::load(&measured.predictions.rows, run.record(), &stats, files)?;
    let (record, new_images) = (run.record().clone(), folder);
    let (run, samples, commands) = (run.path().to_path_buf(), None, Vec::new());
    write(
        &RunData { run, record, stats, samples, examples, map: None, commands, new_images },
        output,
        started,
        monitor,
    )
}

/// The images of the cache on a map; `None` where it cannot be read, of which [`samples`] has warned.
fn map(
    run: &StoredRun,
    config: &ReportConfig,
    samples: Option<&Samples>,
    root: Option<&Path>,
    predictions: &[Prediction],
) -> Option<FeatureMap> {
    let cache = run.open_cache(config.cache.as_deref()).ok()?;
    let plain = predictions.iter().filter(|row| row.variant == Variant::None);
    let answers = plain.map(|row| (row.image_sha256, row.label == row.predicted)).collect();
    FeatureMap::of(&cache, samples?, root.unwrap_or(Path::new("")), &answers).ok()?
}

fn write(
    data: &RunData,
    output: &PageOutput,
    started: Instant,
    monitor: &dyn Monitor,
) -> Result<ReportStats> {
    if let Some(reason) = data.examples.reason_of_missing() {
        monitor.warn(&format!("{reason}; `images` can name the folder where they are now"));
    }
    let figures =
        [plots::all(data), calibration_plots::all(&data.stats), data.examples.explained.clone()].concat();
    let tables = tables::all(data);
    let page = sections::page(data, &figures, &tables);
    let WrittenPage { out, bytes, plots, tables } = output.write(&PageContent { page, figures, tables })?;
    Ok(ReportStats {
        out,
        bytes,
        plots,
        tables,
        pictures: data.examples.shown,
        missing_pictures: data.examples.missing.len(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The samples of the run's cache, with the folder where the images are now. A warning if the cache cannot be read, unless
/// it was given.
fn samples(run: &StoredRun, given: Option<&Path>, monitor: &dyn Monitor) -> Result<Option<Samples>> {
    let opened = run.open_cache(given).and_then(|cache| {
        let samples = cache.samples()?;
        Ok(Samples { root: samples.images_root(cache.root()), ..samples })
    });
    match opened {
        Err(error) if given.is_none() => {
            let remedy = error.remedy().map_or(String::new(), |remedy| format!(" ({remedy})"));
            monitor.warn(&format!("the report goes without the cache: {}{remedy}", error.with_causes()));
            Ok(None)
        }
        opened => opened.map(Some),
    }
}
