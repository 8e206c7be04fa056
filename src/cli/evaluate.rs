//! `headstart evaluate`

use super::text::{headed, p_value, percent, points, score, table, temperatures};
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
    /// Answer by the mean over the cached variants of each image (extract --augment-splits all)
    #[arg(long)]
    tta: bool,
    /// Measure how many test images `predict --reject ALPHA` would call unknown, such as 0.05
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true)]
    reject: Option<f64>,
}

/// The confusion matrix is printed as text up to this many classes.
const MOST_CLASSES: usize = 20;

pub(super) fn run(args: Args, global: &Global) -> Result<Ended> {
    let Args { run, split, tta, reject } = args;
    let stats = evaluate(&EvaluateConfig { run, split, tta, reject })?;
    print(global, &stats, || told(&stats))?;
    Ok(Ended::Done)
}

pub(super) fn told(stats: &EvaluateStats) -> String {
    let (heading, trust) = (heading(stats), trust(stats));
    let mut out = format!("{heading}{trust}\n{}\n{}", scores(stats), composition(stats));
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

/// What averaging did, and how far the probabilities can be taken at their word.
fn trust(stats: &EvaluateStats) -> String {
    let mut out = String::new();
    if let Some(tta) = &stats.tta {
        let [low, high] = tta.interval.unwrap_or([-1.0, 1.0]);
        out.push_str(&format!(
            "averaged over {}: {} points against {} without (95 % interval {} to {}, p {})\n",
            tta.variants.join(", "),
            points(tta.difference.unwrap_or(0.0)),
            percent(tta.plain_accuracy),
            points(low),
            points(high),
            p_value(tta.p_value)
        ));
    }
    let calibration = &stats.calibration;
    let used = match (calibration.applied, &stats.tta) {
        (true, None) => "predict uses it",
        (false, None) => "not told from 1, so predict leaves it out",
        (true, Some(_)) => "told from 1",
        (false, Some(_)) => "not told from 1",
    };
    let told = match calibration.temperature {
        None => format!(
            "calibration error {}; no temperature (the validation images tell none, or the run is of an older version)",
            percent(calibration.split.ece_before)
        ),
        Some(temperature) => format!(
            "calibration error {}, loss {}; at temperature {temperature:.2} (from {} validation images, 95 % \
             interval {}): {}, {}; {}",
            percent(calibration.split.ece_before),
            score(calibration.split.loss_before),
            calibration.temperature_images.unwrap_or(0),
            calibration.temperature_interval.map_or("-".into(), temperatures),
            percent(calibration.split.ece_after),
            score(calibration.split.loss_after),
            used
        ),
    };
    out + &told + "\n" + &rejected(stats)
}

fn rejected(stats: &EvaluateStats) -> String {
    let Some(reject) = &stats.reject else { return String::new() };
    let [low, high] = reject.interval.unwrap_or([0.0, 1.0]);
    format!(
        "called unknown with --reject {}, which {} validation images calibrate: {} of {} known images, {} (95 % \
         interval {} to {}); accuracy of the others {}\n",
        reject.alpha,
        reject.calibration_images,
        reject.unknown,
        stats.images,
        percent(reject.rate),
        percent(low),
        percent(high),
        percent(reject.answered_accuracy)
    )
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
