//! `headstart demo`

use super::text::percent;
use super::{Ended, Global, MODELS, evaluate, extract, now, predict, print, progress::Terminal, train};
use crate::demo::{DemoConfig, DemoStats, demo};
use crate::error::Result;
use std::path::{Path, PathBuf};

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
    let program = std::env::args().next().unwrap_or_else(|| "headstart".into());
    print(global, &stats, || told(&stats, &next_steps(&stats, &quoted(&program), global)))?;
    Ok(Ended::Done)
}

fn told(stats: &DemoStats, next: &str) -> String {
    let [images, cache, run] = [&stats.images, &stats.cache, &stats.run].map(|path| path.display());
    format!(
        "== extract: {images} -> {cache}\n{}\n== train: {cache} -> {run}\n{}\n== evaluate: {run}\n{}\n== predict\n{}\n\
         == the point\n\
         linear model on raw pixels    {} of the test images\n\
         linear model on the features  {}\n\n\
         try next:\n{next}",
        extract::told(&stats.extract),
        train::told(&stats.train, &stats.run),
        evaluate::told(&stats.evaluate),
        predict::told(&stats.predict),
        percent(stats.pixel_accuracy),
        percent(stats.evaluate.accuracy),
    )
}

/// Three commands that work as they stand, from the folder in which the demo ran.
fn next_steps(stats: &DemoStats, program: &str, global: &Global) -> String {
    let [images, cache, run] =
        [&stats.images, &stats.cache, &stats.run].map(|path| quoted(&path.to_string_lossy()));
    let models = match global.models == Path::new(MODELS) {
        true => String::new(),
        false => format!(" --models {}", quoted(&global.models.to_string_lossy())),
    };
    format!(
        "  {program} extract {images} --cache {cache} --augment flip{models}\n  \
         {program} train {cache} --run {run}-flips && {program} compare {run} {run}-flips\n  \
         {program} extract YOUR_IMAGES --cache cache/yours{models}\n"
    )
}

/// As a shell reads it back.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if text.chars().all(plain) { text.into() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
