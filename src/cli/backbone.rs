//! The subcommand `headstart backbone`: its arguments, and its result as text.

use super::options::Global;
use super::output::{Outcome, print_result};
use super::text::table_with_header;
use crate::backbone::graph::{Endpoint, NetworkSummary, Variable, network_summary};
use crate::backbone::inception_v3::layers;
use crate::backbone::install::known_backbone::onnx_path;
use crate::backbone::registry::registry;
use crate::backbone::{BackboneChoice, ResolvedBackbone};
use crate::data::preprocess::Preprocessing;
use crate::error::Result;
use crate::io::digest::{Digest, sha256_file};
use serde::Serialize;

/// List the known backbones, and show what one is made of
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart backbone inspect nsfwjs")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the known backbones, their layers, and whether each is built
    #[command(after_help = "Example:\n  headstart backbone list --json")]
    List,
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

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    licence: &'static str,
    sha256: Digest,
    built: bool,
    /// Values of `extract --layer`.
    layers: Vec<&'static str>,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Outcome> {
    match args.command {
        Command::List => list(global),
        Command::Inspect { backbone, preprocess } => inspect(backbone, preprocess, global),
    }
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
        let shape = e.shape.as_deref().map_or_else(|| "?".into(), |shape| shape_text(shape));
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
            layers: layers(),
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
