//! Stratified folds within the train images. They choose among settings, and stand in for a validation split that is missing:
//! they choose the number of epochs, and calibrate temperature and rejection. The head itself is then fitted to all train
//! images.

use super::deal::{deal, units_per_class};
use super::fit_context::FitContext;
use super::selection::{FoldScores, HeldOutScore};
use super::solvers::{FittedHead, OnEpoch, fit_heads};
use super::split_rows::{RowSelection, SplitRows};
use super::warm_start::WarmStart;
use crate::data::augment::Variant;
use crate::error::{Error, Kind, Result};
use crate::head::{FitConfig, SolverConfig};
use crate::io::digest::Digest;
use crate::run::{FoldScore, Prediction};

/// Folds, where each class has as many images.
const FOLDS: usize = 5;

/// Train images up to which they are dealt to folds several times, with the number of times. Scores over more images vary less
/// from deal to deal.
const REPEATS: [(usize, usize); 2] = [(300, 4), (1000, 2)];

/// The folds of the train images of one assignment of splits. In each, the other folds are the train split, and the fold
/// itself, as its images are, is the validation split.
#[derive(Debug)]
pub(crate) struct InnerFolds {
    splits: Vec<SplitRows>,
    per_repeat: usize,
}

/// Answers for the train images, each by a head that was fitted without it.
#[derive(Debug)]
pub(crate) struct OutOfFold {
    /// In the order of the folds.
    pub predictions: Vec<Prediction>,
    /// Distances from the classes, for rejection (cross-conformal prediction, Vovk 2015).
    pub distances: Vec<f32>,
    /// Of each fold, with Adam.
    best_epochs: Vec<usize>,
    pub score: FoldScore,
    /// Of each fold.
    pub fold_scores: FoldScores,
}

impl InnerFolds {
    /// Deals the train images of each of `classes` to folds, in the order of their digests. There are five folds, or as many
    /// as the smallest class has train images. The images of a group are in one fold.
    ///
    /// # Errors
    /// [`Kind::Input`] when a class has fewer than two train images.
    pub fn of(splits: &SplitRows, classes: &[String]) -> Result<Self> {
        Self::repeated(splits, classes, 1)
    }

    /// Deals the train images as [`InnerFolds::of`] does, and `repeats - 1` times more in other orders, each of which follows
    /// from its number.
    ///
    /// # Errors
    /// Those of [`InnerFolds::of`].
    pub fn repeated(splits: &SplitRows, classes: &[String], repeats: usize) -> Result<Self> {
        let counts = units_per_class(splits, classes.len());
        if let Some(class) = counts.iter().position(|&units| units < 2) {
            let units = match (counts[class], splits.groups.is_empty()) {
                (0, _) => "no image",
                (_, true) => "one image",
                (_, false) => "one group or single image",
            };
            let message = format!(
                "the class {:?} has {units} in the train split, and folds within it need two",
                classes[class]
            );
            return Err(Error::new(Kind::Input, message).help("add images of the class"));
        }
        let folds = counts.iter().copied().min().unwrap_or(2).min(FOLDS);
        let mut all = Vec::with_capacity(repeats * folds);
        for repeat in 0..repeats {
            let fold_of = deal(splits, folds, repeat);
            all.extend((0..folds).map(|fold| inner(splits, |image| fold_of[image] == fold)));
        }
        Ok(Self { splits: all, per_repeat: folds })
    }

    /// How many times the train images of `splits` are dealt where candidates are compared.
    pub fn repeats(splits: &SplitRows) -> usize {
        let mut images: Vec<_> = splits.train.images().collect();
        images.dedup();
        REPEATS.iter().find(|(most, _)| images.len() <= *most).map_or(1, |(_, repeats)| *repeats)
    }

    /// Number of folds, over all repeats.
    pub fn len(&self) -> usize {
        self.splits.len()
    }

    /// Number of folds of one repeat.
    pub fn per_repeat(&self) -> usize {
        self.per_repeat
    }

    /// The splits of each fold.
    pub fn splits(&self) -> Vec<&SplitRows> {
        self.splits.iter().collect()
    }

    /// Fits heads to all train rows of `context`, where the folds choose the number of epochs of Adam. Returns each with the
    /// answers of the folds.
    ///
    /// # Errors
    /// Those of [`fit_heads`].
    pub fn fit_heads(
        &self,
        context: FitContext,
        settings: &[SolverConfig],
        warm_start: Option<&WarmStart>,
        on_epoch: &mut OnEpoch,
    ) -> Result<Vec<(FittedHead, OutOfFold)>> {
        let answers = self.answers(context, settings, warm_start)?;
        let chosen = settings.iter().zip(&answers);
        let chosen: Vec<SolverConfig> =
            chosen.map(|(settings, answers)| with_epochs(settings, &answers.best_epochs)).collect();
        let heads = fit_heads(context, &chosen, warm_start, on_epoch)?;
        Ok(heads.into_iter().zip(answers).collect())
    }

    /// Answers the train images of `context`, fold by fold, with a head for each of `settings`.
    ///
    /// # Errors
    /// Those of [`fit_heads`].
    pub fn answers(
        &self,
        context: FitContext,
        settings: &[SolverConfig],
        warm_start: Option<&WarmStart>,
    ) -> Result<Vec<OutOfFold>> {
        let mut all: Vec<OutOfFold> = settings.iter().map(|_| OutOfFold::empty(self.len())).collect();
        for splits in self.splits() {
            let context = FitContext { splits, ..context };
            let distances = context.measure().validation;
            let heads = fit_heads(context, settings, warm_start, &mut |_, _, _| {})?;
            for (answers, head) in all.iter_mut().zip(heads) {
                // A head that fails here is left out; whether the head of all rows fails is found out with it.
                let Ok(fitted) = head.fitted else {
                    answers.fold_scores.push(None);
                    continue;
                };
                answers.best_epochs.push(fitted.best_epoch);
                answers.extend(context.predict_held_out(&fitted.head), context.set.classes());
                answers.distances.extend(&distances);
            }
        }
        Ok(all)
    }
}

/// The settings with the median of the folds' best epochs as the number of epochs. L-BFGS has none.
fn with_epochs(settings: &SolverConfig, best: &[usize]) -> SolverConfig {
    let mut best = best.to_vec();
    best.sort_unstable();
    match (settings, best.get(best.len() / 2)) {
        (SolverConfig::Adam(config), Some(&epochs)) => {
            SolverConfig::Adam(FitConfig { epochs, ..config.clone() })
        }
        _ => settings.clone(),
    }
}

/// The splits of one fold, to which the images belong for which `is_held_out` holds.
fn inner(splits: &SplitRows, is_held_out: impl Fn(&Digest) -> bool) -> SplitRows {
    let has_plain = splits.variants.contains(&Variant::None);
    let (mut train, mut validation) = (RowSelection::default(), RowSelection::default());
    for (key, &target) in splits.train.keys.iter().zip(&splits.train.targets) {
        let part = match is_held_out(&key.image_sha256) {
            true if has_plain && key.variant != Variant::None => continue,
            true => &mut validation,
            false => &mut train,
        };
        part.keys.push(*key);
        part.targets.push(target);
    }
    SplitRows {
        resplit: splits.resplit,
        variants: splits.variants.clone(),
        groups: splits.groups.clone(),
        train,
        validation,
        test: RowSelection::default(),
        validation_variants: RowSelection::default(),
        test_variants: RowSelection::default(),
    }
}

impl OutOfFold {
    fn empty(folds: usize) -> Self {
        Self {
            predictions: Vec::new(),
            distances: Vec::new(),
            best_epochs: Vec::new(),
            score: FoldScore { folds, images: 0, loss: 0.0, accuracy: 0.0 },
            fold_scores: Vec::with_capacity(folds),
        }
    }

    /// Adds the predictions of one fold.
    fn extend(&mut self, predictions: Vec<Prediction>, classes: &[String]) {
        let fold = score(&predictions, classes);
        let FoldScore { images, loss, accuracy, .. } = &mut self.score;
        let total = (*images + fold.images).max(1) as f64;
        *loss = (*images as f64 * *loss + fold.images as f64 * fold.loss) / total;
        *accuracy = (*images as f64 * *accuracy + fold.images as f64 * fold.accuracy) / total;
        *images += fold.images;
        self.fold_scores.push(Some(fold));
        self.predictions.extend(predictions);
    }
}

fn score(predictions: &[Prediction], classes: &[String]) -> HeldOutScore {
    let images = predictions.len();
    let correct = predictions.iter().filter(|row| row.label == row.predicted).count();
    let loss = |row: &Prediction| -f64::from(row.of_label(classes)).max(f64::MIN_POSITIVE).ln();
    let loss: f64 = predictions.iter().map(loss).sum();
    let n = images.max(1) as f64;
    HeldOutScore { images, loss: loss / n, accuracy: correct as f64 / n }
}
