//! Near-duplicates: images of different splits that are nearly the same. A test score on them measures memory in part.

use super::cache::OpenCache;
use super::heads::answer_test_images;
use crate::cache::near_duplicates::compare_splits;
use crate::cache::near_images::cosine_distance;
use crate::cache::{Catalog, Key};
use crate::data::augment::Variant;
use crate::data::dataset::{Sample, Split};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::math::matrix::Matrix;
use crate::math::parallel;
use crate::metrics::wilson_interval;
use crate::monitor::Monitor;
use crate::run::Prediction;
use serde::{Serialize, Serializer};
use std::collections::{HashMap, HashSet};

/// The nearest pairs of images in different splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearDuplicates {
    /// The nearest first.
    pub pairs: Vec<NearDuplicatePair>,
    /// The distance within which images are near-duplicates.
    pub threshold: f64,
    /// Number of images in train, validation and test with a near-duplicate in another split.
    pub crossing: [usize; 3],
    /// Accuracy with and without the test images among them; `None` where there are none, or a head cannot be fitted.
    pub accuracy: Option<AccuracyWithout>,
    /// A distance to compare with; `None` if the cache has no variants.
    pub scale: Option<VariantDistance>,
}

/// Accuracy of one head on the test images, and on those without a near-duplicate in another split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AccuracyWithout {
    /// Number of test images.
    pub images: usize,
    /// Share of correct answers, 0 to 1.
    pub accuracy: f64,
    /// Its 95 % Wilson interval.
    pub interval: Option<[f64; 2]>,
    /// Number of test images without a near-duplicate in another split.
    pub images_without: usize,
    /// Share of correct answers on these, 0 to 1.
    pub accuracy_without: f64,
    /// Its 95 % Wilson interval.
    pub interval_without: Option<[f64; 2]>,
}

/// Two images of different splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearDuplicatePair {
    /// [`cosine_distance`] of their features.
    pub distance: f64,
    /// The two, train before validation before test.
    pub images: [PairImage; 2],
}

/// One image of a pair.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairImage {
    /// Relative to the folder of images; the first path of duplicates.
    pub path: String,
    /// Digest of the file's bytes.
    #[serde(skip)]
    pub image_sha256: Digest,
    /// Class label.
    pub label: String,
    /// Split in the cache.
    pub split: Split,
}

/// How far images are from a variant of themselves. In JSON: `[variant, median]`.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantDistance {
    /// The variant.
    pub variant: Variant,
    /// Median [`cosine_distance`].
    pub median: f64,
}

impl Serialize for VariantDistance {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        (self.variant.to_string(), self.median).serialize(serializer)
    }
}

/// Pairs that are reported at most.
pub(super) const MOST_PAIRS: usize = 12;

/// Images that are compared at most: all pairs of more would take minutes.
const MOST_IMAGES: usize = 50_000;

/// Cosine distance of near-duplicates, as that of `duplicates` by default.
const NEAR: f64 = 0.02;

/// Images that have a variant, in order of path, and its features.
struct VariantRows<'a> {
    samples: Vec<&'a Sample>,
    /// `[samples, width]`.
    features: Matrix,
}

/// Finds the nearest pairs of images in different splits, and measures what near-duplicates do to the accuracy.
///
/// # Errors
/// [`Kind::Cache`] when a part is damaged; [`Kind::Input`] for more than [`MOST_IMAGES`] images.
pub(super) fn find(cache: &OpenCache, monitor: &dyn Monitor) -> Result<NearDuplicates> {
    let images = cache.samples.by_digest();
    if images.len() > MOST_IMAGES {
        let message =
            format!("{} images have too many pairs; at most {MOST_IMAGES} are compared", images.len());
        return Err(Error::new(Kind::Input, message));
    }
    let threads = parallel::thread_count(0);
    let found = compare_splits(&cache.features, &cache.samples, (NEAR, MOST_PAIRS), threads, monitor)?;
    let pairs = found.pairs.iter();
    let pairs = pairs.map(|&(distance, [a, b])| pair(distance.into(), found.images[a], found.images[b]));
    let near: Vec<(Digest, Split)> = (found.images.iter().zip(&found.is_near))
        .filter(|(_, is_near)| **is_near)
        .map(|(sample, _)| (sample.file.image_sha256, sample.split))
        .collect();
    let count = |split: Split| near.iter().filter(|(_, own)| *own == split).count();
    let crossing = Split::ALL.map(count);
    let near: HashSet<Digest> = near.into_iter().map(|(digest, _)| digest).collect();
    let catalog = cache.features.catalog(threads)?;
    let accuracy = if near.is_empty() { None } else { AccuracyWithout::measure(cache, &near, monitor)? };
    Ok(NearDuplicates {
        pairs: pairs.collect(),
        threshold: NEAR,
        crossing,
        accuracy,
        scale: variant_distance(&catalog, &images, threads)?,
    })
}

fn pair(distance: f64, a: &Sample, b: &Sample) -> NearDuplicatePair {
    let (a, b) = if a.split <= b.split { (a, b) } else { (b, a) };
    let image = |sample: &Sample| PairImage {
        path: sample.file.path.clone(),
        image_sha256: sample.file.image_sha256,
        label: sample.file.label.clone(),
        split: sample.split,
    };
    NearDuplicatePair { distance, images: [image(a), image(b)] }
}

impl AccuracyWithout {
    /// Fits one head to the train images as they are, with the default settings, and measures it on the test images and on those
    /// that are not `near` an image of another split. `None` where there is nothing to measure, or it cannot be fitted.
    fn measure(cache: &OpenCache, near: &HashSet<Digest>, monitor: &dyn Monitor) -> Result<Option<Self>> {
        let what = "measuring near-duplicates";
        let answers = match answer_test_images(&cache.path, vec![None], what, monitor) {
            Err(error) if error.kind() == Kind::Input => return Ok(None),
            answers => answers?.predictions,
        };
        let of = |is_counted: &dyn Fn(&Digest) -> bool| {
            let counted: Vec<&Prediction> =
                answers.iter().filter(|row| is_counted(&row.image_sha256)).collect();
            let correct = counted.iter().filter(|row| row.label == row.predicted).count();
            (counted.len(), correct)
        };
        let [(images, correct), (images_without, correct_without)] =
            [of(&|_| true), of(&|digest| !near.contains(digest))];
        let share = |correct: usize, images: usize| correct as f64 / images as f64;
        Ok((images_without > 0 && images_without < images).then(|| Self {
            images,
            accuracy: share(correct, images),
            interval: wilson_interval(correct, images),
            images_without,
            accuracy_without: share(correct_without, images_without),
            interval_without: wilson_interval(correct_without, images_without),
        }))
    }
}

impl<'a> VariantRows<'a> {
    fn read(
        catalog: &Catalog,
        images: &HashMap<Digest, &'a Sample>,
        variant: Variant,
        threads: usize,
    ) -> Result<Self> {
        let is_wanted = |key: &Key| key.variant == variant && images.contains_key(&key.image_sha256);
        let found = catalog.read(&catalog.select(is_wanted), threads)?;
        let mut order: Vec<usize> = (0..found.keys.len()).collect();
        let sample = |row: usize| images[&found.keys[row].image_sha256];
        order.sort_by(|&a, &b| sample(a).file.path.cmp(&sample(b).file.path));
        let mut features = Matrix::zeros(order.len(), catalog.width());
        for (to, &from) in order.iter().enumerate() {
            features.row_mut(to).copy_from_slice(found.features.row(from));
        }
        Ok(Self { samples: order.into_iter().map(sample).collect(), features })
    }
}

/// Median distance of images from a variant of themselves: from the mirrored one if the cache has it.
fn variant_distance(
    catalog: &Catalog,
    images: &HashMap<Digest, &Sample>,
    threads: usize,
) -> Result<Option<VariantDistance>> {
    let others = catalog.keys().map(|key| key.variant).filter(|variant| *variant != Variant::None);
    let Some(variant) = others.min() else { return Ok(None) };
    let plain = VariantRows::read(catalog, images, Variant::None, threads)?;
    let varied = VariantRows::read(catalog, images, variant, threads)?;
    let rows: HashMap<&str, usize> =
        plain.samples.iter().map(|sample| sample.file.path.as_str()).zip(0..).collect();
    let distance = |(row, sample): (usize, &&Sample)| {
        let plain_row = rows.get(sample.file.path.as_str())?;
        Some(cosine_distance(varied.features.row(row), plain.features.row(*plain_row)))
    };
    let mut all: Vec<f64> = varied.samples.iter().enumerate().filter_map(distance).collect();
    all.sort_by(f64::total_cmp);
    Ok(all.get(all.len() / 2).map(|&median| VariantDistance { variant, median }))
}
