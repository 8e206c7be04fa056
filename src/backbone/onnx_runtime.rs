//! Runs networks in ONNX Runtime: loads the library, opens sessions on one device, runs batches. The only user of `ort`.

mod elf;
mod load;

pub use load::{LOADER, version};

use super::graph::{OnnxModel, PIXEL_INPUT};
use super::runtime_log::{self, plain};
use super::{
    Backbone, CPU_PROVIDER, CUDA_PROVIDER, Device, Embeddings, MAX_SESSIONS, RUNTIME_THREADS, SessionOptions,
};
use crate::data::preprocess::{Preprocessing, ValueType as PixelType, floats};
use crate::error::{Error, Kind, Result};
use crate::math::parallel;
use crate::monitor::Monitor;
use load::load;
use ort::environment::Environment;
use ort::ep::{CUDA, ExecutionProvider};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{TensorRef, ValueType};
use std::path::Path;

/// A network in an ONNX Runtime session.
#[derive(Debug)]
pub struct OnnxBackbone {
    session: Session,
    /// Side of the input in pixels.
    side: usize,
    /// What the values of the input are.
    input: PixelType,
    /// The batch size, when the file fixes it.
    batch: Option<usize>,
    width: usize,
    provider: &'static str,
}

/// Sessions of one network, and the provider that runs them.
struct OpenSessions {
    sessions: Vec<Session>,
    provider: &'static str,
}

/// Features of one batch.
struct Features {
    /// `[images, width]`.
    values: Vec<f32>,
    width: usize,
}

impl OnnxBackbone {
    /// Opens the ONNX file `model`, cut after `layer`, with the ONNX Runtime at `library`. `layer` may be several layers
    /// joined by `+`, whose features are then concatenated.
    ///
    /// On a CPU this opens [`SessionOptions::sessions`] sessions, but no more than threads and no more than 8. They
    /// divide the threads among themselves. Other devices get one session.
    ///
    /// # Errors
    /// [`Kind::Runtime`] when the library cannot be loaded, [`Kind::Device`] when the requested device cannot be used,
    /// [`Kind::Backbone`] when the network cannot be opened or has no such layer.
    pub fn open(
        library: &Path,
        model: Vec<u8>,
        layer: &str,
        preprocessing: &Preprocessing,
        options: SessionOptions,
        monitor: &dyn Monitor,
    ) -> Result<Vec<Box<dyn Backbone>>> {
        let environment = load(library)?;
        let mut network = OnnxModel::parse(&model)?;
        drop(model);
        network.truncate_after(layer)?;
        let operators = network.operators()?;
        network.use_pixel_input(preprocessing.value_type(), &preprocessing.normalization.steps());
        let model = network.encode();
        // Lines of failed batches, whose errors said the same.
        drop(runtime_log::take());
        let opened = open_sessions(environment, &model, options, monitor);
        drop(model);
        let logged = runtime_log::take();
        let OpenSessions { sessions, provider } = opened.map_err(|e| operators.locate(e))?;
        // After a failure the error says the same.
        logged.iter().for_each(|line| monitor.warn(&format!("ONNX Runtime: {line}")));
        let mut width = None;
        let mut opened: Vec<Box<dyn Backbone>> = Vec::new();
        for session in sessions {
            let batch = fixed(session.inputs()[0].dtype(), 0);
            let mut one = Self {
                session,
                side: preprocessing.size,
                input: preprocessing.value_type(),
                batch,
                width: 0,
                provider,
            };
            one.width = match width {
                Some(width) => width,
                None => *width.insert(one.measure_width().map_err(|e| operators.locate(e))?),
            };
            opened.push(Box::new(one));
        }
        Ok(opened)
    }

    /// Bytes of the input for one image.
    fn image_bytes(&self) -> usize {
        3 * self.side * self.side * self.input.bytes()
    }

    /// Measures the width of the layer on a black image. The file need not say how wide an inner layer is.
    fn measure_width(&mut self) -> Result<usize> {
        let n = self.batch.unwrap_or(1);
        Ok(self.run(&vec![0; self.image_bytes() * n], n)?.width)
    }

    /// Runs one batch and checks that the width is the one measured at the start.
    fn run_checked(&mut self, pixels: &[u8], n: usize) -> Result<Vec<f32>> {
        let Features { values, width } = self.run(pixels, n)?;
        if width == self.width {
            return Ok(values);
        }
        Err(Error::new(
            Kind::Backbone,
            format!("the layer gave {} floats for one image and {width} for another", self.width),
        )
        .help("choose a layer whose shape does not depend on the image"))
    }

    /// Runs one batch of `n` images.
    fn run(&mut self, pixels: &[u8], n: usize) -> Result<Features> {
        let fail =
            |e: ort::Error| Error::new(Kind::Backbone, "the network failed").because(plain(&e.to_string()));
        let shape = [n, 3, self.side, self.side];
        let outputs = match self.input {
            PixelType::Float32 => {
                let values = floats(pixels);
                let input = TensorRef::from_array_view((shape, &values[..])).map_err(fail)?;
                self.session.run(ort::inputs![PIXEL_INPUT => input]).map_err(fail)?
            }
            _ => {
                let input = TensorRef::from_array_view((shape, pixels)).map_err(fail)?;
                self.session.run(ort::inputs![PIXEL_INPUT => input]).map_err(fail)?
            }
        };
        let layers: Vec<Features> = (0..outputs.len())
            .map(|i| {
                let (shape, values) = outputs[i].try_extract_tensor::<f32>().map_err(fail)?;
                Features::of_layer(&shape.iter().map(|&d| d as usize).collect::<Vec<_>>(), values, n)
            })
            .collect::<Result<_>>()?;
        Ok(Features::joined(layers, n))
    }
}

impl Features {
    /// Takes the output of one layer for `n` images; one with positions is averaged over them.
    ///
    /// # Errors
    /// [`Kind::Backbone`] for any other shape.
    fn of_layer(shape: &[usize], values: &[f32], n: usize) -> Result<Self> {
        match shape[..] {
            [rows, width] | [rows, width, 1, 1] if rows == n => Ok(Self { values: values.to_vec(), width }),
            [rows, channels, height, width] if rows == n => {
                Ok(Self { values: mean_over_positions(values, height * width), width: channels })
            }
            _ => Err(Error::new(Kind::Backbone, format!("the layer gives {shape:?} for {n} images"))
                .help(
                    "choose a layer of the shape [batch, width] or [batch, channels, height, width]; set `pool` for one of the \
                     shape [batch, tokens, width] (cls, mean, mean-patches) or [batch, height, width, channels] \
                     (channels-last)",
                )),
        }
    }

    /// Joins the features of several layers image by image, in the order of the layers.
    fn joined(mut layers: Vec<Self>, n: usize) -> Self {
        if layers.len() == 1 {
            return layers.swap_remove(0);
        }
        let row = |image: usize| layers.iter().flat_map(move |l| &l.values[image * l.width..][..l.width]);
        let values = (0..n).flat_map(row).copied().collect();
        Self { values, width: layers.iter().map(|layer| layer.width).sum() }
    }
}

/// Averages each run of `positions` values, summed in float64.
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

    fn embed(&mut self, pixels: &[u8], n: usize) -> Result<Embeddings> {
        let one = self.image_bytes();
        assert_eq!(pixels.len(), n * one, "{n} inputs of {one} bytes");
        let Some(size) = self.batch else {
            return Ok(Embeddings::new(self.width, self.run_checked(pixels, n)?));
        };
        // The file fixes the batch size: run full batches, the last one padded with zeros.
        let mut rows = Vec::with_capacity(n * self.width);
        for part in pixels.chunks(size * one) {
            let mut full = part.to_vec();
            full.resize(size * one, 0);
            rows.extend_from_slice(&self.run_checked(&full, size)?[..part.len() / one * self.width]);
        }
        Ok(Embeddings::new(self.width, rows))
    }
}

/// Returns the size of dimension `dim`, or `None` when the model does not fix it.
fn fixed(kind: &ValueType, dim: usize) -> Option<usize> {
    let size = *kind.tensor_shape()?.get(dim)?;
    (size > 0).then_some(size as usize)
}

/// Opens the network on the device of `options`.
fn open_sessions(
    environment: &Environment,
    model: &[u8],
    options: SessionOptions,
    monitor: &dyn Monitor,
) -> Result<OpenSessions> {
    let on_cuda = |n| {
        let session = cuda_session(environment, model, n)?;
        Ok(OpenSessions { sessions: vec![session], provider: CUDA_PROVIDER })
    };
    let on_cpu = || {
        let threads = granted_threads(parallel::thread_count(options.threads), monitor)?;
        let sessions = cpu_sessions(environment, model, SessionOptions { threads, ..options })?;
        Ok(OpenSessions { sessions, provider: CPU_PROVIDER })
    };
    match options.device {
        Device::Cpu => on_cpu(),
        Device::Cuda(n) => on_cuda(n),
        Device::Auto if is_built_with_cuda() => on_cuda(0).or_else(|e: Error| {
            monitor.warn(&format!("running on the CPU, since CUDA cannot be used: {}", e.with_causes()));
            on_cpu()
        }),
        Device::Auto => on_cpu(),
    }
}

/// Whether the loaded library was built with CUDA. The machine may still lack a usable device.
fn is_built_with_cuda() -> bool {
    CUDA::is_available().unwrap_or(false)
}

fn builder(environment: &Environment) -> Result<SessionBuilder> {
    let fail = |e: String| Error::new(Kind::Runtime, "no session can be opened").because(plain(&e));
    Session::builder(environment)
        .map_err(|e| fail(e.to_string()))?
        .with_optimization_level(GraphOptimizationLevel::Level3)
        .map_err(|e| fail(e.to_string()))
}

/// Returns how many of `wanted` threads the runtime can be given. It must not be refused one: it would end the process, or
/// wait for ever.
///
/// # Errors
/// [`Kind::Limit`] when it cannot be given any.
fn granted_threads(wanted: usize, monitor: &dyn Monitor) -> Result<usize> {
    let available = parallel::available(wanted + RUNTIME_THREADS);
    match available.saturating_sub(RUNTIME_THREADS) {
        0 => Err(parallel::too_few(available, 1 + RUNTIME_THREADS)),
        threads if threads < wanted => {
            monitor.warn(&format!("the network runs on {threads} of {wanted} threads: no more are granted"));
            Ok(threads)
        }
        _ => Ok(wanted),
    }
}

/// Opens parallel sessions that divide the threads among themselves. One session on all threads would wait at a barrier
/// in every layer, and a decoder that takes time from one thread would delay them all.
fn cpu_sessions(environment: &Environment, model: &[u8], options: SessionOptions) -> Result<Vec<Session>> {
    let SessionOptions { threads, sessions, .. } = options;
    let sessions = sessions.clamp(1, threads.min(MAX_SESSIONS));
    let shares: Vec<usize> = (0..sessions).map(|i| (threads + i) / sessions).collect();
    parallel::in_parallel(sessions, &shares, |share| cpu_session(environment, model, *share))
}

fn cpu_session(environment: &Environment, model: &[u8], threads: usize) -> Result<Session> {
    let fail = |e: String| Error::new(Kind::Backbone, "the network cannot be opened").because(plain(&e));
    builder(environment)?
        .with_intra_threads(threads)
        .map_err(|e| fail(e.to_string()))?
        .commit_from_memory(model)
        .map_err(|e| fail(e.to_string()))
}

/// Opens a session on a CUDA device. TF32 is off because it changes features by a few parts in a thousand.
fn cuda_session(environment: &Environment, model: &[u8], device: i32) -> Result<Session> {
    let cuda = CUDA::default().with_device_id(device).with_tf32(false).build().error_on_failure();
    let fail = |e: String| {
        Error::new(Kind::Device, format!("CUDA device {device} cannot be used")).because(plain(&e)).help(
            "it needs an NVIDIA driver, CUDA 13, cuDNN 9 and `setup` with `device` cuda; or use `device` cpu",
        )
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
    use crate::backbone::graph::{AttributeProto, GraphBuilder};
    use crate::backbone::known_answer::probe_image;
    use crate::data::preprocess::{Normalization, Resize};
    use crate::monitor::Silent;

    #[test]
    fn the_network_scales_bytes_to_exactly_the_floats_of_the_preprocessing() {
        let library = crate::backbone::install::find_library(false).unwrap().expect("run tests/run");
        let mut flat = GraphBuilder::new("flat", 40);
        flat.node("Flatten", &["input"], "flat", vec![AttributeProto::int("axis", 1)]);
        flat.output("flat", 3 * 40 * 40);
        let flat = flat.finish(&[]);
        let custom =
            Normalization::Custom { divisor: 256.0, mean: [0.25, 0.5, 0.125], deviation: [0.3, 0.7, 0.1] };
        for (normalization, resize) in [
            (Normalization::Unit, Resize::BilinearPillow),
            (Normalization::Symmetric, Resize::BilinearTensorflow1),
            (Normalization::Imagenet, Resize::BicubicPillow),
            (Normalization::Inception2015, Resize::BilinearTensorflow1),
            (Normalization::None, Resize::NearestPillow),
            (custom, Resize::LanczosPillow),
        ] {
            let steps = Preprocessing { resize, ..Preprocessing::whole(40, normalization) };
            let options = SessionOptions { device: Device::Cpu, threads: 2, sessions: 5 };
            let mut opened =
                OnnxBackbone::open(&library.path, flat.clone(), "flat", &steps, options, &Silent).unwrap();
            assert_eq!((opened.len(), opened[0].width()), (2, 4800), "no more sessions than threads");
            let mut pixels = vec![0; steps.input_bytes()];
            steps.planes(&probe_image(), &mut pixels);
            let expected = steps.tensor(&probe_image());
            for session in &mut opened {
                assert_eq!(
                    session.embed(&pixels, 1).unwrap().into_finite().unwrap(),
                    expected,
                    "{normalization:?}"
                );
            }
        }
    }
}
