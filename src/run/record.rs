//! The content of `run.json`: settings, classes and history of a run.

use super::selection::Selection;
use crate::cache::Spec;
use crate::data::dataset::Resplit;
use crate::error::{Error, Kind, Result};
use crate::head::decision::{Decider, Decision};
use crate::head::{Convergence, Epoch, FeatureFormat, SolverConfig};
use crate::io::json;
use crate::metrics::Temperature;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::Path;

/// The version of the files in a run.
pub const SCHEMA: &str = "run-v1";
/// The version of the files in a run on images with several labels.
pub const MULTI_LABEL_SCHEMA: &str = "run-v2";

/// The content of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of the files: [`SCHEMA`] or [`MULTI_LABEL_SCHEMA`].
    pub schema: String,
    /// Version of the tool that wrote the run.
    pub version: String,
    /// Start of the run, a Unix time in seconds.
    pub time: u64,
    /// Absolute path of the cache.
    pub cache: String,
    /// What the features are.
    pub spec: Spec,
    /// The classes, in the order of their indices; the labels where images have several.
    pub classes: Vec<ClassCount>,
    /// Settings of the fit.
    #[serde(deserialize_with = "solver_or_adam")]
    pub config: SolverConfig,
    /// The assignment of splits, where it differs from the cache's own.
    #[serde(rename = "division", default, skip_serializing_if = "Option::is_none")]
    pub resplit: Option<Resplit>,
    /// Limit on memory for features in bytes, where one was set. The train rows were then read in blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// How the train rows were held in memory during the fit.
    #[serde(default, skip_serializing_if = "is_f32")]
    pub features: FeatureFormat,
    /// Variants of the train rows.
    pub variants: Vec<String>,
    /// Number of train rows.
    pub train_rows: usize,
    /// The run whose head the fit started from, if any.
    pub init: Option<String>,
    /// Loss and accuracy of every epoch.
    pub history: Vec<Epoch>,
    /// The epoch whose head was kept, from 1.
    pub best_epoch: usize,
    /// Wall time of the fit in seconds.
    pub seconds: f64,
    /// How near the optimum L-BFGS came. `None` for Adam, and in runs of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub convergence: Option<Convergence>,
    /// Score over the folds within the train images that stood in for a validation split. `None` where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner_folds: Option<FoldScore>,
    /// How the settings were chosen. `None` where they were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
    /// The temperature fitted to the validation images, or to the answers of the inner folds. `None` where they determine
    /// none, and in runs of older versions.
    #[serde(default)]
    pub temperature: Option<Temperature>,
    /// Pictures that are in two splits. `None` in runs of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_pictures: Option<SamePictures>,
    /// How an answer is decided. `None` where it is the most probable class, as in runs of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// How labels are answered, where images have several. `None` where each has one class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_label: Option<MultiLabel>,
}

/// How labels are answered where images have several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MultiLabel {
    /// The probability from which each label is answered, in the order of the classes: that of largest F1 on the validation images.
    pub thresholds: Vec<f64>,
}

impl MultiLabel {
    /// Whether each label is answered, for probabilities in the order of the classes.
    pub fn answers<'a>(&'a self, probabilities: &'a [f32]) -> impl Iterator<Item = bool> + 'a {
        self.thresholds.iter().zip(probabilities).map(|(threshold, &p)| f64::from(p) >= *threshold)
    }
}

fn is_f32(format: &FeatureFormat) -> bool {
    *format == FeatureFormat::F32
}

/// Score over folds of the train images, each answered by a head that was fitted without it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FoldScore {
    /// Number of folds.
    pub folds: usize,
    /// Number of images in them.
    pub images: usize,
    /// Mean cross entropy.
    pub loss: f64,
    /// Fraction of correct answers, 0 to 1.
    pub accuracy: f64,
}

/// Numbers of images whose features are equal to those of an image in another split, such as a picture that was saved anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamePictures {
    /// Validation images that are train images too.
    pub validation: usize,
    /// Test images that are train or validation images too.
    pub test: usize,
}

impl SamePictures {
    /// Says in a clause what they mean for the accuracy; `None` where there are none. `bound` stands before the numbers:
    /// nothing, or `up to `.
    pub fn remark(self, bound: &str) -> Option<String> {
        let Self { validation, test } = self;
        (validation + test > 0).then(|| {
            format!(
                "the same picture in two splits (cosine distance 0): {bound}{validation} validation and {test} test images, \
                 which raises the accuracy"
            )
        })
    }
}

impl Record {
    /// Names of the classes, in the order of their indices.
    pub fn class_names(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.name.clone()).collect()
    }

    /// The rule of decision, ready for the classes of the run; `None` where the most probable class is the answer. `run` is for
    /// messages.
    ///
    /// # Errors
    /// [`Kind::Run`] where the rule does not fit the classes, or is of a later version.
    pub fn decider(&self, run: &Path) -> Result<Option<Decider>> {
        let Some(decision) = &self.decision else { return Ok(None) };
        decision.decider(&self.class_names()).map(Some).ok_or_else(|| {
            let message =
                format!("its rule of decision, {}, is not one that this version reads", decision.schema);
            Error::new(Kind::Run, message).at(run).help("use the version that wrote the run, or train again")
        })
    }

    /// Decodes `run.json`; `path` is for messages.
    pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        let unreadable =
            || Error::new(Kind::Run, "not a record that this version reads").at(path).help("train again");
        let record: Self = json::decode(bytes).map_err(|e| unreadable().because(e))?;
        let own = if record.multi_label.is_some() { MULTI_LABEL_SCHEMA } else { SCHEMA };
        let thresholds = record.multi_label.as_ref().map(|own| own.thresholds.len());
        match record.schema == own && thresholds.is_none_or(|number| number == record.classes.len()) {
            true => Ok(record),
            false => Err(unreadable().because(format!("its schema is {}, not {own}", record.schema))),
        }
    }
}

/// Number of distinct images of one class in each split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// Name of the class.
    pub name: String,
    /// Images in the train split.
    pub train: usize,
    /// Images in the validation split.
    pub validation: usize,
    /// Images in the test split.
    pub test: usize,
}

/// Reads the settings of a fit. The oldest runs name no solver: Adam was the only one. Then `lbfgs` was that of linfa, which
/// has neither class weights nor standardization.
fn solver_or_adam<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<SolverConfig, D::Error> {
    let mut settings = serde_json::Map::deserialize(from)?;
    let solver = settings.entry("solver").or_insert_with(|| "adam".into());
    let is_of_linfa = solver == "lbfgs";
    if is_of_linfa && !settings.contains_key("standardize") {
        settings.insert("solver".into(), "lbfgs-linfa".into());
    }
    serde_json::from_value(settings.into()).map_err(serde::de::Error::custom)
}
