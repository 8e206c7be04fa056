//! A checked experiment: names are resolved, switches applied, and every head to fit is listed once, however many columns
//! of the table show it.

use super::file::{CacheEntry, Published};
use super::names::usage;
use crate::error::Result;
use crate::head::SolverConfig;

/// What an experiment does.
#[derive(Debug)]
pub(super) struct ExperimentPlan {
    pub title: String,
    /// Number of heads of each fit on the splits of the caches.
    pub seeds: usize,
    /// Number of other splits.
    pub resplits: usize,
    pub published_minutes: Option<f64>,
    pub caches: Vec<CacheEntry>,
    /// A fit that others start from comes before them.
    pub fits: Vec<PlannedFit>,
    pub runs: Vec<PlannedRun>,
    pub conditions: Vec<Condition>,
    /// Each switch alone, as a condition.
    pub switches: Vec<Condition>,
    /// The runs without any switch, which switches are compared with.
    pub plain: Vec<ScoredFit>,
    pub baselines: Vec<PlannedBaseline>,
    pub pairs: Vec<[Contestant; 2]>,
}

/// A run of the file.
#[derive(Debug)]
pub(super) struct PlannedRun {
    pub name: String,
    pub published: Option<Published>,
}

/// Heads to fit: one per seed on the splits of the caches, and one on each other split.
#[derive(Debug)]
pub(super) struct PlannedFit {
    pub spec: FitSpec,
    /// The first run or baseline that it belongs to, as errors name it.
    pub owner: String,
}

/// Everything that the heads of a fit depend on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FitSpec {
    /// Position of the cache.
    pub cache: usize,
    pub variants: Option<Vec<String>>,
    pub solver: SolverConfig,
    /// Position of the fit whose heads are the starting points.
    pub init: Option<usize>,
    /// Seed of the first head; the seeds of the others follow.
    pub first_seed: u64,
}

/// A fit, and which of its answers count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ScoredFit {
    /// Position of the fit.
    pub fit: usize,
    /// The batch size where only whole batches of test images count.
    pub batch: Option<usize>,
}

/// All runs with some switches on: a column of the table.
#[derive(Debug)]
pub(super) struct Condition {
    pub name: String,
    pub about: String,
    pub switches: Vec<String>,
    /// In the order of the runs.
    pub runs: Vec<ScoredFit>,
}

/// A baseline of the file.
#[derive(Debug)]
pub(super) struct PlannedBaseline {
    pub name: String,
    pub method: BaselineMethod,
}

/// How a baseline answers.
#[derive(Debug)]
pub(super) enum BaselineMethod {
    Majority,
    Nearest(NearestSettings),
    Head(ScoredFit),
    Pixels(PixelSettings),
}

/// Features of the nearest-neighbour baseline.
#[derive(Debug)]
pub(super) struct NearestSettings {
    /// Position of the cache.
    pub cache: usize,
    pub variants: Option<Vec<String>>,
}

/// Settings of the pixel baseline.
#[derive(Debug, Clone, Copy)]
pub(super) struct PixelSettings {
    /// Width and height of the small images, in pixels.
    pub size: [usize; 2],
    /// Fractions of width and height that are kept around the centre_crop.
    pub crop: [f64; 2],
    /// Number of principal components.
    pub components: usize,
    /// L2 penalty of the logistic regression.
    pub l2: f64,
}

/// One side of a comparison, by its position among the runs or the baselines.
#[derive(Debug, Clone, Copy)]
pub(super) enum Contestant {
    Run(usize),
    Baseline(usize),
}

impl PixelSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), naming the key.
    pub fn check(&self) -> Result<()> {
        let is_fraction = |part: &f64| *part > 0.0 && *part <= 1.0;
        if !self.size.iter().all(|side| (1..=1000).contains(side)) {
            return Err(usage("size must be a width and a height from 1 to 1000"));
        }
        if !self.crop.iter().all(is_fraction) {
            return Err(usage(
                "crop must be a fraction of the width and one of the height, above 0 and at most 1",
            ));
        }
        match self.l2 > 0.0 && self.l2.is_finite() {
            true => Ok(()),
            false => Err(usage("l2 must be a number above 0")),
        }
    }
}
