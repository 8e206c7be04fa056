//! Runs side by side on the images that all of them hold out: one table, and for each run the difference from the
//! first; as a page with their curves, where that is asked for.

mod sheet;

use crate::augment::Variant;
use crate::dataset::Split;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::head::{Epoch, SolverConfig};
use crate::metrics::{self, PairedCounts};
use crate::places::{Places, Written};
use crate::run::{self, Prediction, Record};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What `compare` was asked for.
#[derive(Debug, Clone)]
pub struct CompareConfig {
    /// Two runs or more; the others are compared with the first.
    pub runs: Vec<PathBuf>,
    /// Validation or test.
    pub split: Split,
    /// Where a page about them goes, if anywhere.
    pub page: Option<Places>,
}

/// Runs beside each other. Fractions are 0 to 1.
#[derive(Debug, Clone, Serialize)]
pub struct CompareStats {
    /// The split.
    pub split: Split,
    /// Images that are in that split of every run; all figures are of these.
    pub images: usize,
    /// Images that are in that split of some runs only, and were left out.
    pub left_out: usize,
    /// In the order given.
    pub runs: Vec<Compared>,
    /// Each run but the first against the first.
    pub differences: Vec<Difference>,
    /// The page, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<Written>,
}

/// One run on the common images.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// As given.
    pub run: String,
    /// Settings of its fit, as in `run.json`.
    pub config: SolverConfig,
    /// Variants it was trained on.
    pub variants: Vec<String>,
    /// Share of right answers.
    pub accuracy: f64,
    /// Its 95 % Wilson interval.
    pub interval: [f64; 2],
    /// Mean F1 over the classes that occur.
    pub macro_f1: Option<f64>,
    /// All epochs of its fit; one for L-BFGS.
    pub history: Vec<Epoch>,
    /// The epoch that was kept, from 1.
    pub best_epoch: usize,
}

/// One run against the first.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The run.
    pub run: String,
    /// The first.
    pub against: String,
    /// Accuracy of the run less that of the first.
    pub difference: f64,
    /// Its 95 % interval for paired shares (Newcombe's method 10).
    pub interval: [f64; 2],
    /// Images that only this run has right.
    pub only_run: usize,
    /// Images that only the first has right.
    pub only_first: usize,
    /// Two-sided p value of McNemar's exact test, of this pair alone.
    pub p_value: f64,
}

/// Compares runs on the images that are in the split of every one of them, variant `none`.
///
/// # Errors
/// [`Kind::Usage`] for fewer than two runs or the train split, [`Kind::Run`] when a run is missing or damaged, the
/// runs have no image in common, or name the same image differently. With a page, those of [`Places`] too.
pub fn compare(config: &CompareConfig) -> Result<CompareStats> {
    if config.runs.len() < 2 {
        return Err(Error::new(Kind::Usage, "there is nothing to compare").help("give two runs or more"));
    }
    run::check_split(config.split)?;
    if let Some(places) = &config.page {
        for run in &config.runs {
            places.check_beside(Path::new(&run::read_record(run)?.cache))?;
        }
    }
    let loaded: Vec<Loaded> =
        config.runs.iter().map(|run| Loaded::open(run, config.split)).collect::<Result<_>>()?;
    let (first, others) = loaded.split_first().expect("two runs or more");
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
    let mut stats = CompareStats {
        split: config.split,
        images: common.len(),
        left_out: all.len() - common.len(),
        runs: loaded.iter().map(|run| run.scores(&common)).collect::<Result<_>>()?,
        differences: others.iter().map(|run| run.against(first, &common)).collect(),
        page: None,
    };
    if let Some(places) = &config.page {
        stats.page = Some(places.write(&sheet::made(&stats))?);
    }
    Ok(stats)
}

impl CompareStats {
    /// The solver of a run, and those of its settings in which the runs of that solver differ.
    pub fn fitted_by(&self, at: usize) -> String {
        let of = |config: &SolverConfig| match serde_json::to_value(config) {
            Ok(serde_json::Value::Object(settings)) => settings,
            _ => serde_json::Map::new(),
        };
        let own = of(&self.runs[at].config);
        let alike: Vec<_> =
            self.runs.iter().map(|run| of(&run.config)).filter(|o| o["solver"] == own["solver"]).collect();
        let differs = |name: &str| alike.iter().any(|other| other[name] != own[name]);
        let told =
            own.iter().filter(|(name, _)| differs(name)).map(|(name, value)| format!(", {name} {value}"));
        format!("{}{}", self.runs[at].config.name(), told.collect::<String>())
    }
}

impl Compared {
    /// The families of its variants, each once.
    pub fn families(&self) -> String {
        let mut names: Vec<&str> =
            self.variants.iter().map(|variant| variant.split(':').next().unwrap_or(variant)).collect();
        names.dedup();
        names.join(",")
    }
}

/// A run's record and its predictions by image.
struct Loaded {
    path: PathBuf,
    record: Record,
    rows: BTreeMap<Digest, Prediction>,
}

impl Loaded {
    fn open(path: &Path, split: Split) -> Result<Self> {
        let record = run::read_record(path)?;
        let rows = run::read_predictions(path)?
            .into_iter()
            .filter(|row| row.split == split && row.variant == Variant::None)
            .map(|row| (row.image_sha256, row))
            .collect();
        Ok(Self { path: path.to_path_buf(), record, rows })
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

    fn right<'a>(&'a self, common: &'a [&Digest]) -> impl Iterator<Item = bool> + 'a {
        common.iter().map(|hash| &self.rows[*hash]).map(|row| row.label == row.predicted)
    }

    fn scores(&self, common: &[&Digest]) -> Result<Compared> {
        let names = self.record.class_names();
        let index = |name: &String| run::class_index(&self.path, &names, name);
        let rows = || common.iter().map(|hash| &self.rows[*hash]);
        let truth: Vec<usize> = rows().map(|row| index(&row.label)).collect::<Result<_>>()?;
        let predicted: Vec<usize> = rows().map(|row| index(&row.predicted)).collect::<Result<_>>()?;
        let confusion = metrics::confusion(&truth, &predicted, names.len());
        let right = self.right(common).filter(|right| *right).count();
        Ok(Compared {
            run: self.path.display().to_string(),
            config: self.record.config.clone(),
            variants: self.record.variants.clone(),
            accuracy: right as f64 / common.len() as f64,
            interval: metrics::wilson_interval(right, common.len()).unwrap_or([0.0, 1.0]),
            macro_f1: metrics::macro_f1(&metrics::class_scores(&names, &confusion)),
            history: self.record.history.clone(),
            best_epoch: self.record.best_epoch,
        })
    }

    fn against(&self, first: &Self, common: &[&Digest]) -> Difference {
        let counts = PairedCounts::count(self.right(common), first.right(common));
        Difference {
            run: self.path.display().to_string(),
            against: first.path.display().to_string(),
            difference: counts.difference().unwrap_or(0.0),
            interval: metrics::paired_difference_interval(&counts).unwrap_or([-1.0, 1.0]),
            only_run: counts.only_first,
            only_first: counts.only_second,
            p_value: metrics::mcnemar_p_value(&counts),
        }
    }
}
