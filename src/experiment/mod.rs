//! A named set of runs from images to a table: what features are missing is extracted, heads are fitted in every
//! condition and with every switch alone, over seeds and over other splits, beside baselines. One way: file -> plan ->
//! caches -> fits -> measures -> table.

mod baselines;
mod caches;
mod eyes;
mod file;
mod fits;
mod measures;
mod names;
mod plan;
mod runs;
mod settings;
mod table;

pub use caches::Extracted;
pub use file::Published;
pub use measures::{BaselineScore, Change, ConditionScore, Cost, Pair, RunScore, Score};
pub use table::markdown;

use crate::backbone::Device;
use crate::dataset::{Division, Refused};
use crate::error::{Error, Kind, Result};
use crate::extract::ExtractConfig;
use crate::fs::{self, Lock};
use crate::monitor::Monitor;
use crate::settings_text::parse_toml;
use crate::threads;
use caches::Opened;
use fits::Bench;
use measures::Results;
use plan::Plan;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The copy of the file, which tells a folder of an experiment from others.
const COPY: &str = "experiment.toml";

/// The folder of caches in that of the results.
const CACHES: &str = "caches";

/// What `experiment` was asked for.
#[derive(Debug, Clone)]
pub struct ExperimentConfig {
    /// The file that describes it; `docs/experiments.md` explains the keys.
    pub file: PathBuf,
    /// `IMAGES/<class>/<file>`.
    pub images: PathBuf,
    /// The folder of caches, runs and results.
    pub out: PathBuf,
    /// Folder of built backbones.
    pub models: PathBuf,
    /// Where to extract.
    pub device: Device,
    /// Threads; zero takes all cores. They change no bit of any head.
    pub threads: usize,
    /// The time to note, in seconds since 1970.
    pub time: u64,
}

/// What `experiment` found.
#[derive(Debug, Clone, Serialize)]
pub struct ExperimentStats {
    /// Its title.
    pub title: String,
    /// Distinct images of each split of the caches: train, validation, test.
    pub images: [usize; 3],
    /// Classes.
    pub classes: usize,
    /// Heads of each run on that split.
    pub seeds: usize,
    /// Other splits.
    pub resplits: usize,
    /// Columns of the table.
    pub conditions: Vec<ConditionScore>,
    /// What the switches cost, each alone, and then each condition that has some.
    pub costs: Vec<Cost>,
    /// What the runs have to beat.
    pub baselines: Vec<BaselineScore>,
    /// The features.
    pub caches: Vec<Extracted>,
    /// What somebody else needed for all runs.
    pub published_minutes: Option<f64>,
    /// Heads that were fitted.
    pub heads: usize,
    /// Wall time of all fits.
    pub fit_seconds: f64,
    /// Wall time of the baselines that are no heads.
    pub baseline_seconds: f64,
    /// Wall time of predicting and writing the runs.
    pub write_seconds: f64,
    /// Wall time of everything.
    pub seconds: f64,
    /// The first head of each run in each condition.
    pub runs: Vec<PathBuf>,
    /// Files that cannot be used.
    pub refused: Vec<Refused>,
}

/// Does all that the file asks for and writes runs, `results.json` and `results.md` into the folder. Features that are
/// there are not computed again; heads are fitted anew each time, which takes little.
///
/// # Errors
/// [`Kind::Usage`] for a file that makes no sense, naming the key; what [`crate::extract::extract`] says;
/// [`Kind::Run`] when a run cannot be written or a loss is not a number; [`Kind::Interrupted`] when the monitor was.
pub fn experiment(config: &ExperimentConfig, monitor: &dyn Monitor) -> Result<ExperimentStats> {
    let started = Instant::now();
    let text = fs::read(&config.file)?;
    let (plan, requests) = parse(&text, config).map_err(|e| e.at(&config.file))?;
    check_target(&config.out)?;
    runs::check(&plan, &config.out)?;
    let threads = threads::number(config.threads);
    let divisions: Vec<Option<Division>> = std::iter::once(None)
        .chain((1..=plan.resplits as u64).map(|seed| Some(Division::Resplit { seed })))
        .collect();
    let mut extracted = Vec::new();
    for (cache, request) in plan.caches.iter().zip(&requests) {
        extracted.push(caches::complete(&cache.name, request, monitor)?);
    }
    fs::create_folder(&config.out)?;
    let _lock = Lock::of_folder(&config.out)?;
    let mut opened = Vec::new();
    for (number, (request, told)) in requests.iter().zip(&mut extracted).enumerate() {
        opened.push(caches::open(&plan, number, (request, &divisions), (told, threads), monitor)?);
    }
    check_scored(&plan, &opened[0], divisions.len())?;
    let fitting = Instant::now();
    let bench = Bench { plan: &plan, caches: &opened, divisions: divisions.len(), threads, monitor };
    let all = bench.fit()?;
    let fit_seconds = fitting.elapsed().as_secs_f64();
    let answering = Instant::now();
    let answered = baselines::answers(&plan, &opened, &config.images, (divisions.len(), threads), monitor)?;
    let baseline_seconds = answering.elapsed().as_secs_f64();
    let writing = Instant::now();
    fs::write_atomic(&config.out.join(COPY), &text)?;
    let runs = runs::write(&plan, &all, &opened, config, threads)?;
    let results = Results { plan: &plan, all: &all, answered: &answered, ratio: ratio(&opened[0]) };
    let stats = ExperimentStats {
        fit_seconds,
        baseline_seconds,
        write_seconds: writing.elapsed().as_secs_f64(),
        runs,
        heads: all.iter().flatten().map(|done| done.fitted.len()).sum(),
        ..told(&results, &opened[0], extracted)
    };
    let stats = ExperimentStats { seconds: started.elapsed().as_secs_f64(), ..stats };
    let json = serde_json::to_vec_pretty(&stats).expect("plain data");
    fs::write_atomic(&config.out.join("results.json"), &json)?;
    fs::write_atomic(&config.out.join("results.md"), markdown(&stats).as_bytes())?;
    Ok(stats)
}

/// The file, checked, and what is to be extracted for it.
fn parse(text: &[u8], config: &ExperimentConfig) -> Result<(Plan, Vec<ExtractConfig>)> {
    let text = std::str::from_utf8(text).map_err(|e| names::usage("it is not text").because(e))?;
    let file: file::File = parse_toml(text)?;
    let requests = caches::requests(&file, config)?;
    Ok((Plan::of(file)?, requests))
}

/// Whether the folder may be worked in: nothing there, an empty folder, or one of an experiment.
fn check_target(out: &Path) -> Result<()> {
    let refuse =
        |message: &str| Err(Error::new(Kind::Run, message).at(out).help("choose another folder with --out"));
    match out.exists() {
        false => Ok(()),
        true if !out.is_dir() => refuse("the results cannot be written here: it is a file"),
        true if fs::list(out)?.iter().all(|entry| entry.name == CACHES) => Ok(()),
        // Caches are there before all else: a file of that name alone is somebody's own.
        true if out.join(COPY).exists() && out.join(CACHES).is_dir() => Ok(()),
        true => refuse("the folder is not empty and holds no experiment, so it is left alone"),
    }
}

/// Refuses shares of no images.
fn check_scored(plan: &Plan, opened: &Opened, divisions: usize) -> Result<()> {
    let images = (0..divisions).map(|division| opened.plain(division).test.keys.len()).min().unwrap_or(0);
    if images == 0 {
        return Err(names::usage("the test split is empty: there is nothing to score")
            .help("give split a third percentage, or more images"));
    }
    let columns = plan.conditions.iter().chain(&plan.switches);
    match columns.flat_map(|column| &column.runs).filter_map(|run| run.batch).find(|&batch| batch > images) {
        Some(batch) => Err(names::usage(format!(
            "score_whole_batches: {images} test images fill no batch of {batch}, so nothing would be scored"
        ))
        .help("set a smaller batch, or leave score_whole_batches out")),
        None => Ok(()),
    }
}

/// Test images / train images of the caches' split.
fn ratio(opened: &Opened) -> f64 {
    let rows = opened.plain(0);
    rows.test.keys.len() as f64 / rows.train.keys.len().max(1) as f64
}

/// All but times and places.
fn told(results: &Results, first: &Opened, caches: Vec<Extracted>) -> ExperimentStats {
    let plan = results.plan;
    let rows = first.plain(0);
    let with_switches = plan.conditions.iter().filter(|condition| !condition.switches.is_empty());
    ExperimentStats {
        title: plan.title.clone(),
        images: [&rows.train, &rows.validation, &rows.test].map(|part| part.keys.len()),
        classes: first.shelf.classes.len(),
        seeds: plan.seeds,
        resplits: plan.resplits,
        conditions: plan.conditions.iter().map(|column| results.condition(column)).collect(),
        costs: plan.switches.iter().chain(with_switches).map(|column| results.cost(column)).collect(),
        baselines: results.baselines(),
        refused: caches.first().map(|cache| cache.refused.clone()).unwrap_or_default(),
        caches,
        published_minutes: plan.published_minutes,
        heads: 0,
        fit_seconds: 0.0,
        baseline_seconds: 0.0,
        write_seconds: 0.0,
        seconds: 0.0,
        runs: Vec::new(),
    }
}
