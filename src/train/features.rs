//! The feature table of a training: which rows of the cache belong to train, validation and test. Rows are sorted by
//! key, so neither restarts nor compaction of the cache can change a head.

use crate::augment::Variant;
use crate::dataset::{Sample, Split, class_names};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::head;
use crate::monitor::Monitor;
use crate::store::{FeatureStore, Key};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

/// Rows of one split.
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub keys: Vec<Key>,
    pub features: Vec<f32>,
    pub targets: Vec<usize>,
    pub paths: Vec<String>,
}

/// All that a training reads.
#[derive(Debug)]
pub(super) struct Features {
    pub classes: Vec<String>,
    pub variants: Vec<Variant>,
    pub train: Selected,
    pub validation: Selected,
    pub test: Selected,
    /// Variants of the validation images, which decide nothing: for averages. None but those that all images of
    /// validation and test have.
    pub validation_variants: Selected,
    /// Likewise of the test images.
    pub test_variants: Selected,
}

struct Image<'a> {
    target: usize,
    split: Split,
    path: &'a str,
}

impl Selected {
    pub fn rows(&self) -> head::Rows<'_> {
        head::Rows { features: &self.features, targets: &self.targets }
    }

    pub fn images(&self) -> impl Iterator<Item = Digest> {
        self.keys.iter().map(|key| key.image_sha256)
    }
}

impl Features {
    /// Selects the rows: `asked` variants for train, `none` for validation and test, whose other variants are kept
    /// apart.
    ///
    /// # Errors
    /// [`Kind::Cache`] when rows that are needed are missing, [`Kind::Input`] when there is too little data.
    pub fn load(
        store: &FeatureStore,
        cache: &Path,
        asked: Option<&[String]>,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let samples = store.samples()?;
        let classes = class_names(&samples.rows);
        let images = images(&samples.rows, &classes);
        check_enough(&images, &classes, cache)?;
        let keys = store.keys()?;
        check_plain(&images, &keys, cache)?;
        let families = Families::of(&images, &keys);
        let variants = match asked {
            Some(asked) => families.select(asked, cache)?,
            None => families.complete(monitor),
        };
        let used: HashSet<Variant> = variants.iter().copied().collect();
        let averaged = complete_where_held_out(&images, &keys);
        let rows = store.rows(|key| match images.get(&key.image_sha256) {
            Some(image) if image.split == Split::Train => used.contains(&key.variant),
            Some(_) => averaged.contains(&key.variant),
            None => false,
        })?;
        let mut parts: BTreeMap<(Split, bool), Selected> = BTreeMap::new();
        for (key, embedding) in rows.keys.into_iter().zip(rows.embeddings.chunks_exact(rows.width.max(1))) {
            let image = &images[&key.image_sha256];
            if !embedding.iter().all(|value| value.is_finite()) {
                let message = format!(
                    "the features of {} ({}) hold values that are no numbers",
                    image.path, key.variant
                );
                return Err(Error::new(Kind::Cache, message)
                    .at(cache)
                    .help("extract into a new cache, and check the network that was used"));
            }
            let is_apart = image.split != Split::Train && key.variant != Variant::None;
            let part = parts.entry((image.split, is_apart)).or_default();
            part.features.extend_from_slice(embedding);
            part.targets.push(image.target);
            part.paths.push(image.path.to_string());
            part.keys.push(key);
        }
        let mut part = |split, is_apart| parts.remove(&(split, is_apart)).unwrap_or_default();
        let [train, validation, test] = Split::ALL.map(|split| part(split, false));
        let [validation_variants, test_variants] =
            [Split::Validation, Split::Test].map(|split| part(split, true));
        Ok(Self { classes, variants, train, validation, test, validation_variants, test_variants })
    }
}

/// The variants that every image of validation and test has.
fn complete_where_held_out(images: &HashMap<Digest, Image>, keys: &HashSet<Key>) -> HashSet<Variant> {
    let held_out = |hash: &Digest| images.get(hash).is_some_and(|image| image.split != Split::Train);
    let mut counts: HashMap<Variant, usize> = HashMap::new();
    for key in keys.iter().filter(|key| held_out(&key.image_sha256)) {
        *counts.entry(key.variant).or_default() += 1;
    }
    let all = images.values().filter(|image| image.split != Split::Train).count();
    counts.into_iter().filter(|(_, count)| *count == all).map(|(variant, _)| variant).collect()
}

/// Distinct images by digest; copies are represented by the first path.
fn images<'a>(samples: &'a [Sample], classes: &[String]) -> HashMap<Digest, Image<'a>> {
    let mut images = HashMap::new();
    for Sample { file, split } in samples {
        let target = classes.binary_search(&file.label).expect("classes come from the samples");
        images.entry(file.image_sha256).or_insert(Image { target, split: *split, path: &file.path });
    }
    images
}

fn check_enough(images: &HashMap<Digest, Image>, classes: &[String], cache: &Path) -> Result<()> {
    let count = |split| images.values().filter(|image| image.split == split).count();
    let fail = |message: String, help: &str| Err(Error::new(Kind::Input, message).at(cache).help(help));
    if classes.len() < 2 {
        return fail(
            format!("there is one class only ({})", classes.join("")),
            "a classifier needs two or more: add a folder of images of another class, then extract again",
        );
    }
    if count(Split::Validation) == 0 {
        return fail(
            "the validation split is empty, so nothing can say when to stop".into(),
            "give it more with `headstart extract IMAGES --cache CACHE --split 60/15/25`, or add images",
        );
    }
    Ok(())
}

/// Every image needs its plain features.
fn check_plain(images: &HashMap<Digest, Image>, keys: &HashSet<Key>, cache: &Path) -> Result<()> {
    let has = |&image_sha256: &Digest| keys.contains(&Key { image_sha256, variant: Variant::None });
    let missing = images.keys().filter(|hash| !has(hash)).count();
    if missing == 0 {
        return Ok(());
    }
    Err(Error::new(Kind::Cache, format!("{missing} of {} images have no features yet", images.len()))
        .at(cache)
        .help("run the same `headstart extract` again: it computes only what is missing"))
}

/// For each variant in the cache, how many train images have it.
struct Families {
    counts: BTreeMap<Variant, usize>,
    train: usize,
}

impl Families {
    fn of(images: &HashMap<Digest, Image>, keys: &HashSet<Key>) -> Self {
        let in_train = |hash: Digest| images.get(&hash).is_some_and(|image| image.split == Split::Train);
        let mut counts = BTreeMap::new();
        for key in keys.iter().filter(|key| in_train(key.image_sha256)) {
            *counts.entry(key.variant).or_insert(0) += 1;
        }
        Self { counts, train: images.values().filter(|image| image.split == Split::Train).count() }
    }

    fn family(&self, name: &str) -> Vec<Variant> {
        self.counts.keys().filter(|variant| variant.family() == name).copied().collect()
    }

    /// Of `variants`, the one that the fewest train images have, with their number.
    fn least(&self, variants: &[Variant]) -> Option<(Variant, usize)> {
        let count = |variant: &Variant| (*variant, self.counts.get(variant).copied().unwrap_or(0));
        variants.iter().map(count).min_by_key(|(_, count)| *count)
    }

    fn complete(&self, monitor: &dyn Monitor) -> Vec<Variant> {
        let mut all = Vec::new();
        for name in ["none", "flip", "shift"] {
            let family = self.family(name);
            match self.least(&family) {
                Some((_, count)) if count == self.train => all.extend(family),
                Some((variant, count)) => monitor.note(&format!(
                    "{name} is left out: {variant} is there for {count} of {} train images",
                    self.train
                )),
                None => {}
            }
        }
        all
    }

    fn select(&self, asked: &[String], cache: &Path) -> Result<Vec<Variant>> {
        let mut all = BTreeSet::new();
        for name in asked {
            let variants = match name.as_str() {
                "none" | "flip" | "shift" => self.family(name),
                exact => vec![exact.parse().map_err(|e: Error| {
                    e.help("give families (none, flip, shift) or exact variants, such as shift:+30:+0")
                })?],
            };
            let again = "`headstart extract IMAGES --cache CACHE --augment ...` computes what is missing";
            match self.least(&variants) {
                Some((_, count)) if count == self.train => all.extend(variants),
                Some((variant, count)) => {
                    let message = format!("{variant} is there for {count} of {} train images", self.train);
                    return Err(Error::new(Kind::Cache, message).at(cache).help(again));
                }
                None => {
                    return Err(Error::new(Kind::Cache, format!("it holds no {name}")).at(cache).help(again));
                }
            }
        }
        Ok(all.into_iter().collect())
    }
}
