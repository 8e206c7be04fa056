//! The subcommand `headstart backbone`: its arguments, and its result as text.

use super::options::Global;
use super::output::{Outcome, print_result};
use crate::backbone::inception_v3::layers;
use crate::backbone::install::known_backbone::onnx_path;
use crate::backbone::registry::registry;
use crate::error::Result;
use crate::io::digest::{Digest, sha256_file};
use serde::Serialize;

/// List the known backbones
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
    let Command::List = args.command;
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
