//! The subcommand `headstart tensorboard`: its arguments, and its result as text.

use super::options::Global;
use super::output::{Outcome, list_refused, print_result};
use super::paths::with_cache_if_given;
use super::progress::Terminal;
use super::text::printable;
use crate::error::{Result, counted};
use crate::report::tensorboard::{
    ExportedRun, GraphScope, ProjectorConfig, TensorboardConfig, TensorboardStats, tensorboard,
};
use std::path::PathBuf;

/// Write runs as a log directory for TensorBoard
///
/// It adds the graph of backbone and head, and with --projector the features for the embedding projector. Without this
/// command, `tensorboard --logdir runs` shows the curves and histograms of plain run folders. Each run gets a folder in
/// DIR, named after its start (UTC) and its own name, such as 2017-08-07_14-03-22-shifts. The folder of the same run is
/// replaced; another run of that name and second gets a name of its own.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart tensorboard runs/plain runs/shifts --logdir board\n  headstart tensorboard runs/all --logdir board --projector\n  tensorboard --logdir board"
)]
pub(super) struct Args {
    /// Runs, or folders of runs such as `sweep` writes
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Log directory to write
    #[arg(long, value_name = "DIR")]
    logdir: PathBuf,
    /// Add the features for the embedding projector, with labels, splits, predictions and thumbnails
    #[arg(long)]
    projector: bool,
    /// Maximum number of feature rows in the projector, evenly spread
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10_000,
        requires = "projector",
        allow_negative_numbers = true
    )]
    points: usize,
    /// Folder of images for the thumbnails [default: the folder they were extracted from]
    #[arg(long, value_name = "DIR", requires = "projector")]
    images: Option<PathBuf>,
    /// Cache of the runs for the projector, if it has moved since `train`, or its URL
    #[arg(long, value_name = "CACHE", requires = "projector")]
    cache: Option<PathBuf>,
    /// ONNX file of the backbone, if it has moved since `extract`
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let given = args.cache.clone();
    with_cache_if_given(given.as_deref(), terminal, |cache| run_on(Args { cache, ..args }, global, terminal))
}

/// Exports runs, with the folder of their cache.
fn run_on(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Args { runs, logdir, projector, points, images, cache, backbone } = args;
    let projector = projector.then_some(ProjectorConfig { points, images });
    let models = global.models.clone();
    let config = TensorboardConfig { runs, logdir, projector, models, backbone, cache };
    let stats = tensorboard(&config, terminal)?;
    print_result(global, &stats, || summary(&stats))?;
    Ok(list_refused(&stats.refused))
}

fn summary(stats: &TensorboardStats) -> String {
    let mut out: String = stats.runs.iter().map(line).collect();
    if !stats.refused.is_empty() {
        out.push_str(&format!("pictures with a blank thumbnail: {}\n", stats.refused.len()));
    }
    out.push_str(&format!("look at them with: tensorboard --logdir {}\n", stats.logdir.display()));
    out
}

fn line(laid: &ExportedRun) -> String {
    let points = laid.projector.map_or(String::new(), |projected| {
        let thumbnails = match projected.thumbnail {
            Some(side) => format!(" with thumbnails of {side} pixels"),
            None => " without thumbnails".into(),
        };
        format!(", {}{thumbnails}", counted(projected.points, "point"))
    });
    let shown = match laid.graph {
        GraphScope::BackboneAndHead => "backbone and head",
        GraphScope::Head => "the head alone",
    };
    let folder = printable(&laid.folder.display().to_string());
    let epochs = counted(laid.epochs, "epoch");
    format!("{folder}: {epochs}, graph of {shown}{points}\n")
}
