//! How wide and high the images are.

use crate::dataset::ImageFile;
use serde::Serialize;
use std::collections::BTreeMap;

/// Widths and heights, as stored: before a picture is turned upright.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sizes {
    /// How many pairs of width and height there are.
    pub distinct: usize,
    /// 1, or what widths and heights were rounded to the nearest multiple of, so that not too many remain.
    pub step: u32,
    /// The most frequent first; of equals the smaller.
    pub pairs: Vec<Size>,
}

/// Images of one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Size {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How many.
    pub images: usize,
}

/// Pairs that are kept apart at most.
const MOST: usize = 300;

/// Counts sizes; where there are too many, of roundings to the least power of two that leaves few enough.
pub(super) fn of(files: &[ImageFile]) -> Sizes {
    let distinct = counted(files, 1).len();
    let mut step = 1;
    let mut pairs = counted(files, step);
    while pairs.len() > MOST {
        step *= 2;
        pairs = counted(files, step);
    }
    let mut pairs: Vec<Size> =
        pairs.into_iter().map(|((width, height), images)| Size { width, height, images }).collect();
    pairs.sort_by_key(|size| std::cmp::Reverse(size.images));
    Sizes { distinct, step, pairs }
}

fn counted(files: &[ImageFile], step: u32) -> BTreeMap<(u32, u32), usize> {
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
    use crate::digest::sha256;

    fn file(width: u32, height: u32) -> ImageFile {
        let (path, label) = ("a/b".into(), "a".into());
        ImageFile { path, label, image_sha256: sha256(b""), width, height, bytes: 1, mtime_ns: 0 }
    }

    #[test]
    fn sizes_are_counted_and_rounded_where_they_are_many() {
        let few = of(&[file(3, 2), file(1, 1), file(3, 2)]);
        assert_eq!((few.distinct, few.step, few.pairs[0].images), (2, 1, 2));
        let many: Vec<ImageFile> = (1..=1000).map(|i| file(i, 1001 - i)).collect();
        let rounded = of(&many);
        assert!(rounded.distinct == 1000 && rounded.step == 8 && rounded.pairs.len() <= MOST, "{rounded:?}");
        assert_eq!(rounded.pairs.iter().map(|size| size.images).sum::<usize>(), 1000);
        assert_eq!(of(&[]).pairs, []);
    }
}
