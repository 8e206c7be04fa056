//! Classifies files and folders of any size with a run. Images stream through the pipeline of an extraction, so that memory
//! does not grow with them, and the same call again goes on where the last one stopped.

mod answer;
mod config;
mod files;
mod new_images;
mod output;
mod working_folder;

pub use config::ScoreConfig;
pub use new_images::{NewImages, NewImagesConfig, UnknownClass, evaluate_new_images};
pub use output::AnswerFormat;

use crate::data::dataset::{Reason, Refused};
use crate::data::scan::list_files;
use crate::error::{Error, Kind, Result};
use crate::evaluate::predict::Classifier;
use crate::extract::{EmbedConfig, ImageToEmbed, StageTimes, embed_images};
use crate::io::digest::Digest;
use crate::io::fs;
use crate::monitor::Monitor;
use crate::run::StoredRun;
use answer::Answer;
use files::ImageFile;
use output::{AnswerFile, AnswerRow};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;
use working_folder::WorkingFolder;

/// Result of [`score`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ScoreStats {
    /// The file of answers.
    pub out: PathBuf,
    /// Number of files that were given, or are below folders that were given.
    pub files: usize,
    /// Number of rows in the file of answers.
    pub answers: usize,
    /// Number of images whose features were computed in this call.
    pub computed: usize,
    /// Number of images that are called unknown; `None` without open-set rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<usize>,
    /// Number of images whose answer is withheld; `None` where the run has no rule of decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsure: Option<usize>,
    /// Number of images of each answer, in class order, without those that are called unknown or unsure.
    pub classes: Vec<AnswerCount>,
    /// Files that cannot be used, in the order of the files.
    pub refused: Vec<Refused>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Images embedded per second; `None` if none were.
    pub images_per_second: Option<f64>,
    /// The execution provider that ran the network; `None` if no image was embedded.
    pub provider: Option<String>,
    /// Time spent in the stages of the pipeline; `None` if no image was embedded.
    pub stages: Option<StageTimes>,
}

/// Number of images that a class is the answer for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnswerCount {
    /// The class.
    pub label: String,
    /// Number of images.
    pub images: usize,
}

/// Classifies files, and all files below folders, in archives and in manifests, and writes one row for each to a file.
///
/// Features are kept until the file is finished, in `cache` or in a folder beside it that is removed then. So a call after an
/// interruption computes what is missing. An earlier Parquet file of the same run is read back, so that only new images are
/// computed. The finished file does not depend on interruptions.
///
/// # Errors
/// [`Kind::Usage`] for a file name without a known format, and for a place that is not allowed; [`Kind::Input`] when there is
/// no file to classify, or another file is in the way; those of
/// [`Predictor::open`](crate::evaluate::predict::Predictor::open) and of [`embed_images`].
pub fn score(config: &ScoreConfig, monitor: &dyn Monitor) -> Result<ScoreStats> {
    let started = Instant::now();
    let stored = StoredRun::open_for(&config.predictor.run, "out")?;
    let classifier = Classifier::open(&stored, &config.predictor)?;
    let format = AnswerFormat::from_path(&config.out)?;
    let file = AnswerFile { path: &config.out, format, classifier: &classifier, record: stored.record() };
    config.check_out()?;
    file.check()?;
    // Features that are to be kept are needed for every image.
    let earlier = if config.cache.is_none() { file.stored()? } else { HashMap::new() };
    config.install_missing(&classifier, !earlier.is_empty(), monitor)?;
    let listed = list_files(&config.images)?;
    let files = files::read(&listed.files, &classifier.spec().preprocessing.decode, config.threads, monitor)?;
    classifier.note_decoders(files::decoded_otherwise(&files), monitor);
    let done = answers(config, &classifier, earlier, &files, monitor)?;
    let rows = rows(&files, &done.answers);
    file.write(&rows)?;
    config.working_folder().finish()?;
    let unknown = rows.iter().filter(|row| row.answer.is_unknown(&classifier)).count();
    let (classes, unsure) = count(&classifier, &rows);
    Ok(ScoreStats {
        out: config.out.clone(),
        files: files.len(),
        answers: rows.len(),
        computed: done.computed,
        unknown: classifier.rejection().map(|_| unknown),
        unsure: classifier.has_rule().then_some(unsure),
        classes,
        refused: [refused(&files, &done), listed.refused].concat(),
        seconds: started.elapsed().as_secs_f64(),
        images_per_second: done.stages.map(|stages| done.computed as f64 / stages.seconds),
        provider: done.provider,
        stages: done.stages,
    })
}

/// Answers for images, and how they were found.
struct Answered {
    answers: HashMap<Digest, Answer>,
    /// Why an image has no answer.
    refused: HashMap<Digest, Reason>,
    computed: usize,
    provider: Option<String>,
    stages: Option<StageTimes>,
}

/// Adds to the `earlier` answers those of the other `files`, whose features are computed where the cache lacks them.
fn answers(
    config: &ScoreConfig,
    classifier: &Classifier,
    earlier: HashMap<Digest, Answer>,
    files: &[ImageFile],
    monitor: &dyn Monitor,
) -> Result<Answered> {
    let usable = files.iter().filter_map(ImageFile::usable);
    let images: Vec<ImageToEmbed> =
        usable.filter(|image| !earlier.contains_key(&image.image_sha256)).collect();
    let wanted: HashSet<Digest> = images.iter().map(|image| image.image_sha256).collect();
    let backbone = classifier.resolve_backbone(&config.predictor)?;
    let embedded = embed_images(&config.embedding(), classifier.spec(), &backbone, &images, monitor)
        .map_err(|e| config.working_folder().explain(e))?;
    let mut answers = earlier;
    if let Some(writer) = &embedded.writer {
        answers.extend(answer::from_cache(writer.cache(), &wanted, |features| {
            Answer::of(classifier, features)
        })?);
    }
    let (refused, computed) = (embedded.refused, embedded.computed);
    Ok(Answered { answers, refused, computed, provider: embedded.provider, stages: embedded.stages })
}

/// The rows of the file of answers, in the order of the files.
fn rows<'a>(files: &'a [ImageFile], answers: &'a HashMap<Digest, Answer>) -> Vec<AnswerRow<'a>> {
    let row = |file: &'a ImageFile| {
        let image_sha256 = *file.image_sha256.as_ref().ok()?;
        Some(AnswerRow { path: &file.path, image_sha256, answer: answers.get(&image_sha256)? })
    };
    files.iter().filter_map(row).collect()
}

fn refused(files: &[ImageFile], done: &Answered) -> Vec<Refused> {
    let refuse = |file: &ImageFile| {
        let (image_sha256, reason) = match &file.image_sha256 {
            Err(reason) => (None, reason.clone()),
            Ok(digest) if done.answers.contains_key(digest) => return None,
            Ok(digest) => (Some(*digest), done.refused.get(digest).cloned()?),
        };
        Some(Refused { path: file.path.clone(), image_sha256, reason })
    };
    files.iter().filter_map(refuse).collect()
}

/// The number of images of each class, and of those whose answer is withheld.
fn count(classifier: &Classifier, rows: &[AnswerRow]) -> (Vec<AnswerCount>, usize) {
    let (mut images, mut unsure) = (vec![0; classifier.classes().len()], 0);
    for row in rows.iter().filter(|row| !row.answer.is_unknown(classifier)) {
        match row.answer.decided(classifier) {
            Some(class) => images[class] += 1,
            None => unsure += 1,
        }
    }
    let labels = classifier.classes().iter().cloned();
    (labels.zip(images).map(|(label, images)| AnswerCount { label, images }).collect(), unsure)
}

impl ScoreConfig {
    fn working_folder(&self) -> WorkingFolder {
        WorkingFolder::new(self.cache.as_deref(), &self.out)
    }

    fn embedding(&self) -> EmbedConfig {
        let mut config = EmbedConfig::new(self.working_folder().path);
        config.device = self.predictor.device;
        (config.batch, config.threads) = (self.batch, self.threads);
        (config.decode_memory, config.commit_every) = (self.decode_memory, self.commit_every);
        config
    }

    /// Checks that the file of answers would not be among images, nor in a run or a cache, and that there is a place for
    /// features.
    fn check_out(&self) -> Result<()> {
        let refuse = |what: &str, remedy: &str| Err(Error::new(Kind::Usage, what).at(&self.out).help(remedy));
        if self.cache.is_none() && fs::is_stream(&self.out) {
            return refuse(
                "beside a device or a pipe there is no place for unfinished work",
                "name a file as `out`, or a `cache` to keep the features in",
            );
        }
        let out = fs::resolve(&self.out)?;
        for folder in self.images.iter().filter(|path| path.is_dir()) {
            if out.starts_with(fs::resolve(folder)?) {
                return refuse("`out` cannot be inside a folder of images", "choose another place for `out`");
            }
        }
        let is_taken = |folder: &Path| {
            crate::run::is_run(folder) || crate::cache::Spec::read(folder).is_ok_and(|s| s.is_some())
        };
        match out.ancestors().any(is_taken) {
            true => refuse("`out` cannot be inside a run or a cache", "choose another place for `out`"),
            false => Ok(()),
        }
    }

    /// Installs what the network needs before any file is read, unless it is possible that nothing has to be computed.
    fn install_missing(
        &self,
        classifier: &Classifier,
        has_answers: bool,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        if has_answers || self.working_folder().path.exists() {
            return Ok(());
        }
        let backbone = classifier.resolve_backbone(&self.predictor)?;
        backbone.install_missing(self.predictor.device, monitor).map(drop)
    }
}
