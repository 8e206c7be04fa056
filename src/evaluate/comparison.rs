//! Compares runs on the images that all of them hold out: scores of each run, and its difference from the first.

use super::fit_settings::{self, Settings, families, settings};
use crate::data::augment::Variant;
use crate::data::dataset::Split;
use crate::error::{Error, Kind, Result};
use crate::head::{Epoch, SolverConfig};
use crate::io::digest::Digest;
use crate::metrics::{self, LabelledPrediction, PairedCounts};
use crate::run::{self, Prediction, Record, StoredRun};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Configuration of [`compare`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CompareConfig {
    /// Two or more runs; the others are compared with the first.
    pub runs: Vec<PathBuf>,
    /// Validation or test.
    pub split: Split,
}

impl Default for CompareConfig {
    fn default() -> Self {
        Self { runs: Vec::new(), split: Split::Test }
    }
}

/// Runs beside each other. Fractions are 0 to 1.
#[derive(Debug, Clone, Serialize)]
pub struct CompareStats {
    /// The split.
    pub split: Split,
    /// Number of images in that split of every run; all scores are of these.
    pub images: usize,
    /// Number of images in that split of some runs only; they are left out.
    pub left_out: usize,
    /// In the order given.
    pub runs: Vec<RunScores>,
    /// Each run but the first, compared with the first.
    pub differences: Vec<Difference>,
}

/// Scores of one run on the common images.
#[derive(Debug, Clone, Serialize)]
pub struct RunScores {
    /// The run as given.
    pub run: String,
    /// The cache that it was trained on, as in `run.json`.
    pub cache: String,
    /// The backbone of its features.
    pub backbone: String,
    /// The layer of its features.
    pub layer: String,
    /// Settings of its fit, as in `run.json`.
    pub config: SolverConfig,
    /// Whether L-BFGS reached the optimum; `None` for Adam, and in runs of older versions.
    pub converged: Option<bool>,
    /// Variants it was trained on.
    pub variants: Vec<String>,
    /// Fraction of correct answers.
    pub accuracy: f64,
    /// 95 % Wilson interval of the accuracy.
    pub interval: [f64; 2],
    /// Mean F1 over the classes that occur.
    pub macro_f1: Option<f64>,
    /// All epochs of its fit; a single one for L-BFGS.
    pub history: Vec<Epoch>,
    /// The epoch that was kept, from 1.
    pub best_epoch: usize,
}

/// Difference of one run from the first.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The run.
    pub run: String,
    /// The first run.
    pub against: String,
    /// Accuracy of the run minus that of the first.
    pub difference: f64,
    /// 95 % interval of the difference of paired proportions (Newcombe's method 10).
    pub interval: [f64; 2],
    /// Number of images that only this run classifies correctly.
    pub only_run: usize,
    /// Number of images that only the first run classifies correctly.
    pub only_first: usize,
    /// Two-sided p value of McNemar's exact test for this pair alone.
    pub p_value: f64,
    /// Its mid-p value, which is less conservative.
    pub mid_p_value: f64,
    /// The exact p value adjusted by Holm's method for all runs that are compared with the first.
    pub holm_p_value: f64,
    /// Macro F1 of the run minus that of the first, over the classes of both.
    pub macro_f1_difference: Option<f64>,
    /// The 95 % interval of that difference, by the delta method for paired images.
    pub macro_f1_interval: Option<[f64; 2]>,
}

/// Compares runs on the images that are in the split of every one of them, variant `none`.
///
/// # Errors
/// [`Kind::Usage`] for fewer than two runs or the train split, [`Kind::Run`] when a run is missing or damaged, the
/// runs have no image in common or label the same image differently.
pub fn compare(config: &CompareConfig) -> Result<CompareStats> {
    run::check_split(config.split)?;
    let loaded: Vec<LoadedRun> =
        config.runs.iter().map(|run| LoadedRun::open(run, config.split)).collect::<Result<_>>()?;
    let Some((first, others @ [_, ..])) = loaded.split_first() else {
        return Err(Error::new(Kind::Usage, "there is nothing to compare").help("give two runs or more"));
    };
    let common: Vec<&Digest> =
        first.rows.keys().filter(|hash| others.iter().all(|run| run.rows.contains_key(*hash))).collect();
    if common.is_empty() {
        return Err(Error::new(Kind::Run, format!("the runs have no {} image in common", config.split))
            .at(&first.path)
            .help("compare runs that were trained from one cache with one split"));
    }
    for run in others {
        run.check_labels(first, &common)?;
    }
    let all: BTreeSet<&Digest> = loaded.iter().flat_map(|run| run.rows.keys()).collect();
    Ok(CompareStats {
        split: config.split,
        images: common.len(),
        left_out: all.len() - common.len(),
        runs: loaded.iter().map(|run| run.scores(&common)).collect::<Result<_>>()?,
        differences: adjusted(others.iter().map(|run| run.difference_from(first, &common)).collect()),
    })
}

/// Fills in the adjusted p values.
fn adjusted(mut differences: Vec<Difference>) -> Vec<Difference> {
    let p_values: Vec<f64> = differences.iter().map(|difference| difference.p_value).collect();
    for (difference, p_value) in differences.iter_mut().zip(metrics::holm_adjusted(&p_values)) {
        difference.holm_p_value = p_value;
    }
    differences
}

impl CompareStats {
    /// The solver of the run at index `run`, with those of its settings in which the runs that have them differ.
    pub fn solver_and_settings(&self, run: usize) -> String {
        let all = self.settings();
        let name = fit_settings::names(&all.iter().collect::<Vec<_>>(), true).swap_remove(run);
        let mark = if self.runs[run].converged == Some(false) { " (not converged)" } else { "" };
        format!("{name}{mark}")
    }

    /// The settings that all runs share, and those that all runs of a solver share, as text.
    pub fn shared_settings(&self) -> Vec<String> {
        fit_settings::shared(&self.settings().iter().collect::<Vec<_>>())
    }

    fn settings(&self) -> Vec<Settings> {
        self.runs.iter().map(|run| settings(&run.config)).collect()
    }

    /// What all runs have in common of `get`; `None` where they differ.
    pub fn shared<'a>(&'a self, get: impl Fn(&'a RunScores) -> &'a str) -> Option<&'a str> {
        let first = get(self.runs.first()?);
        self.runs.iter().all(|run| get(run) == first).then_some(first)
    }
}

impl RunScores {
    /// Families of the variants it was trained on, without repetition, separated by commas.
    pub fn variant_families(&self) -> String {
        families(&self.variants)
    }
}

/// Record of a run, and its predictions of one split by image.
struct LoadedRun {
    path: PathBuf,
    record: Record,
    rows: BTreeMap<Digest, Prediction>,
}

impl LoadedRun {
    fn open(path: &Path, split: Split) -> Result<Self> {
        let run = StoredRun::open(path)?;
        let rows = run
            .predictions()?
            .into_iter()
            .filter(|row| row.split == split && row.variant == Variant::None)
            .map(|row| (row.image_sha256, row))
            .collect();
        Ok(Self { path: path.to_path_buf(), record: run.record().clone(), rows })
    }

    fn check_labels(&self, first: &Self, common: &[&Digest]) -> Result<()> {
        match common.iter().find(|hash| self.rows[**hash].label != first.rows[**hash].label) {
            None => Ok(()),
            Some(hash) => {
                let (here, there) = (&self.rows[*hash], &first.rows[*hash].label);
                let message =
                    format!("{} is {:?} here and {there:?} in the first run", here.path, here.label);
                Err(Error::new(Kind::Run, message).at(&self.path).help("train again after relabelling"))
            }
        }
    }

    /// Whether the run classifies each of `common` correctly.
    fn correct<'a>(&'a self, common: &'a [&Digest]) -> impl Iterator<Item = bool> + 'a {
        common.iter().map(|hash| &self.rows[*hash]).map(|row| row.label == row.predicted)
    }

    /// Names of the labels and of the predicted classes of `common`, with repetitions.
    fn labels<'a>(&'a self, common: &'a [&Digest]) -> impl Iterator<Item = &'a str> + 'a {
        common
            .iter()
            .map(|hash| &self.rows[*hash])
            .flat_map(|row| [row.label.as_str(), row.predicted.as_str()])
    }

    /// Labels and predictions of `common` as indices of the sorted `names`.
    fn labelled(&self, common: &[&Digest], names: &[&str]) -> Vec<LabelledPrediction> {
        let index = |name: &String| names.partition_point(|other| *other < name.as_str());
        let rows = common.iter().map(|hash| &self.rows[*hash]);
        rows.map(|row| LabelledPrediction { truth: index(&row.label), predicted: index(&row.predicted) })
            .collect()
    }

    fn scores(&self, common: &[&Digest]) -> Result<RunScores> {
        let names = self.record.class_names();
        let index = |name: &String| run::class_index(&self.path, &names, name);
        let rows = || common.iter().map(|hash| &self.rows[*hash]);
        let truth: Vec<usize> = rows().map(|row| index(&row.label)).collect::<Result<_>>()?;
        let predicted: Vec<usize> = rows().map(|row| index(&row.predicted)).collect::<Result<_>>()?;
        let confusion = metrics::confusion(&truth, &predicted, names.len());
        let correct = self.correct(common).filter(|correct| *correct).count();
        Ok(RunScores {
            run: self.path.display().to_string(),
            cache: self.record.cache.clone(),
            backbone: self.record.spec.backbone.name.clone(),
            layer: self.record.spec.layer.clone(),
            config: self.record.config.clone(),
            converged: self.record.convergence.map(|convergence| convergence.is_optimum()),
            variants: self.record.variants.clone(),
            accuracy: correct as f64 / common.len() as f64,
            interval: metrics::wilson_interval(correct, common.len()).unwrap_or([0.0, 1.0]),
            macro_f1: metrics::macro_f1(&metrics::class_scores(&names, &confusion)),
            history: self.record.history.clone(),
            best_epoch: self.record.best_epoch,
        })
    }

    fn difference_from(&self, first: &Self, common: &[&Digest]) -> Difference {
        let counts = PairedCounts::count(self.correct(common), first.correct(common));
        let p_value = metrics::mcnemar_p_value(&counts);
        let names: Vec<&str> =
            self.labels(common).chain(first.labels(common)).collect::<BTreeSet<_>>().into_iter().collect();
        let rows = |run: &Self| run.labelled(common, &names);
        let f1 = metrics::paired_macro_f1_difference(&rows(self), &rows(first), names.len());
        Difference {
            run: self.path.display().to_string(),
            against: first.path.display().to_string(),
            difference: counts.difference().unwrap_or(0.0),
            interval: metrics::paired_difference_interval(&counts).unwrap_or([-1.0, 1.0]),
            only_run: counts.only_first,
            only_first: counts.only_second,
            p_value,
            mid_p_value: metrics::mcnemar_mid_p_value(&counts),
            holm_p_value: p_value,
            macro_f1_difference: f1.map(|(difference, _)| difference),
            macro_f1_interval: f1.map(|(_, interval)| interval),
        }
    }
}
