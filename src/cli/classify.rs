//! The subcommand `headstart classify`: its arguments, and its result as text.

use super::options::{Global, PREPROCESS, parse};
use super::output::{Outcome, list_refused, print_result};
use super::predict::ranked;
use super::progress::Terminal;
use super::text::printable;
use crate::backbone::Device;
use crate::error::{Result, counted};
use crate::evaluate::classify::{ClassifyConfig, ClassifyStats, classify};
use std::path::PathBuf;

/// Classify image files with a backbone's own classifier, such as that of ImageNet's classes
///
/// No run and no cache are needed. Most backbones know ImageNet's 1,000 classes; the list of their names (524 kB, MIT) is
/// installed, with consent, when it is first needed. nsfwjs has five classes of its own. The 1008 classes of fid are in an order of
/// their own and need --names.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart classify bison.jpg --backbone efficientnet-lite0")]
pub(super) struct Args {
    /// Image files to classify
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Name of an installed backbone, or path of an ONNX file [default: that of `headstart backbone use`, at first nsfwjs]
    #[arg(long, value_name = "NAME|FILE.onnx")]
    backbone: Option<String>,
    #[arg(long, value_name = "NAME", help = PREPROCESS)]
    preprocess: Option<String>,
    /// Number of classes to show for each image, the most probable first
    #[arg(long, value_name = "K", default_value_t = 5, allow_negative_numbers = true)]
    top: usize,
    /// Text file with the name of each class in a line, instead of the names that are known
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// Device to run on: auto, cpu, cuda, cuda:N, cuda:N,M or openvino
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Args { images, backbone, preprocess, top, names, device } = args;
    let models = global.models.clone();
    let config = ClassifyConfig { images, backbone, preprocess, names, top, device, models };
    terminal.stop_on_signals();
    let stats = classify(&config, terminal)?;
    let ended = list_refused(&stats.refused());
    print_result(global, &stats, || text(&stats))?;
    Ok(ended)
}

fn text(stats: &ClassifyStats) -> String {
    let mut out = String::new();
    for file in stats.images.iter().filter(|file| file.reason.is_none()) {
        let classes =
            file.predictions.iter().map(|class| (class.label.as_str(), f64::from(class.probability)));
        out.push_str(&format!("{}\n{}", printable(&file.path), ranked(classes)));
    }
    out.push_str(&format!("{} of {}, {}\n", counted(stats.classes, "class"), stats.backbone, stats.title));
    out
}
