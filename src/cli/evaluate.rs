//! `headstart evaluate`

use super::text::{headed, percent, score, table};
use super::{Ended, Global, parse, print};
use crate::dataset::{Split, number_and_names};
use crate::error::Result;
use crate::evaluate::{EvaluateConfig, EvaluateStats, evaluate};
use std::path::PathBuf;

/// How good a run is: accuracy with interval, scores of each class, confusion.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart evaluate runs/first --split validation")]
pub(super) struct Args {
    /// The run that `train` wrote
    run: PathBuf,
    /// validation or test
    #[arg(long, default_value = "test", value_parser = parse::<Split>)]
    split: Split,
}

/// The confusion matrix is printed as text up to this many classes.
const MOST_CLASSES: usize = 20;

pub(super) fn run(args: Args, global: &Global) -> Result<Ended> {
    let stats = evaluate(&EvaluateConfig { run: args.run, split: args.split })?;
    print(global, &stats, || told(&stats))?;
    Ok(Ended::Done)
}

pub(super) fn told(stats: &EvaluateStats) -> String {
    let mut out = format!("{}\n{}\n{}", heading(stats), scores(stats), composition(stats));
    if stats.classes.len() <= MOST_CLASSES {
        out.push_str(&format!("\n{}", confusion(stats)));
    }
    out
}

fn heading(stats: &EvaluateStats) -> String {
    let [low, high] = stats.interval.unwrap_or([0.0, 1.0]);
    let mut out = format!(
        "{} accuracy {} of {} images (95 % interval {} to {}), macro F1 {}\n\
         always answering {:?}: {}\n",
        stats.split,
        percent(stats.accuracy),
        stats.images,
        percent(low),
        percent(high),
        score(stats.macro_f1),
        stats.majority_class,
        percent(stats.majority_accuracy),
    );
    let top: Vec<String> =
        stats.top_k.iter().skip(1).map(|top| format!("top {} {}", top.k, percent(top.accuracy))).collect();
    if !top.is_empty() {
        out.push_str(&format!("{}\n", top.join(", ")));
    }
    let unseen: Vec<&str> =
        stats.classes.iter().filter(|class| class.support == 0).map(|class| class.name.as_str()).collect();
    if !unseen.is_empty() {
        out.push_str(&format!("classes without an image in this split: {}\n", number_and_names(&unseen)));
    }
    out
}

fn scores(stats: &EvaluateStats) -> String {
    let rows = stats.classes.iter().map(|c| {
        [
            c.name.clone(),
            c.support.to_string(),
            c.predicted.to_string(),
            percent(c.precision),
            percent(c.recall),
            score(c.f1),
        ]
    });
    headed(["class", "images", "predicted", "precision", "recall", "F1"], rows)
}

fn confusion(stats: &EvaluateStats) -> String {
    let line = |(class, counts): (&crate::metrics::ClassScore, &Vec<usize>)| {
        std::iter::once(class.name.clone()).chain(counts.iter().map(usize::to_string)).collect()
    };
    let rows: Vec<Vec<String>> = stats.classes.iter().zip(&stats.confusion).map(line).collect();
    format!("confusion (rows: truth, columns: prediction, in the same order)\n{}", table(&rows))
}

fn composition(stats: &EvaluateStats) -> String {
    let rows = stats.composition.iter().map(|class| {
        let relative = class.relative_difference.map_or("-".into(), |d| format!("{:+.1} %", 100.0 * d));
        [class.name.clone(), percent(class.truth), percent(class.predicted), relative]
    });
    let table = headed(["class", "images", "predictions", "relative difference"], rows);
    format!("composition of the images and of the predictions\n{table}")
}
