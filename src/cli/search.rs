//! The subcommand `headstart search`: its arguments, and its result as text.

use super::options::{Global, parse};
use super::output::{Outcome, list_refused, print_result};
use super::paths::with_cache;
use super::progress::Terminal;
use super::text::{printable, table_with_header};
use crate::backbone::Device;
use crate::cache::near_images::Neighbour;
use crate::error::Result;
use crate::evaluate::search::{SearchConfig, SearchedFile, search};
use std::path::PathBuf;

/// Find the images of a cache that are most like given image files
///
/// The distance is the cosine distance of the features: 0 for the same direction, up to 2.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart search cache/photos holiday.jpg")]
pub(super) struct Args {
    /// The cache, or its URL
    cache: PathBuf,
    /// Image files
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Number of images to find for each file
    #[arg(long, value_name = "K", default_value_t = 10, allow_negative_numbers = true)]
    neighbours: usize,
    /// Device to run on: auto, cpu, cuda, cuda:N, cuda:N,M or openvino
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
    /// ONNX file of the backbone, if it has moved since `extract`
    #[arg(long, value_name = "FILE.onnx")]
    backbone: Option<PathBuf>,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let given = args.cache.clone();
    with_cache(&given, terminal, |cache| run_on(Args { cache, ..args }, global, terminal))
}

/// Searches in the folder of a cache.
fn run_on(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let mut config = SearchConfig::new(args.cache, args.images);
    (config.neighbours, config.device) = (args.neighbours, args.device);
    (config.backbone, config.models) = (args.backbone, global.models.clone());
    terminal.stop_on_signals();
    let files = search(&config, terminal)?;
    let refused: Vec<_> = files.iter().filter_map(SearchedFile::refusal).collect();
    let ended = list_refused(&refused);
    print_result(global, &files, || files.iter().filter(|file| file.reason.is_none()).map(text).collect())?;
    Ok(ended)
}

fn text(file: &SearchedFile) -> String {
    let row = |near: &Neighbour| {
        [format!("{:.4}", near.distance), near.path.clone(), near.label.clone(), near.split.to_string()]
    };
    let rows = file.neighbours.iter().map(row);
    format!(
        "{}\n{}\n",
        printable(&file.path),
        table_with_header(["distance", "image", "class", "split"], rows)
    )
}
