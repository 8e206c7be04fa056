//! `headstart train`

use super::text::{percent, seconds};
use super::{Ended, Global, now, print, progress::Terminal};
use crate::error::{Error, Kind, Result};
use crate::head::{FitConfig, LbfgsConfig, SolverConfig};
use crate::train::{TrainConfig, TrainStats, train};
use std::path::{Path, PathBuf};

/// Fit a softmax head to cached features: with Adam and early stopping, or its optimum with L-BFGS.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart train cache/photos --run runs/first --use none,flip --seed 1")]
pub(super) struct Args {
    /// The cache that `extract` made
    cache: PathBuf,
    /// The run to write; one that is there is replaced
    #[arg(long)]
    run: PathBuf,
    /// What to train on: families (none, shift, flip) or exact variants [default: every family that is complete]
    #[arg(long = "use", value_name = "VARIANTS", value_delimiter = ',')]
    variants: Option<Vec<String>>,
    /// Start from the head of another run
    #[arg(long, value_name = "RUN")]
    init: Option<PathBuf>,
    /// adam, or lbfgs for the optimum itself (which needs --l2 above 0)
    #[arg(long, default_value = "adam", value_parser = ["adam", "lbfgs"])]
    solver: String,
    /// Learning rate of Adam [default: 0.01]
    #[arg(long, allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Rows in a batch of Adam [default: 32]
    #[arg(long, allow_negative_numbers = true)]
    batch: Option<usize>,
    /// The most epochs of Adam [default: 100], or iterations of L-BFGS [default: 1000]
    #[arg(long, allow_negative_numbers = true)]
    epochs: Option<usize>,
    /// Epochs of Adam in a row without a smaller validation loss after which to stop [default: 20]
    #[arg(long, allow_negative_numbers = true)]
    patience: Option<usize>,
    /// Weight of the squared weights in the loss
    #[arg(long, default_value_t = FitConfig::default().l2, allow_negative_numbers = true)]
    l2: f64,
    /// Seed of the first weights and of the order of rows of Adam [default: 0]
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
}

impl Args {
    /// The solver with its settings: what was typed, else the defaults.
    fn solver(&self) -> Result<SolverConfig> {
        if self.solver == "adam" {
            let default = FitConfig::default();
            return Ok(SolverConfig::Adam(FitConfig {
                lr: self.lr.unwrap_or(default.lr),
                batch: self.batch.unwrap_or(default.batch),
                epochs: self.epochs.unwrap_or(default.epochs),
                patience: self.patience.unwrap_or(default.patience),
                l2: self.l2,
                seed: self.seed.unwrap_or(default.seed),
                ..default
            }));
        }
        let adams = [
            ("--lr", self.lr.is_some()),
            ("--batch", self.batch.is_some()),
            ("--patience", self.patience.is_some()),
            ("--seed", self.seed.is_some()),
        ];
        if let Some((flag, _)) = adams.iter().find(|(_, given)| *given) {
            return Err(Error::new(Kind::Usage, format!("{flag} has no use with --solver lbfgs"))
                .help("L-BFGS finds the one optimum: it takes --l2 and --epochs"));
        }
        let iterations = self.epochs.unwrap_or(LbfgsConfig::default().iterations);
        Ok(SolverConfig::Lbfgs(LbfgsConfig { l2: self.l2, iterations }))
    }
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    let solver = args.solver()?;
    let Args { cache, run, variants, init, .. } = args;
    let config = TrainConfig { cache, run, variants, init, solver, time: now(), ..TrainConfig::default() };
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
         {which}: validation loss {:.4}, accuracy {} of {} images\n{}\n",
        stats.backbone,
        stats.train_rows,
        stats.variants.join(", "),
        stats.classes,
        seconds(stats.read_seconds),
        stats.validation.loss,
        percent(stats.validation.accuracy),
        stats.validation_images,
        run.display()
    )
}
