//! The subcommand `headstart backbone`: its arguments, and its result as text.

use super::backbone_add;
use super::options::Global;
use super::output::{Outcome, print_result};
use super::progress::Terminal;
use super::text::table_with_header;
use crate::backbone::fetch::{FetchConfig, fetch};
use crate::backbone::graph::{Endpoint, NetworkSummary, Variable, network_summary};
use crate::backbone::import::ImportConfig;
use crate::backbone::install::import_weights;
use crate::backbone::install::known_backbone::onnx_path;
use crate::backbone::registry::registry;
use crate::backbone::{BackboneChoice, ResolvedBackbone};
use crate::data::preprocess::Preprocessing;
use crate::error::Result;
use crate::io::digest::{Digest, sha256_file};
use serde::Serialize;
use std::path::PathBuf;

/// List the known backbones, fetch published weights and build backbones from them, show what one is made of
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart backbone list")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the known backbones, their layers, and whether each is built
    #[command(after_help = "Example:\n  headstart backbone list --json")]
    List,
    /// Make a network of your own known by a name: a folder with model.onnx, and preprocessor_config.json or headstart.toml
    ///
    /// The network is checked and run on the image of the known-answer test first. Its weights, its preprocessing and its
    /// default layer go into one ONNX file in the folder of backbones.
    #[command(after_help = "Example:\n  headstart backbone add dinov2-small --name dinov2 --pool cls")]
    Add(backbone_add::Add),
    /// Build a backbone from a file of published weights of Inception-v3, or from one of the same make
    ///
    /// Takes a checkpoint of TF-Slim (V1, V2, or in a .tar.gz) or its frozen graph, a .pth or .safetensors file of torchvision
    /// or timm, an .h5 file of Keras, the network of FID (.pth, or the frozen graph of 2015-12-05), or the npm tarball of
    /// nsfwjs. The sources differ in pooling, classes and preprocessing: a file that is built with the rules of another
    /// source gives wrong features.
    #[command(
        after_help = "Example:\n  headstart backbone import inception_v3_2016_08_28.tar.gz --source slim"
    )]
    Import(Import),
    /// Download the official file of published weights, and build the backbone from it
    ///
    /// The file is checked by its SHA-256 or MD5; where its publisher states none, the digest of the first fetch is recorded
    /// beside the backbone, and later files must have the same. An interrupted download is continued by the next.
    #[command(
        after_help = "Examples:\n  headstart backbone fetch slim\n  headstart backbone fetch slim --from inception_v3_2016_08_28.tar.gz"
    )]
    Fetch(Fetch),
    /// Show every endpoint of a backbone with its shape and cost, and its trainable variables
    ///
    /// An endpoint is a value of `extract --layer`. Batch norm is folded into weights and bias, so a convolution has one
    /// bias a filter, where a checkpoint has the offset of its batch norm.
    #[command(after_help = "Example:\n  headstart backbone inspect nsfwjs --json")]
    Inspect {
        /// Name of an installed backbone, or path of an ONNX file
        #[arg(value_name = "NAME|FILE.onnx")]
        backbone: String,
        /// Preprocessing of a file that does not say how pixels enter it: unit, inception, imagenet or stretched
        #[arg(long, value_name = "NAME")]
        preprocess: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Fetch {
    /// Published weights: slim, torchvision, timm-tf_in1k, timm-tv_in1k, keras or fid
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
    /// Where the weights come from: slim, torchvision, timm, keras, fid or nsfwjs
    #[arg(long, value_name = "SOURCE")]
    source: String,
    /// Name of the backbone [default: that of the source]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    licence: &'static str,
    sha256: Digest,
    built: bool,
    /// Values of `extract --layer`.
    layers: Vec<String>,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    match args.command {
        Command::List => list(global),
        Command::Add(args) => backbone_add::run(args, global, terminal),
        Command::Import(args) => run_import(args, global, terminal),
        Command::Fetch(args) => fetch_weights(args, global, terminal),
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
    let stats = import_weights(&ImportConfig { file, source, name, models }, terminal)?;
    print_result(global, &stats, || {
        format!("{}, an {}: {}\n", stats.name, stats.title, stats.onnx.display())
    })?;
    Ok(Outcome::Done)
}

/// The JSON document of `backbone inspect`.
#[derive(Serialize)]
struct Inspected {
    name: String,
    title: String,
    sha256: Digest,
    preprocessing: Preprocessing,
    #[serde(flatten)]
    network: NetworkSummary,
}

fn inspect(backbone: String, preprocess: Option<String>, global: &Global) -> Result<Outcome> {
    let choice =
        BackboneChoice { preprocess, models: global.models.clone(), ..BackboneChoice::new(backbone) };
    let resolved = choice.resolve()?;
    let network = network_summary(&resolved.read_model()?, resolved.preprocessing.size)
        .map_err(|e| e.at(&resolved.name))?;
    let ResolvedBackbone { name, title, graph_sha256: sha256, preprocessing, .. } = resolved;
    let inspected = Inspected { name, title, sha256, preprocessing, network };
    print_result(global, &inspected, || inspection(&inspected))?;
    Ok(Outcome::Done)
}

fn inspection(inspected: &Inspected) -> String {
    let Inspected { name, title, preprocessing, network, .. } = inspected;
    let side = preprocessing.size;
    let endpoint = |e: &Endpoint| {
        let shape = e.shape.as_deref().map_or_else(|| "?".into(), shape_text);
        [e.name.clone(), shape, e.parameters.to_string(), format!("{:.3}", gflop(e.multiply_adds))]
    };
    let variable = |v: &Variable| [v.name.clone(), shape_text(&v.shape), v.parameters.to_string()];
    format!(
        "{name}: {title}\ninput {side} x {side} x 3, {} parameters, {:.2} GFLOP an image\n\n{}\n{}",
        network.parameters,
        gflop(network.multiply_adds),
        table_with_header(
            ["endpoint", "shape", "parameters", "GFLOP"],
            network.endpoints.iter().map(endpoint)
        ),
        table_with_header(
            ["trainable variable", "shape", "parameters"],
            network.variables.iter().map(variable)
        ),
    )
}

fn shape_text(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}

/// A multiply-add is two operations.
fn gflop(multiply_adds: u64) -> f64 {
    2.0 * multiply_adds as f64 / 1e9
}

fn list(global: &Global) -> Result<Outcome> {
    let listed: Vec<Listed> = registry()
        .backbones
        .iter()
        .map(|known| Listed {
            name: &known.name,
            title: &known.title,
            about: &known.about,
            licence: &known.licence,
            sha256: known.onnx_sha256,
            layers: known.layers(),
            built: sha256_file(&onnx_path(known, &global.models))
                .is_ok_and(|found| found == known.onnx_sha256),
        })
        .collect();
    print_result(global, &listed, || {
        let line = |b: &Listed| {
            let state = if b.built { "built" } else { "not built: run `headstart setup --yes`" };
            let layers = b.layers.join(" ");
            format!("{}: {}\n  {}\n  {}; {state}\n  layers: {layers}\n", b.name, b.title, b.about, b.licence)
        };
        listed.iter().map(line).collect()
    })?;
    Ok(Outcome::Done)
}
