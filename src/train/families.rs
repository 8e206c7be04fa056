//! Which variants of the images are in a cache: of the train images family by family, and which of them to train on; of
//! the others, which all of them have.

use super::shelf::Images;
use crate::augment::Variant;
use crate::dataset::Split;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;
use crate::store::Key;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

/// The variants that every image of validation and test has.
pub(super) fn complete_where_held_out<'a>(
    images: &Images,
    keys: impl Iterator<Item = &'a Key>,
) -> HashSet<Variant> {
    let is_held_out = |split: Split| split != Split::Train;
    let held_out = |hash: Digest| images.get(&hash).is_some_and(|(_, split)| is_held_out(*split));
    let distinct: HashSet<&Key> = keys.filter(|key| held_out(key.image_sha256)).collect();
    let mut counts: BTreeMap<Variant, usize> = BTreeMap::new();
    for key in distinct {
        *counts.entry(key.variant).or_default() += 1;
    }
    let all = images.values().filter(|(_, split)| is_held_out(*split)).count();
    counts.into_iter().filter(|(_, count)| *count == all).map(|(variant, _)| variant).collect()
}

/// For each variant in the cache, how many train images have it.
pub(super) struct Families {
    counts: BTreeMap<Variant, usize>,
    train: usize,
}

impl Families {
    pub fn of<'a>(images: &Images, keys: impl Iterator<Item = &'a Key>) -> Self {
        let in_train = |hash: Digest| images.get(&hash).is_some_and(|(_, split)| *split == Split::Train);
        let distinct: HashSet<&Key> = keys.filter(|key| in_train(key.image_sha256)).collect();
        let mut counts = BTreeMap::new();
        for key in distinct {
            *counts.entry(key.variant).or_insert(0) += 1;
        }
        Self { counts, train: images.values().filter(|(_, split)| *split == Split::Train).count() }
    }

    fn family(&self, name: &str) -> Vec<Variant> {
        self.counts.keys().filter(|variant| variant.family() == name).copied().collect()
    }

    /// Of `variants`, the one that the fewest train images have, with their number.
    fn least(&self, variants: &[Variant]) -> Option<(Variant, usize)> {
        let count = |variant: &Variant| (*variant, self.counts.get(variant).copied().unwrap_or(0));
        variants.iter().map(count).min_by_key(|(_, count)| *count)
    }

    /// All variants of every family that each train image has.
    pub fn complete(&self, monitor: &dyn Monitor) -> Vec<Variant> {
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

    /// The variants that were asked for, by family or exact name.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a train image lacks one.
    pub fn select(&self, asked: &[String], cache: &Path) -> Result<Vec<Variant>> {
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
