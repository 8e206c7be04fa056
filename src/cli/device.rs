//! `headstart device`

use super::{Ended, Global, print};
use crate::error::Result;
use crate::runtime;
use serde::Serialize;
use std::path::PathBuf;

/// What can run here, and why the rest cannot.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart device --json")]
pub(super) struct Args {}

#[derive(Serialize)]
struct Devices {
    runtime: Option<PathBuf>,
    runtime_origin: Option<String>,
    cpu: Option<String>,
    cuda: Option<String>,
}

pub(super) fn run(_args: Args, global: &Global) -> Result<Ended> {
    let library = runtime::find(false)?;
    let missing = "no ONNX Runtime: run `headstart setup --yes`";
    let devices = Devices {
        cpu: library.is_none().then(|| missing.to_string()),
        cuda: why_not_cuda(library.as_ref()),
        runtime_origin: library.as_ref().map(|library| library.origin.to_string()),
        runtime: library.map(|library| library.path),
    };
    print(global, &devices, || {
        let usable = |why: &Option<String>| {
            why.clone().unwrap_or_else(|| "all that is needed was found (not loaded yet)".into())
        };
        let runtime = devices.runtime.as_ref().map_or("none".into(), |path| path.display().to_string());
        format!("runtime  {runtime}\ncpu      {}\ncuda     {}\n", usable(&devices.cpu), usable(&devices.cuda))
    })?;
    Ok(Ended::Done)
}

fn why_not_cuda(library: Option<&runtime::Library>) -> Option<String> {
    match library {
        _ if !runtime::has_nvidia_driver() => Some("no NVIDIA driver on this machine".into()),
        Some(library) if library.has_cuda => None,
        _ => Some("no ONNX Runtime with CUDA: run `headstart setup --device cuda --yes`".into()),
    }
}
