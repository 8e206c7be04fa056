//! Checks of a training set that some fits need and others do without.

use super::split_rows::SplitRows;
use super::training_set::TrainingSet;
use crate::data::dataset::Split;
use crate::error::{Error, Kind, Result};

impl TrainingSet {
    /// Checks that every class has a train row: without one, L-BFGS has no optimum.
    ///
    /// # Errors
    /// [`Kind::Input`] naming the first class without one.
    pub(super) fn check_classes(&self, splits: &SplitRows) -> Result<()> {
        let counts = splits.train.class_counts(self.classes().len());
        match counts.iter().position(|&count| count == 0) {
            None => Ok(()),
            Some(class) => {
                let message =
                    format!("the class {:?} has no images in the train split", self.classes()[class]);
                Err(Error::new(Kind::Input, message).at(self.path()).help(self.remedy_for(
                    Split::Train,
                    "add images of the class, or run `extract` with a larger train share",
                )))
            }
        }
    }

    /// Checks that there are validation images, for fits that cannot choose their epochs otherwise.
    ///
    /// # Errors
    /// [`Kind::Input`] when there are none.
    pub(crate) fn require_validation(&self, splits: &SplitRows) -> Result<()> {
        let of = splits.resplit.map_or(String::new(), |resplit| format!(" of {resplit}"));
        match splits.validation.keys.is_empty() {
            false => Ok(()),
            true => Err(Error::new(
                Kind::Input,
                format!("the validation split{of} is empty, and early stopping needs it"),
            )
            .at(self.path())
            .help(self.remedy_for(
                Split::Validation,
                "run `extract` with a larger validation share, such as `split` 60/15/25, or add images",
            ))),
        }
    }

    /// Says how `split` gets images: `by_rule` where no split is fixed.
    pub(super) fn remedy_for(&self, split: Split, by_rule: &str) -> String {
        match self.samples().has_fixed_splits() {
            true => format!("{}; then run `extract` again", self.samples().remedy_for(split)),
            false => by_rule.into(),
        }
    }

    /// Checks that a train image has a weight above 0: without one nothing is learned.
    ///
    /// # Errors
    /// [`Kind::Input`] where all weights are 0.
    pub(super) fn require_some_weight(&self, splits: &SplitRows) -> Result<()> {
        if !self.samples().has_weights() {
            return Ok(());
        }
        let samples = self.samples().by_digest();
        let counts = |image| samples.get(&image).is_none_or(|sample| sample.file.weight.get() > 0.0);
        match splits.train.keys.is_empty() || splits.train.images().any(counts) {
            true => Ok(()),
            false => Err(Error::new(
                Kind::Input,
                "all train images have the weight 0, from which nothing is learned",
            )
            .at(self.path())
            .help("give the images that count a weight above 0 in the manifest, then `extract` it")),
        }
    }

    /// Checks that all rows have the weight 1, for fits that know no other.
    ///
    /// # Errors
    /// [`Kind::Usage`] where one has another.
    pub(super) fn require_equal_weights(&self) -> Result<()> {
        match self.samples().has_weights() {
            false => Ok(()),
            true => {
                let message = "its images have weights, which only `solver` adam knows, with `features` f32 and without `memory`";
                let help = "train so, or `extract` a manifest without the column of weights";
                Err(Error::new(Kind::Usage, message).at(self.path()).help(help))
            }
        }
    }
}
