//! A run opened for predicting: head, backbone and cache are opened once and used for any number of images.

use super::classifier::Classifier;
use super::config::PredictorConfig;
use super::prediction::{FilePrediction, ImagePrediction};
use crate::backbone::{ImageEmbedder, NotFinite, SessionOptions};
use crate::cache::{FeatureCache, Samples, near_images};
use crate::data::augment::Variant;
use crate::data::decode::{self, DecodedFile, Reason};
use crate::data::narrow::NarrowImages;
use crate::data::pixels::Pixels;
use crate::error::{Error, Kind, Result};
use crate::io::digest::sha256;
use crate::monitor::{Monitor, Unit};
use crate::run::{Record, StoredRun};
use std::path::{Path, PathBuf};

/// A run opened for predicting. The backbone is opened with the first image, or by [`Predictor::open_backbone`].
pub struct Predictor<'a> {
    config: PredictorConfig,
    monitor: &'a dyn Monitor,
    record: Record,
    classifier: Classifier,
    cache: Option<NeighbourSource>,
    embedder: Option<ImageEmbedder>,
}

/// The cache of the run, opened for finding neighbours.
struct NeighbourSource {
    cache: FeatureCache,
    samples: Samples,
}

impl<'a> Predictor<'a> {
    /// Opens the run and, for neighbours, its cache. If the cache cannot be read, a warning says so and predictions have
    /// no neighbours.
    ///
    /// # Errors
    /// [`Kind::Run`] when the run is missing or damaged or its features were made with decoders that this version does not
    /// know; [`Kind::Usage`] for a value of `reject` that the run does not allow; those of [`StoredRun::open_cache`] for a
    /// cache that was given.
    pub fn open(config: &PredictorConfig, monitor: &'a dyn Monitor) -> Result<Self> {
        let stored = StoredRun::open_any(&config.run)?;
        let classifier = Classifier::open(&stored, config)?;
        let cache = match config.neighbours {
            0 => None,
            _ => NeighbourSource::open(&stored, config.cache.as_deref(), monitor)?,
        };
        let (config, record, embedder) = (config.clone(), stored.record().clone(), None);
        Ok(Self { config, monitor, record, classifier, cache, embedder })
    }

    /// Opens the backbone now rather than with the first image, installing what is missing with consent, and checks its
    /// known answer. A second call does nothing.
    ///
    /// # Errors
    /// Those of opening a backbone; [`Kind::Run`] when its features do not fit the head of the run.
    pub fn open_backbone(&mut self) -> Result<()> {
        self.embedder().map(|_| ())
    }

    /// The record of the run.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The folder of cached images; `None` if the cache was not read.
    pub fn cached_images(&self) -> Option<PathBuf> {
        let cache = self.cache.as_ref()?;
        Some(cache.samples.images_root(cache.cache.root()))
    }

    /// Class labels in the order of their indices.
    pub fn classes(&self) -> &[String] {
        self.classifier.classes()
    }

    /// Classifies image files: one prediction per file, in the order given. A file that cannot be used has a reason
    /// instead.
    ///
    /// # Errors
    /// Those of [`Predictor::open_backbone`], and of the backbone when it fails; [`Kind::Interrupted`] when the monitor asks
    /// to stop.
    pub fn predict_files(&mut self, paths: &[PathBuf]) -> Result<Vec<FilePrediction>> {
        let monitor = self.monitor;
        let (mut task, narrow) = (None, NarrowImages::default());
        let (mut files, mut features, mut decoded_otherwise) = (Vec::new(), Vec::new(), 0);
        for path in paths {
            if monitor.is_interrupted() {
                return Err(Error::new(
                    Kind::Interrupted,
                    "interrupted before the last image was classified",
                ));
            }
            let mut file = FilePrediction::without_prediction(path);
            match self.decode(path) {
                Err(reason) => file.reason = Some(reason),
                Ok((DecodedFile { pixels: image, narrow: bits, .. }, bytes)) => {
                    bits.into_iter().for_each(|bits| narrow.add(&file.path, bits));
                    let digest = sha256(&bytes);
                    let decode = &self.classifier.spec().preprocessing.decode;
                    decoded_otherwise += usize::from(decode::pixels_changed_since(decode, &bytes));
                    self.open_backbone()?;
                    let total = Some(paths.len() as u64);
                    task.get_or_insert_with(|| monitor.task("predicting", total, Unit::Images));
                    match self.embed(&image)? {
                        Err(NotFinite) => file.reason = Some(not_finite()),
                        Ok(embedding) => {
                            (file.image_sha256, file.prediction) =
                                (Some(digest), self.classifier.classify(&embedding));
                            features.push(embedding);
                        }
                    }
                }
            }
            files.push(file);
            if let Some(task) = &task {
                task.advance(1);
            }
        }
        self.classifier.note_decoders(decoded_otherwise, monitor);
        narrow.report(monitor);
        let usable = files.iter_mut().filter(|file| file.reason.is_none()).map(|file| &mut file.prediction);
        self.add_neighbours(usable.collect(), &features);
        Ok(files)
    }

    /// Reads and decodes an image file as those of the training images were. Also returns its bytes.
    fn decode(&self, path: &Path) -> std::result::Result<(DecodedFile, decode::FileBytes), Reason> {
        let bytes = decode::read(path)?;
        Ok((
            decode::decode_stretched(&bytes, self.classifier.spec().preprocessing.steps.stretch_16bit)?,
            bytes,
        ))
    }

    /// Classifies images in memory: one prediction per image, in the order given.
    ///
    /// # Errors
    /// Those of [`Predictor::open_backbone`], and of the backbone when it fails; [`Kind::Input`] for an image whose
    /// features are not finite.
    pub fn predict_images(&mut self, images: &[Pixels]) -> Result<Vec<ImagePrediction>> {
        let mut features = Vec::with_capacity(images.len());
        for (number, image) in (1..).zip(images) {
            let refuse = |NotFinite| Error::new(Kind::Input, format!("image {number}: {}", not_finite()));
            features.push(self.embed(image)?.map_err(refuse)?);
        }
        let mut predictions: Vec<ImagePrediction> =
            features.iter().map(|row| self.classifier.classify(row)).collect();
        self.add_neighbours(predictions.iter_mut().collect(), &features);
        Ok(predictions)
    }

    fn embedder(&mut self) -> Result<&mut ImageEmbedder> {
        match &mut self.embedder {
            Some(open) => Ok(open),
            none => Ok(none.insert(open_embedder(&self.classifier, &self.config, self.monitor)?)),
        }
    }

    fn embed(&mut self, image: &Pixels) -> Result<std::result::Result<Vec<f32>, NotFinite>> {
        let embeddings = self.embedder()?.embed_rows(std::slice::from_ref(image))?;
        Ok(embeddings.rows().next().unwrap_or(Err(NotFinite)).map(Vec::from))
    }

    /// Adds the nearest cached images to each of `predictions`, whose features are given in the same order.
    fn add_neighbours(&self, predictions: Vec<&mut ImagePrediction>, features: &[Vec<f32>]) {
        let Some(NeighbourSource { cache, samples }) = self.cache.as_ref().filter(|_| !features.is_empty())
        else {
            return;
        };
        match near_images::nearest(cache, samples, features, self.config.neighbours) {
            Ok(found) => predictions
                .into_iter()
                .zip(found)
                .for_each(|(prediction, found)| prediction.neighbours = Some(found)),
            Err(error) => warn_of_missing_neighbours(self.monitor, &error),
        }
    }
}

impl std::fmt::Debug for Predictor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Predictor")
            .field("config", &self.config)
            .field("classes", &self.classifier.classes())
            .finish_non_exhaustive()
    }
}

impl NeighbourSource {
    /// Opens the cache of a run if it still exists and holds features of the same spec.
    ///
    /// # Errors
    /// Those of [`StoredRun::open_cache`] for a cache that was given.
    fn open(run: &StoredRun, given: Option<&Path>, monitor: &dyn Monitor) -> Result<Option<Self>> {
        let opened = run.open_cache(given).and_then(|cache| {
            cache.warn_of_unnamed_specs(monitor)?;
            let samples = cache.samples()?;
            Ok(Self { cache, samples })
        });
        match opened {
            Err(error) if given.is_none() => {
                warn_of_missing_neighbours(monitor, &error);
                Ok(None)
            }
            opened => opened.map(Some),
        }
    }
}

/// Why an image with infinite or undefined features cannot be used.
fn not_finite() -> Reason {
    Reason::NonFiniteFeatures { variant: Variant::None.to_string() }
}

fn warn_of_missing_neighbours(monitor: &dyn Monitor, error: &Error) {
    monitor.warn(&format!("without nearest images: {}", error.with_causes()));
}

/// Opens the backbone of the features and checks its known answer.
fn open_embedder(
    classifier: &Classifier,
    config: &PredictorConfig,
    monitor: &dyn Monitor,
) -> Result<ImageEmbedder> {
    let resolved = classifier.resolve_backbone(config)?;
    let options = SessionOptions::new(config.device);
    let mut embedder = ImageEmbedder::open_untested(&resolved, options, monitor)?;
    classifier.check_width(embedder.width(), &config.run)?;
    embedder.check_known_answer(&resolved, monitor)?;
    Ok(embedder)
}
