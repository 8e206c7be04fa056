//! Runs single images through a network, and returns its layers as they are, not averaged over positions.

use super::load::version;
use super::values::LayerValues;
use super::{OnnxBackbone, Unmeasured};
use crate::backbone::graph::Operators;
use crate::backbone::{Device, SessionOptions};
use crate::data::preprocess::Preprocessing;
use crate::error::Result;
use crate::monitor::Monitor;
use std::path::Path;

/// What a network gives for one image.
#[derive(Debug)]
#[non_exhaustive]
pub struct NetworkOutput {
    /// The provider that ran it.
    pub provider: &'static str,
    /// The runtime with its version.
    pub runtime: String,
    /// The layers, in the order asked for.
    pub layers: Vec<LayerOutput>,
}

/// The values of a layer for one image.
#[derive(Debug)]
#[non_exhaustive]
pub struct LayerOutput {
    /// Shape for one image, such as `[channels, height, width]`.
    pub shape: Vec<usize>,
    /// The values in row-major order.
    pub values: Vec<f32>,
}

/// A network that is open at some of its layers.
pub struct LayerReader {
    network: OnnxBackbone,
    /// For messages of the runtime.
    operators: Operators,
}

impl LayerReader {
    /// Opens the ONNX file `model` at `layers`, with the ONNX Runtime at `library`.
    ///
    /// # Errors
    /// Those of [`OnnxBackbone::open`].
    pub fn open(
        library: &Path,
        model: Vec<u8>,
        layers: &[&str],
        preprocessing: &Preprocessing,
        device: Device,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let options = SessionOptions::new(device);
        let Unmeasured { mut sessions, operators } =
            OnnxBackbone::open_unmeasured(library, model, layers, preprocessing, options, monitor)?;
        Ok(Self { network: sessions.swap_remove(0), operators })
    }

    /// Runs one image, whose values are those of [`Preprocessing::planes`]. Returns each layer once, in the order asked for.
    ///
    /// # Errors
    /// [`Kind::Backbone`](crate::error::Kind::Backbone) when the network fails.
    pub fn read(&mut self, pixels: &[u8]) -> Result<Vec<LayerOutput>> {
        let mut layers = Vec::new();
        let mut found = |layer: LayerValues| {
            layers.push(LayerOutput { shape: layer.shape.to_vec(), values: layer.values.to_vec() });
        };
        self.network.read_values(pixels, &mut found).map_err(|e| self.operators.locate(e))?;
        Ok(layers)
    }
}

impl std::fmt::Debug for LayerReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LayerReader").field("network", &self.network).finish_non_exhaustive()
    }
}

impl OnnxBackbone {
    /// Runs one image through the ONNX file `model` and returns the values of each of the `layers` as they are, not
    /// averaged over positions.
    ///
    /// # Errors
    /// Those of [`OnnxBackbone::open`], and [`Kind::Backbone`](crate::error::Kind::Backbone) when the network fails.
    pub fn layer_values(
        library: &Path,
        model: Vec<u8>,
        layers: &[&str],
        preprocessing: &Preprocessing,
        device: Device,
        pixels: &[u8],
        monitor: &dyn Monitor,
    ) -> Result<NetworkOutput> {
        let mut reader = LayerReader::open(library, model, layers, preprocessing, device, monitor)?;
        let layers = reader.read(pixels)?;
        let runtime = format!("ONNX Runtime {}", version(library)?);
        Ok(NetworkOutput { provider: reader.network.provider, runtime, layers })
    }
}
