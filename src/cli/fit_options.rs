//! Options that `train` and `sweep` share: the settings of Adam, and folds.

use super::options::parse;
use crate::data::dataset::Resplit;
use crate::error::{Error, Kind, Result};
use crate::head::{ClassWeights, FitConfig, Schedule, StopOn};

/// Settings of Adam that are the same for every head of a command. An option that is left out keeps its default in
/// [`FitConfig`].
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Adam")]
pub(super) struct AdamOptions {
    /// Rows in a minibatch, 1 or more [default: 32]
    #[arg(long, allow_negative_numbers = true)]
    batch: Option<usize>,
    /// Stop after this many epochs in a row without an improvement, 1 or more [default: 20]
    #[arg(long, allow_negative_numbers = true)]
    patience: Option<usize>,
    /// An epoch is an improvement if the validation loss falls, or the accuracy rises, by more than this
    /// [default: 0]
    #[arg(long, value_name = "LEAST", allow_negative_numbers = true)]
    min_delta: Option<f64>,
    /// What has to improve and decides which epoch is kept: loss or accuracy, on the validation images [default: loss]
    #[arg(long, value_name = "WHAT", value_parser = parse::<StopOn>)]
    stop_on: Option<StopOn>,
    /// Learning rate schedule over all epochs: constant, linear or cosine [default: constant]
    #[arg(long, value_parser = parse::<Schedule>)]
    schedule: Option<Schedule>,
    /// Share of each target that is spread evenly over all classes, from 0 to below 1 [default: 0]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    label_smoothing: Option<f64>,
    /// Weight of each class in the loss: none, balanced, or numbers such as ant=2,bee=0.5; a class that is not named has
    /// weight 1, and a name with a comma stands in quotation marks [default: none]
    #[arg(long, value_name = "WEIGHTS", value_parser = parse::<ClassWeights>)]
    class_weights: Option<ClassWeights>,
    /// Standardize features to mean 0 and standard deviation 1 over the train rows; the saved head takes features as they
    /// are in the cache
    #[arg(long)]
    standardize: bool,
    /// Let --patience count all epochs without an improvement, not only those in a row
    #[arg(long)]
    total_patience: bool,
    /// Use the same order of rows in every epoch, that of their keys
    #[arg(long)]
    no_shuffle: bool,
    /// Leave out the last batch of an epoch if it is not full
    #[arg(long)]
    drop_last: bool,
    /// Seed of the order of rows [default: that of the initial weights in train, 0 in sweep]
    #[arg(long, value_name = "SEED", allow_negative_numbers = true)]
    shuffle_seed: Option<u64>,
}

impl AdamOptions {
    /// `base` with the options that were given.
    pub fn apply_to(&self, base: FitConfig) -> FitConfig {
        FitConfig {
            batch: self.batch.unwrap_or(base.batch),
            patience: self.patience.unwrap_or(base.patience),
            min_delta: self.min_delta.unwrap_or(base.min_delta),
            stop_on: self.stop_on.unwrap_or(base.stop_on),
            schedule: self.schedule.unwrap_or(base.schedule),
            label_smoothing: self.label_smoothing.unwrap_or(base.label_smoothing),
            class_weights: self.class_weights.clone().unwrap_or_else(|| base.class_weights.clone()),
            standardize: self.standardize || base.standardize,
            shuffle_seed: self.shuffle_seed.or(base.shuffle_seed),
            patience_resets: base.patience_resets && !self.total_patience,
            shuffle: base.shuffle && !self.no_shuffle,
            drop_last: base.drop_last || self.drop_last,
            ..base
        }
    }

    /// The first option that was given, for a message that it has no use.
    pub fn first_given(&self) -> Option<&'static str> {
        let flags = [
            ("--batch", self.batch.is_some()),
            ("--patience", self.patience.is_some()),
            ("--min-delta", self.min_delta.is_some()),
            ("--stop-on", self.stop_on.is_some()),
            ("--schedule", self.schedule.is_some()),
            ("--label-smoothing", self.label_smoothing.is_some()),
            ("--class-weights", self.class_weights.is_some()),
            ("--standardize", self.standardize),
            ("--shuffle-seed", self.shuffle_seed.is_some()),
            ("--total-patience", self.total_patience),
            ("--no-shuffle", self.no_shuffle),
            ("--drop-last", self.drop_last),
        ];
        flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

/// All folds of a cross-validation with `folds` folds, to which `seed` assigns the images.
///
/// # Errors
/// [`Kind::Usage`] for fewer than two folds.
pub(super) fn all_folds(folds: usize, seed: u64) -> Result<Vec<Option<Resplit>>> {
    (1..=folds.max(1)).map(|number| fold(number, folds, seed).map(Some)).collect()
}

/// Fold `number`, from 1, of such a cross-validation.
///
/// # Errors
/// [`Kind::Usage`] for fewer than two folds, or a fold that does not exist.
pub(super) fn fold(number: usize, folds: usize, seed: u64) -> Result<Resplit> {
    if folds < 2 {
        return Err(Error::new(Kind::Usage, "--folds must be at least 2"));
    }
    match (1..=folds).contains(&number) {
        true => Ok(Resplit::Fold { number, folds, seed }),
        false => Err(Error::new(Kind::Usage, format!("--fold must be from 1 to {folds}, not {number}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_are_given_replace_the_defaults_and_no_others() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            adam: AdamOptions,
        }
        let of = |text: &str| <Line as clap::Parser>::parse_from(text.split(' ')).adam;
        let base = FitConfig { lr: 0.5, l2: 0.1, seed: 4, ..FitConfig::default() };
        assert_eq!((of("x").apply_to(base.clone()), of("x").first_given()), (base.clone(), None));
        let some = of(
            "x --schedule cosine --class-weights a=2,b=0 --standardize --stop-on accuracy --shuffle-seed 9",
        );
        let config = some.apply_to(base.clone());
        let expected = FitConfig {
            schedule: Schedule::Cosine,
            class_weights: ClassWeights::Given([("a".into(), 2.0), ("b".into(), 0.0)].into()),
            standardize: true,
            stop_on: StopOn::Accuracy,
            shuffle_seed: Some(9),
            ..base
        };
        assert_eq!((config, some.first_given()), (expected, Some("--stop-on")));
    }

    #[test]
    fn folds_are_two_or_more_and_numbered_from_one() {
        assert!(all_folds(0, 0).is_err() && all_folds(1, 0).is_err());
        let all = all_folds(3, 7).unwrap();
        assert_eq!(all[2], Some(Resplit::Fold { number: 3, folds: 3, seed: 7 }));
        assert_eq!(all.len(), 3);
        assert!(fold(0, 3, 0).is_err() && fold(4, 3, 0).is_err());
    }
}
