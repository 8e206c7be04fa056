//! The short way from images in memory to features.

use super::choice::BackboneChoice;
use super::resolved::ResolvedBackbone;
use crate::backbone::{Backbone, Device, SessionOptions, known_answer};
use crate::data::pixels::Pixels;
use crate::data::preprocess::Preprocessing;
use crate::error::Result;
use crate::monitor::Monitor;

/// An open backbone together with its preprocessing: images in, features out.
///
/// ```no_run
/// use headstart::backbone::{BackboneChoice, Device, ImageEmbedder};
/// use headstart::monitor::{Agreeing, Silent};
///
/// let monitor = Agreeing(Silent); // installs ONNX Runtime and the backbone if they are missing
/// let mut embedder = ImageEmbedder::open(&BackboneChoice::default(), Device::Auto, &monitor)?;
/// let image = headstart::data::decode::decode(&std::fs::read("cat.jpg").unwrap()).unwrap();
/// let features = embedder.embed(&[image])?;
/// assert_eq!(features.len(), embedder.width());
/// # Ok::<(), headstart::error::Error>(())
/// ```
pub struct ImageEmbedder {
    backbone: Box<dyn Backbone>,
    preprocessing: Preprocessing,
}

impl ImageEmbedder {
    /// Opens the chosen network on `device` in one session. Installs what is missing after asking
    /// [`Monitor::consent`], and runs the known-answer test where an answer is stored.
    ///
    /// # Errors
    /// Errors of [`BackboneChoice::resolve`], [`ResolvedBackbone::open`] and [`known_answer::check`].
    pub fn open(choice: &BackboneChoice, device: Device, monitor: &dyn Monitor) -> Result<Self> {
        Self::open_resolved(&choice.resolve()?, SessionOptions::new(device), monitor)
    }

    /// Opens a resolved network in one session, as [`ImageEmbedder::open`] does.
    ///
    /// # Errors
    /// Errors of [`ResolvedBackbone::open`] and [`known_answer::check`].
    pub fn open_resolved(
        resolved: &ResolvedBackbone,
        options: SessionOptions,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let preprocessing = resolved.preprocessing;
        let mut backbone = resolved.open(SessionOptions { sessions: 1, ..options }, monitor)?.swap_remove(0);
        if let Some(expected) = &resolved.known_answer {
            let computed = known_answer::compute(backbone.as_mut(), &preprocessing)?;
            known_answer::check(backbone.provider(), &computed, expected)?;
        }
        Ok(Self { backbone, preprocessing })
    }

    /// Returns the number of features per image.
    pub fn width(&self) -> usize {
        self.backbone.width()
    }

    /// Returns the execution provider that runs the network.
    pub fn provider(&self) -> &str {
        self.backbone.provider()
    }

    /// Embeds images of any size in one batch. Returns the features row by row, `[images, width]`.
    ///
    /// # Errors
    /// Errors of [`Backbone::embed`] and [`Embeddings::into_finite`](super::Embeddings::into_finite).
    pub fn embed(&mut self, images: &[Pixels]) -> Result<Vec<f32>> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let len = self.preprocessing.input_len();
        let mut input = vec![0; len * images.len()];
        for (image, planes) in images.iter().zip(input.chunks_exact_mut(len)) {
            self.preprocessing.planes(image, planes);
        }
        self.backbone.embed(&input, images.len())?.into_finite()
    }
}

impl std::fmt::Debug for ImageEmbedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageEmbedder")
            .field("width", &self.width())
            .field("provider", &self.provider())
            .field("preprocessing", &self.preprocessing)
            .finish()
    }
}
