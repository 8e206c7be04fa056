//! The subcommand `headstart device`: its arguments, and its result as text.

use super::options::Global;
use super::output::{Outcome, print_result};
use crate::backbone::install;
use crate::error::Result;
use serde::Serialize;
use std::path::PathBuf;

/// Show which devices can run the backbone, and why the others cannot
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart device --json")]
pub(super) struct Args {}

#[derive(Serialize)]
struct Devices {
    /// The libonnxruntime that would be loaded.
    runtime: Option<PathBuf>,
    /// Where the library came from.
    runtime_origin: Option<String>,
    devices: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    /// Whether everything it needs was found. Nothing is loaded to find out.
    usable: bool,
    /// Why the device cannot be used.
    reason: Option<String>,
}

pub(super) fn run(_args: Args, global: &Global) -> Result<Outcome> {
    let library = install::find_library(false)?;
    let listed = |name, reason: Option<String>| Listed { name, usable: reason.is_none(), reason };
    let missing = "no ONNX Runtime: run `headstart setup --yes`";
    let devices = Devices {
        devices: vec![
            listed("cpu", library.is_none().then(|| missing.to_string())),
            listed("cuda", why_not_cuda(library.as_ref())),
        ],
        runtime_origin: library.as_ref().map(|library| library.origin.to_string()),
        runtime: library.map(|library| library.path),
    };
    print_result(global, &devices, || {
        let runtime = devices.runtime.as_ref().map_or("none".into(), |path| path.display().to_string());
        let mut out = format!("runtime  {runtime}\n");
        for Listed { name, reason, .. } in &devices.devices {
            let state = reason.as_deref().unwrap_or("everything it needs was found, but not tried");
            out.push_str(&format!("{name:<8} {state}\n"));
        }
        out
    })?;
    Ok(Outcome::Done)
}

fn why_not_cuda(library: Option<&install::Library>) -> Option<String> {
    match library {
        _ if !install::has_nvidia_driver() => Some("no NVIDIA driver on this machine".into()),
        Some(library) if library.has_cuda => None,
        _ => Some("no ONNX Runtime with CUDA: run `headstart setup --device cuda --yes`".into()),
    }
}
