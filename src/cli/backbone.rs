//! The subcommand `headstart backbone`: its arguments, and its result as text.

use super::options::Global;
use super::output::{Outcome, print_result};
use super::progress::Terminal;
use crate::backbone::import::ImportConfig;
use crate::backbone::inception_v3::layers;
use crate::backbone::install::import_weights;
use crate::backbone::install::known_backbone::onnx_path;
use crate::backbone::registry::registry;
use crate::error::Result;
use crate::io::digest::{Digest, sha256_file};
use serde::Serialize;
use std::path::PathBuf;

/// List the known backbones, and build some from published weights
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
    layers: Vec<&'static str>,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    match args.command {
        Command::List => list(global),
        Command::Import(args) => run_import(args, global, terminal),
    }
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
