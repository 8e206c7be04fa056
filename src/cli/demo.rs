//! The subcommand `headstart demo`: its arguments, and its result as text.

use super::extract;
use super::options::{Global, now};
use super::output::{Outcome, print_result};
use super::predict;
use super::progress::Terminal;
use super::scores_text;
use super::setup::IMAGENET;
use super::shell::quote;
use super::text::percent;
use super::train;
use crate::backbone::registry::default_models;
use crate::error::Result;
use crate::experiment::demo::{DemoConfig, DemoStats, demo};
use std::path::PathBuf;

/// Run the whole job on a built-in sample: draw images, extract, train, evaluate, predict
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart demo --yes")]
pub(super) struct Args {
    /// Folder to work in
    #[arg(long, default_value = "headstart-demo")]
    dir: PathBuf,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let config = DemoConfig { dir: args.dir, models: global.models.clone(), time: now() };
    terminal.stop_on_signals();
    let stats = demo(&config, terminal)?;
    let program = std::env::args().next().unwrap_or_else(|| "headstart".into());
    print_result(global, &stats, || summary(&stats, &next_steps(&stats, &quote(&program), global)))?;
    Ok(Outcome::Done)
}

fn summary(stats: &DemoStats, next: &str) -> String {
    let [images, cache, run] = [&stats.images, &stats.cache, &stats.run].map(|path| path.display());
    format!(
        "== extract: {images} -> {cache}\n{}\n== train: {cache} -> {run}\n{}\n== evaluate: {run}\n{}\n== predict\n{}\n\
         == the point\n\
         linear model on raw pixels    {} of the test images\n\
         linear model on the features  {}\n\
         {IMAGENET}\n\n\
         try next:\n{next}",
        extract::summary(&stats.extract),
        train::summary(&stats.train, &stats.run),
        scores_text::summary(&stats.evaluate),
        predict::summary(&stats.predict, predict::SHOWN),
        percent(stats.pixel_accuracy),
        percent(stats.evaluate.accuracy),
    )
}

/// Three commands to try next, in the folder in which the demo ran.
fn next_steps(stats: &DemoStats, program: &str, global: &Global) -> String {
    let [images, cache, run] =
        [&stats.images, &stats.cache, &stats.run].map(|path| quote(&path.to_string_lossy()));
    let models = match global.models == default_models() {
        true => String::new(),
        false => format!(" --models {}", quote(&global.models.to_string_lossy())),
    };
    format!(
        "  {program} extract {images} --cache {cache} --augment flip{models}\n  \
         {program} train {cache} --run {run}-flips && {program} compare {run} {run}-flips\n  \
         {program} extract YOUR_IMAGES --cache cache/yours{models}\n"
    )
}
