//! What to label next: ranks the images of a cache that have no label by how unsure the head of a run is about them, and by how
//! far they are from what it was trained on.

mod config;
mod distances;
mod suggestion;
mod table;
mod uncertainty;

pub use config::{MIX, SuggestBy, SuggestConfig};
pub use suggestion::{SuggestStats, Suggestion};
pub use table::{check_labels_output, write_labels};
pub use uncertainty::Uncertainty;

use crate::cache::catalog::PartSelection;
use crate::cache::{Catalog, Samples};
use crate::data::augment::Variant;
use crate::data::dataset::ImageFile;
use crate::error::{Error, Kind, Result};
use crate::evaluate::predict::{Classifier, PredictorConfig};
use crate::io::digest::Digest;
use crate::math::parallel;
use crate::monitor::{Monitor, Unit};
use crate::run::StoredRun;
use distances::Coverage;
use std::collections::HashMap;
use uncertainty::ScoredImage;

/// Ranks the images without a label in the cache of a run. Of files with the same bytes one is suggested.
///
/// # Errors
/// [`Kind::Usage`] when `n` is 0; [`Kind::Input`] when no image without a label has features; those of [`StoredRun::open_cache`]
/// and [`Classifier::open`]; [`Kind::Cache`] when a part is damaged; [`Kind::Interrupted`] when the monitor was interrupted.
pub fn suggest(config: &SuggestConfig, monitor: &dyn Monitor) -> Result<SuggestStats> {
    if config.n == 0 {
        return Err(Error::new(Kind::Usage, "`n` must be at least 1"));
    }
    let run = StoredRun::open(&config.run)?;
    let classifier = Classifier::open(&run, &PredictorConfig::new(&config.run))?;
    let cache = run.open_cache(config.cache.as_deref())?;
    let samples = cache.samples()?;
    let threads = parallel::thread_count(config.threads);
    let features = Features { catalog: cache.catalog(threads)?, threads };
    let files = first_of_each(&samples);
    let mut scored = score(&features, &files, &classifier, monitor)?;
    if scored.is_empty() {
        return Err(Error::new(Kind::Input, "it holds no features of an image without a label")
            .at(cache.root())
            .help("put such images into the folder `_unlabelled`, or into rows of a manifest without a label, and `extract`"));
    }
    let unlabelled = scored.len();
    uncertainty::sort(&mut scored, config.by == SuggestBy::Entropy);
    let chosen = match config.by {
        SuggestBy::Margin | SuggestBy::Entropy => {
            scored.truncate(config.n);
            scored.into_iter().map(|image| (image, None)).collect()
        }
        SuggestBy::Coverage => cover(&features, &run, scored, config, monitor)?,
        SuggestBy::Mix => {
            scored.truncate(config.n.saturating_mul(MIX));
            cover(&features, &run, scored, config, monitor)?
        }
    };
    let suggestion = |(image, distance): (ScoredImage, Option<f32>)| Suggestion {
        path: image.file.path.clone(),
        image_sha256: image.file.image_sha256,
        predictions: classifier.ranked(&image.probabilities),
        uncertainty: image.uncertainty,
        distance,
    };
    let images = chosen.into_iter().map(suggestion).collect();
    Ok(SuggestStats { by: config.by, unlabelled, images, root: samples.images_root(cache.root()) })
}

/// The features of a cache, which are read part by part.
struct Features {
    catalog: Catalog,
    threads: usize,
}

impl Features {
    /// The rows of variant `none` whose image is wanted.
    fn select(&self, wanted: impl Fn(&Digest) -> bool) -> Vec<PartSelection> {
        self.catalog.select(|key| key.variant == Variant::None && wanted(&key.image_sha256))
    }
}

/// The files without a label, the first by path of those with the same bytes.
fn first_of_each(samples: &Samples) -> HashMap<Digest, &ImageFile> {
    let mut files = HashMap::new();
    for file in &samples.unlabelled {
        files.entry(file.image_sha256).or_insert(file);
    }
    files
}

/// What the run says about each of `files` that has features.
fn score<'a>(
    features: &Features,
    files: &HashMap<Digest, &'a ImageFile>,
    classifier: &Classifier,
    monitor: &dyn Monitor,
) -> Result<Vec<ScoredImage<'a>>> {
    let selections = features.select(|digest| files.contains_key(digest));
    let task = monitor.task("scoring images without a label", Some(files.len() as u64), Unit::Images);
    let mut scored = Vec::new();
    for selection in selections.chunks(1) {
        check_interrupted(monitor)?;
        let rows = features.catalog.read(selection, features.threads)?;
        let numbers: Vec<usize> = (0..rows.keys.len()).collect();
        let found = parallel::in_parallel(features.threads, &numbers, |&row| {
            let probabilities = classifier.probabilities(rows.features.row(row));
            Ok(ScoredImage::new(files[&rows.keys[row].image_sha256], probabilities))
        })?;
        task.advance(found.len() as u64);
        scored.extend(found);
    }
    Ok(scored)
}

/// Chooses by coverage among `candidates`, with the distance of each when it was chosen.
fn cover<'a>(
    features: &Features,
    run: &StoredRun,
    candidates: Vec<ScoredImage<'a>>,
    config: &SuggestConfig,
    monitor: &dyn Monitor,
) -> Result<Vec<(ScoredImage<'a>, Option<f32>)>> {
    let mut by_digest: HashMap<Digest, ScoredImage> =
        candidates.into_iter().map(|image| (image.file.image_sha256, image)).collect();
    let selections = features.select(|digest| by_digest.contains_key(digest));
    let rows = features.catalog.read(&selections, features.threads)?;
    // Of equally far images the first by path is chosen.
    let paths = rows.keys.iter().map(|key| by_digest[&key.image_sha256].file.path.as_str()).collect();
    let mut coverage = Coverage::new(rows.features, paths, features.threads);
    let trained_on = run.trained_on()?;
    for selection in features.select(|digest| trained_on.contains(digest)).chunks(1) {
        check_interrupted(monitor)?;
        coverage.add_centres(features.catalog.read(selection, features.threads)?.features)?;
    }
    let task = monitor.task("choosing images", Some(config.n as u64), Unit::Images);
    let mut chosen = Vec::new();
    while let Some((row, distance)) = coverage.choose()?.filter(|_| chosen.len() < config.n) {
        check_interrupted(monitor)?;
        chosen.push((rows.keys[row].image_sha256, distance));
        task.advance(1);
    }
    drop(coverage);
    let chosen = chosen.into_iter();
    Ok(chosen.filter_map(|(digest, distance)| Some((by_digest.remove(&digest)?, Some(distance)))).collect())
}

fn check_interrupted(monitor: &dyn Monitor) -> Result<()> {
    match monitor.is_interrupted() {
        true => Err(Error::new(Kind::Interrupted, "interrupted before the images were ranked")),
        false => Ok(()),
    }
}
