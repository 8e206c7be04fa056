//! A run opened for predicting: head, backbone and cache are opened once and used for any number of images.

use super::config::PredictorConfig;
use super::prediction::{FilePrediction, ImagePrediction, open_set_score, ranked};
use crate::backbone::{BackboneSearch, ImageEmbedder, NotFinite, SessionOptions};
use crate::cache::{FeatureCache, Samples, Spec, near_images};
use crate::data::augment::Variant;
use crate::data::decode::{self, DECODE_VERSION, DecodedFile, Reason, is_known_version};
use crate::data::narrow::NarrowImages;
use crate::data::pixels::Pixels;
use crate::error::{Error, Kind, Result};
use crate::head::Head;
use crate::io::digest::sha256;
use crate::metrics::{self, Temperature};
use crate::monitor::{Monitor, Unit};
use crate::run::{Record, RejectionRule, StoredRun, TrainedHead};
use std::path::{Path, PathBuf};

/// A run opened for predicting. The backbone is opened with the first image, or by [`Predictor::open_backbone`].
pub struct Predictor<'a> {
    config: PredictorConfig,
    monitor: &'a dyn Monitor,
    record: Record,
    head: Head,
    classes: Vec<String>,
    spec: Spec,
    temperature: f64,
    reject: Option<RejectionRule>,
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
        let run = &config.run;
        let stored = StoredRun::open(run)?;
        let reject = stored.rejection(config.reject, config.confidence)?;
        let TrainedHead { head, classes, spec } = stored.head()?;
        check_reject_width(run, reject.as_ref(), &head)?;
        check_decoder(run, &spec)?;
        spec.preprocessing.steps.checked().map_err(|e| e.at(run))?;
        let temperature = Temperature::effective(stored.record().temperature);
        let cache = match config.neighbours {
            0 => None,
            _ => NeighbourSource::open(&stored, config.cache.as_deref(), monitor)?,
        };
        let (config, record, embedder) = (config.clone(), stored.record().clone(), None);
        Ok(Self { config, monitor, record, head, classes, spec, temperature, reject, cache, embedder })
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
        &self.classes
    }

    /// Says how many images decode to other pixels now than the training images did.
    fn note_decoders(&self, images: usize) {
        if images > 0 {
            self.monitor.note(&format!(
                "the head was trained on images decoded by {}; {DECODE_VERSION} decodes {images} of these a little \
                 otherwise: `extract` into another cache and `train` again for the same pixels",
                self.spec.preprocessing.decode
            ));
        }
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
                    let decode = &self.spec.preprocessing.decode;
                    decoded_otherwise += usize::from(decode::pixels_changed_since(decode, &bytes));
                    self.open_backbone()?;
                    let total = Some(paths.len() as u64);
                    task.get_or_insert_with(|| monitor.task("predicting", total, Unit::Images));
                    match self.embed(&image)? {
                        Err(NotFinite) => file.reason = Some(not_finite()),
                        Ok(embedding) => {
                            (file.image_sha256, file.prediction) = (Some(digest), self.classify(&embedding));
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
        self.note_decoders(decoded_otherwise);
        narrow.report(monitor);
        let usable = files.iter_mut().filter(|file| file.reason.is_none()).map(|file| &mut file.prediction);
        self.add_neighbours(usable.collect(), &features);
        Ok(files)
    }

    /// Reads and decodes an image file as those of the training images were. Also returns its bytes.
    fn decode(&self, path: &Path) -> std::result::Result<(DecodedFile, decode::FileBytes), Reason> {
        let bytes = decode::read(path)?;
        Ok((decode::decode_stretched(&bytes, self.spec.preprocessing.steps.stretch_16bit)?, bytes))
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
        let mut predictions: Vec<ImagePrediction> = features.iter().map(|row| self.classify(row)).collect();
        self.add_neighbours(predictions.iter_mut().collect(), &features);
        Ok(predictions)
    }

    fn embedder(&mut self) -> Result<&mut ImageEmbedder> {
        match &mut self.embedder {
            Some(open) => Ok(open),
            none => {
                Ok(none.insert(open_embedder(&self.spec, self.head.width(), &self.config, self.monitor)?))
            }
        }
    }

    fn embed(&mut self, image: &Pixels) -> Result<std::result::Result<Vec<f32>, NotFinite>> {
        let embeddings = self.embedder()?.embed_rows(std::slice::from_ref(image))?;
        Ok(embeddings.rows().next().unwrap_or(Err(NotFinite)).map(Vec::from))
    }

    fn classify(&self, features: &[f32]) -> ImagePrediction {
        let probabilities = self.head.probabilities(features);
        let probabilities = metrics::apply_temperature(probabilities.row(0), self.temperature);
        let open_set = self.reject.as_ref().map(|reject| open_set_score(reject, features));
        ImagePrediction { predictions: ranked(&self.classes, &probabilities), open_set, neighbours: None }
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
            .field("classes", &self.classes)
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

fn check_decoder(run: &Path, spec: &Spec) -> Result<()> {
    let decoder = &spec.preprocessing.decode;
    if is_known_version(decoder) {
        return Ok(());
    }
    Err(Error::new(Kind::Run, format!("its features were decoded by {decoder}, this is {DECODE_VERSION}"))
        .at(run)
        .help("extract and train again with this version"))
}

/// Checks that the head and the distance for open-set rejection take features of one width.
fn check_reject_width(run: &Path, reject: Option<&RejectionRule>, head: &Head) -> Result<()> {
    match reject.map(|reject| reject.distance.width()) {
        Some(width) if width != head.width() => {
            let message =
                format!("its head takes {} features, its open-set rejection takes {width}", head.width());
            Err(Error::new(Kind::Run, message).at(run).help("train again"))
        }
        _ => Ok(()),
    }
}

/// Opens the backbone of the features and checks its known answer.
fn open_embedder(
    spec: &Spec,
    width: usize,
    config: &PredictorConfig,
    monitor: &dyn Monitor,
) -> Result<ImageEmbedder> {
    let search =
        BackboneSearch { models: &config.models, given: config.backbone.as_deref(), near: &config.run };
    let resolved = spec.resolve_backbone(search)?;
    let options = SessionOptions::new(config.device);
    let mut embedder = ImageEmbedder::open_untested(&resolved, options, monitor)?;
    if embedder.width() != width {
        let message = format!("its head takes {width} features, the backbone gives {}", embedder.width());
        return Err(Error::new(Kind::Run, message).at(&config.run).help("train again"));
    }
    embedder.check_known_answer(&resolved)?;
    Ok(embedder)
}
