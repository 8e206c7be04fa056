//! The settings of a fit with Adam: as given, with their ranges, and checked.

use super::class_weights::ClassWeights;
use super::early_stopping::StopOn;
use super::schedule::Schedule;
use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Deserializer, Serialize};

/// The maximum number of epochs of a fit that ends by its patience alone: `auto`.
pub const AUTO_EPOCHS: usize = 10_000;

/// Settings of a fit with Adam, not checked yet.
///
/// | field | default | range |
/// |---|---|---|
/// | `lr` | 0.01 | above 0 |
/// | `batch` | 32 | 1 and up |
/// | `epochs` | 100 | 1 and up; settings as text may also say `auto`, for [`AUTO_EPOCHS`] |
/// | `patience` | 20 | 1 and up |
/// | `l2` | 0 | 0 and up |
/// | `seed` | 0 | any |
/// | `shuffle_seed` | `seed` | any |
/// | `min_delta` | 0 | 0 and up |
/// | `stop_on` | loss | loss, accuracy |
/// | `schedule` | constant | constant, linear, cosine |
/// | `label_smoothing` | 0 | 0 up to, not including, 1 |
/// | `class_weights` | none | none, balanced, or a number of at least 0 for some classes |
/// | `standardize` | no | yes, no |
/// | `patience_resets` | yes | yes, no |
/// | `shuffle` | yes | yes, no |
/// | `drop_last` | no | yes, no |
/// | `hidden` | 0 | 0 to 65,536 |
/// | `dropout` | 0 | 0 up to, not including, 1; needs `hidden` |
/// | `weight_decay` | 0 | 0 and up, at most 1 / `lr` |
///
/// ```
/// let mut settings = headstart::head::FitConfig::default();
/// settings.lr = 0.001;
/// settings.epochs = 50;
/// let params = settings.check()?;
/// # Ok::<(), headstart::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FitConfig {
    /// Learning rate of Adam.
    pub lr: f64,
    /// Rows per batch. The last batch of an epoch may be smaller.
    pub batch: usize,
    /// Maximum number of epochs.
    #[serde(deserialize_with = "number_or_auto")]
    pub epochs: usize,
    /// Epochs without an improvement on the validation rows after which the fit stops. They count in a row if
    /// `patience_resets` is on, else in all.
    pub patience: usize,
    /// L2 penalty: the loss is mean cross entropy + l2/2 times the squared weights, without the bias.
    pub l2: f64,
    /// Seed of the initial weights, and of the shuffling unless `shuffle_seed` is given.
    pub seed: u64,
    /// Seed of the shuffling. `None` takes `seed`.
    #[serde(default)]
    pub shuffle_seed: Option<u64>,
    /// Minimum improvement: the loss must fall, or the accuracy rise, by more than this.
    #[serde(default)]
    pub min_delta: f64,
    /// The measure on the validation rows that must improve.
    #[serde(default)]
    pub stop_on: StopOn,
    /// How the learning rate falls from step to step.
    #[serde(default)]
    pub schedule: Schedule,
    /// The share of each target that is spread evenly over all classes (Szegedy et al. 2016, section 7).
    #[serde(default)]
    pub label_smoothing: f64,
    /// How much the rows of each class count in the loss.
    #[serde(default)]
    pub class_weights: ClassWeights,
    /// Whether features are scaled to mean 0 and standard deviation 1 over the train rows. The scaling is folded into the
    /// head, which takes features as they are.
    #[serde(default)]
    pub standardize: bool,
    /// Whether an improvement resets the count of `patience`.
    #[serde(default = "yes")]
    pub patience_resets: bool,
    /// Whether rows are shuffled before each epoch. Otherwise they always keep the order of their keys.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// Whether an incomplete batch at the end of an epoch is dropped.
    #[serde(default)]
    pub drop_last: bool,
    /// Number of rectified units between features and classes; 0 for a head without a hidden layer.
    #[serde(default)]
    pub hidden: usize,
    /// The share of hidden units that each step leaves out (Srivastava et al. 2014). Scores and answers use all of them.
    #[serde(default)]
    pub dropout: f64,
    /// Decoupled weight decay (AdamW, Loshchilov and Hutter 2019): each step takes this share, times its learning rate, from
    /// every weight. Biases do not decay.
    #[serde(default)]
    pub weight_decay: f64,
}

/// The most hidden units of a head.
const MOST_HIDDEN: usize = 1 << 16;

fn yes() -> bool {
    true
}

/// Reads a number of epochs, or `auto`.
fn number_or_auto<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<usize, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Auto,
    }
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "invalid type: epochs must be a whole number, or auto")]
    enum Epochs {
        Number(usize),
        Word(Word),
    }
    Epochs::deserialize(from).map(|epochs| match epochs {
        Epochs::Number(number) => number,
        Epochs::Word(Word::Auto) => AUTO_EPOCHS,
    })
}

/// Checked settings of a fit with Adam.
#[derive(Debug, Clone)]
pub struct FitParams(FitConfig);

impl Default for FitConfig {
    fn default() -> Self {
        Self {
            lr: 0.01,
            batch: 32,
            epochs: 100,
            patience: 20,
            l2: 0.0,
            seed: 0,
            shuffle_seed: None,
            min_delta: 0.0,
            stop_on: StopOn::Loss,
            schedule: Schedule::Constant,
            label_smoothing: 0.0,
            class_weights: ClassWeights::Even,
            standardize: false,
            patience_resets: true,
            shuffle: true,
            drop_last: false,
            hidden: 0,
            dropout: 0.0,
            weight_decay: 0.0,
        }
    }
}

impl FitConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Kind::Usage`] if a value is out of range; the message names the field.
    pub fn check(self) -> Result<FitParams> {
        let checks = [
            (self.lr > 0.0 && self.lr.is_finite(), "`lr` must be a number above 0"),
            (self.batch >= 1, "`batch` must be at least 1"),
            (self.epochs >= 1, "`epochs` must be at least 1"),
            (self.patience >= 1, "`patience` must be at least 1"),
            (self.l2 >= 0.0 && self.l2.is_finite(), "`l2` must be a number of at least 0"),
            (
                self.min_delta >= 0.0 && self.min_delta.is_finite(),
                "`min_delta` must be a number of at least 0",
            ),
            (
                self.epochs != AUTO_EPOCHS || self.schedule == Schedule::Constant,
                "a `schedule` that is not constant is spread over all `epochs`, so it needs their number, not auto",
            ),
            (
                (0.0..1.0).contains(&self.label_smoothing),
                "`label_smoothing` must be a number of at least 0 and less than 1",
            ),
            (self.hidden <= MOST_HIDDEN, "`hidden` must be at most 65536"),
            ((0.0..1.0).contains(&self.dropout), "`dropout` must be a number of at least 0 and less than 1"),
            (
                self.dropout == 0.0 || self.hidden > 0,
                "`dropout` leaves out hidden units, so it needs `hidden` above 0",
            ),
            (
                self.weight_decay >= 0.0 && self.weight_decay * self.lr <= 1.0,
                "`weight_decay` must be a number of at least 0 and at most 1 / `lr`",
            ),
        ];
        match checks.iter().find(|(holds, _)| !holds) {
            Some((_, message)) => Err(Error::new(Kind::Usage, *message)),
            None => self.class_weights.check().map(|()| FitParams(self)),
        }
    }

    /// The seed of the shuffling: `shuffle_seed`, or `seed` if there is none.
    pub fn order_seed(&self) -> u64 {
        self.shuffle_seed.unwrap_or(self.seed)
    }
}

impl FitParams {
    /// The settings.
    pub fn settings(&self) -> &FitConfig {
        &self.0
    }

    /// Wraps settings that the caller has yet to check, for `linfa`, whose unchecked parameters must lend checked ones.
    pub(super) fn unchecked(config: FitConfig) -> Self {
        Self(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        let base = FitConfig::default;
        for (config, name) in [
            (FitConfig { lr: 0.0, ..base() }, "`lr`"),
            (FitConfig { lr: f64::NAN, ..base() }, "`lr`"),
            (FitConfig { batch: 0, ..base() }, "`batch`"),
            (FitConfig { epochs: 0, ..base() }, "`epochs`"),
            (FitConfig { patience: 0, ..base() }, "`patience`"),
            (FitConfig { l2: -1.0, ..base() }, "`l2`"),
            (FitConfig { min_delta: f64::NAN, ..base() }, "`min_delta`"),
            (FitConfig { label_smoothing: 1.0, ..base() }, "`label_smoothing`"),
            (FitConfig { hidden: 100_000, ..base() }, "`hidden`"),
            (FitConfig { hidden: 8, dropout: 1.0, ..base() }, "`dropout` must"),
            (FitConfig { dropout: 0.5, ..base() }, "`dropout` leaves"),
            (FitConfig { weight_decay: f64::NAN, ..base() }, "`weight_decay`"),
            (FitConfig { weight_decay: 101.0, ..base() }, "`weight_decay`"),
            (FitConfig { epochs: AUTO_EPOCHS, schedule: Schedule::Linear, ..base() }, "a `schedule`"),
            (
                FitConfig { class_weights: ClassWeights::Given([("a".into(), -1.0)].into()), ..base() },
                "`class_weights`",
            ),
        ] {
            assert!(config.check().unwrap_err().to_string().starts_with(name));
        }
    }

    #[test]
    fn settings_of_older_runs_are_read_with_the_defaults() {
        let old = r#"{"lr":0.01,"batch":32,"epochs":100,"patience":20,"l2":0.0,"seed":0}"#;
        assert_eq!(serde_json::from_str::<FitConfig>(old).unwrap(), FitConfig::default());
        let all = FitConfig {
            shuffle_seed: Some(3),
            schedule: Schedule::Cosine,
            class_weights: ClassWeights::Given([("a b".into(), 2.0)].into()),
            ..FitConfig::default()
        };
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<FitConfig>(&text).unwrap(), all);
        let auto = serde_json::from_str::<FitConfig>(&old.replace("100", "\"auto\"")).unwrap();
        assert_eq!(auto.epochs, AUTO_EPOCHS);
    }
}
