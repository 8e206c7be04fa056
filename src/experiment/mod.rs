//! A named set of runs from images to a table: missing features are extracted, then heads are fitted in every condition and
//! with every switch alone, over seeds and over other splits, and compared with baselines. The data go one way: file ->
//! plan -> caches -> fits -> scores -> table.

mod answers;
mod baselines;
mod built_in;
mod caches;
mod config;
pub mod demo;
mod families;
mod file;
mod fitting;
mod markdown;
mod names;
mod output_folder;
mod pixel_baseline;
mod plan;
mod planner;
mod runs;
mod scores;
mod scoring;
mod settings;
mod stats;

pub use built_in::{BUILT_IN, experiment_text};
pub use caches::CacheStats;
pub use config::ExperimentConfig;
pub use file::Published;
pub use markdown::markdown;
pub use scores::{
    AccuracyChange, BaselineScore, ConditionScore, PairScore, RunScore, SwitchEffect, TestScore,
};
pub use stats::ExperimentStats;

use crate::data::dataset::Resplit;
use crate::data::manifest::ManifestOptions;
use crate::data::scan::names_label_sets;
use crate::error::{Error, Kind, Result};
use crate::extract::ExtractConfig;
use crate::io::fs::{self, Lock};
use crate::io::json;
use crate::io::toml::parse_toml;
use crate::math::parallel;
use crate::monitor::Monitor;
use baselines::{BaselineResult, BaselineRunner};
use caches::{CacheLoader, LoadedCache};
use fitting::{FitResults, FitRunner};
use plan::ExperimentPlan;
use runs::RunWriter;
use scoring::Scoring;
use stats::WorkDone;
use std::path::Path;
use std::time::Instant;

/// A checked file: what to do, and which features it needs.
struct Experiment {
    plan: ExperimentPlan,
    /// For each cache of the plan.
    requests: Vec<ExtractConfig>,
}

/// Does what the file asks for, and writes runs, `results.json` and `results.md` into the folder `out`. Features that are
/// in the caches are not computed again; heads are fitted anew each time, which takes seconds to minutes.
///
/// # Errors
/// [`Kind::Usage`] for an error in the file, naming the key; errors of
/// [`extract`](crate::extract::extract); [`Kind::Run`] when a run cannot be written or a loss is not
/// a number; [`Kind::Interrupted`] when the monitor was interrupted.
pub fn experiment(config: &ExperimentConfig, monitor: &dyn Monitor) -> Result<ExperimentStats> {
    let started = Instant::now();
    let text = experiment_text(&config.file)?;
    let Experiment { plan, requests } = parse(&text, config).map_err(|e| e.at(&config.file))?;
    output_folder::check(&config.out)?;
    runs::check(&plan, &config.out)?;
    if names_label_sets(&config.images, &ManifestOptions::default())? {
        let message = "its images have several labels each, which an experiment cannot take";
        return Err(Error::new(Kind::Input, message)
            .at(&config.images)
            .help("`extract` them, and `train` each run"));
    }
    let threads = parallel::granted(config.threads, monitor);
    let mut cache_stats = Vec::new();
    for (cache, request) in plan.caches.iter().zip(&requests) {
        cache_stats.push(caches::complete(&cache.name, request, monitor)?);
    }
    fs::create_folder(&config.out)?;
    let _lock = Lock::of_folder(&config.out)?;
    let splits = splits(&plan);
    let loader = CacheLoader { plan: &plan, splits: &splits, threads, monitor };
    let mut caches = Vec::new();
    for (number, (request, stats)) in requests.iter().zip(&mut cache_stats).enumerate() {
        let loaded = loader.load(number, &request.cache)?;
        stats.read_seconds = loaded.read_seconds;
        caches.push(loaded);
    }
    check_scored(&plan, &caches[0], splits.len())?;
    let mut timer = Timer(Instant::now());
    let fits = FitRunner { plan: &plan, caches: &caches, splits: splits.len(), threads, monitor }.run()?;
    let fit_seconds = timer.lap();
    let images = &config.images;
    let baselines =
        BaselineRunner { plan: &plan, caches: &caches, images, splits: splits.len(), threads, monitor };
    let baselines = baselines.run()?;
    let baseline_seconds = timer.lap();
    fs::write_atomic(&config.out.join(output_folder::COPY), &text)?;
    let runs = RunWriter { plan: &plan, fits: &fits, caches: &caches, config, threads }.write()?;
    let write_seconds = timer.lap();
    let seconds = started.elapsed().as_secs_f64();
    let work = WorkDone { caches: cache_stats, runs, fit_seconds, baseline_seconds, write_seconds, seconds };
    let stats = score(&plan, &fits, &baselines, &caches[0], work);
    write_results(&config.out, &stats)?;
    Ok(stats)
}

/// Measures the wall time of steps.
struct Timer(Instant);

impl Timer {
    /// Seconds since the timer was made, or since the last lap.
    fn lap(&mut self) -> f64 {
        std::mem::replace(&mut self.0, Instant::now()).elapsed().as_secs_f64()
    }
}

/// Checks the text of an experiment file: its keys, types, names and settings. No image or cache is opened.
///
/// # Errors
/// [`Kind::Usage`] with the entry that is wrong.
pub fn check_file(text: &[u8]) -> Result<()> {
    parse(text, &ExperimentConfig::default()).map(drop)
}

/// Checks the file.
fn parse(text: &[u8], config: &ExperimentConfig) -> Result<Experiment> {
    let text = std::str::from_utf8(text).map_err(|e| names::usage("it is not text").because(e))?;
    let file: file::ExperimentFile = parse_toml(text)?;
    let file = families::with_search(file)?;
    let requests = caches::requests(&file, config)?;
    Ok(Experiment { plan: planner::plan(file)?, requests })
}

/// The splits of the caches (`None`), then the other splits of the plan.
fn splits(plan: &ExperimentPlan) -> Vec<Option<Resplit>> {
    let others = (1..=plan.resplits as u64).map(|seed| Some(Resplit::Random { seed }));
    std::iter::once(None).chain(others).collect()
}

/// Checks that there are test images, and that they fill a batch where only whole batches are scored.
fn check_scored(plan: &ExperimentPlan, cache: &LoadedCache, splits: usize) -> Result<()> {
    let images = (0..splits).map(|split| cache.plain(split).test.keys.len()).min().unwrap_or(0);
    if images == 0 {
        return Err(names::usage("the test split is empty: there is nothing to score")
            .help("give split a third percentage above 0, or add images"));
    }
    let conditions = plan.conditions.iter().chain(&plan.switches);
    let mut batches = conditions.flat_map(|condition| &condition.runs).filter_map(|run| run.batch);
    match batches.find(|&batch| batch > images) {
        Some(batch) => Err(names::usage(format!(
            "score_whole_batches: {images} test images fill no batch of {batch}, so nothing would be scored"
        ))
        .help("set a smaller batch, or leave score_whole_batches out")),
        None => Ok(()),
    }
}

fn score(
    plan: &ExperimentPlan,
    fits: &FitResults,
    baselines: &[Option<BaselineResult>],
    first: &LoadedCache,
    work: WorkDone,
) -> ExperimentStats {
    let rows = first.plain(0);
    let test_ratio = rows.test.keys.len() as f64 / rows.train.keys.len().max(1) as f64;
    ExperimentStats::of(&Scoring { plan, fits, baselines, test_ratio }, first, work)
}

fn write_results(out: &Path, stats: &ExperimentStats) -> Result<()> {
    let json = json::encode_pretty(stats);
    fs::write_atomic(&out.join("results.json"), &json)?;
    fs::write_atomic(&out.join("results.md"), markdown(stats).as_bytes())
}
