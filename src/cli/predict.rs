//! `headstart predict`

use super::text::{left, percent, printable, table};
use super::{Ended, Global, complain_of, parse, print, progress::Terminal};
use crate::backbone::Device;
use crate::error::Result;
use crate::neighbours::Neighbour;
use crate::places::PageOutput;
use crate::predict::{ClassProbability, FilePrediction, PredictConfig, PredictorConfig, predict, refused};
use crate::report::prediction;
use std::path::PathBuf;

/// Classify image files with a run; the text shows the five most probable classes of each, the JSON all.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  headstart predict runs/first holiday.jpg --reject 0.05 --html holiday.html"
)]
pub(super) struct Args {
    /// The run that `train` wrote
    run: PathBuf,
    /// Image files
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Where to run: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
    /// Answer `unknown` where an image lies too far from every class; this share of known images may too, such as 0.05
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true)]
    reject: Option<f64>,
    /// How many of the nearest cached images to name; 0 leaves the cache unread
    #[arg(long, value_name = "N", default_value_t = 3)]
    neighbours: usize,
    /// Write a page too, with the pictures; one of headstart that is there is replaced
    #[arg(long = "html", value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the tables of the page here too, as CSV; files of the same names are replaced
    #[arg(long, value_name = "DIR", requires = "out")]
    tables: Option<PathBuf>,
}

/// Classes shown for each image in the text; the JSON has all.
const SHOWN: usize = 5;

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    let Args { run, images, device, reject, neighbours, out, tables } = args;
    let output = out.map(|out| PageOutput { out, plots: None, tables });
    if let Some(output) = &output {
        prediction::check_output(&run, output)?;
    }
    let models = global.models.clone();
    let predictor = PredictorConfig { run, device, models, reject, neighbours };
    let config = PredictConfig { images, predictor };
    let predictions = predict(&config, terminal)?;
    let page = output.map(|output| prediction::write(&predictions, &config, &output)).transpose()?;
    let ended = complain_of(&refused(&predictions));
    let page = page.map_or(String::new(), |page| format!("{}\n", page.out.display()));
    print(global, &predictions, || format!("{}{page}", told(&predictions)))?;
    Ok(ended)
}

/// The most probable classes of each image, with bars, and its nearest images below.
pub(super) fn told(predictions: &[FilePrediction]) -> String {
    let mut out = String::new();
    for file in predictions.iter().filter(|file| file.reason.is_none()) {
        let prediction = &file.prediction;
        out.push_str(&format!("{}\n", printable(&file.path)));
        match prediction.open_set.as_ref().filter(|score| score.unknown) {
            Some(score) => {
                let share = percent(score.p_value);
                out.push_str(&format!(
                    "  unknown: at most {share} of known images lie as far from their class\n"
                ));
            }
            None => out.push_str(&ranked(&prediction.predictions)),
        }
        if let Some(near) = prediction.neighbours.as_ref().filter(|near| !near.is_empty()) {
            let row = |one: &Neighbour| {
                let distance = format!("{:.4}", one.distance);
                vec![format!("  {}", one.label), distance, one.split.name().into(), one.path.clone()]
            };
            out.push_str("  nearest cached images, with cosine distance\n");
            out.push_str(&left(&near.iter().map(row).collect::<Vec<_>>()));
        }
    }
    out
}

fn ranked(classes: &[ClassProbability]) -> String {
    let shown = classes.iter().take(SHOWN);
    let rows: Vec<_> =
        shown.clone().map(|p| vec![format!("  {}", p.label), percent(p.probability)]).collect();
    let lines = table(&rows);
    lines.lines().zip(shown).map(|(line, p)| format!("{line}  {}\n", bar(p.probability))).collect()
}

/// Cells of a full bar.
const CELLS: f64 = 20.0;

/// A bar of eighths of cells, which fonts of terminals have (Unicode's block elements); something above zero shows.
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
