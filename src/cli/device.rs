//! The subcommand `headstart device`: its arguments, and its result as text.

use super::options::Global;
use super::output::{Outcome, print_result};
use super::progress::Terminal;
use crate::backbone::Device;
use crate::backbone::install::{self, Library, runtime, runtime::Runtime};
use crate::backbone::proof::prove;
use crate::error::Result;
use serde::Serialize;
use std::path::PathBuf;

/// Show which devices can run the backbone, and why the others cannot
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart device --json")]
pub(super) struct Args {}

/// The runtime, and what it can run on.
#[derive(Debug, Serialize)]
pub(super) struct Devices {
    /// The libonnxruntime that was loaded.
    pub runtime: Option<PathBuf>,
    /// Where the library came from.
    pub runtime_origin: Option<String>,
    /// The version that it reports.
    pub runtime_version: Option<String>,
    pub devices: Vec<Listed>,
}

/// A device.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    pub name: &'static str,
    /// Whether a small network gave its known answer on it.
    pub usable: bool,
    /// Why the device cannot be used.
    pub reason: Option<String>,
}

impl Listed {
    /// Why the device cannot be used, or that it works.
    pub fn state(&self) -> &str {
        self.reason.as_deref().unwrap_or("works: a small network gave its known answer")
    }
}

pub(super) fn run(_args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let devices = inspect(terminal);
    print_result(global, &devices, || {
        let runtime = match (&devices.runtime, &devices.runtime_version) {
            (Some(path), Some(version)) => format!("{version}, {}", path.display()),
            _ => "none".into(),
        };
        let mut out = format!("runtime  {runtime}\n");
        for device in &devices.devices {
            out.push_str(&format!("{:<8} {}\n", device.name, device.state()));
        }
        out
    })?;
    Ok(Outcome::Done)
}

/// Opens the runtime, and tries each device with a small network.
pub(super) fn inspect(terminal: &Terminal) -> Devices {
    let opened = open_runtime(terminal);
    let runtime = opened.as_ref().ok();
    let listed = |name, reason: Option<String>| Listed { name, usable: reason.is_none(), reason };
    let library = runtime.map(|runtime| &runtime.library);
    Devices {
        devices: vec![
            listed("cpu", opened.as_ref().err().cloned()),
            listed("cuda", why_not_cuda(library, terminal)),
        ],
        runtime: library.map(|library| library.path.clone()),
        runtime_origin: library.map(|library| library.origin.to_string()),
        runtime_version: runtime.map(|runtime| runtime.version.clone()),
    }
}

/// Opens the runtime, or says why that fails.
fn open_runtime(terminal: &Terminal) -> std::result::Result<Runtime, String> {
    let missing = || "no ONNX Runtime: run `headstart setup --yes`".to_string();
    let library = install::find_library(false).map_err(|e| terminal.explain(&e))?.ok_or_else(missing)?;
    runtime::open(library, terminal).map_err(|e| terminal.explain(&e))
}

fn why_not_cuda(library: Option<&Library>, terminal: &Terminal) -> Option<String> {
    match library {
        _ if !install::has_nvidia_driver() => Some("no NVIDIA driver on this machine".into()),
        Some(library) if library.has_cuda => {
            prove(&library.path, Device::Cuda(0), terminal).err().map(|e| terminal.explain(&e))
        }
        _ => Some("no ONNX Runtime with CUDA: run `headstart setup --device cuda --yes`".into()),
    }
}
