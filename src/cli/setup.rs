//! `headstart setup`

use super::{Ended, Global, parse, print, progress::Terminal};
use crate::backbone::Device;
use crate::error::Result;
use crate::setup::{SetupConfig, SetupStats, setup};
use std::path::PathBuf;

/// Install what is missing: ONNX Runtime and a backbone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart setup --yes")]
pub(super) struct Args {
    /// The backbone to install
    #[arg(long, value_name = "NAME", default_value = "nsfwjs")]
    backbone: String,
    /// Where it shall run: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
    /// A wheel of ONNX Runtime to use instead of fetching it
    #[arg(long, value_name = "FILE")]
    wheel: Option<PathBuf>,
    /// The backbone's npm tarball to use instead of fetching it
    #[arg(long, value_name = "FILE")]
    tarball: Option<PathBuf>,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    let Args { backbone, device, wheel, tarball } = args;
    let config = SetupConfig { backbone, device, wheel, tarball, models: global.models.clone() };
    let stats = setup(&config, terminal)?;
    print(global, &stats, || told(&stats))?;
    Ok(Ended::Done)
}

fn told(stats: &SetupStats) -> String {
    format!(
        "ONNX Runtime {} ({}): {}\n{}, an {}: {}\n",
        stats.runtime_version,
        stats.runtime_origin,
        stats.runtime.display(),
        stats.backbone,
        stats.title,
        stats.onnx.display()
    )
}
