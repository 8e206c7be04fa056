//! Proves that an ONNX Runtime works: loads it, and has it compute a small network whose answer is known. Once per process
//! for each device.

use super::graph::{AttributeProto, GraphBuilder};
use super::known_answer::{self, KnownAnswer};
use super::onnx_runtime::{OnnxBackbone, version};
use super::{Device, SessionOptions};
use crate::data::preprocess::{Normalization, Preprocessing};
use crate::error::Result;
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use super::onnx_runtime::LOADER;

/// Side of the input in pixels.
const SIDE: usize = 8;
/// Number of filters of the convolution.
const FILTERS: usize = 4;
/// Number of values of one input.
const INPUT: usize = 3 * SIDE * SIDE;

/// Loads `library`, runs a convolution on `device` and compares its answer. Returns the version that the library reports.
/// What was proven once in this process is not run again.
///
/// # Errors
/// [`Kind::Runtime`](crate::error::Kind::Runtime) when it cannot be loaded, [`Kind::Device`](crate::error::Kind::Device)
/// when the device cannot be used, [`Kind::Backbone`](crate::error::Kind::Backbone) for a wrong answer.
pub fn prove(library: &Path, device: Device, monitor: &dyn Monitor) -> Result<String> {
    let version = version(library)?;
    let mut proven = proven();
    if !proven.iter().any(|(path, on)| path == library && *on == device) {
        compute(library, device, monitor)?;
        proven.push((library.to_path_buf(), device));
    }
    Ok(version)
}

/// Whether this process has proven `library` on a device, and so has loaded it.
pub(super) fn is_proven(library: &Path) -> bool {
    proven().iter().any(|(path, _)| path == library)
}

/// Libraries that were proven, and on which device.
fn proven() -> MutexGuard<'static, Vec<(PathBuf, Device)>> {
    static PROVEN: Mutex<Vec<(PathBuf, Device)>> = Mutex::new(Vec::new());
    PROVEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Computes the known answer with every session that opens on `device`.
fn compute(library: &Path, device: Device, monitor: &dyn Monitor) -> Result<()> {
    let preprocessing = Preprocessing::whole(SIDE, Normalization::Unit);
    let options = SessionOptions { threads: 1, ..SessionOptions::new(device) };
    let mut sessions = OnnxBackbone::open(library, network(), "flat", &preprocessing, options, monitor)?;
    let known = KnownAnswer::of_cpu(expected());
    for session in &mut sessions {
        let computed = session.embed(&input(), 1)?.into_finite()?;
        known_answer::check(session.as_ref(), &computed, &known).map_err(|e| e.at(library))?;
    }
    Ok(())
}

/// One convolution over the whole input.
fn network() -> Vec<u8> {
    let mut graph = GraphBuilder::new("proof", SIDE);
    graph.weight("weights", &[FILTERS, 3, SIDE, SIDE], &weights());
    graph.node("Conv", &["input", "weights"], "sums", Vec::new());
    graph.node("Flatten", &["sums"], "flat", vec![AttributeProto::int("axis", 1)]);
    graph.output("flat", FILTERS);
    graph.finish(&[])
}

fn weights() -> Vec<f32> {
    (0..FILTERS * INPUT).map(|i| (i * 7 % 13) as f32 / 8.0 - 0.5).collect()
}

fn input() -> Vec<u8> {
    (0..INPUT).map(|i| (i * 31 % 256) as u8).collect()
}

/// The sums of products, in float64.
fn expected() -> Vec<f32> {
    let sum = |filter: &[f32]| {
        filter.iter().zip(input()).map(|(w, v)| f64::from(*w) * f64::from(v) / 255.0).sum::<f64>() as f32
    };
    weights().chunks_exact(INPUT).map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Silent;

    #[test]
    fn the_installed_runtime_is_proven_and_a_text_is_not() {
        let library = crate::backbone::install::find_library(false).unwrap().expect("run tests/run");
        let version = prove(&library.path, Device::Cpu, &Silent).unwrap();
        assert!(version.starts_with("1."), "{version}");
        assert!(expected().iter().all(|sum| sum.abs() > 0.1), "{:?}", expected());
    }
}
