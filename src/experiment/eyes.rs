//! Small grey pictures of the images: the one place behind the cache that opens an image, for a baseline that sees pixels
//! and no features.

use super::plan::Small;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::matrix::Matrix;
use crate::pixels::Pixels;
use crate::preprocess::{centre, resize_bilinear};
use crate::threads::in_parallel;
use crate::thumbnail::read_verified;
use crate::train::shelf::{Plan, Shelf};
use std::collections::HashMap;
use std::path::Path;

/// A row for each distinct image.
#[derive(Debug)]
pub(super) struct Pictures {
    /// `width * height` grey values from 0 to 1 for each image.
    pub values: Matrix,
    pub places: HashMap<Digest, u32>,
}

/// Looks at every image of a split.
///
/// # Errors
/// [`Kind::Input`] when an image cannot be read, or is no longer the one whose features are in the cache.
pub(super) fn look(
    shelf: &Shelf,
    split: &Plan,
    images: &Path,
    small: Small,
    threads: usize,
) -> Result<Pictures> {
    let parts = [&split.train, &split.validation, &split.test];
    let digests: Vec<Digest> = parts.iter().flat_map(|part| part.images()).collect();
    let rows = in_parallel(threads, &digests, |digest| {
        let path = images.join(shelf.path_of(digest));
        match read_verified(&path, *digest) {
            Ok(image) => Ok(grey(&image, small)),
            Err(reason) => Err(Error::new(Kind::Input, reason).at(&path).help("run the same command again")),
        }
    })?;
    Ok(Pictures {
        values: Matrix::from_rows(small.size[0] * small.size[1], &rows.concat()),
        places: digests.into_iter().zip(0..).collect(),
    })
}

/// The centre of an image, resized, as grey values from 0 to 1 (the luma of ITU-R BT.601).
fn grey(image: &Pixels, small: Small) -> Vec<f32> {
    let [width, height] = small.size;
    let resized = resize_bilinear(&centre(image, small.crop), width, height);
    let luma = |pixel: &[u8]| {
        let [red, green, blue] = [0, 1, 2].map(|channel| f32::from(pixel[channel]));
        (0.299 * red + 0.587 * green + 0.114 * blue) / 255.0
    };
    resized.data().chunks_exact(3).map(luma).collect()
}
