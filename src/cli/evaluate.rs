//! The subcommand `headstart evaluate`: its arguments, and its result as text.

use super::options::{Global, parse};
use super::output::{Outcome, list_refused, print_result};
use super::progress::Terminal;
use super::scores_text::summary_of;
use super::{evaluate_new, members_text, multi_label_text, rejection_text};
use crate::backbone::Device;
use crate::data::dataset::{Split, refuse_for_label_sets};
use crate::error::{Error, Kind, Result};
use crate::evaluate::members::{evaluate_members, is_folder_of_runs};
use crate::evaluate::predict::PredictorConfig;
use crate::evaluate::{
    EvaluateConfig, EvaluateStats, StrangersConfig, StrangersStats, evaluate, evaluate_multi_label,
    measure_strangers,
};
use crate::run::StoredRun;
use serde::Serialize;
use std::path::PathBuf;

/// Measure a run: accuracy with its interval, scores of each class, confusion
///
/// A folder of runs, such as the folds of `train --folds` or the heads of `sweep`, is summed up: runs that differ in their seeds and
/// splits alone are averaged, with an interval and what it rests on.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart evaluate runs/first --split validation\n  headstart evaluate runs/folds\n  headstart evaluate runs/first --images new --html new.html\n  headstart evaluate runs/first --reject 0.1 --confidence 0.9 --strangers others"
)]
pub(super) struct Args {
    /// Run that `train` wrote, or a folder of runs
    run: PathBuf,
    /// Split to measure on: validation or test
    #[arg(long, default_value = "test", value_parser = parse::<Split>)]
    split: Split,
    /// Average the probabilities over the cached variants of each image, which `extract --augment-splits all` computes
    #[arg(long)]
    tta: bool,
    /// Measure how many test images `predict --reject ALPHA` would reject as unknown; ALPHA, such as 0.05, is their greatest share
    /// on average over validation images, of which it needs 1/ALPHA - 1
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true)]
    reject: Option<f64>,
    /// Keep that share below ALPHA with this confidence over the choice of validation images, such as 0.95, and not just on
    /// average
    #[arg(long, value_name = "C", requires = "reject", allow_negative_numbers = true)]
    confidence: Option<f64>,
    #[command(flatten)]
    new: evaluate_new::NewImagesArgs,
    /// Images of none of the classes, a folder, an archive or a manifest: measure how well they are distinguished from the test
    /// images
    #[arg(long, value_name = "IMAGES", requires = "reject")]
    strangers: Option<PathBuf>,
    /// Device to run on for --images and --strangers: auto, cpu, cuda, cuda:N, cuda:N,M or openvino
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
    /// ONNX file of the backbone for --images and --strangers, if it has moved since `extract`
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Evaluation {
    #[serde(flatten)]
    scores: EvaluateStats,
    #[serde(skip_serializing_if = "Option::is_none")]
    strangers: Option<StrangersStats>,
}

pub(super) fn run(mut args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    if is_folder_of_runs(&args.run) {
        return sum_up(&args, global);
    }
    if let Some(images) = args.new.images.take() {
        let Args { run, reject, confidence, device, backbone, new, .. } = args;
        let (models, neighbours, cache) = (global.models.clone(), 0, None);
        let predictor =
            PredictorConfig { run, device, models, reject, confidence, neighbours, backbone, cache };
        return evaluate_new::run(new, images, predictor, global, terminal);
    }
    let Args { run, split, tta, reject, confidence, strangers, device, backbone, .. } = args;
    let stored = StoredRun::open_any(&run)?;
    if stored.record().multi_label.is_some() {
        return evaluate_labels(&stored, split, [("tta", tta), ("reject", reject.is_some())], global);
    }
    let scores = evaluate(&EvaluateConfig { run: run.clone(), split, tta, reject, confidence })?;
    let measure = |strangers| {
        let models = global.models.clone();
        let (neighbours, cache) = (0, None);
        let predictor =
            PredictorConfig { run, device, models, reject, confidence, neighbours, backbone, cache };
        terminal.stop_on_signals();
        measure_strangers(&StrangersConfig::new(strangers, predictor), terminal)
    };
    let strangers: Option<StrangersStats> = strangers.map(measure).transpose()?;
    let refused = strangers.as_ref().map_or(&[][..], |strangers| &strangers.refused);
    let ended = list_refused(refused);
    let evaluation = Evaluation { scores, strangers };
    print_result(global, &evaluation, || {
        let strangers = evaluation.strangers.as_ref().map_or(String::new(), rejection_text::strangers);
        summary_of(evaluation.scores.split.name(), &evaluation.scores, &strangers)
    })?;
    Ok(ended)
}

/// Evaluates a run whose images have several labels; refuses the settings that are given and have no meaning there.
fn evaluate_labels(
    run: &StoredRun,
    split: Split,
    of_classes: [(&str, bool); 2],
    global: &Global,
) -> Result<Outcome> {
    if let Some((field, _)) = of_classes.iter().find(|(_, is_given)| *is_given) {
        return Err(refuse_for_label_sets(field).at(run.path()));
    }
    let scores = evaluate_multi_label(run, split)?;
    print_result(global, &scores, || multi_label_text::summary(&scores))?;
    Ok(Outcome::Done)
}

/// Sums up a folder of runs.
fn sum_up(args: &Args, global: &Global) -> Result<Outcome> {
    let of_one_run = args.tta || args.reject.is_some() || args.new.images.is_some();
    if of_one_run {
        let message = "it is a folder of runs, and `tta`, `reject` and `images` are for one run";
        return Err(Error::new(Kind::Usage, message).at(&args.run).help("name one of the runs in it"));
    }
    let stats = evaluate_members(&args.run, args.split)?;
    print_result(global, &stats, || members_text::summary(&stats))?;
    Ok(Outcome::Done)
}
