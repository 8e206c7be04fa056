//! The subcommand `headstart device`: its arguments, and its result as text.

use super::fidelity_text::summary;
use super::options::Global;
use super::output::{Outcome, print_result};
use super::progress::Terminal;
use super::text::table_with_header;
use crate::backbone::Device;
use crate::backbone::cuda::{CudaFacts, nvidia_driver, obstacle};
use crate::backbone::install::{self, Library, runtime, runtime::Runtime};
use crate::backbone::proof::prove;
use crate::backbone::registry::registry;
use crate::backbone::speed::{Speed, SpeedConfig, SpeedStats, measure_speed};
use crate::error::Result;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Show which devices can run the backbone, and why the others cannot
///
/// With --bench it measures what each of them embeds in a second, with each installed format of the backbone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  headstart device --json\n  headstart device --bench")]
pub(super) struct Args {
    /// Measure images per second of each usable device with each installed format of the backbone, within a minute
    #[arg(long)]
    bench: bool,
    /// Name of the backbone to measure [default: the one that is used where none is named]
    #[arg(long, value_name = "NAME", requires = "bench")]
    backbone: Option<String>,
    /// Time for all measurements together
    #[arg(long, value_name = "S", default_value_t = 40, requires = "bench", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

/// The runtime, and what it can run on.
#[derive(Debug, Serialize)]
pub(super) struct Devices {
    /// The libonnxruntime that was loaded.
    pub runtime: Option<PathBuf>,
    /// Where the library came from.
    pub runtime_origin: Option<String>,
    /// The version that it reports.
    pub runtime_version: Option<String>,
    /// Version of NVIDIA's driver, where there is one that says it.
    pub nvidia_driver: Option<String>,
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

/// What the command prints.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    devices: Devices,
    #[serde(skip_serializing_if = "Option::is_none")]
    bench: Option<Bench>,
}

#[derive(Serialize)]
struct Bench {
    #[serde(flatten)]
    stats: SpeedStats,
    /// The command to use.
    command: Option<String>,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Args { bench, backbone, seconds } = args;
    let mut config = SpeedConfig { backbone, models: global.models.clone(), ..SpeedConfig::default() };
    config.budget = Duration::from_secs(seconds);
    let devices = inspect(terminal);
    let bench = if bench { Some(measure(&config, terminal)?) } else { None };
    let report = Report { devices, bench };
    print_result(global, &report, || text(&report))?;
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
            listed("openvino", why_not_openvino(library, terminal)),
        ],
        runtime: library.map(|library| library.path.clone()),
        runtime_origin: library.map(|library| library.origin.to_string()),
        runtime_version: runtime.map(|runtime| runtime.version.clone()),
        nvidia_driver: nvidia_driver().and_then(|driver| driver.version),
    }
}

fn text(Report { devices, bench }: &Report) -> String {
    let runtime = match (&devices.runtime, &devices.runtime_version) {
        (Some(path), Some(version)) => format!("{version}, {}", path.display()),
        _ => "none".into(),
    };
    let mut out = format!("runtime  {runtime}\n");
    for device in &devices.devices {
        out.push_str(&format!("{:<8} {}\n", device.name, device.state()));
    }
    if let Some(Bench { stats, command }) = bench {
        let header = ["backbone", "device", "images/s"];
        let row = |s: &Speed| [s.backbone.clone(), s.device.clone(), format!("{:.1}", s.images_per_second)];
        out.push_str(&format!("\n{}\n", table_with_header(header, stats.speeds.iter().map(row))));
        for one in &stats.unusable {
            out.push_str(&format!("{} on {}: {}\n", one.backbone, one.device, one.reason));
        }
        let forms = stats.speeds.iter().filter_map(|speed| Some((speed, speed.fidelity.as_ref()?)));
        let mut notes: Vec<String> =
            forms.map(|(speed, found)| format!("{}: {}\n", speed.backbone, summary(found))).collect();
        notes.sort();
        notes.dedup();
        out.push_str(&notes.concat());
        out.push_str(&command.as_ref().map_or(String::new(), |command| format!("{command}\n")));
    }
    out
}

/// Measures, and chooses the command: the fastest device for the backbone itself. What its other formats cost is the person's
/// to judge.
fn measure(config: &SpeedConfig, terminal: &Terminal) -> Result<Bench> {
    terminal.stop_on_signals();
    let stats = measure_speed(config, terminal)?;
    let exact = stats.speeds.iter().find(|speed| speed.fidelity.is_none());
    let command = exact.map(|Speed { backbone, device, .. }| {
        format!("headstart extract IMAGES --cache CACHE --backbone {backbone} --device {device}")
    });
    Ok(Bench { stats, command })
}

/// Opens the runtime, or says why that fails.
fn open_runtime(terminal: &Terminal) -> std::result::Result<Runtime, String> {
    let missing = || "no ONNX Runtime: run `headstart setup --yes`".to_string();
    let library = install::find_library(false).map_err(|e| terminal.explain(&e))?.ok_or_else(missing)?;
    runtime::open(library, terminal).map_err(|e| terminal.explain(&e))
}

fn why_not_cuda(library: Option<&Library>, terminal: &Terminal) -> Option<String> {
    if let Some(found) = obstacle(&CudaFacts::of_this_machine()) {
        return Some(found.what);
    }
    match library {
        Some(library) if library.has_cuda => match install::cuda_obstacle() {
            Some(found) => Some(format!("{}: run `headstart setup --device cuda --yes`", found.what)),
            None => prove(&library.path, Device::CUDA, terminal).err().map(|e| terminal.explain(&e)),
        },
        _ => Some("no ONNX Runtime with CUDA: run `headstart setup --device cuda --yes`".into()),
    }
}

fn why_not_openvino(library: Option<&Library>, terminal: &Terminal) -> Option<String> {
    if registry().openvino.wheel().is_none() {
        return Some("its provider exists for Linux and Windows on x86-64 only".into());
    }
    match (library, install::has_openvino()) {
        (_, Err(e)) => Some(terminal.explain(&e)),
        (Some(library), Ok(true)) => {
            prove(&library.path, Device::OpenVino, terminal).err().map(|e| terminal.explain(&e))
        }
        (None, Ok(true)) => Some("no ONNX Runtime: run `headstart setup --yes`".into()),
        (_, Ok(false)) => Some("not installed: run `headstart setup --device openvino --yes`".into()),
    }
}
