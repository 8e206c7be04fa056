//! The subcommand `headstart backbone add`: its arguments, and its result as text.

use crate::backbone::add::{AddConfig, add};
use crate::backbone::{BackboneChoice, Device, PRELOGITS, Pool};
use crate::cli::options::{Global, parse};
use crate::cli::output::{Outcome, print_result};
use crate::cli::progress::Terminal;
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// Folder with model.onnx and preprocessor_config.json or headstart.toml
    #[arg(value_name = "DIR")]
    backbone: String,
    /// Name of the new backbone
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Default layer [default: that of headstart.toml, or the output that holds features by its name]
    #[arg(long)]
    layer: Option<String>,
    /// How a layer with tokens becomes one row of features: cls, mean, mean-patches or channels-last
    #[arg(long, value_name = "POOL", value_parser = parse::<Pool>)]
    pool: Option<Pool>,
    /// Device to try it on: auto, cpu, cuda, cuda:N, cuda:N,M or openvino
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
}

pub(super) fn run(args: Add, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Add { backbone, name, layer, pool, device } = args;
    // The folder may be in the working folder, where a name without a slash would be that of a backbone.
    let backbone = if std::path::Path::new(&backbone).is_dir() { format!("{backbone}/") } else { backbone };
    let layer = layer.unwrap_or_else(|| PRELOGITS.into());
    let choice = BackboneChoice {
        layer: Some(layer),
        pool,
        models: global.models.clone(),
        ..BackboneChoice::new(backbone)
    };
    let mut config = AddConfig::new(choice, name);
    config.device = device;
    let stats = add(&config, terminal)?;
    print_result(global, &stats, || {
        format!(
            "{}, {}: {}\n{} features of {} on {}\n",
            stats.name,
            stats.title,
            stats.onnx.display(),
            stats.width,
            stats.layer,
            stats.provider
        )
    })?;
    Ok(Outcome::Done)
}
