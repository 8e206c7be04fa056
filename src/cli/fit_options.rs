//! Options that `train` and `sweep` share: the settings of the solvers, and folds.

use super::options::parse;
use crate::data::dataset::Resplit;
use crate::error::{Error, Kind, Result, did_you_mean};
use crate::head::{
    AUTO_EPOCHS, ClassWeights, FitConfig, LbfgsConfig, LinfaConfig, Schedule, SolverConfig, StopOn,
};
use std::str::FromStr;

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
    /// What has to improve and decides which epoch is kept: loss or accuracy, on the validation images; this loss, as every
    /// printed one, is the plain cross entropy, without class weights, label smoothing and penalty [default: loss]
    #[arg(long, value_name = "WHAT", value_parser = parse::<StopOn>)]
    stop_on: Option<StopOn>,
    /// Learning rate schedule over all epochs: constant, linear or cosine [default: constant]
    #[arg(long, value_parser = parse::<Schedule>)]
    schedule: Option<Schedule>,
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
    /// Share of the hidden units of --hidden that each step leaves out, from 0 to below 1 [default: 0]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    dropout: Option<f64>,
    /// Weight decay of AdamW, 0 or more: each step takes this share, times its learning rate, from every weight [default: 0]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    weight_decay: Option<f64>,
}

/// Settings of the loss, which Adam and L-BFGS have in common.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Loss")]
pub(super) struct LossOptions {
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
    /// Keep the head of an L-BFGS search that ended before the optimum, marked as such, instead of failing
    #[arg(long)]
    allow_unconverged: bool,
}

/// Settings that have options of their own in each command.
#[derive(Debug, Clone, Copy)]
pub(super) struct SolverValues<'a> {
    /// One of [`SOLVERS`](crate::head::SOLVERS).
    pub solver: &'a str,
    pub lr: Option<f64>,
    /// Epochs of Adam, iterations of L-BFGS.
    pub epochs: Option<Epochs>,
    pub l2: f64,
    pub seed: Option<u64>,
    pub hidden: Option<usize>,
    /// Whether lists of learning rates, seeds or hidden units are given.
    pub lists: [(&'static str, bool); 3],
}

/// The solver with its settings.
///
/// # Errors
/// [`Kind::Usage`] when an option is given that the solver has no use for.
pub(super) fn solver(values: SolverValues, adam: &AdamOptions, loss: &LossOptions) -> Result<SolverConfig> {
    let SolverValues { solver, lr, epochs, l2, seed, hidden, lists } = values;
    let default = FitConfig::default();
    let given = [("--lr", lr.is_some()), ("--seed", seed.is_some()), ("--hidden", hidden.is_some())];
    let given = given.into_iter().chain(lists).find(|(_, given)| *given).map(|(flag, _)| flag);
    let of_adam = given.or(adam.first_given());
    let of_loss = loss.first_given();
    let unused = |flag: &str, takes: &str| {
        Err(Error::new(Kind::Usage, format!("{flag} cannot be used with --solver {solver}"))
            .help(takes.to_string()))
    };
    let allow_unconverged = loss.allow_unconverged;
    match (solver, of_adam, of_loss) {
        ("adam", _, _) if allow_unconverged => {
            unused("--allow-unconverged", "Adam ends by --epochs and --patience, not at an optimum")
        }
        ("adam", _, _) => {
            let config = FitConfig {
                lr: lr.unwrap_or(default.lr),
                epochs: epochs.map_or(default.epochs, |epochs| epochs.or(AUTO_EPOCHS)),
                l2,
                seed: seed.unwrap_or(default.seed),
                hidden: hidden.unwrap_or(default.hidden),
                ..default
            };
            Ok(SolverConfig::Adam(loss.apply_to(adam.apply_to(config))))
        }
        (_, Some(flag), _) => {
            unused(flag, "L-BFGS finds the one optimum: it takes --l2, --epochs, and the options of the loss")
        }
        ("lbfgs-linfa", None, Some(flag)) => unused(flag, "use --solver lbfgs, which has it"),
        ("lbfgs-linfa", None, None) => {
            let default = LinfaConfig::default().iterations;
            let iterations = epochs.map_or(default, |epochs| epochs.or(default));
            Ok(SolverConfig::Linfa(LinfaConfig { l2, iterations, allow_unconverged }))
        }
        (_, None, _) => {
            let default = LbfgsConfig::default();
            let iterations = epochs.map_or(default.iterations, |epochs| epochs.or(default.iterations));
            let mut config = LbfgsConfig { l2, iterations, ..default };
            loss.apply_to_lbfgs(&mut config);
            Ok(SolverConfig::Lbfgs(config))
        }
    }
}

impl LossOptions {
    /// `base` with the options that were given.
    fn apply_to(&self, base: FitConfig) -> FitConfig {
        FitConfig {
            label_smoothing: self.label_smoothing.unwrap_or(base.label_smoothing),
            class_weights: self.class_weights.clone().unwrap_or_else(|| base.class_weights.clone()),
            standardize: self.standardize || base.standardize,
            ..base
        }
    }

    /// Sets the options that were given in `config`.
    pub fn apply_to_lbfgs(&self, config: &mut LbfgsConfig) {
        config.label_smoothing = self.label_smoothing.unwrap_or(config.label_smoothing);
        config.class_weights = self.class_weights.clone().unwrap_or_else(|| config.class_weights.clone());
        config.standardize |= self.standardize;
        config.allow_unconverged |= self.allow_unconverged;
    }

    /// The first option of the loss itself that was given.
    fn first_given(&self) -> Option<&'static str> {
        let flags = [
            ("--label-smoothing", self.label_smoothing.is_some()),
            ("--class-weights", self.class_weights.is_some()),
            ("--standardize", self.standardize),
        ];
        flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
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
            shuffle_seed: self.shuffle_seed.or(base.shuffle_seed),
            dropout: self.dropout.unwrap_or(base.dropout),
            weight_decay: self.weight_decay.unwrap_or(base.weight_decay),
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
            ("--shuffle-seed", self.shuffle_seed.is_some()),
            ("--total-patience", self.total_patience),
            ("--no-shuffle", self.no_shuffle),
            ("--drop-last", self.drop_last),
            ("--dropout", self.dropout.is_some()),
            ("--weight-decay", self.weight_decay.is_some()),
        ];
        flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

/// An L2 penalty: a number, or `auto`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Penalty {
    Auto,
    Given(f64),
}

impl Penalty {
    /// The number; 0 for one that is yet to be chosen.
    pub fn given(self) -> f64 {
        match self {
            Self::Auto => 0.0,
            Self::Given(l2) => l2,
        }
    }
}

impl FromStr for Penalty {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(l2)) => Ok(Self::Given(l2)),
            (_, Err(_)) => Err(Error::new(Kind::Usage, format!("{text:?} is not a penalty"))
                .help(format!("{}give a number such as 0.0001, or auto", did_you_mean(text, ["auto"])))),
        }
    }
}

/// A number of epochs: as many as given, or `auto`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Epochs {
    Auto,
    Given(usize),
}

impl Epochs {
    /// The number; `auto` for that.
    fn or(self, auto: usize) -> usize {
        match self {
            Self::Auto => auto,
            Self::Given(number) => number,
        }
    }
}

impl FromStr for Epochs {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(number)) => Ok(Self::Given(number)),
            (_, Err(_)) => Err(Error::new(Kind::Usage, format!("{text:?} is not a number of epochs"))
                .help(format!("{}give a whole number, or auto", did_you_mean(text, ["auto"])))),
        }
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
            #[command(flatten)]
            loss: LossOptions,
        }
        let of = |text: &str| <Line as clap::Parser>::parse_from(text.split(' '));
        let base = FitConfig { lr: 0.5, l2: 0.1, seed: 4, ..FitConfig::default() };
        let applied = |line: &Line| line.loss.apply_to(line.adam.apply_to(base.clone()));
        assert_eq!((applied(&of("x")), of("x").adam.first_given()), (base.clone(), None));
        let some = of(
            "x --schedule cosine --class-weights a=2,b=0 --standardize --stop-on accuracy --shuffle-seed 9",
        );
        let expected = FitConfig {
            schedule: Schedule::Cosine,
            class_weights: ClassWeights::Given([("a".into(), 2.0), ("b".into(), 0.0)].into()),
            standardize: true,
            stop_on: StopOn::Accuracy,
            shuffle_seed: Some(9),
            ..base.clone()
        };
        assert_eq!((applied(&some), some.adam.first_given()), (expected, Some("--stop-on")));
        let values = SolverValues {
            solver: "lbfgs",
            lr: None,
            epochs: None,
            l2: 0.1,
            seed: None,
            hidden: None,
            lists: [("", false); 3],
        };
        let solver = |line: Line, values| solver(values, &line.adam, &line.loss);
        let SolverConfig::Lbfgs(config) =
            solver(of("x --standardize --label-smoothing 0.1"), values).unwrap()
        else {
            panic!("lbfgs")
        };
        assert_eq!((config.standardize, config.label_smoothing, config.iterations), (true, 0.1, 1000));
        for (text, solver_name, message) in [
            ("x --batch 3", "lbfgs", "--batch cannot"),
            ("x --standardize", "lbfgs-linfa", "--standardize cannot"),
            ("x --allow-unconverged", "adam", "--allow-unconverged cannot"),
        ] {
            let error = solver(of(text), SolverValues { solver: solver_name, ..values }).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
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
