//! Runs networks in ONNX Runtime: loads the library, opens sessions on one device, runs batches. The only user of `ort`.

mod builder;
mod classifier;
mod cuda;
mod elf;
mod integer_products;
mod layer_values;
mod load;
mod open_session;
mod openvino;
mod pinned;
mod sessions;
mod values;

pub use classifier::{ClassifierAnswers, ClassifierSession, InputValues};
pub(super) use cuda::load_cuda_libraries;
pub(super) use integer_products::weight_bits;
pub use layer_values::{LayerOutput, LayerReader, NetworkOutput};
pub use load::{LOADER, version};

use super::graph::{OnnxModel, Operators, WEIGHT_BITS_KEY};
use super::runtime_log::{self, plain};
use super::{Backbone, Embeddings, SessionOptions};
use crate::data::preprocess::{Preprocessing, ValueType as PixelType, floats};
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;
use load::load;
use open_session::OpenSession;
use ort::value::ValueType;
use sessions::{OpenSessions, open_sessions};
use std::path::Path;

/// A network in an ONNX Runtime session.
#[derive(Debug)]
pub struct OnnxBackbone {
    opened: OpenSession,
    /// Side of the input in pixels.
    side: usize,
    /// What the values of the input are.
    input: PixelType,
    /// The batch size, when the file fixes it.
    batch: Option<usize>,
    /// The outputs of the network that make each layer.
    layers: Vec<Vec<usize>>,
    /// Number of features of each layer.
    widths: Vec<usize>,
    provider: &'static str,
    rounds_values: bool,
}

/// Features of one batch.
struct Features {
    /// `[images, width]`.
    values: Vec<f32>,
    width: usize,
}

/// A network in sessions whose width is not known yet.
struct Unmeasured {
    sessions: Vec<OnnxBackbone>,
    /// For messages of the runtime.
    operators: Operators,
}

impl OnnxBackbone {
    /// Opens the ONNX file `model`, cut after `layer`, with the ONNX Runtime at `library`. `layer` may be several layers
    /// joined by `+`, whose features are then concatenated.
    ///
    /// On a CPU this opens [`SessionOptions::sessions`] sessions, but no more than threads and no more than 8. They
    /// divide the threads among themselves; with OpenVINO it opens one. Each CUDA device gets two, or the first one where a
    /// single one is wanted.
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
        Self::open_layers(library, model, &[layer], preprocessing, options, monitor)
    }

    /// Opens the network as [`OnnxBackbone::open`] does, for several layers at once. A row has the features of each of
    /// `layers`, one after the other; [`Backbone::widths`] tells them apart.
    ///
    /// # Errors
    /// Those of [`OnnxBackbone::open`].
    pub fn open_layers(
        library: &Path,
        model: Vec<u8>,
        layers: &[&str],
        preprocessing: &Preprocessing,
        options: SessionOptions,
        monitor: &dyn Monitor,
    ) -> Result<Vec<Box<dyn Backbone>>> {
        let Unmeasured { mut sessions, operators } =
            Self::open_unmeasured(library, model, layers, preprocessing, options, monitor)?;
        let widths = sessions[0].measure_widths().map_err(|e| operators.locate(e))?;
        let measured = |one: Self| Box::new(Self { widths: widths.clone(), ..one }) as Box<dyn Backbone>;
        Ok(sessions.into_iter().map(measured).collect())
    }

    fn open_unmeasured(
        library: &Path,
        model: Vec<u8>,
        layers: &[&str],
        preprocessing: &Preprocessing,
        options: SessionOptions,
        monitor: &dyn Monitor,
    ) -> Result<Unmeasured> {
        let environment = load(library)?;
        let mut network = OnnxModel::parse(&model)?;
        drop(model);
        integer_products::check(network.metadata(WEIGHT_BITS_KEY), options.device)?;
        let layers = network.truncate_after(layers)?;
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
        let unmeasured = |opened: OpenSession| {
            let batch = fixed(opened.session.inputs()[0].dtype(), 0);
            let (side, input) = (preprocessing.size, preprocessing.value_type());
            let rounds_values = operators.round_values();
            Self {
                opened,
                side,
                input,
                batch,
                layers: layers.clone(),
                widths: Vec::new(),
                provider,
                rounds_values,
            }
        };
        Ok(Unmeasured { sessions: sessions.into_iter().map(unmeasured).collect(), operators })
    }

    /// Bytes of the input for one image.
    fn image_bytes(&self) -> usize {
        3 * self.side * self.side * self.input.bytes()
    }

    /// Measures the width of each layer on a black image. The file need not say how wide an inner layer is.
    fn measure_widths(&mut self) -> Result<Vec<usize>> {
        let n = self.batch.unwrap_or(1);
        let outputs = self.run_outputs(&vec![0; self.image_bytes() * n], n)?;
        let width = |layer: &Vec<usize>| layer.iter().map(|&output| outputs[output].width).sum();
        Ok(self.layers.iter().map(width).collect())
    }

    /// Runs one batch and checks that the width is the one measured at the start.
    fn run_checked(&mut self, pixels: &[u8], n: usize) -> Result<Vec<f32>> {
        let outputs = self.run_outputs(pixels, n)?;
        let Features { values, width } = Features::joined(outputs, &self.layers, n);
        if width == self.width() {
            return Ok(values);
        }
        Err(Error::new(
            Kind::Backbone,
            format!("the layer gave {} floats for one image and {width} for another", self.width()),
        )
        .help("choose a layer whose shape does not depend on the image"))
    }

    /// Runs one batch of `n` images, and returns the features of each output.
    fn run_outputs(&mut self, pixels: &[u8], n: usize) -> Result<Vec<Features>> {
        self.run_layers(pixels, n, |_, shape, values| Features::of_layer(&shape, values, n))
    }

    /// Runs one batch of `n` images, and takes the number, the shape and the values of each output.
    fn run_layers<T>(
        &mut self,
        pixels: &[u8],
        n: usize,
        mut take: impl FnMut(usize, Vec<usize>, &[f32]) -> Result<T>,
    ) -> Result<Vec<T>> {
        let fail =
            |e: ort::Error| Error::new(Kind::Backbone, "the network failed").because(plain(&e.to_string()));
        let shape = [n, 3, self.side, self.side];
        let outputs = match self.input {
            PixelType::Float32 => self.opened.run(shape, &floats(pixels)),
            _ => self.opened.run(shape, pixels),
        };
        let outputs = outputs.map_err(fail)?;
        let layer = |i: usize| {
            let (shape, values) = outputs[i].try_extract_tensor::<f32>().map_err(fail)?;
            take(i, shape.iter().map(|&d| d as usize).collect(), values)
        };
        (0..outputs.len()).map(layer).collect()
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

    /// Joins the features of `outputs` image by image, in the order of `layers`, each of which names its outputs.
    fn joined(mut outputs: Vec<Self>, layers: &[Vec<usize>], n: usize) -> Self {
        let order: Vec<usize> = layers.iter().flatten().copied().collect();
        if outputs.len() == 1 && order == [0] {
            return outputs.swap_remove(0);
        }
        let of = |output: usize, image: usize| {
            let Self { values, width } = &outputs[output];
            &values[image * width..][..*width]
        };
        let row = |image: usize| order.iter().flat_map(move |&output| of(output, image).iter());
        let values = (0..n).flat_map(row).copied().collect();
        Self { values, width: order.iter().map(|&output| outputs[output].width).sum() }
    }
}

/// Averages each run of `positions` values, summed in float64.
fn mean_over_positions(values: &[f32], positions: usize) -> Vec<f32> {
    let mean = |plane: &[f32]| (plane.iter().map(|&v| f64::from(v)).sum::<f64>() / positions as f64) as f32;
    values.chunks_exact(positions).map(mean).collect()
}

impl Backbone for OnnxBackbone {
    fn width(&self) -> usize {
        self.widths.iter().sum()
    }

    fn widths(&self) -> Vec<usize> {
        self.widths.clone()
    }

    fn provider(&self) -> &str {
        self.provider
    }

    fn rounds_values(&self) -> bool {
        self.rounds_values
    }

    fn runtime(&self) -> &str {
        ort::info()
    }

    fn embed(&mut self, pixels: &[u8], n: usize) -> Result<Embeddings> {
        let one = self.image_bytes();
        assert_eq!(pixels.len(), n * one, "{n} inputs of {one} bytes");
        let width = self.width();
        let Some(size) = self.batch else {
            return Ok(Embeddings::new(width, self.run_checked(pixels, n)?));
        };
        // The file fixes the batch size: run full batches, the last one padded with zeros.
        let mut rows = Vec::with_capacity(n * width);
        for part in pixels.chunks(size * one) {
            let mut full = part.to_vec();
            full.resize(size * one, 0);
            rows.extend_from_slice(&self.run_checked(&full, size)?[..part.len() / one * width]);
        }
        Ok(Embeddings::new(width, rows))
    }
}

/// Returns the size of dimension `dim`, or `None` when the model does not fix it.
fn fixed(kind: &ValueType, dim: usize) -> Option<usize> {
    let size = *kind.tensor_shape()?.get(dim)?;
    (size > 0).then_some(size as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::Device;
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

    #[test]
    fn a_session_on_the_cpu_stays_there_beside_openvino() {
        let library = crate::backbone::install::find_library(false).unwrap().expect("run tests/run");
        let mut graph = GraphBuilder::new("conv", 40);
        let weights: Vec<f32> = (0..8 * 27).map(|i| (i * 29 % 31) as f32 / 16.0 - 0.9).collect();
        graph.weight("w", &[8, 3, 3, 3], &weights);
        graph.node("Conv", &["input", "w"], "conv", Vec::new());
        graph.node("Flatten", &["conv"], "flat", vec![AttributeProto::int("axis", 1)]);
        graph.output("flat", 8 * 38 * 38);
        let model = graph.finish(&[]);
        let steps = Preprocessing::whole(40, Normalization::Unit);
        let mut pixels = vec![0; steps.input_bytes()];
        steps.planes(&probe_image(), &mut pixels);
        let embed = |device| {
            let options = SessionOptions::new(device);
            let opened = OnnxBackbone::open(&library.path, model.clone(), "flat", &steps, options, &Silent);
            opened.map(|mut network| network[0].embed(&pixels, 1).unwrap().into_finite().unwrap())
        };
        let before = embed(Device::Cpu).unwrap();
        // Where there is no OpenVINO, there is nothing to stay away from.
        if embed(Device::OpenVino).is_ok() {
            assert_eq!(embed(Device::Cpu).unwrap(), before);
        }
    }
}
