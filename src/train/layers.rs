//! Compares layers and backbones: caches of the same images, by cross-validation of the heads within the train images.

use super::FeatureTable;
use super::fit_context::FitContext;
use super::inner_folds::InnerFolds;
use super::path_scores::{PathScoring, along_path, has_passed_the_minimum};
use super::penalty;
use super::ranking::{FoldAccuracies, Ranked, may_be_as_good, rank};
use super::same_images::require_same_images;
use super::selection::{FoldScores, Rule, ScoreTable};
use super::split_rows::SplitRows;
use super::training_set::TrainingSet;
use crate::data::dataset::Resplit;
use crate::error::{Error, Kind, Result};
use crate::head::{LbfgsConfig, SolverConfig, StopOn};
use crate::math::parallel;
use crate::metrics::ResampledMean;
use crate::monitor::{Monitor, Silent, Task, Unit};
use serde::Serialize;
use std::collections::HashSet;
use std::path::PathBuf;

/// Settings of [`compare_layers`].
///
/// | field | default | meaning |
/// |---|---|---|
/// | `caches` | none | folders of two caches or more of the same images |
/// | `variants` | `none` alone | variants of the train images |
/// | `resplit` | `None` | the splits of the caches |
/// | `threads` | 0 | one thread per core |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LayersConfig {
    /// Folders of caches of the same images with the same splits.
    pub caches: Vec<PathBuf>,
    /// Variants of the train images to train on.
    pub variants: Vec<String>,
    /// Splits that replace those of the caches.
    pub resplit: Option<Resplit>,
    /// Upper limit on threads; 0 means one per core. No score depends on the number.
    pub threads: usize,
}

impl Default for LayersConfig {
    fn default() -> Self {
        Self { caches: Vec::new(), variants: vec!["none".into()], resplit: None, threads: 0 }
    }
}

impl LayersConfig {
    /// Compares `caches`, everything else by default.
    pub fn new(caches: Vec<PathBuf>) -> Self {
        Self { caches, ..Self::default() }
    }
}

/// Result of [`compare_layers`].
#[derive(Debug, Clone, Serialize)]
pub struct LayersComparison {
    /// Number of train images.
    pub images: usize,
    /// Folds of one repeat.
    pub folds: usize,
    /// How many times the images were dealt to folds.
    pub repeats: usize,
    /// Each cache, the most accurate one first.
    pub layers: Vec<LayerScore>,
}

/// How the heads of one cache did.
#[derive(Debug, Clone, Serialize)]
pub struct LayerScore {
    /// Folder of the cache.
    pub cache: PathBuf,
    /// Name or path of the network.
    pub backbone: String,
    /// The layer.
    pub layer: String,
    /// Number of features.
    pub width: usize,
    /// Accuracy on images that had no part in fitting the head, nor in choosing its penalty.
    pub accuracy: ResampledMean,
    /// The accuracy less that of the best cache, fold by fold; `None` for the best one.
    pub difference: Option<ResampledMean>,
}

impl LayerScore {
    /// Whether the best cache may be no better: the interval of the difference holds 0.
    pub fn may_be_as_good(&self) -> bool {
        may_be_as_good(self.difference)
    }
}

/// Fits heads to the features of each cache, in the same folds within the train images, and compares their accuracies.
///
/// The heads are those of `auto`: L-BFGS, as the features are and standardized, with each penalty of a path. For each fold the
/// other folds of its repeat choose among them, so the choice has no part in the score.
///
/// # Errors
/// [`Kind::Usage`] for fewer than two caches or a cache that is given twice, [`Kind::Cache`] when a cache cannot be read or has
/// other images, classes or splits than the first, [`Kind::Input`] when a class has fewer than three train images, [`Kind::Run`]
/// when no head could be fitted.
pub fn compare_layers(config: &LayersConfig, monitor: &dyn Monitor) -> Result<LayersComparison> {
    let mut distinct = HashSet::new();
    if let Some(twice) = config.caches.iter().find(|cache| !distinct.insert(*cache)) {
        return Err(Error::new(Kind::Usage, "the cache is given twice")
            .at(twice)
            .help("give each cache once"));
    }
    if config.caches.len() < 2 {
        return Err(Error::new(Kind::Usage, "a comparison needs two caches")
            .help("`extract` the same images with another `layer` or `backbone`"));
    }
    let threads = parallel::granted(config.threads, monitor);
    let open = |cache: &PathBuf| {
        let set = TrainingSet::open_with_threads(cache, threads)?;
        let splits = set.split_rows(config.resplit, Some(&config.variants), &Silent)?;
        Ok((set, splits))
    };
    let sets: Vec<(TrainingSet, SplitRows)> = config.caches.iter().map(open).collect::<Result<_>>()?;
    let (first, splits) = &sets[0];
    sets.iter().try_for_each(|(set, own)| require_same_images((set, own), (first, splits)))?;
    let repeats = InnerFolds::repeats(splits);
    let task = monitor.task("fitting heads", None, Unit::Fits);
    let scored = sets.iter().map(|(set, splits)| score(set, splits, repeats, threads, &*task));
    let (folds, scores): (Vec<usize>, Vec<FoldAccuracies>) =
        scored.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    drop(task);
    let folds = folds[0];
    let layers = rank(&scores, folds).iter().map(|one| layer_score(&sets[one.index].0, one)).collect();
    let images = splits.train.images_per_class(first.classes().len()).iter().sum();
    Ok(LayersComparison { images, folds, repeats, layers })
}

/// Scores one cache. Returns the folds of one repeat as well.
fn score(
    set: &TrainingSet,
    splits: &SplitRows,
    repeats: usize,
    threads: usize,
    task: &dyn Task,
) -> Result<(usize, FoldAccuracies)> {
    let inner = InnerFolds::repeated(splits, set.classes(), repeats)?;
    let table: FeatureTable = set.load(std::iter::once(splits))?;
    let context = FitContext { set, splits, table: &table, threads };
    let mut scores: Vec<FoldScores> = Vec::new();
    for standardize in [false, true] {
        let solver = SolverConfig::Lbfgs(LbfgsConfig { standardize, ..LbfgsConfig::default() });
        let mut goes_on = |scores: &[FoldScores]| {
            task.advance(inner.len() as u64);
            !has_passed_the_minimum(scores)
        };
        let scoring = PathScoring::default();
        scores.extend(along_path(context, &inner.splits(), &penalty::path(&solver), scoring, &mut goes_on)?);
    }
    let folds = inner.per_repeat();
    if folds < 3 {
        return Err(Error::new(
            Kind::Input,
            "a class has fewer than three train images, and layers are compared over folds",
        )
        .at(set.path())
        .help("add images of the class"));
    }
    let table = ScoreTable { scores: &scores, folds, by: StopOn::Loss, rule: Rule::Best };
    let accuracies = table.nested_accuracies().ok_or_else(|| {
        Error::new(Kind::Run, "L-BFGS reached the optimum of no candidate")
            .at(set.path())
            .help("verify the cache")
    })?;
    let images = splits.train.images_per_class(set.classes().len()).iter().sum::<usize>() / folds;
    Ok((folds, FoldAccuracies { accuracies, width: set.spec().width, images }))
}

/// A cache with its rank.
fn layer_score(set: &TrainingSet, ranked: &Ranked) -> LayerScore {
    LayerScore {
        cache: set.path().to_path_buf(),
        backbone: set.spec().backbone.name.clone(),
        layer: set.spec().layer.clone(),
        width: set.spec().width,
        accuracy: ranked.accuracy,
        difference: ranked.difference,
    }
}
