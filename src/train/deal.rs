//! Deals train images to folds: each class evenly, and the images of a group to one fold.

use super::split_rows::SplitRows;
use crate::io::digest::Digest;
use crate::math::random::Rng;
use std::collections::{HashMap, HashSet};

/// Stream of random numbers of the orders in which images are dealt.
const FOLD_ORDER: u64 = 0x666f_6c64;

/// Images that stay together, with their class indexes.
type Unit = Vec<(Digest, u32)>;

/// The train images in units: those of a group, or an image on its own. Units are in the order of their first images: by
/// digest or, for a `repeat` above 0, at random.
fn units(splits: &SplitRows, repeat: usize) -> Vec<Unit> {
    let train = &splits.train;
    let mut images: Vec<(Digest, u32)> = train.images().zip(train.targets.iter().copied()).collect();
    // Variants of one image follow one another.
    images.dedup();
    if repeat > 0 {
        Rng::new(repeat as u64, FOLD_ORDER).shuffle(&mut images);
    }
    let mut units: Vec<Unit> = Vec::with_capacity(images.len());
    let mut unit_of: HashMap<usize, usize> = HashMap::new();
    for (image, class) in images {
        match splits.groups.get(&image).map(|group| *unit_of.entry(*group).or_insert(units.len())) {
            Some(unit) if unit < units.len() => units[unit].push((image, class)),
            _ => units.push(vec![(image, class)]),
        }
    }
    units
}

/// Number of units with an image of each of `classes` classes: the most folds that all have one.
pub(super) fn units_per_class(splits: &SplitRows, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for unit in units(splits, 0) {
        let classes: HashSet<u32> = unit.into_iter().map(|(_, class)| class).collect();
        classes.into_iter().for_each(|class| counts[class as usize] += 1);
    }
    counts
}

/// The fold of each train image. Each unit goes to the fold that has the fewest images of its classes so far: images on their
/// own to one fold after the other.
pub(super) fn deal(splits: &SplitRows, folds: usize, repeat: usize) -> HashMap<Digest, usize> {
    let mut images: Vec<HashMap<u32, usize>> = vec![HashMap::new(); folds];
    let mut fold_of = HashMap::new();
    for unit in units(splits, repeat) {
        let load = |fold: usize| {
            unit.iter().map(|(_, class)| images[fold].get(class).copied().unwrap_or(0)).sum::<usize>()
        };
        let fewest = (0..folds).min_by_key(|&fold| load(fold)).unwrap_or(0);
        for (image, class) in unit {
            *images[fewest].entry(class).or_default() += 1;
            fold_of.insert(image, fewest);
        }
    }
    fold_of
}
