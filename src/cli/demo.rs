//! `headstart demo`

use super::text::percent;
use super::{Ended, Global, evaluate, extract, now, predict, print, progress::Terminal, train};
use crate::demo::{DemoConfig, DemoStats, demo};
use crate::error::Result;
use std::path::PathBuf;

/// The whole job on a built-in sample: pictures, features, a trained head, its accuracy, a prediction.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart demo --yes")]
pub(super) struct Args {
    /// The folder to work in
    #[arg(long, default_value = "headstart-demo")]
    dir: PathBuf,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    let config = DemoConfig { dir: args.dir, models: global.models.clone(), time: now() };
    let stats = demo(&config, terminal)?;
    print(global, &stats, || told(&stats));
    Ok(Ended::Done)
}

fn told(stats: &DemoStats) -> String {
    let [images, cache, run] = [&stats.images, &stats.cache, &stats.run].map(|path| path.display());
    format!(
        "== extract: {images} -> {cache}\n{}\n== train: {cache} -> {run}\n{}\n== evaluate: {run}\n{}\n== predict\n{}\n\
         == the point\n\
         linear model on raw pixels    {} of the test images\n\
         linear model on the features  {}\n\n\
         try next:\n  \
         headstart train {cache} --run {run} --seed 1\n  \
         headstart extract {images} --cache {cache} --augment flip\n  \
         headstart extract YOUR_IMAGES --cache cache/yours\n",
        extract::told(&stats.extract),
        train::told(&stats.train, &stats.run),
        evaluate::told(&stats.evaluate),
        predict::told(&stats.predict),
        percent(stats.pixel_accuracy),
        percent(stats.evaluate.accuracy),
    )
}
