//! The short way from images in memory to features.

use super::choice::BackboneChoice;
use super::resolved::ResolvedBackbone;
use crate::backbone::{Backbone, Device, Embeddings, SessionOptions, known_answer};
use crate::data::augment::Variant;
use crate::data::dataset::Reason;
use crate::data::decode;
use crate::data::pixels::Pixels;
use crate::data::preprocess::Preprocessing;
use crate::error::Result;
use crate::monitor::Monitor;
use std::path::Path;

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
        let mut embedder = Self::open_untested(resolved, options, monitor)?;
        embedder.check_known_answer(resolved, monitor)?;
        Ok(embedder)
    }

    /// Opens a resolved network in one session, without the known-answer test.
    pub(crate) fn open_untested(
        resolved: &ResolvedBackbone,
        options: SessionOptions,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let backbone = resolved.open(SessionOptions { sessions: 1, ..options }, monitor)?.swap_remove(0);
        Ok(Self { backbone, preprocessing: resolved.preprocessing })
    }

    /// Runs the known-answer test, where an answer is stored.
    pub(crate) fn check_known_answer(
        &mut self,
        resolved: &ResolvedBackbone,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        let Some(known) = &resolved.known_answer else { return Ok(()) };
        let computed = known_answer::compute(self.backbone.as_mut(), &self.preprocessing)?;
        let difference = known_answer::check(self.backbone.as_ref(), &computed, known)?;
        difference.iter().for_each(|difference| monitor.warn(&difference.warning()));
        Ok(())
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
        match images.is_empty() {
            true => Ok(Vec::new()),
            false => self.embed_rows(images)?.into_finite(),
        }
    }

    /// Embeds an image file. Returns why it cannot be used in place of its features.
    ///
    /// # Errors
    /// Those of [`Backbone::embed`].
    pub(crate) fn embed_file(&mut self, path: &Path) -> Result<std::result::Result<Vec<f32>, Reason>> {
        let stretch = self.preprocessing.stretch_16bit;
        let decoded = decode::read(path).and_then(|bytes| decode::decode_stretched(&bytes, stretch));
        let pixels = match decoded {
            Ok(decoded) => decoded.pixels,
            Err(reason) => return Ok(Err(reason)),
        };
        let embeddings = self.embed_rows(&[pixels])?;
        match embeddings.rows().next() {
            Some(Ok(row)) => Ok(Ok(row.to_vec())),
            _ => Ok(Err(Reason::NonFiniteFeatures { variant: Variant::None.to_string() })),
        }
    }

    /// Embeds one image or more in one batch; rows that are not finite are marked as such.
    pub(crate) fn embed_rows(&mut self, images: &[Pixels]) -> Result<Embeddings> {
        let len = self.preprocessing.input_bytes();
        let mut input = vec![0; len * images.len()];
        for (image, planes) in images.iter().zip(input.chunks_exact_mut(len)) {
            self.preprocessing.planes(image, planes);
        }
        self.backbone.embed(&input, images.len())
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
