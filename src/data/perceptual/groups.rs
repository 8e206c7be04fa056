//! Groups of pictures that look nearly the same.
//!
//! Two hashes that differ in at most seven bits agree in one of eight pieces, so that only pictures that share a piece are compared
//! (M. Norouzi, A. Punjani, D. J. Fleet, *Fast Search in Hamming Space with Multi-Index Hashing*, 2012).

use super::hash::PerceptualHash;
use crate::data::dataset::ImageFile;
use crate::io::digest::Digest;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Pieces of a hash: one more than the bits in which near-duplicates may differ.
const PIECES: u32 = PerceptualHash::MOST_BITS + 1;

/// Near-duplicates by their look.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PerceptualDuplicates {
    /// Number of distinct pictures that were compared.
    pub images: usize,
    /// Pictures that look nearly the same, directly or through others. Those of several classes come first, then the largest.
    pub groups: Vec<PerceptualGroup>,
}

/// Pictures that look nearly the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PerceptualGroup {
    /// Labels of the pictures, without repetition. With two or more, one of them may be wrong.
    pub labels: Vec<String>,
    /// The pictures, in order of path; files with the same bytes once.
    pub images: Vec<PerceptualImage>,
}

/// A picture of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PerceptualImage {
    /// Relative to the folder of images; the first path of duplicates.
    pub path: String,
    /// Class label.
    pub label: String,
    /// Digest of the file's bytes.
    #[serde(skip)]
    pub image_sha256: Digest,
    /// Number of bits in which its hash differs from that of the first picture of the group.
    pub bits: u32,
}

impl PerceptualDuplicates {
    /// Number of pictures that could go without losing a look: all of each group but one.
    pub fn surplus(&self) -> usize {
        self.groups.iter().map(|group| group.images.len() - 1).sum()
    }
}

/// Finds the groups among pictures in order of path.
pub(super) fn find(pictures: &[(&ImageFile, PerceptualHash)]) -> PerceptualDuplicates {
    let hashes: Vec<PerceptualHash> = pictures.iter().map(|(_, hash)| *hash).collect();
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut joined = Joined::new(&hashes);
    joined.join_near(&hashes);
    for picture in 0..hashes.len() {
        groups.entry(joined.first(picture)).or_default().push(picture);
    }
    let image = |picture: usize, first: usize| {
        let (file, hash) = pictures[picture];
        PerceptualImage {
            path: file.path.clone(),
            label: file.label.clone(),
            image_sha256: file.image_sha256,
            bits: hash.distance(hashes[first]),
        }
    };
    let group = |members: Vec<usize>| {
        let images: Vec<PerceptualImage> = members.iter().map(|&one| image(one, members[0])).collect();
        let labels: BTreeSet<String> = images.iter().map(|image| image.label.clone()).collect();
        PerceptualGroup { labels: labels.into_iter().collect(), images }
    };
    let mut groups: Vec<PerceptualGroup> =
        groups.into_values().filter(|members| members.len() > 1).map(group).collect();
    groups.sort_by_key(|group| (group.labels.len() < 2, std::cmp::Reverse(group.images.len())));
    PerceptualDuplicates { images: pictures.len(), groups }
}

/// Pictures joined to groups; each points to an earlier one of its group, or to itself.
struct Joined {
    before: Vec<usize>,
}

impl Joined {
    fn new(hashes: &[PerceptualHash]) -> Self {
        Self { before: (0..hashes.len()).collect() }
    }

    fn first(&mut self, picture: usize) -> usize {
        let mut at = picture;
        while self.before[at] != at {
            self.before[at] = self.before[self.before[at]];
            at = self.before[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first(a), self.first(b));
        self.before[a.max(b)] = a.min(b);
    }

    /// Joins all near pictures. Of those that have one hash and one look, a single one is compared with the others.
    fn join_near(&mut self, hashes: &[PerceptualHash]) {
        let mut looks: HashMap<u64, Vec<usize>> = HashMap::new();
        for (picture, hash) in hashes.iter().enumerate() {
            let equal = looks.entry(hash.bits()).or_default();
            match equal.iter().find(|&&other| hashes[other].is_near(*hash)) {
                Some(&other) => self.join(other, picture),
                None => equal.push(picture),
            }
        }
        let mut distinct: Vec<usize> = looks.into_values().flatten().collect();
        distinct.sort_unstable();
        for piece in 0..PIECES {
            let mut alike: HashMap<u64, Vec<usize>> = HashMap::new();
            for &picture in &distinct {
                let others = alike.entry(bits_of(piece, hashes[picture])).or_default();
                for &other in others.iter() {
                    if hashes[other].is_near(hashes[picture]) {
                        self.join(other, picture);
                    }
                }
                others.push(picture);
            }
        }
    }
}

/// One of the pieces of a hash.
fn bits_of(piece: u32, hash: PerceptualHash) -> u64 {
    let (start, end) = (piece * u64::BITS / PIECES, (piece + 1) * u64::BITS / PIECES);
    hash.bits() >> start & ((1 << (end - start)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::tests::file;
    use crate::data::pixels::Pixels;
    use crate::math::random::Rng;

    /// A coarse picture by a seed, with noise of some levels.
    fn hash(seed: u64, noise: f32) -> PerceptualHash {
        let mut coarse = Rng::new(seed, 1);
        let fields: Vec<f64> = (0..64).map(|_| f64::from(coarse.uniform(30.0, 220.0))).collect();
        let mut fine = Rng::new(seed, 2);
        let data = (0..64 * 64).flat_map(|i| {
            let level = fields[i / 64 / 8 * 8 + i % 64 / 8] + f64::from(fine.uniform(-noise, noise + 1e-6));
            [level as u8, (255.0 - level) as u8, 90]
        });
        PerceptualHash::of(&Pixels::new(64, 64, data.collect()))
    }

    #[test]
    fn the_groups_are_those_of_comparing_every_pair() {
        let mut hashes = Vec::new();
        for seed in 0..60 {
            // Copies of some pictures, more and less noisy.
            hashes.extend((0..seed % 4 + 1).map(|copy| hash(seed, 3.0 * copy as f32)));
        }
        let mut fast = Joined::new(&hashes);
        fast.join_near(&hashes);
        let mut slow = Joined::new(&hashes);
        let mut pairs = 0;
        for a in 0..hashes.len() {
            for b in 0..a {
                if hashes[a].is_near(hashes[b]) {
                    pairs += 1;
                    slow.join(a, b);
                }
            }
        }
        assert!(pairs >= 60, "{pairs}");
        let firsts = |joined: &mut Joined| (0..hashes.len()).map(|one| joined.first(one)).collect::<Vec<_>>();
        assert_eq!(firsts(&mut fast), firsts(&mut slow));
    }

    #[test]
    fn the_pieces_are_the_whole_hash() {
        let hash = hash(3, 0.0);
        let ends = |piece: u32| piece * u64::BITS / PIECES;
        let whole = (0..PIECES).fold(0, |whole, piece| whole | bits_of(piece, hash) << ends(piece));
        assert_eq!((whole, ends(PIECES)), (hash.bits(), 64));
    }

    #[test]
    fn groups_of_several_classes_come_first() {
        let (a, b) = (hash(1, 0.0), hash(2, 0.0));
        let files = [("x/1", "p"), ("x/2", "q"), ("x/3", "r"), ("x/4", "s"), ("y/1", "t"), ("x/5", "u")];
        let files: Vec<ImageFile> = files.iter().map(|(path, content)| file(path, content)).collect();
        let of = [a, a, a, b, b, hash(9, 0.0)];
        let pictures: Vec<(&ImageFile, PerceptualHash)> = files.iter().zip(of).collect();
        let found = find(&pictures);
        let paths =
            |group: &PerceptualGroup| group.images.iter().map(|one| one.path.clone()).collect::<Vec<_>>();
        assert_eq!(
            found.groups.iter().map(paths).collect::<Vec<_>>(),
            [vec!["x/4", "y/1"], vec!["x/1", "x/2", "x/3"]]
        );
        assert_eq!((found.images, found.surplus(), found.groups[0].labels.len()), (6, 3, 2));
    }
}
