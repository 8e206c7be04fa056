//! Near-duplicates: groups of images of a cache whose features point in nearly the same direction, such as copies and bursts.

mod compare;
mod near_rows;
mod pairs;
mod short_rows;

use super::catalog::PartSelection;
use super::{FeatureCache, Samples};
use crate::data::augment::Variant;
use crate::data::dataset::{ImageFile, Sample, Split};
use crate::data::{check_manifest_output, write_manifest_of};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::math::parallel;
use crate::monitor::Monitor;
use near_rows::{NearRows, Wanted};
use pairs::{Blocks, near_rows};
use serde::Serialize;
use short_rows::Shortening;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// Settings of [`find_near_duplicates`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NearDuplicatesConfig {
    /// The cache.
    pub cache: PathBuf,
    /// Largest cosine distance of near-duplicates, 0 to 2. Default: 0.02.
    pub threshold: f64,
    /// Manifest to write, with a column of groups; `None` writes nothing.
    pub out: Option<PathBuf>,
    /// Maximum number of threads; 0 for one per core.
    pub threads: usize,
}

/// Result of [`find_near_duplicates`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct NearDuplicatesStats {
    /// Number of distinct images that were compared.
    pub images: usize,
    /// Largest cosine distance of near-duplicates.
    pub threshold: f64,
    /// Number of pairs within the threshold.
    pub pairs: u64,
    /// How many images have another one within a distance, to choose the threshold by.
    pub nearest: Vec<ImagesWithin>,
    /// Images that are near one another, directly or through others; the largest group first.
    pub groups: Vec<NearGroup>,
    /// Number of groups with images of several splits.
    pub crossing: usize,
    /// The manifest that was written.
    pub out: Option<PathBuf>,
}

/// Number of images whose nearest other image is within a distance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ImagesWithin {
    /// The cosine distance.
    pub distance: f64,
    /// Number of distinct images.
    pub images: usize,
}

/// Images that are near one another.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NearGroup {
    /// Name of the group in the manifest: that of a group of its images, or the path of the first.
    pub name: String,
    /// The images by path; files with the same bytes once.
    pub images: Vec<GroupedImage>,
}

/// An image of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupedImage {
    /// Relative to the folder of images; the first path of duplicates.
    pub path: String,
    /// Class label.
    pub label: String,
    /// Split in the cache.
    pub split: Split,
}

/// Distances of [`NearDuplicatesStats::nearest`].
const DISTANCES: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// Bytes of a block of features.
const BLOCK_BYTES: usize = 64 << 20;

/// Blocks in memory at a time, and one more that is compared with them. All blocks are read again for so many.
const BLOCKS_HELD: usize = 8;

impl Default for NearDuplicatesConfig {
    fn default() -> Self {
        Self { cache: PathBuf::new(), threshold: 0.02, out: None, threads: 0 }
    }
}

impl NearDuplicatesConfig {
    /// Searches `cache`, everything else by default.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into(), ..Self::default() }
    }
}

impl NearGroup {
    /// Whether its images are of several splits.
    pub fn crosses_splits(&self) -> bool {
        self.images.iter().any(|image| image.split != self.images[0].split)
    }
}

/// Finds the near-duplicates among the images of a cache: those whose features of variant `none` are within a threshold of one
/// another, by cosine distance. With `out`, writes a manifest of the images in which near-duplicates are one group; groups that
/// images have already stay together.
///
/// All pairs are compared, and the float32 product of their features decides, except for pairs that shortened rows prove to be
/// further apart. At most 700 MB of features and short rows are in memory, whatever the number of images.
///
/// # Errors
/// [`Kind::Usage`] unless the threshold is from 0 to 2, and for an `out` whose name is no format; [`Kind::Input`] when that file
/// exists; [`Kind::Cache`] when a part is damaged; [`Kind::Interrupted`] when the monitor was interrupted.
pub fn find_near_duplicates(
    config: &NearDuplicatesConfig,
    monitor: &dyn Monitor,
) -> Result<NearDuplicatesStats> {
    let threshold = config.threshold;
    if !(0.0..=2.0).contains(&threshold) {
        let message = format!("the `threshold` must be from 0 to 2, not {threshold}");
        return Err(Error::new(Kind::Usage, message).help("0.02 is a place to start"));
    }
    config.out.as_deref().map(check_manifest_output).transpose()?;
    let cache = FeatureCache::open(&config.cache)?;
    let samples = cache.samples()?;
    let threads = parallel::thread_count(config.threads);
    let wanted = Wanted { threshold: threshold as f32, distances: &DISTANCES, parts: None, most_across: 0 };
    let (images, mut near) = compare(&cache, &samples, wanted, threads, monitor)?;
    let nearest = DISTANCES.map(|distance| ImagesWithin {
        distance,
        images: near.nearest.iter().filter(|&&nearest| f64::from(nearest) <= distance).count(),
    });
    let groups = groups(&images, &mut near);
    if let Some(out) = &config.out {
        let files = with_groups(&samples, &images, &mut near);
        write_manifest_of(&files, &samples.images_root(&config.cache), out)?;
    }
    Ok(NearDuplicatesStats {
        images: images.len(),
        threshold,
        pairs: near.pairs,
        nearest: nearest.to_vec(),
        crossing: groups.iter().filter(|group| group.crosses_splits()).count(),
        groups,
        out: config.out.clone(),
    })
}

/// The images of a cache compared with those of other splits.
#[derive(Debug)]
pub struct AcrossSplits<'a> {
    /// The first sample of each image that has features.
    pub images: Vec<&'a Sample>,
    /// Whether each has an image of another split within the threshold.
    pub is_near: Vec<bool>,
    /// The nearest pairs of images of different splits, with their distance; the nearest first.
    pub pairs: Vec<(f32, [usize; 2])>,
}

/// Compares all images of a cache with those of other splits: finds those within a cosine distance of `threshold`, and the `most`
/// nearest pairs.
///
/// # Errors
/// [`Kind::Cache`] when a part is damaged; [`Kind::Interrupted`] when the monitor was interrupted.
pub fn compare_splits<'a>(
    cache: &FeatureCache,
    samples: &'a Samples,
    (threshold, most): (f64, usize),
    threads: usize,
    monitor: &dyn Monitor,
) -> Result<AcrossSplits<'a>> {
    let threads = parallel::thread_count(threads);
    let wanted = Wanted { threshold: threshold as f32, distances: &[], parts: Some(&[]), most_across: most };
    let (images, near) = compare(cache, samples, wanted, threads, monitor)?;
    let pairs = near.pairs_across.iter().map(|pair| (pair.distance, pair.rows)).collect();
    let is_near = near.nearest_across.iter().map(|&nearest| f64::from(nearest) <= threshold).collect();
    Ok(AcrossSplits { images, is_near, pairs })
}

/// Compares all images that have features; with `parts`, those of different splits. Returns the first sample of each image, in the
/// order of the rows.
fn compare<'a>(
    cache: &FeatureCache,
    samples: &'a Samples,
    wanted: Wanted,
    threads: usize,
    monitor: &dyn Monitor,
) -> Result<(Vec<&'a Sample>, NearRows)> {
    let by_digest = samples.by_digest();
    let catalog = cache.catalog(threads)?;
    let selections =
        catalog.select(|key| key.variant == Variant::None && by_digest.contains_key(&key.image_sha256));
    let images: Vec<&Sample> = catalog.keys_of(&selections).map(|key| by_digest[&key.image_sha256]).collect();
    let splits: Vec<u8> = images.iter().map(|sample| sample.split as u8).collect();
    let is_across = wanted.parts.is_some() && splits.windows(2).any(|pair| pair[0] != pair[1]);
    let most_across = if is_across { wanted.most_across } else { 0 };
    let wanted = Wanted { parts: is_across.then_some(&splits[..]), most_across, ..wanted };
    let blocks = blocks(&selections, (BLOCK_BYTES / 4 / catalog.width().max(1)).max(1));
    let mut starts = vec![0];
    for block in &blocks {
        let rows: usize = block.iter().map(|selection| selection.rows.len()).sum();
        starts.push(starts[starts.len() - 1] + rows);
    }
    let read = |block: usize| Ok(catalog.read(&blocks[block], threads)?.features);
    let shortening = Shortening::default();
    let blocks = Blocks { starts, held: BLOCKS_HELD, read: &read, shortening, threads };
    let near = near_rows(&blocks, wanted, monitor)?;
    Ok((images, near))
}

/// Divides selected rows into blocks of this many at most. A part is in one block where it fits, because it is read whole.
fn blocks(selections: &[PartSelection], rows: usize) -> Vec<Vec<PartSelection>> {
    let mut blocks: Vec<Vec<PartSelection>> = Vec::new();
    let mut free = 0;
    for PartSelection { part, rows: selected } in selections {
        if free < selected.len() && selected.len() <= rows {
            free = 0;
        }
        let mut rest = &selected[..];
        while !rest.is_empty() {
            if free == 0 {
                blocks.push(Vec::new());
                free = rows;
            }
            let (now, later) = rest.split_at(rest.len().min(free));
            let block = blocks.last_mut().expect("one was added");
            block.push(PartSelection { part: *part, rows: now.to_vec() });
            free -= now.len();
            rest = later;
        }
    }
    blocks
}

/// The groups of several images, the largest first, then by name.
fn groups(images: &[&Sample], near: &mut NearRows) -> Vec<NearGroup> {
    let mut sets: BTreeMap<usize, Vec<&Sample>> = BTreeMap::new();
    for (row, image) in images.iter().enumerate() {
        sets.entry(near.set_of(row)).or_default().push(image);
    }
    let group = |mut samples: Vec<&Sample>| {
        samples.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        let image = |sample: &&Sample| GroupedImage {
            path: sample.file.path.clone(),
            label: sample.file.label.clone(),
            split: sample.split,
        };
        NearGroup { name: name(&samples), images: samples.iter().map(image).collect() }
    };
    let mut groups: Vec<NearGroup> = sets.into_values().filter(|set| set.len() > 1).map(group).collect();
    groups.sort_by(|a, b| b.images.len().cmp(&a.images.len()).then_with(|| a.name.cmp(&b.name)));
    groups
}

/// The first of the groups that the images have, or the path of the first image.
fn name(samples: &[&Sample]) -> String {
    let given = samples.iter().filter_map(|sample| sample.file.group.as_ref()).min();
    let first = samples.iter().map(|sample| &sample.file.path).min();
    given.or(first).cloned().unwrap_or_default()
}

/// All files, with near-duplicates and earlier groups joined as groups; those without a label as they are.
fn with_groups(samples: &Samples, images: &[&Sample], near: &mut NearRows) -> Vec<ImageFile> {
    let rows: HashMap<Digest, usize> =
        images.iter().map(|sample| sample.file.image_sha256).zip(0..).collect();
    let mut first_of: HashMap<&str, usize> = HashMap::new();
    for sample in &samples.rows {
        if let (Some(group), Some(&row)) = (&sample.file.group, rows.get(&sample.file.image_sha256)) {
            near.join(row, *first_of.entry(group).or_insert(row));
        }
    }
    let mut sets: HashMap<usize, Vec<&Sample>> = HashMap::new();
    for (row, image) in images.iter().enumerate() {
        sets.entry(near.set_of(row)).or_default().push(image);
    }
    let names: HashMap<usize, String> =
        sets.into_iter().filter(|(_, set)| set.len() > 1).map(|(set, images)| (set, name(&images))).collect();
    let file = |sample: &Sample| {
        let group = rows.get(&sample.file.image_sha256).and_then(|&row| names.get(&near.set_of(row)));
        let group = group.or(sample.file.group.as_ref()).cloned();
        ImageFile { group, ..sample.file.clone() }
    };
    samples.rows.iter().map(file).chain(samples.unlabelled.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_whole_parts_where_they_fit() {
        let part = |part: usize, rows: usize| PartSelection { part, rows: (0..rows).collect() };
        let rows = |blocks: &[Vec<PartSelection>]| -> Vec<Vec<(usize, usize, usize)>> {
            let of = |selection: &PartSelection| (selection.part, selection.rows[0], selection.rows.len());
            blocks.iter().map(|block| block.iter().map(of).collect()).collect()
        };
        let found = blocks(&[part(0, 3), part(1, 5), part(2, 4), part(3, 25), part(4, 1)], 10);
        let expected = [
            vec![(0, 0, 3), (1, 0, 5)],
            vec![(2, 0, 4), (3, 0, 6)],
            vec![(3, 6, 10)],
            vec![(3, 16, 9), (4, 0, 1)],
        ];
        assert_eq!(rows(&found), expected);
        assert!(blocks(&[], 10).is_empty());
    }
}
