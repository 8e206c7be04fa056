//! The subcommand `headstart export`: its arguments, and its result as text.

use super::options::{Global, parse};
use super::output::{Outcome, print_result_beside};
use super::progress::Terminal;
use crate::error::{Result, counted};
use crate::export::{ClassifierInput, ExportConfig, ExportStats, export};
use std::path::{Path, PathBuf};

/// Write the whole classifier of a run as one ONNX file, or as a page that classifies in the browser
///
/// The file holds backbone, head, temperature and softmax, and runs in ONNX Runtime without headstart: from Python, Node, C++,
/// a browser or Triton. Its input is `image`; its outputs are `label_index`, `probabilities` and `features`, with --reject also
/// `distance` and `is_known`. Its metadata hold the names of the classes. Before it is written, it must answer as the run does.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart export runs/first --onnx pets.onnx\n  headstart export runs/first --onnx pets.onnx --reject 0.05 --triton models\n  headstart export runs/first --web site --reject 0.05"
)]
pub(super) struct Args {
    /// Run that `train` wrote
    run: PathBuf,
    /// The ONNX file to write; an earlier classifier of headstart is replaced, another file refused
    #[arg(long, value_name = "FILE", required_unless_present_any = ["triton", "web"])]
    onnx: Option<PathBuf>,
    /// Also write the classifier into this model repository of Triton Inference Server, in a folder with the name of the run
    #[arg(long, value_name = "DIR")]
    triton: Option<PathBuf>,
    /// Write a page that classifies in the browser, with ONNX Runtime for browsers, into this folder; any web server can serve
    /// it, and it loads nothing from elsewhere
    #[arg(long, value_name = "DIR")]
    web: Option<PathBuf>,
    /// Show similar train images of the predicted class on the page; they are then public wherever the page is
    #[arg(long, requires = "web")]
    pictures: bool,
    /// Tarball of onnxruntime-web, where it was fetched elsewhere
    #[arg(long, value_name = "FILE", requires = "web")]
    ort_web: Option<PathBuf>,
    /// What the input of the file takes: uint8 (pictures of any size), resized (pictures of the network's size) or float (the network's own
    /// input)
    #[arg(long, value_name = "KIND", default_value = "uint8", value_parser = parse::<ClassifierInput>)]
    input: ClassifierInput,
    /// Also answer whether an image is of a known class; ALPHA, such as 0.05, is the share of known images that may be
    /// called unknown
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true)]
    reject: Option<f64>,
    /// Keep that share below ALPHA with this confidence over the choice of validation images, such as 0.95, and not just on
    /// average
    #[arg(long, value_name = "C", requires = "reject", allow_negative_numbers = true)]
    confidence: Option<f64>,
    /// ONNX file of the backbone, if it has moved since `extract`
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Args { run, onnx, triton, web, pictures, ort_web, input, reject, confidence, backbone } = args;
    let mut config = ExportConfig::new(run);
    config.onnx = onnx;
    config.triton = triton;
    config.web = web;
    config.pictures = pictures;
    config.ort_web = ort_web;
    config.input = input;
    config.reject = reject;
    config.confidence = confidence;
    config.backbone = backbone;
    config.models = global.models.clone();
    terminal.stop_on_signals();
    let stats = export(&config, terminal)?;
    let out = stats.onnx.as_deref().unwrap_or(Path::new(""));
    print_result_beside(out, global, &stats, || summary(&stats))?;
    Ok(Outcome::Done)
}

fn summary(stats: &ExportStats) -> String {
    let mut text = format!(
        "{}, {:.1} MB; input image ({}), outputs {}; as the run to {:.0e} on two fixed images\n",
        counted(stats.classes, if stats.several_labels { "label" } else { "class" }),
        stats.bytes as f64 / 1e6,
        stats.input,
        stats.outputs.join(", "),
        stats.difference
    );
    for path in stats.onnx.iter().chain(&stats.triton).chain(&stats.web) {
        text.push_str(&format!("{}\n", path.display()));
    }
    text
}
