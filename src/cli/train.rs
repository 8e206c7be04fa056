//! `headstart train`

use super::text::{percent, seconds, temperatures};
use super::tuning::{Size, Tuning, folds};
use super::{Ended, Global, now, parse, print, progress::Terminal, sweep};
use crate::dataset::Resplit;
use crate::error::{Error, Kind, Result};
use crate::head::{FitConfig, LbfgsConfig, SolverConfig};
use crate::sweep::SweepConfig;
use crate::train::{TrainConfig, TrainStats, train};
use std::path::{Path, PathBuf};

/// Fit a softmax head to cached features: with Adam and early stopping, or its optimum with L-BFGS.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart train cache/photos --run runs/first --use none,flip --seed 1\n  headstart train cache/photos --run runs/folds --folds 5\n  headstart train cache/photos --run runs/even --class-weights balanced --schedule cosine"
)]
pub(super) struct Args {
    /// The cache that `extract` made
    cache: PathBuf,
    /// The run to write; one that is there is replaced
    #[arg(long)]
    run: PathBuf,
    /// What to train on: families (none, shift, flip) or exact variants [default: every family that is complete]
    #[arg(long = "use", value_name = "VARIANTS", value_delimiter = ',')]
    variants: Option<Vec<String>>,
    /// Start from the head of another run with the same classes, or some of them
    #[arg(long, value_name = "RUN")]
    init: Option<PathBuf>,
    /// adam, or lbfgs for the optimum itself (which needs --l2 above 0)
    #[arg(long, default_value = "adam", value_parser = ["adam", "lbfgs"])]
    solver: String,
    /// Learning rate of Adam [default: 0.01; above 0]
    #[arg(long, allow_negative_numbers = true)]
    lr: Option<f64>,
    /// The most epochs of Adam [default: 100], or iterations of L-BFGS [default: 1000]
    #[arg(long, allow_negative_numbers = true)]
    epochs: Option<usize>,
    /// Weight of the squared weights in the loss; 0 and up
    #[arg(long, default_value_t = FitConfig::default().l2, allow_negative_numbers = true)]
    l2: f64,
    /// Seed of the first weights and of the order of rows of Adam [default: 0]
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Split the images anew by this seed, for this run alone, with the fractions of the cache
    #[arg(long, value_name = "SEED", allow_negative_numbers = true, conflicts_with = "folds")]
    resplit: Option<u64>,
    /// Fit a head to each of K stratified folds; RUN becomes a folder of their runs, RUN/fold=1 and so on
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    folds: Option<usize>,
    /// Memory for features, such as 1GiB: train rows that do not fit are read again in each epoch, in blocks [default: all
    /// in memory]
    #[arg(long, value_name = "SIZE", value_parser = parse::<Size>, conflicts_with = "folds")]
    memory: Option<Size>,
    /// The most threads, used where they pay; they change no bit of the head [default: one for each core]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    threads: usize,
    #[command(flatten)]
    tuning: Tuning,
}

impl Args {
    fn adam(&self) -> FitConfig {
        let default = FitConfig::default();
        self.tuning.upon(FitConfig {
            lr: self.lr.unwrap_or(default.lr),
            epochs: self.epochs.unwrap_or(default.epochs),
            l2: self.l2,
            seed: self.seed.unwrap_or(default.seed),
            ..default
        })
    }

    /// The solver with its settings: what was typed, else the defaults.
    fn solver(&self) -> Result<SolverConfig> {
        if self.solver == "adam" {
            return Ok(SolverConfig::Adam(self.adam()));
        }
        let own =
            [("--lr", self.lr.is_some()), ("--seed", self.seed.is_some()), ("--folds", self.folds.is_some())];
        let own = own.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag);
        if let Some(flag) = own.or(self.tuning.given()) {
            return Err(Error::new(Kind::Usage, format!("{flag} has no use with --solver lbfgs"))
                .help("L-BFGS finds the one optimum: it takes --l2 and --epochs"));
        }
        let iterations = self.epochs.unwrap_or(LbfgsConfig::default().iterations);
        Ok(SolverConfig::Lbfgs(LbfgsConfig { l2: self.l2, iterations }))
    }
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    let solver = args.solver()?;
    if let Some(number) = args.folds {
        let base = args.adam();
        let config = SweepConfig {
            resplits: folds(number, base.seed)?,
            variants: vec![args.variants],
            lr: vec![base.lr],
            l2: vec![base.l2],
            seeds: vec![base.seed],
            base: FitConfig { shuffle_seed: Some(base.order_seed()), ..base },
            cache: args.cache,
            runs: args.run,
            init: args.init,
            jobs: 0,
            threads: args.threads,
            time: now(),
        };
        return sweep::fit(&config, global, terminal);
    }
    let Args { cache, run, variants, init, threads, .. } = args;
    let resplit = args.resplit.map(|seed| Resplit::Random { seed });
    let memory = args.memory.map(|size| size.bytes());
    let config = TrainConfig { cache, run, variants, init, solver, resplit, memory, threads, time: now() };
    let stats = train(&config, terminal)?;
    print(global, &stats, || told(&stats, &config.run))?;
    Ok(Ended::Done)
}
pub(super) fn told(stats: &TrainStats, run: &Path) -> String {
    let (how, which) = match stats.converged {
        Some(converged) => {
            let which = if converged { "the optimum" } else { "where it ended" };
            (format!("L-BFGS in {}", seconds(stats.seconds)), which.to_string())
        }
        None => (
            format!(
                "{} epochs in {}, {} each",
                stats.epochs,
                seconds(stats.seconds),
                seconds(stats.seconds_per_epoch)
            ),
            format!("best epoch {}", stats.best_epoch),
        ),
    };
    format!(
        "features of {}\n\
         trained on {} rows ({}) of {} classes: {how}; features read in {}\n\
         {which}: validation loss {:.4}, accuracy {} of {} images\n{}{}\n",
        stats.backbone,
        stats.train_rows,
        stats.variants.join(", "),
        stats.classes,
        seconds(stats.read_seconds),
        stats.validation.loss,
        percent(stats.validation.accuracy),
        stats.validation_images,
        temperature(stats),
        run.display()
    )
}

fn temperature(stats: &TrainStats) -> String {
    match stats.temperature {
        Some(t) => format!(
            "temperature {:.2} (95 % interval {}){}\n",
            t.value,
            temperatures((t.low, t.high)),
            if t.is_told_from_one() { "" } else { ": not told from 1, so probabilities stay as they are" }
        ),
        None => "no temperature: the validation images do not tell one\n".into(),
    }
}
