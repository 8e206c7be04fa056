//! A cache opened to fit heads: its images, and the rows that plans need, each read once however many plans share
//! it. Rows of a plan are sorted by key, so neither restarts nor compaction of the cache can change a head.

use super::families::{Families, complete_where_held_out};
use crate::augment::Variant;
use crate::dataset::{Division, Sample, Split, class_names, divide};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::head::{Example, Rows};
use crate::matrix::Matrix;
use crate::monitor::Monitor;
use crate::store::{Catalog, FeatureCache, Key, Samples, Spec};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// A cache opened for fitting.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub path: PathBuf,
    pub classes: Vec<String>,
    pub catalog: Catalog,
    store: FeatureCache,
    samples: Samples,
    /// The first path of each image.
    paths: HashMap<Digest, String>,
}

/// Rows of one split, sorted by key.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    pub keys: Vec<Key>,
    /// Class of each.
    pub targets: Vec<u32>,
}

/// Which rows a head is fitted to, stopped on and tested with.
#[derive(Debug)]
pub(crate) struct Plan {
    pub division: Option<Division>,
    pub variants: Vec<Variant>,
    pub train: Chosen,
    pub validation: Chosen,
    pub test: Chosen,
    /// Variants of the validation images, which decide nothing: for averages. None but those that all images of
    /// validation and test have.
    pub validation_variants: Chosen,
    /// Likewise of the test images.
    pub test_variants: Chosen,
}

/// Rows in memory.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub features: Matrix,
    places: HashMap<Key, u32>,
}

/// Distinct images: class and split.
pub(super) type Images = HashMap<Digest, (u32, Split)>;

impl Chosen {
    pub fn images(&self) -> impl Iterator<Item = Digest> {
        self.keys.iter().map(|key| key.image_sha256)
    }

    /// Rows of each class.
    pub fn counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        self.targets.iter().for_each(|&target| counts[target as usize] += 1);
        counts
    }
}

impl Plan {
    /// All its rows, part by part.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        let held_out = self.held_out().into_iter().map(|(part, _)| part);
        std::iter::once(&self.train).chain(held_out).flat_map(|part| &part.keys)
    }

    /// What is predicted: the parts that are not trained on, with their splits.
    pub fn held_out(&self) -> [(&Chosen, Split); 4] {
        [
            (&self.validation, Split::Validation),
            (&self.validation_variants, Split::Validation),
            (&self.test, Split::Test),
            (&self.test_variants, Split::Test),
        ]
    }
}

impl Shelf {
    /// Opens the cache at `path`.
    ///
    /// # Errors
    /// [`Kind::Cache`] when there is none or a part cannot be read.
    pub fn open(path: &Path, threads: usize) -> Result<Self> {
        let store = FeatureCache::open(path)?;
        let samples = store.samples()?;
        let catalog = store.catalog(threads)?;
        let mut paths = HashMap::new();
        for Sample { file, .. } in &samples.rows {
            paths.entry(file.image_sha256).or_insert_with(|| file.path.clone());
        }
        let classes = class_names(&samples.rows);
        Ok(Self { path: path.to_path_buf(), classes, catalog, store, samples, paths })
    }

    /// What the features are.
    pub fn spec(&self) -> &Spec {
        self.store.spec()
    }

    /// The first path of an image of the data set.
    pub fn path_of(&self, image: &Digest) -> &str {
        self.paths.get(image).map_or("", String::as_str)
    }

    /// Chooses the rows: `asked` variants for train (`None` takes every family that is complete), `none` for validation and
    /// test, whose other variants are kept apart.
    ///
    /// # Errors
    /// [`Kind::Cache`] when rows that are needed are missing, [`Kind::Input`] when there is too little data.
    pub fn plan(
        &self,
        division: Option<Division>,
        asked: Option<&[String]>,
        monitor: &dyn Monitor,
    ) -> Result<Plan> {
        let images = self.images(division);
        self.check_enough(&images, division)?;
        self.check_plain(&images)?;
        let families = Families::of(&images, self.catalog.keys());
        let variants = match asked {
            Some(asked) => families.select(asked, &self.path)?,
            None => families.complete(monitor),
        };
        let used: HashSet<Variant> = variants.iter().copied().collect();
        let averaged = complete_where_held_out(&images, self.catalog.keys());
        let mut parts: [Vec<(Key, u32)>; 5] = Default::default();
        for key in self.catalog.keys() {
            let Some(&(target, split)) = images.get(&key.image_sha256) else { continue };
            let is_train = split == Split::Train;
            if if is_train { &used } else { &averaged }.contains(&key.variant) {
                let is_apart = !is_train && key.variant != Variant::None;
                parts[split as usize + if is_apart { 2 } else { 0 }].push((*key, target));
            }
        }
        let [train, validation, test, validation_variants, test_variants] = parts.map(|mut rows| {
            rows.sort_unstable();
            rows.dedup();
            let (keys, targets) = rows.into_iter().unzip();
            Chosen { keys, targets }
        });
        Ok(Plan { division, variants, train, validation, test, validation_variants, test_variants })
    }

    fn images(&self, division: Option<Division>) -> Images {
        let divided = division.map(|division| divide(&self.samples.rows, division, self.samples.fractions));
        let mut images = HashMap::new();
        for Sample { file, split } in divided.as_ref().unwrap_or(&self.samples.rows) {
            let target = self.classes.binary_search(&file.label).expect("classes come from the samples");
            images.entry(file.image_sha256).or_insert((target as u32, *split));
        }
        images
    }

    /// Reads the rows of all plans, each once.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a part is damaged, or holds features that are no numbers.
    pub fn load(&self, plans: &[Plan], threads: usize) -> Result<Loaded> {
        let wanted: HashSet<Key> = plans.iter().flat_map(Plan::keys).copied().collect();
        let found = self.catalog.read(&self.catalog.select(|key| wanted.contains(key)), threads)?;
        if let Some(row) = found.features.first_not_finite() {
            return Err(self.not_a_number(&found.keys[row]));
        }
        let places = found.keys.into_iter().enumerate().map(|(row, key)| (key, row as u32)).collect();
        Ok(Loaded { features: found.features, places })
    }

    /// The error that a row holds something else than numbers.
    pub fn not_a_number(&self, key: &Key) -> Error {
        let image = self.path_of(&key.image_sha256);
        let message = format!("the features of {image} ({}) hold values that are no numbers", key.variant);
        Error::new(Kind::Cache, message)
            .at(&self.path)
            .help("extract into a new cache, and check the network that was used")
    }

    fn check_enough(&self, images: &Images, division: Option<Division>) -> Result<()> {
        let count = |split| images.values().filter(|(_, own)| *own == split).count();
        let fail =
            |message: String, help: &str| Err(Error::new(Kind::Input, message).at(&self.path).help(help));
        if self.classes.len() < 2 {
            return fail(
                format!("there is one class only ({})", self.classes.join("")),
                "a classifier needs two or more: add a folder of images of another class, then extract again",
            );
        }
        let of = division.map_or(String::new(), |division| format!(" of {division}"));
        if count(Split::Validation) == 0 {
            return fail(
                format!("the validation split{of} is empty, so nothing can say when to stop"),
                "give it more with `headstart extract IMAGES --cache CACHE --split 60/15/25`, or add images",
            );
        }
        Ok(())
    }

    /// Every image needs its plain features.
    fn check_plain(&self, images: &Images) -> Result<()> {
        let plain: HashSet<Digest> = self
            .catalog
            .keys()
            .filter(|key| key.variant == Variant::None)
            .map(|key| key.image_sha256)
            .collect();
        let missing = images.keys().filter(|hash| !plain.contains(hash)).count();
        if missing == 0 {
            return Ok(());
        }
        Err(Error::new(Kind::Cache, format!("{missing} of {} images have no features yet", images.len()))
            .at(&self.path)
            .help("run the same `headstart extract` again: it computes only what is missing"))
    }
}

impl Loaded {
    /// Where the rows of a split stand, in the order of their keys.
    pub fn examples(&self, chosen: &Chosen) -> Vec<Example> {
        let rows = chosen.keys.iter().zip(&chosen.targets);
        rows.map(|(key, &target)| Example { row: self.places[key], target }).collect()
    }

    /// The rows at `examples`.
    pub fn rows<'a>(&'a self, examples: &'a [Example]) -> Rows<'a> {
        Rows { features: &self.features, examples }
    }
}
