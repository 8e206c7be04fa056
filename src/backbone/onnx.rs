//! ONNX Runtime, the only door to `ort`: loads the library, opens a session on one device, runs batches.

use super::graph::{Network, PIXELS};
use super::{Backbone, CPU_PROVIDER, CUDA_PROVIDER, Device, Opening};
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;
use crate::preprocess::Preprocessing;
use crate::threads;
use ort::environment::Environment;
use ort::ep::{CUDA, ExecutionProvider};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{TensorRef, ValueType};
use std::path::Path;
use std::sync::{Mutex, OnceLock};

/// What an ONNX file says about itself, without opening a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Side of its input in pixels, where the file fixes it.
    pub side: Option<usize>,
    /// The preprocessing that its writer noted, as JSON.
    pub preprocessing: Option<String>,
}

/// The key under which [`FileFacts::preprocessing`] stands in a file's metadata.
pub const PREPROCESSING_KEY: &str = "headstart.preprocessing";

/// Reads the facts of an ONNX file.
///
/// # Errors
/// [`Kind::Backbone`] when it is not an ONNX model whose one input is a batch of square RGB images.
pub fn inspect(bytes: &[u8]) -> Result<FileFacts> {
    let network = Network::parse(bytes)?;
    let dims = network.input_dims();
    let square = matches!(dims[..], [_, None | Some(3), h, w] if h == w);
    if !square {
        return Err(Error::new(Kind::Backbone, format!("its input has the dimensions {dims:?}"))
            .help("a backbone takes [batch, 3, side, side]"));
    }
    Ok(FileFacts { side: dims[2], preprocessing: network.metadata(PREPROCESSING_KEY).map(str::to_string) })
}

/// A network in an ONNX Runtime session.
#[derive(Debug)]
pub struct OnnxBackbone {
    session: Session,
    side: usize,
    batch: Option<usize>,
    width: usize,
    provider: &'static str,
}

/// The most sessions on a CPU: each holds a copy of the weights.
const MAX_SESSIONS: usize = 8;

impl OnnxBackbone {
    /// Opens the network in `model`, cut behind `layer`, through the ONNX Runtime at `library`. On a CPU these are as many
    /// sessions as threads, at most 8, which share the threads out; elsewhere it is one.
    ///
    /// # Errors
    /// [`Kind::Runtime`] when the library cannot be loaded, [`Kind::Device`] when the device that was asked for
    /// cannot be used, [`Kind::Backbone`] when the network cannot.
    pub fn open(
        library: &Path,
        model: Vec<u8>,
        layer: &str,
        preprocessing: &Preprocessing,
        opening: Opening,
        monitor: &dyn Monitor,
    ) -> Result<Vec<Box<dyn Backbone>>> {
        let environment = load(library)?;
        let mut network = Network::parse(&model)?;
        drop(model);
        network.cut(layer)?;
        network.take_bytes(&preprocessing.normalization.steps());
        let network = network.encode();
        let cuda = |n| cuda_session(environment, &network, n).map(|session| (vec![session], CUDA_PROVIDER));
        let cpu = || cpu_sessions(environment, &network, opening).map(|sessions| (sessions, CPU_PROVIDER));
        let (sessions, provider) = match opening.device {
            Device::Cpu => cpu()?,
            Device::Cuda(n) => cuda(n)?,
            Device::Auto => match cuda_worth_trying().then(|| cuda(0)) {
                Some(Ok(opened)) => opened,
                Some(Err(e)) => {
                    monitor
                        .warn(&format!("running on the CPU, since CUDA cannot be used: {}", e.with_causes()));
                    cpu()?
                }
                None => cpu()?,
            },
        };
        let mut width = None;
        let mut opened: Vec<Box<dyn Backbone>> = Vec::new();
        for session in sessions {
            let batch = fixed(session.inputs()[0].dtype(), 0);
            let mut one = Self { session, side: preprocessing.size, batch, width: 0, provider };
            one.width = match width {
                Some(width) => width,
                None => *width.insert(one.find_width()?),
            };
            opened.push(Box::new(one));
        }
        Ok(opened)
    }

    /// The width of an inner layer is known for certain only once it has been computed.
    fn find_width(&mut self) -> Result<usize> {
        let n = self.batch.unwrap_or(1);
        Ok(self.run(&vec![0; 3 * self.side * self.side * n], n)?.1)
    }

    /// Runs one batch whose rows must have the width that the first had.
    fn run_as_before(&mut self, pixels: &[u8], n: usize) -> Result<Vec<f32>> {
        match self.run(pixels, n)? {
            (rows, width) if width == self.width => Ok(rows),
            (_, width) => Err(Error::new(
                Kind::Backbone,
                format!("the layer gave {} floats for one image and {width} for another", self.width),
            )
            .help("choose a layer whose shape does not depend on the image")),
        }
    }

    /// Runs one batch; returns the rows and their width.
    fn run(&mut self, pixels: &[u8], n: usize) -> Result<(Vec<f32>, usize)> {
        let fail = |e: ort::Error| Error::new(Kind::Backbone, "the network failed").because(e.to_string());
        let input = TensorRef::from_array_view(([n, 3, self.side, self.side], pixels)).map_err(fail)?;
        let outputs = self.session.run(ort::inputs![PIXELS => input]).map_err(fail)?;
        let (shape, values) = outputs[0].try_extract_tensor::<f32>().map_err(fail)?;
        let shape: Vec<usize> = shape.iter().map(|&d| d as usize).collect();
        match shape[..] {
            [rows, width] if rows == n => Ok((values.to_vec(), width)),
            [rows, width, 1, 1] if rows == n => Ok((values.to_vec(), width)),
            [rows, channels, height, width] if rows == n => {
                Ok((mean_over_positions(values, height * width), channels))
            }
            _ => Err(Error::new(Kind::Backbone, format!("the layer gives {shape:?} for {n} images"))
                .help("choose a layer of the shape [batch, width] or [batch, channels, height, width]")),
        }
    }
}

/// The mean of each run of `positions` values, summed in float64.
fn mean_over_positions(values: &[f32], positions: usize) -> Vec<f32> {
    let mean = |plane: &[f32]| (plane.iter().map(|&v| f64::from(v)).sum::<f64>() / positions as f64) as f32;
    values.chunks_exact(positions).map(mean).collect()
}

impl Backbone for OnnxBackbone {
    fn width(&self) -> usize {
        self.width
    }

    fn provider(&self) -> &str {
        self.provider
    }

    fn runtime(&self) -> &str {
        ort::info()
    }

    fn embed(&mut self, pixels: &[u8], n: usize) -> Result<Vec<f32>> {
        let one = 3 * self.side * self.side;
        assert_eq!(pixels.len(), n * one, "{n} inputs of {one} bytes");
        let Some(size) = self.batch else { return self.run_as_before(pixels, n) };
        // A file with a fixed batch size: full batches, the last one filled up with zeros.
        let mut rows = Vec::with_capacity(n * self.width);
        for part in pixels.chunks(size * one) {
            let mut full = part.to_vec();
            full.resize(size * one, 0);
            rows.extend_from_slice(&self.run_as_before(&full, size)?[..part.len() / one * self.width]);
        }
        Ok(rows)
    }
}

fn fixed(kind: &ValueType, dim: usize) -> Option<usize> {
    let size = *kind.tensor_shape()?.get(dim)?;
    (size > 0).then_some(size as usize)
}

/// Loads the library once; a second library in one process is refused.
fn load(library: &Path) -> Result<&'static Environment> {
    static LOADED: OnceLock<(std::path::PathBuf, Environment)> = OnceLock::new();
    static LOADING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOADING.lock().unwrap_or_else(|e| e.into_inner());
    if LOADED.get().is_none() {
        let fail = |why: String| {
            Error::new(Kind::Runtime, "ONNX Runtime cannot be loaded")
                .at(library)
                .because(why)
                .help("it must be an ONNX Runtime of 1.23 or later: correct ORT_DYLIB_PATH, or unset it and run `headstart setup --yes`")
        };
        let builder = ort::init_from(library).map_err(|e| fail(e.to_string()))?;
        let environment =
            builder.with_name("headstart").with_telemetry(false).build().map_err(|e| fail(e.to_string()))?;
        environment.set_log_level(ort::logging::LogLevel::Error);
        let _ = LOADED.set((library.to_path_buf(), environment));
    }
    let (path, environment) = LOADED.get().expect("set above");
    if path != library {
        return Err(Error::new(Kind::Runtime, "another ONNX Runtime is loaded already").at(path));
    }
    Ok(environment)
}

/// Whether the loaded library was built with CUDA; says nothing about the machine.
fn cuda_worth_trying() -> bool {
    CUDA::is_available().unwrap_or(false)
}

fn builder(environment: &Environment) -> Result<SessionBuilder> {
    let fail = |e: String| Error::new(Kind::Runtime, "no session can be opened").because(e);
    Session::builder(environment)
        .map_err(|e| fail(e.to_string()))?
        .with_optimization_level(GraphOptimizationLevel::Level3)
        .map_err(|e| fail(e.to_string()))
}

/// Sessions side by side, which share out the threads: without a barrier in every layer, none waits for another, and the
/// decoders take time from one of them only.
fn cpu_sessions(environment: &Environment, model: &[u8], opening: Opening) -> Result<Vec<Session>> {
    let threads = threads::number(opening.threads);
    let sessions = opening.sessions.clamp(1, threads.min(MAX_SESSIONS));
    let shares: Vec<usize> = (0..sessions).map(|i| (threads + i) / sessions).collect();
    threads::in_parallel(sessions, &shares, |share| cpu_session(environment, model, *share))
}

fn cpu_session(environment: &Environment, model: &[u8], threads: usize) -> Result<Session> {
    let fail = |e: String| Error::new(Kind::Backbone, "the network cannot be opened").because(e);
    builder(environment)?
        .with_intra_threads(threads)
        .map_err(|e| fail(e.to_string()))?
        .commit_from_memory(model)
        .map_err(|e| fail(e.to_string()))
}

/// TF32 is off: it would move the features by some parts in a thousand.
fn cuda_session(environment: &Environment, model: &[u8], device: i32) -> Result<Session> {
    let cuda = CUDA::default().with_device_id(device).with_tf32(false).build().error_on_failure();
    let fail = |e: String| {
        Error::new(Kind::Device, format!("CUDA device {device} cannot be used"))
            .because(e)
            .help("it needs an NVIDIA driver, CUDA 13, cuDNN 9 and `headstart setup --device cuda`; or use --device cpu")
    };
    builder(environment)?
        .with_execution_providers([cuda])
        .map_err(|e| fail(e.to_string()))?
        .commit_from_memory(model)
        .map_err(|e| fail(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::graph::Builder;
    use crate::backbone::known::probe_image;
    use crate::monitor::Silent;
    use crate::preprocess::{Normalization, Resize};

    #[test]
    fn the_network_scales_bytes_to_the_very_bits_of_the_preprocessing() {
        let library = crate::runtime::find(false).unwrap().expect("run tests/run");
        let mut flat = Builder::new("flat", 40);
        flat.node("Flatten", &["input"], "flat", &[("axis", &[1])]);
        flat.output("flat", 3 * 40 * 40);
        let flat = flat.finish(&[]);
        for normalization in [Normalization::Unit, Normalization::Symmetric, Normalization::Imagenet] {
            let steps = Preprocessing {
                crop: 1.0,
                resize: Resize::BilinearPillow,
                size: 40,
                normalization,
                stretch: false,
            };
            let opening = Opening { device: Device::Cpu, threads: 2, sessions: 5 };
            let mut opened =
                OnnxBackbone::open(&library.path, flat.clone(), "flat", &steps, opening, &Silent).unwrap();
            assert_eq!((opened.len(), opened[0].width()), (2, 4800), "no more sessions than threads");
            let mut pixels = vec![0; steps.input_len()];
            steps.planes(&probe_image(), &mut pixels);
            let expected = steps.tensor(&probe_image());
            for session in &mut opened {
                assert_eq!(session.embed(&pixels, 1).unwrap(), expected, "{normalization:?}");
            }
        }
    }
}
