//! The subcommand `headstart predict`: its arguments, and its result as text.

use super::options::{Global, Size, parse};
use super::output::{Outcome, list_refused, print_result, print_result_beside};
use super::paths;
use super::progress::Terminal;
use super::text::{left_aligned_table, percent, printable, table, table_with_header};
use crate::backbone::Device;
use crate::cache::near_images::Neighbour;
use crate::data::scan::list_files;
use crate::error::{Result, counted};
use crate::evaluate::predict::{
    FilePrediction, PredictConfig, PredictorConfig, UNKNOWN, UNSURE, predict, refused,
};
use crate::extract::COMMIT_EVERY;
use crate::report::explanation::in_words;
use crate::report::prediction::{self, PredictionOutput};
use crate::score::{ScoreConfig, ScoreStats, score};
use std::path::PathBuf;
use std::time::Duration;

/// Classify images with a run: files, folders at any depth, archives and manifests
///
/// The text shows the most probable classes of each image, the JSON all of them. With --out, any number of images is
/// classified into one file, a row each; the same command again goes on where it was stopped.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart predict runs/first holiday.jpg --reject 0.05 --html holiday.html\n  headstart predict runs/first holiday.jpg --explain --html holiday.html --plots looked\n  headstart predict runs/first photos --out answers.parquet\n  find photos -type f -print0 | headstart predict runs/first - --null --out answers.csv"
)]
pub(super) struct Args {
    /// Run that `train` wrote
    run: PathBuf,
    /// Images to classify: files, folders with images at any depth, zip and tar files, manifests with a column path, or - for a
    /// list of them on stdin, one a line
    #[arg(required = true, value_name = "PATH")]
    images: Vec<PathBuf>,
    /// Paths on stdin end with a null character instead of a line feed, as `find -print0` writes them
    #[arg(long, short = '0')]
    null: bool,
    /// Write one row for each image to this file, as .parquet, .csv or .jsonl; an earlier one of headstart is replaced
    #[arg(long, value_name = "FILE", conflicts_with_all = ["html", "tables", "neighbours", "top", "explain"])]
    out: Option<PathBuf>,
    /// Number of classes that the text shows for each image, the most probable first
    #[arg(long, value_name = "K", default_value_t = SHOWN, value_parser = parse_top)]
    top: usize,
    /// Device to run on: auto, cpu, cuda, cuda:N, cuda:N,M or openvino
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
    /// Answer `unknown` for an image that is too far from every class; ALPHA, such as 0.05, is the share of known images
    /// that may be rejected too, on average over validation images. It needs 1/ALPHA - 1 of them, 19 for 0.05
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true)]
    reject: Option<f64>,
    /// Keep that share below ALPHA with this confidence over the choice of validation images, such as 0.95, and not just on
    /// average
    #[arg(long, value_name = "C", requires = "reject", allow_negative_numbers = true)]
    confidence: Option<f64>,
    /// ONNX file of the backbone, if it has moved since `extract`
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
    /// Cache of the run for the nearest images, if it has moved since `train`; with --out, cache to keep the features in,
    /// which need not be that of the run
    #[arg(long, value_name = "CACHE")]
    cache: Option<PathBuf>,
    /// Number of nearest cached images to name; with 0 the cache is not read
    #[arg(long, value_name = "N", default_value_t = 3)]
    neighbours: usize,
    /// Show where the network looked: what each position of the picture adds to the logit of the most probable class, in the
    /// page, in the plots, and as numbers in the JSON. Of the first 200 images the page and the plots show it
    #[arg(long)]
    explain: bool,
    /// Also write each picture that --explain shows into this folder, as SVG and PNG; earlier ones are replaced, other files
    /// refused
    #[arg(long, value_name = "DIR", requires = "explain")]
    plots: Option<PathBuf>,
    /// Also write a page with the images; an earlier page of headstart is replaced
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also write the tables of the page into this folder, as CSV; earlier ones are replaced, other files refused
    #[arg(long, value_name = "DIR")]
    tables: Option<PathBuf>,
    #[command(flatten)]
    stream: Stream,
}

/// How images are streamed with `--out`.
#[derive(Debug, clap::Args)]
struct Stream {
    /// Images in a batch [default: 4 on a CPU, 64 elsewhere]
    #[arg(long, value_name = "N", requires = "out")]
    batch: Option<usize>,
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, requires = "out")]
    threads: usize,
    /// Memory for decoding, such as 4GiB, of all threads together [default: half of what is free]
    #[arg(long, value_name = "SIZE", value_parser = parse::<Size>, requires = "out")]
    decode_memory: Option<Size>,
    /// Write computed features to disk at least this often, in seconds: the most work that a crash can lose
    #[arg(long, value_name = "SECONDS", default_value_t = COMMIT_EVERY.as_secs(), value_parser = clap::value_parser!(u64).range(..=3600), requires = "out")]
    commit_every: u64,
}

/// Number of classes that the text shows by default; the JSON has all.
pub(super) const SHOWN: usize = 5;

/// A number of classes to show.
fn parse_top(text: &str) -> std::result::Result<usize, String> {
    text.parse().ok().filter(|top| *top > 0).ok_or_else(|| "give a whole number, 1 or more".into())
}

pub(super) fn run(mut args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    args.images = paths::with_stdin(&args.images, args.null)?;
    match args.out.take() {
        Some(out) => run_score(args, out, global, terminal),
        None => run_predict(args, global, terminal),
    }
}

fn run_predict(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Args {
        run,
        images,
        device,
        reject,
        confidence,
        neighbours,
        backbone,
        cache,
        explain,
        plots,
        html,
        tables,
        top,
        ..
    } = args;
    let models = global.models.clone();
    let predictor = PredictorConfig { run, device, models, reject, confidence, neighbours, backbone, cache };
    let output = PredictionOutput { page: html, plots, tables };
    prediction::check_output(&predictor, &output)?;
    let listed = list_files(&images)?;
    let config = PredictConfig { images: listed.files, predictor, explain };
    terminal.stop_on_signals();
    let mut predictions = predict(&config, terminal)?;
    predictions.files.extend(listed.refused.into_iter().map(FilePrediction::refused));
    let page = prediction::write(&predictions, &config, &output)?;
    let files = predictions.files;
    let ended = list_refused(&refused(&files));
    match page.map(|page| page.out) {
        Some(out) => {
            let text = || format!("{}{}\n", summary(&files, top), out.display());
            print_result_beside(&out, global, &files, text)?;
        }
        None => print_result(global, &files, || summary(&files, top))?,
    }
    Ok(ended)
}

fn run_score(args: Args, out: PathBuf, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Args { run, images, device, reject, confidence, backbone, cache, stream, .. } = args;
    let (models, neighbours) = (global.models.clone(), 0);
    let predictor =
        PredictorConfig { run, device, models, reject, confidence, neighbours, backbone, cache: None };
    let mut config = ScoreConfig::new(predictor, images, out);
    (config.cache, config.batch, config.threads) = (cache, stream.batch, stream.threads);
    config.decode_memory = stream.decode_memory.map(Size::bytes);
    config.commit_every = Duration::from_secs(stream.commit_every);
    terminal.stop_on_signals();
    let stats = score(&config, terminal)?;
    let ended = list_refused(&stats.refused);
    print_result_beside(&config.out, global, &stats, || scored(&stats))?;
    Ok(ended)
}

/// How many images have which answer, and what it took.
fn scored(stats: &ScoreStats) -> String {
    let row = |name: &str, images: usize| {
        let share = (stats.answers > 0).then(|| images as f64 / stats.answers as f64);
        [name.to_string(), images.to_string(), percent(share)]
    };
    let classes = stats.classes.iter().filter(|class| class.images > 0);
    let rows = classes.map(|class| row(&class.label, class.images));
    let unknown = stats.unknown.filter(|unknown| *unknown > 0).map(|unknown| row(UNKNOWN, unknown));
    let unsure = stats.unsure.filter(|unsure| *unsure > 0).map(|unsure| row(UNSURE, unsure));
    let rate = stats.images_per_second.map_or(String::new(), |rate| format!(", {rate:.1} images/s"));
    format!(
        "{}\n{} for {}, {} of them computed now{rate}: {}\n",
        table_with_header(["answer", "images", "share"], rows.chain(unsure).chain(unknown)),
        counted(stats.answers, "answer"),
        counted(stats.files, "file"),
        stats.computed,
        stats.out.display()
    )
}

/// The `top` predictions for each image, with bars, and its nearest images below.
pub(super) fn summary(predictions: &[FilePrediction], top: usize) -> String {
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
                if let Some(decided) = &prediction.decided {
                    out.push_str(&format!("  answer by the rule of the run: {}\n", printable(decided)));
                }
                let shown = prediction.predictions.iter().take(top);
                out.push_str(&ranked(shown.map(|class| (class.label.as_str(), class.probability))));
            }
        }
        if let Some(explanation) = &file.explanation {
            out.push_str(&format!("  {}\n", printable(&in_words(explanation))));
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
