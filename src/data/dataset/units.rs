//! Units of a split: images that stay together. A group is one unit, and so is an image on its own; files with the same bytes
//! are one image, and groups that share an image are one group.

use super::{ImageFile, Sample};
use crate::io::digest::{Digest, sha256};
use std::collections::HashMap;

/// Images that stay together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit<'a> {
    /// Its place in the order of the split rule. It does not depend on other units.
    rank: Digest,
    /// The distinct images.
    pub images: Vec<Digest>,
    /// Number of images of each class that it has, by class index.
    pub classes: Vec<(usize, usize)>,
    /// The first of its groups by name.
    pub group: Option<&'a str>,
}

/// All units of a data set.
#[derive(Debug)]
pub(super) struct Units<'a> {
    /// In the order of the split rule.
    pub units: Vec<Unit<'a>>,
    /// Number of distinct images of each class.
    pub class_sizes: Vec<usize>,
}

/// A distinct image.
struct Image<'a> {
    digest: Digest,
    /// Its class, or each of its labels; one of their own stands for none.
    classes: Vec<usize>,
    /// Index of an image of the same unit, or its own.
    parent: usize,
    /// The first group by name.
    group: Option<&'a str>,
}

/// Divides the distinct images of `files` into units and orders these: by the SHA-256 of the text `{seed}:{image_sha256}`, for
/// a group of `{seed}:group:{name}`.
pub(super) fn units<'a>(files: impl IntoIterator<Item = &'a ImageFile>, seed: u64) -> Units<'a> {
    let mut class_indexes: HashMap<&str, usize> = HashMap::new();
    let mut images: Vec<Image> = Vec::new();
    let mut indexes: HashMap<Digest, usize> = HashMap::new();
    let mut groups: HashMap<&str, usize> = HashMap::new();
    for file in files {
        let ImageFile { image_sha256: digest, group, .. } = file;
        let mut class = |name: &'a str| {
            let classes = class_indexes.len();
            *class_indexes.entry(name).or_insert(classes)
        };
        let classes: Vec<usize> = match file.labels.as_deref() {
            None | Some([]) => vec![class(&file.label)],
            Some(labels) => labels.iter().map(|label| class(label)).collect(),
        };
        let index = *indexes.entry(*digest).or_insert_with(|| {
            images.push(Image { digest: *digest, classes, parent: images.len(), group: None });
            images.len() - 1
        });
        if let Some(group) = group.as_deref() {
            images[index].group = Some(images[index].group.map_or(group, |other| other.min(group)));
            let first = *groups.entry(group).or_insert(index);
            let [a, b] = [first, index].map(|index| root(&mut images, index));
            images[a.max(b)].parent = a.min(b);
        }
    }
    let mut class_sizes = vec![0; class_indexes.len()];
    images.iter().flat_map(|image| &image.classes).for_each(|&class| class_sizes[class] += 1);
    Units { units: gather(images, seed), class_sizes }
}

/// Returns a number for each image that is in a group with others; those of one group have the same number.
pub fn group_numbers(samples: &[Sample]) -> HashMap<Digest, usize> {
    if samples.iter().all(|sample| sample.file.group.is_none()) {
        return HashMap::new();
    }
    let units = units(samples.iter().map(|sample| &sample.file), 0).units;
    let groups = units.into_iter().filter(|unit| unit.images.len() > 1).enumerate();
    groups.flat_map(|(number, unit)| unit.images.into_iter().map(move |image| (image, number))).collect()
}

/// The image that stands for the unit of an image. Paths to it are halved on the way.
fn root(images: &mut [Image], mut index: usize) -> usize {
    while images[index].parent != index {
        images[index].parent = images[images[index].parent].parent;
        index = images[index].parent;
    }
    index
}

fn gather<'a>(mut images: Vec<Image<'a>>, seed: u64) -> Vec<Unit<'a>> {
    let mut units: Vec<Unit> = Vec::with_capacity(images.len());
    // The unit that each root has become.
    let mut unit_of = vec![usize::MAX; images.len()];
    for index in 0..images.len() {
        let root = root(&mut images, index);
        let Image { digest, group, .. } = images[index];
        let classes = std::mem::take(&mut images[index].classes);
        if unit_of[root] == usize::MAX {
            unit_of[root] = units.len();
            units.push(Unit { rank: digest, images: Vec::new(), classes: Vec::new(), group: None });
        }
        let unit = &mut units[unit_of[root]];
        unit.images.push(digest);
        unit.group = unit.group.into_iter().chain(group).min();
        for class in classes {
            match unit.classes.iter_mut().find(|(own, _)| *own == class) {
                Some((_, count)) => *count += 1,
                None => unit.classes.push((class, 1)),
            }
        }
    }
    for unit in &mut units {
        let name = unit.group.map_or_else(|| unit.images[0].to_string(), |group| format!("group:{group}"));
        unit.rank = sha256(format!("{seed}:{name}").as_bytes());
    }
    units.sort_unstable_by(|a, b| (a.rank, &a.images).cmp(&(b.rank, &b.images)));
    units
}

impl Units<'_> {
    /// A share of each class, rounded down to whole images.
    pub fn shares(&self, percent: u32) -> Vec<usize> {
        self.class_sizes.iter().map(|size| size * percent as usize / 100).collect()
    }
}

/// A split that is filled with units up to a number of images of each class.
#[derive(Debug)]
pub(super) struct Quota {
    /// Images that each class still lacks; below 0 where a group brought more.
    missing: Vec<i64>,
}

impl Quota {
    pub fn new(images: &[usize]) -> Self {
        Self { missing: images.iter().map(|&images| images as i64).collect() }
    }

    /// Takes a unit if the split is nearer to its numbers with it: for an image on its own, while its class lacks one.
    pub fn take(&mut self, unit: &Unit) -> bool {
        let change = |&(class, count): &(usize, usize)| {
            (self.missing[class] - count as i64).abs() - self.missing[class].abs()
        };
        let is_nearer = unit.classes.iter().map(change).sum::<i64>() < 0;
        if is_nearer {
            self.add(unit);
        }
        is_nearer
    }

    /// Counts a unit that has this split already.
    pub fn add(&mut self, unit: &Unit) {
        unit.classes.iter().for_each(|&(class, count)| self.missing[class] -= count as i64);
    }
}
