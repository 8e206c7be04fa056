//! The subcommand `headstart predict`: its arguments, and its result as text.

use super::options::{Global, parse};
use super::output::{Outcome, list_refused, print_result, print_result_beside};
use super::progress::Terminal;
use super::text::{left_aligned_table, percent, printable, table};
use crate::backbone::Device;
use crate::cache::near_images::Neighbour;
use crate::error::Result;
use crate::evaluate::predict::{FilePrediction, PredictConfig, PredictorConfig, predict, refused};
use crate::report::output::PageOutput;
use crate::report::prediction;
use std::path::PathBuf;

/// Classify image files with a run
///
/// The text shows the five most probable classes of each image, the JSON all of them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  headstart predict runs/first holiday.jpg --reject 0.05 --html holiday.html"
)]
pub(super) struct Args {
    /// Run that `train` wrote
    run: PathBuf,
    /// Image files to classify
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Device to run on: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
    /// Answer `unknown` for an image that is too far from every class; ALPHA, such as 0.05, is the share of known images
    /// that may be rejected too, on average over validation images
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true)]
    reject: Option<f64>,
    /// Keep that share below ALPHA with this confidence over the choice of validation images, such as 0.95, and not just on
    /// average
    #[arg(long, value_name = "C", requires = "reject", allow_negative_numbers = true)]
    confidence: Option<f64>,
    /// ONNX file of the backbone, if it has moved since `extract`
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
    /// Cache of the run for the nearest images, if it has moved since `train`
    #[arg(long, value_name = "CACHE")]
    cache: Option<PathBuf>,
    /// Number of nearest cached images to name; with 0 the cache is not read
    #[arg(long, value_name = "N", default_value_t = 3)]
    neighbours: usize,
    /// Also write a page with the images; an earlier page of headstart is replaced
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also write the tables of the page into this folder, as CSV; earlier ones are replaced, other files refused
    #[arg(long, value_name = "DIR", requires = "html")]
    tables: Option<PathBuf>,
}

/// Number of classes shown for each image as text; the JSON has all.
const SHOWN: usize = 5;

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Args { run, images, device, reject, confidence, neighbours, backbone, cache, html, tables } = args;
    let models = global.models.clone();
    let predictor = PredictorConfig { run, device, models, reject, confidence, neighbours, backbone, cache };
    let output = html.map(|out| PageOutput { out, plots: None, tables });
    if let Some(output) = &output {
        prediction::check_output(&predictor, output)?;
    }
    let config = PredictConfig { images, predictor };
    terminal.stop_on_signals();
    let predictions = predict(&config, terminal)?;
    let page = output.map(|output| prediction::write(&predictions, &config, &output)).transpose()?;
    let files = predictions.files;
    let ended = list_refused(&refused(&files));
    match page.map(|page| page.out) {
        Some(out) => {
            let text = || format!("{}{}\n", summary(&files), out.display());
            print_result_beside(&out, global, &files, text)?;
        }
        None => print_result(global, &files, || summary(&files))?,
    }
    Ok(ended)
}

/// The predictions for each image, with bars, and its nearest images below.
pub(super) fn summary(predictions: &[FilePrediction]) -> String {
    let mut out = String::new();
    for file in predictions.iter().filter(|file| file.reason.is_none()) {
        let prediction = &file.prediction;
        out.push_str(&format!("{}\n", printable(&file.path)));
        match prediction.open_set.as_ref().filter(|score| score.unknown) {
            Some(score) => {
                let share = percent(score.p_value);
                out.push_str(&format!(
                    "  unknown: of the validation images and this one, {share} are as far from every class\n"
                ));
            }
            None => {
                let shown = prediction.predictions.iter().take(SHOWN);
                out.push_str(&ranked(shown.map(|class| (class.label.as_str(), class.probability))));
            }
        }
        if let Some(near) = prediction.neighbours.as_ref().filter(|near| !near.is_empty()) {
            let row = |one: &Neighbour| {
                let distance = format!("{:.4}", one.distance);
                vec![format!("  {}", one.label), distance, one.split.name().into(), one.path.clone()]
            };
            out.push_str("  nearest cached images, with cosine distance\n");
            out.push_str(&left_aligned_table(&near.iter().map(row).collect::<Vec<_>>()));
        }
    }
    out
}

/// A line for each class with its probability, 0 to 1, and a bar.
pub(super) fn ranked<'a>(classes: impl Iterator<Item = (&'a str, f64)> + Clone) -> String {
    let rows: Vec<_> =
        classes.clone().map(|(label, share)| vec![format!("  {label}"), percent(share)]).collect();
    let lines = table(&rows);
    lines.lines().zip(classes).map(|(line, (_, share))| format!("{line}  {}\n", bar(share))).collect()
}

/// Width of a full bar in characters.
const CELLS: f64 = 20.0;

/// A bar in steps of an eighth of a character (Unicode's block elements); any value above 0 shows.
fn bar(fraction: f64) -> String {
    let eighths =
        ((8.0 * CELLS * fraction.clamp(0.0, 1.0)).round() as usize).max(usize::from(fraction > 0.0));
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{part}", "█".repeat(eighths / 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_shares() {
        assert_eq!(bar(1.0), "█".repeat(20));
        assert_eq!(bar(0.5), "█".repeat(10));
        assert_eq!([bar(0.0), bar(0.0001), bar(0.025), bar(0.06)], ["", "▏", "▌", "█▎"]);
    }
}
