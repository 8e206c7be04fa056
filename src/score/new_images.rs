//! Evaluates a run on a labelled folder of images that it never saw.

use super::answer;
use super::working_folder::WorkingFolder;
use crate::data::augment::Variant;
use crate::data::dataset::{ImageFile, LabelConflicts, LayoutChoice, Refused, Split, separate_conflicts};
use crate::data::scan::{ScanDepth, ScanOptions, ScanResult, is_folder_of_folders, no_images, scan};
use crate::error::{Error, Kind, Result};
use crate::evaluate::predict::{Classifier, PredictorConfig};
use crate::evaluate::{EvaluateConfig, EvaluateStats, NewPredictions, evaluate_new};
use crate::extract::{EmbedConfig, ImageToEmbed, embed_images};
use crate::io::digest::Digest;
use crate::monitor::Monitor;
use crate::run::{Prediction, StoredRun};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

/// Configuration of [`evaluate_new_images`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NewImagesConfig {
    /// Folder of images, `IMAGES/<class>/<file>`, such an archive, or a manifest with the usual names of columns.
    pub images: PathBuf,
    /// The run and how to use it. No neighbours are looked for, so its `cache` is not read.
    pub predictor: PredictorConfig,
    /// The cache to keep features in; `None` keeps them beside the run until the evaluation is finished.
    pub cache: Option<PathBuf>,
    /// Whether images that the run was trained or validated on are counted; otherwise they are an error.
    pub allow_overlap: bool,
}

impl NewImagesConfig {
    /// Evaluates `predictor` on `images`, everything else by default.
    pub fn new(predictor: PredictorConfig, images: impl Into<PathBuf>) -> Self {
        Self { images: images.into(), predictor, ..Self::default() }
    }
}

/// Scores of a run on images that it never saw.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct NewImages {
    /// Scores on the images of classes that the run knows.
    #[serde(flatten)]
    pub scores: EvaluateStats,
    /// What was given: a folder, an archive or a manifest.
    #[serde(skip)]
    pub images: PathBuf,
    /// The folder of images, absolute.
    pub folder: PathBuf,
    /// Number of scored images that are among the train and validation images of the run.
    pub overlap: usize,
    /// Classes that the run does not know. Their images are not in `scores`: each answer but `unknown` would be wrong.
    pub unknown_classes: Vec<UnknownClass>,
    /// Number of images whose features were computed in this call.
    pub computed: usize,
    /// Files that cannot be used, by path.
    pub refused: Vec<Refused>,
    /// The predictions behind the scores.
    #[serde(skip)]
    pub predictions: NewPredictions,
}

/// A class of the folder that the run does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownClass {
    /// The class.
    pub name: String,
    /// Number of its images.
    pub images: usize,
    /// How many of them are rejected; `None` without `reject`.
    pub called_unknown: Option<usize>,
}

/// What the run says about an image.
struct Judged {
    probabilities: Vec<f32>,
    distance: Option<f32>,
    is_unknown: bool,
}

/// Scores a run on the images of a folder whose class folders are called as its classes. Files with the same bytes count
/// once.
///
/// # Errors
/// [`Kind::Input`] without an image of a class that the run knows, or with images that it was trained or validated on;
/// those of [`score`](super::score) and [`evaluate_new`].
pub fn evaluate_new_images(config: &NewImagesConfig, monitor: &dyn Monitor) -> Result<NewImages> {
    let run = StoredRun::open_for(&config.predictor.run, "images")?;
    let classifier = Classifier::open(&run, &config.predictor)?;
    // Only folders are taken as classes: files may hold the classes of archives.
    let layout = is_folder_of_folders(&config.images).then_some(LayoutChoice::AsClasses);
    let options = ScanOptions { layout, ..ScanOptions::new(ScanDepth::Header) };
    let ScanResult { root, files, unlabelled, refused, .. } = scan(&config.images, &options, monitor)?;
    let LabelConflicts { kept, refused: conflicts, .. } = separate_conflicts(files);
    let mut refused = [refused, conflicts].concat();
    let files = distinct(kept);
    check_classes(config, &classifier, &files, unlabelled.len(), &refused)?;
    let overlap = check_overlap(config, &run, &files)?;
    let working = WorkingFolder::new(config.cache.as_deref(), &config.predictor.run);
    let (judged, computed) = judge(config, &classifier, &working, &root, &files, &mut refused, monitor)?;
    let of_known = |file: &&ImageFile| classifier.classes().contains(&file.label);
    let (known, others): (Vec<&ImageFile>, Vec<&ImageFile>) = files.iter().partition(of_known);
    let rows = known.into_iter().filter_map(|file| {
        let judged = judged.get(&file.image_sha256)?;
        Some((prediction(&classifier, file, judged), judged.distance))
    });
    let predictions = NewPredictions::new(rows.collect());
    let PredictorConfig { run: path, reject, confidence, .. } = &config.predictor;
    let evaluation = EvaluateConfig { reject: *reject, confidence: *confidence, ..EvaluateConfig::new(path) };
    let scores = evaluate_new(&run, &evaluation, &predictions)?;
    working.finish()?;
    refused.sort();
    let unknown_classes = unknown_classes(&others, &judged, reject.is_some());
    let images = config.images.clone();
    Ok(NewImages { scores, images, folder: root, overlap, unknown_classes, computed, refused, predictions })
}

/// One file for each distinct image, the first by path.
fn distinct(mut files: Vec<ImageFile>) -> Vec<ImageFile> {
    let mut seen = HashSet::new();
    files.retain(|file| seen.insert(file.image_sha256));
    files
}

fn check_classes(
    config: &NewImagesConfig,
    classifier: &Classifier,
    files: &[ImageFile],
    unlabelled: usize,
    refused: &[Refused],
) -> Result<()> {
    if files.is_empty() {
        return Err(no_images(&config.images, unlabelled, refused));
    }
    if files.iter().any(|file| classifier.classes().contains(&file.label)) {
        return Ok(());
    }
    let message = format!(
        "none of its classes is one of the run: it has {:?}, the run {:?}",
        files[0].label,
        classifier.classes().join(", ")
    );
    Err(Error::new(Kind::Input, message)
        .at(&config.images)
        .help("call the folders as the classes of the run"))
}

/// Counts the images that the run was trained or validated on.
fn check_overlap(config: &NewImagesConfig, run: &StoredRun, files: &[ImageFile]) -> Result<usize> {
    let mut seen = run.trained_on()?;
    let own = run.predictions()?;
    seen.extend(own.iter().filter(|row| row.split == Split::Validation).map(|row| row.image_sha256));
    let mut overlap = files.iter().filter(|file| seen.contains(&file.image_sha256));
    let Some(first) = overlap.next() else { return Ok(0) };
    let images = 1 + overlap.count();
    if config.allow_overlap {
        return Ok(images);
    }
    let message = format!(
        "{images} of its {} images are among the train and validation images of the run, such as {}",
        files.len(),
        first.path
    );
    Err(Error::new(Kind::Input, message)
        .at(&config.images)
        .help("take them out, or give `allow_overlap` to count them all the same"))
}

/// What the run says about each of `files`, and how many of them were computed. Files that cannot be used are added to
/// `refused`.
fn judge(
    config: &NewImagesConfig,
    classifier: &Classifier,
    working: &WorkingFolder,
    root: &std::path::Path,
    files: &[ImageFile],
    refused: &mut Vec<Refused>,
    monitor: &dyn Monitor,
) -> Result<(HashMap<Digest, Judged>, usize)> {
    let image = |file: &ImageFile| ImageToEmbed {
        path: root.join(&file.path).to_string_lossy().into_owned(),
        image_sha256: file.image_sha256,
    };
    let images: Vec<ImageToEmbed> = files.iter().map(image).collect();
    let wanted: HashSet<Digest> = files.iter().map(|file| file.image_sha256).collect();
    let backbone = classifier.resolve_backbone(&config.predictor)?;
    let mut embedding = EmbedConfig::new(&working.path);
    embedding.device = config.predictor.device;
    let embedded = embed_images(&embedding, classifier.spec(), &backbone, &images, monitor)
        .map_err(|e| working.explain(e))?;
    let refusal = |file: &ImageFile| {
        let reason = embedded.refused.get(&file.image_sha256)?.clone();
        Some(Refused { path: file.path.clone(), image_sha256: Some(file.image_sha256), reason })
    };
    refused.extend(files.iter().filter_map(refusal));
    let judge = |features: &[f32]| {
        let open_set = classifier.open_set(features);
        Judged {
            probabilities: classifier.own_probabilities(features),
            is_unknown: open_set.as_ref().is_some_and(|score| score.unknown),
            distance: open_set.map(|score| score.score),
        }
    };
    let judged = match &embedded.writer {
        Some(writer) => answer::from_cache(writer.cache(), &wanted, judge)?,
        None => HashMap::new(),
    };
    Ok((judged, embedded.computed))
}

fn prediction(classifier: &Classifier, file: &ImageFile, judged: &Judged) -> Prediction {
    Prediction {
        path: file.path.clone(),
        image_sha256: file.image_sha256,
        variant: Variant::None,
        split: Split::Test,
        label: file.label.clone(),
        predicted: classifier.classes()[crate::head::argmax(&judged.probabilities)].clone(),
        probabilities: judged.probabilities.clone(),
        group: file.group.clone(),
    }
}

fn unknown_classes(
    others: &[&ImageFile],
    judged: &HashMap<Digest, Judged>,
    has_rejection: bool,
) -> Vec<UnknownClass> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for file in others {
        if let Some(judged) = judged.get(&file.image_sha256) {
            let (images, unknown) = counts.entry(&file.label).or_default();
            *images += 1;
            *unknown += usize::from(judged.is_unknown);
        }
    }
    let class = |(name, (images, unknown)): (&str, (usize, usize))| UnknownClass {
        name: name.into(),
        images,
        called_unknown: has_rejection.then_some(unknown),
    };
    counts.into_iter().map(class).collect()
}
