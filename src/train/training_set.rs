//! A cache opened for training: its images, its classes, and the feature rows of each split.

use super::feature_table::FeatureTable;
use super::labelled_rows::LabelledRows;
use super::split_images::SplitImages;
use super::split_rows::{RowSelection, SplitRows};
use super::variants::VariantCounts;
use crate::cache::{Catalog, FeatureCache, Key, Samples, Spec};
use crate::data::augment::Variant;
use crate::data::dataset::{Resplit, Sample, Split, class_names, group_numbers};
use crate::error::{Error, Kind, Result};
use crate::head::{ClassWeights, FitJob, FitParams, Head};
use crate::io::digest::Digest;
use crate::limits::{self, MemoryLimit};
use crate::math::matrix::Matrix;
use crate::math::parallel;
use crate::monitor::{Monitor, Silent};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A cache opened for training.
///
/// [`TrainingSet::rows`] gives the features and class indexes of a split as arrays, for any other estimator:
///
/// ```no_run
/// use headstart::data::dataset::Split;
/// use headstart::train::TrainingSet;
///
/// let set = TrainingSet::open("cache/photos".as_ref())?;
/// let train = set.rows(Split::Train)?;
/// println!("{} rows of {} features", train.features.nrows(), train.features.ncols());
/// println!("the first row shows a {}", set.classes()[train.targets[0]]);
/// # Ok::<(), headstart::error::Error>(())
/// ```
#[derive(Debug)]
pub struct TrainingSet {
    path: PathBuf,
    cache: FeatureCache,
    samples: Samples,
    classes: Vec<String>,
    catalog: Catalog,
    /// The first path of each image.
    paths: HashMap<Digest, String>,
    /// The number of the group of each image that is in one with others.
    groups: Arc<HashMap<Digest, usize>>,
    threads: usize,
}

impl TrainingSet {
    /// Opens the cache at `path`. No features are read yet.
    ///
    /// # Errors
    /// [`Kind::Cache`] when there is no cache, or a part of it cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with_threads(path, 0)
    }

    /// Opens the cache at `path`; reads on up to `threads` threads, 0 meaning one per core.
    ///
    /// # Errors
    /// [`Kind::Cache`] when there is no cache, or a part of it cannot be read; [`Kind::Input`] when its images have several labels.
    pub fn open_with_threads(path: &Path, threads: usize) -> Result<Self> {
        let set = Self::open_any(path, threads)?;
        match set.samples.has_label_sets() {
            false => Ok(set),
            true => {
                let message = "its images have several labels each, which this cannot take";
                let help = "`train` takes such a cache, with `solver` adam";
                Err(Error::new(Kind::Input, message).at(path).help(help))
            }
        }
    }

    /// Opens a cache as [`TrainingSet::open_with_threads`] does, also one whose images have several labels. Their texts are then the
    /// classes.
    pub(super) fn open_any(path: &Path, threads: usize) -> Result<Self> {
        let threads = parallel::thread_count(threads);
        let cache = FeatureCache::open(path)?;
        let samples = cache.samples()?;
        let catalog = cache.catalog(threads)?;
        let mut paths = HashMap::new();
        for Sample { file, .. } in &samples.rows {
            paths.entry(file.image_sha256).or_insert_with(|| file.path.clone());
        }
        let classes = class_names(&samples.rows);
        let groups = Arc::new(group_numbers(&samples.rows));
        Ok(Self { path: path.to_path_buf(), cache, samples, classes, catalog, paths, groups, threads })
    }

    /// The data set.
    pub(super) fn samples(&self) -> &Samples {
        &self.samples
    }

    /// Names of the classes; the position is the class index.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Warns of parts that do not name their spec, as those of version 0.1.0.
    pub(crate) fn warn_of_unnamed_specs(&self, monitor: &dyn Monitor) -> Result<()> {
        self.cache.warn_of_unnamed_specs(monitor)
    }

    /// What the features are.
    pub fn spec(&self) -> &Spec {
        self.cache.spec()
    }

    /// Path of an image relative to the folder of images; the first one of several copies. Empty for an image that is
    /// not in the data set.
    pub fn path_of(&self, image: &Digest) -> &str {
        self.paths.get(image).map_or("", String::as_str)
    }

    /// Name of the group of an image, by which intervals are measured: that of groups that share an image is one. `None` for an
    /// image on its own.
    pub(super) fn group_of(&self, image: &Digest) -> Option<String> {
        self.groups.get(image).map(usize::to_string)
    }

    /// Reads features and class indexes of a split, sorted by key: the rows that `train` uses by
    /// default. These are one row per image for validation and test, and every complete family of variants for train.
    ///
    /// # Errors
    /// [`Kind::Cache`] when rows are missing or damaged, [`Kind::Input`] when there are fewer than two classes.
    pub fn rows(&self, split: Split) -> Result<LabelledRows> {
        self.rows_with(split, None, None)
    }

    /// Reads features and class indexes of a split, sorted by key, as `train` does with the same
    /// `variants` and `resplit`. The variants are those of the train images: families (`none`, `flip`, `shift`) or exact
    /// variants (`shift:+30:+0`). Validation and test have one row per image.
    ///
    /// # Errors
    /// Those of [`TrainingSet::rows`], and [`Kind::Usage`] for a name that is no variant or a fold that does not exist.
    pub fn rows_with(
        &self,
        split: Split,
        variants: Option<&[String]>,
        resplit: Option<Resplit>,
    ) -> Result<LabelledRows> {
        let splits = self.split_rows(resplit, variants, &Silent)?;
        let selection = match split {
            Split::Train => splits.train,
            Split::Validation => splits.validation,
            Split::Test => splits.test,
        };
        let table = self.load_rows(&selection, self.threads)?;
        Ok(LabelledRows::of(&table, selection))
    }

    /// Selects the rows of each split: `variants` for train (`None` takes every family that is complete), the images as
    /// they are for validation and test, whose other variants are kept apart.
    ///
    /// # Errors
    /// [`Kind::Cache`] when rows are missing, [`Kind::Input`] when there are fewer than two classes, [`Kind::Usage`] for a name that is no variant or a fold that does not exist.
    pub(crate) fn split_rows(
        &self,
        resplit: Option<Resplit>,
        variants: Option<&[String]>,
        monitor: &dyn Monitor,
    ) -> Result<SplitRows> {
        resplit.map_or(Ok(()), Resplit::check)?;
        let images = SplitImages::of(&self.samples, &self.classes, resplit);
        self.check_classes_of_set()?;
        self.check_features_of_all(&images)?;
        let of_train = VariantCounts::of_train(&images, self.catalog.keys());
        let variants = match variants {
            Some(requested) => of_train.select(requested, &self.path)?,
            None => of_train.complete_families(monitor),
        };
        let of_held_out = VariantCounts::of_held_out(&images, self.catalog.keys()).complete();
        let of_train: HashSet<Variant> = variants.iter().copied().collect();
        let (mut train, mut validation, mut test) = (Vec::new(), Vec::new(), Vec::new());
        let (mut validation_variants, mut test_variants) = (Vec::new(), Vec::new());
        for key in self.catalog.keys() {
            let Some(image) = images.get(&key.image_sha256) else { continue };
            let is_used = if image.split == Split::Train { &of_train } else { &of_held_out };
            if !is_used.contains(&key.variant) {
                continue;
            }
            let part = match (image.split, key.variant) {
                (Split::Train, _) => &mut train,
                (Split::Validation, Variant::None) => &mut validation,
                (Split::Validation, _) => &mut validation_variants,
                (Split::Test, Variant::None) => &mut test,
                (Split::Test, _) => &mut test_variants,
            };
            part.push((*key, image.class));
        }
        Ok(SplitRows {
            resplit,
            variants,
            groups: self.groups.clone(),
            train: RowSelection::sorted(train),
            validation: RowSelection::sorted(validation),
            test: RowSelection::sorted(test),
            validation_variants: RowSelection::sorted(validation_variants),
            test_variants: RowSelection::sorted(test_variants),
        })
    }

    /// Reads all rows of several assignments of splits, each row once.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a part is damaged, or a feature is not a finite number; [`Kind::Limit`] when the memory that
    /// the system grants is too little.
    pub(crate) fn load<'a>(&self, splits: impl IntoIterator<Item = &'a SplitRows>) -> Result<FeatureTable> {
        let wanted: HashSet<Key> = splits.into_iter().flat_map(SplitRows::keys).copied().collect();
        if let Some(limit) = limits::memory() {
            require_memory(wanted.len() as u64 * self.row_bytes(), &limit)?;
        }
        self.load_keys(&wanted, self.threads)
    }

    /// Bytes of one row in memory.
    pub(super) fn row_bytes(&self) -> u64 {
        4 * Matrix::zeros(0, self.spec().width).stride() as u64
    }

    /// Reads the rows of one selection on up to `threads` threads.
    ///
    /// # Errors
    /// Those of [`TrainingSet::load`].
    pub(super) fn load_rows(&self, selection: &RowSelection, threads: usize) -> Result<FeatureTable> {
        self.load_keys(&selection.keys.iter().copied().collect(), threads)
    }

    fn load_keys(&self, wanted: &HashSet<Key>, threads: usize) -> Result<FeatureTable> {
        let found = self.catalog.read(&self.catalog.select(|key| wanted.contains(key)), threads)?;
        match found.features.first_not_finite() {
            Some(row) => Err(self.not_finite(&found.keys[row])),
            None => Ok(FeatureTable::new(found.keys, found.features)),
        }
    }

    /// Prepares the fit of one head with Adam: applies the class weights to the train rows of `splits`.
    ///
    /// # Errors
    /// [`Kind::Usage`] when a class weight names a class that does not exist, or `start` has other hidden units than `params` say.
    pub(crate) fn job(&self, splits: &SplitRows, start: Option<Head>, params: FitParams) -> Result<FitJob> {
        let hidden = params.settings().hidden;
        if let Some(found) = start.as_ref().map(Head::hidden_units).filter(|found| *found != hidden) {
            let message = format!("the head of `init` has {found} hidden units, and `hidden` is {hidden}");
            return Err(Error::new(Kind::Usage, message).help(format!("set `hidden` to {found}")));
        }
        self.require_some_weight(splits)?;
        let class_weights = self.class_weights(splits, &params.settings().class_weights)?;
        Ok(FitJob { start, params, class_weights })
    }

    /// The weight of each class in the loss over the train rows of `splits`.
    ///
    /// # Errors
    /// [`Kind::Usage`] when a weight is given for a class that does not exist.
    pub(crate) fn class_weights(&self, splits: &SplitRows, weights: &ClassWeights) -> Result<Vec<f32>> {
        weights.per_class(&self.classes, &splits.train.class_counts(self.classes.len()))
    }

    /// The folder of the cache, as it was given.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Which rows are in which part of the cache.
    pub(super) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The error for a row with features that are infinite or not a number.
    pub(super) fn not_finite(&self, key: &Key) -> Error {
        let image = self.path_of(&key.image_sha256);
        let message = format!("the features of {image} ({}) are not all finite numbers", key.variant);
        Error::new(Kind::Cache, message)
            .at(&self.path)
            .help("check the network that was used, and extract into a new cache")
    }

    fn check_classes_of_set(&self) -> Result<()> {
        match self.classes.len() {
            0 | 1 => {
                let message = format!("there is one class only ({})", self.classes.join(""));
                Err(Error::new(Kind::Input, message).at(&self.path).help(
                    "a classifier needs two or more: add a folder of images of another class, then run `extract` again",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Checks that every image has the features of its variant `none`.
    fn check_features_of_all(&self, images: &SplitImages) -> Result<()> {
        let plain = self.catalog.keys().filter(|key| key.variant == Variant::None);
        let plain: HashSet<Digest> = plain.map(|key| key.image_sha256).collect();
        let all = images.digests();
        let count = all.len();
        match all.filter(|image| !plain.contains(image)).count() {
            0 => Ok(()),
            missing => {
                Err(Error::new(Kind::Cache, format!("images without features yet: {missing} of {count}"))
                    .at(&self.path)
                    .help("run the same `extract` again: it computes only what is missing"))
            }
        }
    }
}

/// Checks that features of `bytes` bytes can be held in memory.
fn require_memory(bytes: u64, limit: &MemoryLimit) -> Result<()> {
    let half = limit.free / 2 / 1_000_000;
    limit
        .require(bytes, "the features need")
        .map_err(|e| e.help(format!("raise the limit, or give `train` less with `memory`, such as {half}MB")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_beyond_the_memory_that_is_granted_are_refused_before_they_are_read() {
        let limit = MemoryLimit { bytes: 900_000_000, free: 800_000_000, source: "memory.max".into() };
        require_memory(800_000_000, &limit).unwrap();
        let error = require_memory(1_600_000_000, &limit).unwrap_err();
        let said = "the features need about 1600 MB of memory, but 800 MB of 900 MB are free (memory.max)";
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Limit, said));
        assert!(error.remedy().unwrap().ends_with("such as 400MB"));
    }
}
