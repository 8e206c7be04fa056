//! Which variants of the images a cache holds, and which of them to train on or to predict.

use super::split_images::SplitImages;
use crate::cache::Key;
use crate::data::augment::{self, Variant};
use crate::data::dataset::Split;
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::monitor::Monitor;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

/// Where the splits are those of the cache.
const COMPUTE_FOR_TRAIN: &str = "`extract` with `augment` computes what is missing";
/// Where they are not, any image may be a train image.
const COMPUTE_FOR_ALL: &str = "images of any split are trained on then: `extract` with `augment` and `augment_splits` all computes their variants";

/// For each variant, the number of images of some splits that have it.
#[derive(Debug)]
pub(super) struct VariantCounts {
    counts: BTreeMap<Variant, usize>,
    images: usize,
    /// What computes the variants that some of the images lack.
    remedy: &'static str,
}

/// A variant and how many images have it.
struct Counted {
    variant: Variant,
    images: usize,
}

impl VariantCounts {
    /// Counts the train images that have each variant; `keys` are all keys of the cache.
    pub fn of_train<'a>(images: &SplitImages, keys: impl Iterator<Item = &'a Key>) -> Self {
        Self::of(images, keys, |split| split == Split::Train)
    }

    /// Counts the validation and test images that have each variant.
    pub fn of_held_out<'a>(images: &SplitImages, keys: impl Iterator<Item = &'a Key>) -> Self {
        Self::of(images, keys, |split| split != Split::Train)
    }

    fn of<'a>(
        images: &SplitImages,
        keys: impl Iterator<Item = &'a Key>,
        is_wanted: impl Fn(Split) -> bool,
    ) -> Self {
        let is_counted = |image: &Digest| images.is_in(image, &is_wanted);
        // A key may occur in several parts of the cache.
        let distinct: HashSet<&Key> = keys.filter(|key| is_counted(&key.image_sha256)).collect();
        let mut counts = BTreeMap::new();
        for key in distinct {
            *counts.entry(key.variant).or_default() += 1;
        }
        let remedy = if images.is_resplit { COMPUTE_FOR_ALL } else { COMPUTE_FOR_TRAIN };
        Self { counts, images: images.count(&is_wanted), remedy }
    }

    /// All variants that every image has.
    pub fn complete(&self) -> HashSet<Variant> {
        let complete = self.counts.iter().filter(|(_, count)| **count == self.images);
        complete.map(|(variant, _)| *variant).collect()
    }

    /// All variants of every family that each image has. Notes the families that are left out.
    pub fn complete_families(&self, monitor: &dyn Monitor) -> Vec<Variant> {
        let mut all = Vec::new();
        for name in self.families() {
            let family = self.family(&name);
            match self.rarest(&family) {
                Some(rarest) if rarest.images == self.images => all.extend(family),
                Some(rarest) => monitor.note(&format!("{name} is left out: {}", self.incomplete(&rarest))),
                None => {}
            }
        }
        all
    }

    /// The requested variants, given as families or exact names.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a name that is no variant, [`Kind::Cache`] when an image lacks a requested variant.
    pub fn select(&self, requested: &[String], cache: &Path) -> Result<Vec<Variant>> {
        let missing = |message: String| Err(Error::new(Kind::Cache, message).at(cache).help(self.remedy));
        let mut all = BTreeSet::new();
        for name in requested {
            let variants = match name.as_str() {
                family if Variant::is_family(family) => self.family(family),
                exact => vec![exact.parse().map_err(|e: Error| {
                    e.help(format!(
                        "{}give families such as none, flip, shift or rotate, or exact variants such as shift:+30:+0",
                        augment::meant(exact)
                    ))
                })?],
            };
            match self.rarest(&variants) {
                Some(rarest) if rarest.images == self.images => all.extend(variants),
                Some(rarest) => return missing(self.incomplete(&rarest)),
                None => return missing(format!("it holds no {name} variants")),
            }
        }
        Ok(all.into_iter().collect())
    }

    /// Names of all families, in the order in which they are trained on.
    fn families(&self) -> Vec<Cow<'static, str>> {
        let mut families = Vec::new();
        for family in self.counts.keys().map(Variant::family) {
            if !families.contains(&family) {
                families.push(family);
            }
        }
        families
    }

    fn family(&self, name: &str) -> Vec<Variant> {
        self.counts.keys().filter(|variant| variant.family() == name).copied().collect()
    }

    /// The one of `variants` that the fewest images have.
    fn rarest(&self, variants: &[Variant]) -> Option<Counted> {
        let count = |variant: &Variant| self.counts.get(variant).copied().unwrap_or(0);
        let counted = variants.iter().map(|variant| Counted { variant: *variant, images: count(variant) });
        counted.min_by_key(|counted| counted.images)
    }

    fn incomplete(&self, rarest: &Counted) -> String {
        format!("{} of {} train images have the variant {}", rarest.images, self.images, rarest.variant)
    }
}
