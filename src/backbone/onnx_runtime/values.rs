//! Reads the values of many layers, image by image.

use super::OnnxBackbone;
use crate::backbone::{Device, SessionOptions};
use crate::data::preprocess::Preprocessing;
use crate::error::Result;
use crate::monitor::Monitor;
use std::path::Path;

/// The values of one layer for one image.
#[derive(Debug, Clone, Copy)]
pub(in crate::backbone) struct LayerValues<'a> {
    /// The position of the layer among those that were asked for.
    pub layer: usize,
    /// Shape for one image, such as `[channels, height, width]`.
    pub shape: &'a [usize],
    /// The values in row-major order.
    pub values: &'a [f32],
}

impl OnnxBackbone {
    /// Opens the network for reading the values of each of `layers` as they are, image by image.
    ///
    /// # Errors
    /// Those of [`OnnxBackbone::open`].
    pub(in crate::backbone) fn open_values(
        library: &Path,
        model: Vec<u8>,
        layers: &[&str],
        preprocessing: &Preprocessing,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let options = SessionOptions::new(Device::Cpu);
        let opened = Self::open_unmeasured(library, model, layers, preprocessing, options, monitor)?;
        Ok({ opened }.sessions.swap_remove(0))
    }

    /// Runs one image, and calls `found` with the values of each layer.
    ///
    /// # Errors
    /// [`Kind::Backbone`](crate::error::Kind::Backbone) when the network fails.
    pub(in crate::backbone) fn read_values(
        &mut self,
        pixels: &[u8],
        found: &mut dyn FnMut(LayerValues),
    ) -> Result<()> {
        let n = self.batch.unwrap_or(1);
        let mut batch = pixels.to_vec();
        batch.resize(n * self.image_bytes(), 0);
        let each = |i: usize, shape: Vec<usize>, values: &[f32]| {
            let shape = shape.get(1..).unwrap_or_default();
            found(LayerValues { layer: i, shape, values: &values[..values.len() / n] });
            Ok(())
        };
        self.run_layers(&batch, n, each).map(drop)
    }
}
