//! One of several runs: its settings without its seeds, and its answers.

use crate::data::augment::Variant;
use crate::data::dataset::{Resplit, Split};
use crate::error::{Error, Kind, Result};
use crate::evaluate::fit_settings::{Settings, families, settings};
use crate::head::SolverConfig;
use crate::io::digest::Digest;
use crate::io::json;
use crate::metrics::{self, ClassScore, SplitAnswers};
use crate::run::{self, Record, StoredRun};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Scores of one run.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct MemberScores {
    /// The run.
    pub run: PathBuf,
    /// Position of its setting in [`MembersStats::settings`](super::MembersStats::settings).
    pub setting: usize,
    /// Splits that replace those of the cache.
    #[serde(rename = "division")]
    pub resplit: Option<Resplit>,
    /// Seed of the first weights; `None` for L-BFGS.
    pub seed: Option<u64>,
    /// Number of images in the split.
    pub images: usize,
    /// Share of correct answers.
    pub accuracy: f64,
    /// Its 95 % interval (Wilson).
    pub interval: [f64; 2],
    /// Mean F1 over the classes that occur.
    pub macro_f1: Option<f64>,
}

/// A run of which several are summed up.
pub(super) struct Member {
    run: PathBuf,
    /// What makes it a repeat of another run: settings of the fit without seeds, its features, its start.
    pub settings: Settings,
    pub resplit: Option<Resplit>,
    pub seed: Option<u64>,
    pub classes: Vec<String>,
    /// Counts, `[truth][predicted]`.
    pub confusion: Vec<Vec<usize>>,
    /// The images of the split, in the order of their digests.
    images: Vec<Digest>,
    /// Whether the run answers each of them correctly.
    correct: Vec<bool>,
    train_images: usize,
    /// Number of images of all splits.
    all_images: usize,
}

impl Member {
    pub fn open(path: &Path, split: Split) -> Result<Self> {
        let stored = StoredRun::open(path)?;
        let record = stored.record();
        let classes = record.class_names();
        let (mut images, mut truth, mut predicted) = (Vec::new(), Vec::new(), Vec::new());
        let rows = stored.predictions()?;
        for row in rows.iter().filter(|row| row.split == split && row.variant == Variant::None) {
            images.push(row.image_sha256);
            truth.push(run::class_index(path, &classes, &row.label)?);
            predicted.push(run::class_index(path, &classes, &row.predicted)?);
        }
        if images.is_empty() {
            return Err(Error::new(Kind::Run, format!("its {split} split has no images"))
                .at(path)
                .help("`extract` with another `split`, then train again"));
        }
        let sum = |of: fn(&run::ClassCount) -> usize| record.classes.iter().map(of).sum::<usize>();
        let seed = match &record.config {
            SolverConfig::Adam(config) => Some(config.seed),
            _ => None,
        };
        Ok(Self {
            run: path.to_path_buf(),
            settings: without_seeds(record),
            resplit: record.resplit,
            seed,
            confusion: metrics::confusion(&truth, &predicted, classes.len()),
            correct: truth.iter().zip(&predicted).map(|(truth, predicted)| truth == predicted).collect(),
            train_images: sum(|class| class.train),
            all_images: sum(|class| class.train + class.validation + class.test),
            classes,
            images,
        })
    }

    /// Whether another run is scored on the same images, and was fitted to the same split.
    pub fn has_split_of(&self, other: &Self) -> bool {
        self.resplit == other.resplit && self.images == other.images
    }

    pub fn accuracy(&self) -> f64 {
        self.number_correct() as f64 / self.correct.len() as f64
    }

    fn number_correct(&self) -> usize {
        self.correct.iter().filter(|correct| **correct).count()
    }

    pub fn class_scores(&self) -> Vec<ClassScore> {
        metrics::class_scores(&self.classes, &self.confusion)
    }

    /// The answers of runs that share a split.
    pub fn answers<'a>(split: &[&'a Self]) -> SplitAnswers<'a> {
        SplitAnswers {
            correct: split.iter().map(|member| member.correct.as_slice()).collect(),
            train_images: split[0].train_images,
            images: split[0].all_images,
        }
    }

    pub fn scores(&self, setting: usize) -> MemberScores {
        let images = self.images.len();
        MemberScores {
            run: self.run.clone(),
            setting,
            resplit: self.resplit,
            seed: self.seed,
            images,
            accuracy: self.accuracy(),
            interval: metrics::wilson_interval(self.number_correct(), images).unwrap_or([0.0, 1.0]),
            macro_f1: metrics::macro_f1(&self.class_scores()),
        }
    }
}

/// The settings by which a run is told from its repeats. Settings that folds within the train images chose may differ from split
/// to split: how they were chosen is then the setting.
fn without_seeds(record: &Record) -> Settings {
    let mut all = settings(&record.config);
    if record.selection.is_some() {
        all.retain(|name, _| name == "solver");
    }
    let chosen = record.selection.is_some().then_some("chosen by folds");
    all.insert("settings".into(), chosen.into());
    all.retain(|name, _| name != "seed" && name != "shuffle_seed");
    all.insert("use".into(), families(&record.variants).into());
    all.insert("backbone".into(), record.spec.backbone.name.clone().into());
    all.insert("layer".into(), record.spec.layer.clone().into());
    all.insert("preprocessing".into(), json::to_value(&record.spec.preprocessing));
    all.insert("init".into(), record.init.clone().into());
    all
}
