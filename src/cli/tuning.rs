//! The settings of Adam as options, the same for `train` and `sweep`.

use super::parse;
use crate::dataset::Resplit;
use crate::error::{Error, Kind, Result};
use crate::head::{ClassWeights, FitConfig, Schedule, StopOn};
use std::str::FromStr;

/// Settings that every head of a command shares. What is not given takes the default of [`FitConfig`].
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How Adam fits")]
pub(super) struct Tuning {
    /// Rows in a batch [default: 32; 1 and up]
    #[arg(long, allow_negative_numbers = true)]
    batch: Option<usize>,
    /// Epochs in a row without an improvement after which to stop [default: 20; 1 and up]
    #[arg(long, allow_negative_numbers = true)]
    patience: Option<usize>,
    /// By more than this must the validation loss fall, or the accuracy rise, to improve [default: 0; 0 and up]
    #[arg(long, value_name = "LEAST", allow_negative_numbers = true)]
    min_delta: Option<f64>,
    /// What must improve, and says which epoch is the best: loss or accuracy [default: loss]
    #[arg(long, value_name = "WHAT", value_parser = parse::<StopOn>)]
    stop_on: Option<StopOn>,
    /// How the learning rate falls over all epochs: constant, linear or cosine [default: constant]
    #[arg(long, value_parser = parse::<Schedule>)]
    schedule: Option<Schedule>,
    /// Share of each target that is spread over all classes [default: 0; from 0, less than 1]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    label_smoothing: Option<f64>,
    /// How much the rows of each class count: none, balanced, or numbers such as ant=2,bee=0.5; classes that are not
    /// named count 1 [default: none]
    #[arg(long, value_name = "WEIGHTS", value_parser = parse::<ClassWeights>)]
    class_weights: Option<ClassWeights>,
    /// Bring features to mean 0 and deviation 1 over the train rows; the saved head takes plain features
    #[arg(long)]
    standardize: bool,
    /// Let --patience count all epochs without an improvement, in a row or not
    #[arg(long)]
    total_patience: bool,
    /// Take the rows in the order of their keys in every epoch
    #[arg(long)]
    no_shuffle: bool,
    /// Leave out the rows that fill no whole batch at the end of an epoch
    #[arg(long)]
    drop_last: bool,
    /// Seed of the order of rows [default: that of the first weights in train, 0 in sweep]
    #[arg(long, value_name = "SEED", allow_negative_numbers = true)]
    shuffle_seed: Option<u64>,
}

impl Tuning {
    /// The settings, upon those that the commands give in ways of their own.
    pub fn upon(&self, base: FitConfig) -> FitConfig {
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

    /// The first option that was given.
    pub fn given(&self) -> Option<&'static str> {
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

/// An amount of memory as people write it: `1GiB`, `500MB`, `123456`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(u64);

impl Size {
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit: Option<u64> = match text[digits..].trim() {
            "" | "B" => Some(1),
            "kB" => Some(1000),
            "MB" => Some(1000 * 1000),
            "GB" => Some(1000 * 1000 * 1000),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            _ => None,
        };
        let number: Option<u64> = text[..digits].parse().ok();
        let bytes = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
        bytes.map(Self).ok_or_else(|| {
            Error::new(Kind::Usage, format!("{text:?} is not an amount of memory"))
                .help("give a whole number with a unit, such as 1GiB, 512MiB or 800MB")
        })
    }
}

/// All `folds`, dealt out by `seed`.
///
/// # Errors
/// [`Kind::Usage`] for fewer than two.
pub(super) fn folds(folds: usize, seed: u64) -> Result<Vec<Option<Resplit>>> {
    Ok(Resplit::folds(folds, seed)?.into_iter().map(Some).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in
            [("1GiB", 1 << 30), ("512 MiB", 512 << 20), ("3MB", 3_000_000), ("7", 7), ("2kB", 2000)]
        {
            assert_eq!(text.parse::<Size>().unwrap().bytes(), bytes);
        }
        for bad in ["", "GiB", "1.5GiB", "-1", "1 gib", "99999999999GiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn options_that_are_given_replace_the_defaults_and_no_others() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            tuning: Tuning,
        }
        let of = |text: &str| <Line as clap::Parser>::parse_from(text.split(' ')).tuning;
        let base = FitConfig { lr: 0.5, l2: 0.1, seed: 4, ..FitConfig::default() };
        assert_eq!((of("x").upon(base.clone()), of("x").given()), (base.clone(), None));
        let some = of(
            "x --schedule cosine --class-weights a=2,b=0 --standardize --stop-on accuracy --shuffle-seed 9",
        );
        let config = some.upon(base.clone());
        let expected = FitConfig {
            schedule: Schedule::Cosine,
            class_weights: ClassWeights::Given([("a".into(), 2.0), ("b".into(), 0.0)].into()),
            standardize: true,
            stop_on: StopOn::Accuracy,
            shuffle_seed: Some(9),
            ..base
        };
        assert_eq!((config, some.given()), (expected, Some("--stop-on")));
        assert!(folds(1, 0).is_err() && folds(3, 0).unwrap().len() == 3);
    }
}
