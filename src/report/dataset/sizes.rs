//! Widths and heights of the images.

use crate::data::dataset::ImageFile;
use serde::Serialize;
use std::collections::BTreeMap;

/// Widths and heights as stored, before a picture is turned upright.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageSizes {
    /// Number of distinct sizes.
    pub distinct: usize,
    /// 1, or the power of two to whose multiples widths and heights are rounded, so that few enough remain.
    pub step: u32,
    /// The sizes, the most frequent first; ties in order of size.
    pub pairs: Vec<SizeCount>,
}

/// Number of images of one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizeCount {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Number of images.
    pub images: usize,
}

/// Sizes that are kept apart at most.
const MOST: usize = 300;

/// Counts sizes. If there are more than [`MOST`], sides are rounded to multiples of the smallest power of two that leaves few
/// enough.
pub(super) fn count(files: &[ImageFile]) -> ImageSizes {
    let distinct = count_rounded(files, 1).len();
    let mut step = 1;
    let mut pairs = count_rounded(files, step);
    while pairs.len() > MOST {
        step *= 2;
        pairs = count_rounded(files, step);
    }
    let mut pairs: Vec<SizeCount> =
        pairs.into_iter().map(|((width, height), images)| SizeCount { width, height, images }).collect();
    pairs.sort_by_key(|size| std::cmp::Reverse(size.images));
    ImageSizes { distinct, step, pairs }
}

/// Number of images by width and height, each rounded to a multiple of `step`.
fn count_rounded(files: &[ImageFile], step: u32) -> BTreeMap<(u32, u32), usize> {
    let rounded = |side: u32| ((side + step / 2) / step).max(1) * step;
    let mut counts = BTreeMap::new();
    for file in files {
        *counts.entry((rounded(file.width), rounded(file.height))).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::digest::sha256;

    fn file(width: u32, height: u32) -> ImageFile {
        let (path, label) = ("a/b".into(), "a".into());
        ImageFile {
            labels: None,
            fixed_split: None,
            group: None,
            weight: crate::data::dataset::Weight::default(),
            path,
            label,
            image_sha256: sha256(b""),
            width,
            height,
            bytes: 1,
            mtime_ns: 0,
            identity: Default::default(),
        }
    }

    #[test]
    fn sizes_are_counted_and_rounded_if_there_are_many() {
        let few = count(&[file(3, 2), file(1, 1), file(3, 2)]);
        assert_eq!((few.distinct, few.step, few.pairs[0].images), (2, 1, 2));
        let many: Vec<ImageFile> = (1..=1000).map(|i| file(i, 1001 - i)).collect();
        let rounded = count(&many);
        assert!(rounded.distinct == 1000 && rounded.step == 8 && rounded.pairs.len() <= MOST, "{rounded:?}");
        assert_eq!(rounded.pairs.iter().map(|size| size.images).sum::<usize>(), 1000);
        assert_eq!(count(&[]).pairs, []);
    }
}
