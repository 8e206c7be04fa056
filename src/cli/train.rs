//! `headstart train`

use super::text::{percent, seconds};
use super::{Ended, Global, now, print, progress::Terminal};
use crate::error::Result;
use crate::head::FitConfig;
use crate::train::{TrainConfig, TrainStats, train};
use std::path::{Path, PathBuf};

/// Fit a softmax head to cached features with Adam and early stopping.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart train cache/photos --run runs/first --use none,shift --seed 1")]
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
    /// Learning rate of Adam
    #[arg(long, default_value_t = FitConfig::default().lr, allow_negative_numbers = true)]
    lr: f64,
    /// Rows in a batch
    #[arg(long, default_value_t = FitConfig::default().batch)]
    batch: usize,
    /// The most epochs
    #[arg(long, default_value_t = FitConfig::default().epochs)]
    epochs: usize,
    /// Epochs in a row without a smaller validation loss after which to stop
    #[arg(long, default_value_t = FitConfig::default().patience)]
    patience: usize,
    /// Weight of the squared weights in the loss
    #[arg(long, default_value_t = FitConfig::default().l2, allow_negative_numbers = true)]
    l2: f64,
    /// Seed of the first weights and of the order of rows
    #[arg(long, default_value_t = FitConfig::default().seed)]
    seed: u64,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    let Args { cache, run, variants, init, lr, batch, epochs, patience, l2, seed } = args;
    let fit = FitConfig { lr, batch, epochs, patience, l2, seed };
    let config = TrainConfig { cache, run, variants, init, fit, time: now() };
    let stats = train(&config, terminal)?;
    print(global, &stats, || told(&stats, &config.run))?;
    Ok(Ended::Done)
}

pub(super) fn told(stats: &TrainStats, run: &Path) -> String {
    format!(
        "features of {}\n\
         trained on {} rows ({}) of {} classes: {} epochs in {}, {} each; features read in {}\n\
         best epoch {}: validation loss {:.4}, accuracy {} of {} images\n{}\n",
        stats.backbone,
        stats.train_rows,
        stats.variants.join(", "),
        stats.classes,
        stats.epochs,
        seconds(stats.seconds),
        seconds(stats.seconds_per_epoch),
        seconds(stats.read_seconds),
        stats.best_epoch,
        stats.validation.loss,
        percent(stats.validation.accuracy),
        stats.validation_images,
        run.display()
    )
}
