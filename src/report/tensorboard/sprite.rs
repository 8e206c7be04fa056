//! The sprite of the embedding projector: thumbnails of all points in one image, row by row from the top left.

use crate::data::augment::Variant;
use crate::data::dataset::Refused;
use crate::data::pixels::Pixels;
use crate::data::thumbnail::{fit, read_verified};
use crate::error::Result;
use crate::io::digest::Digest;
use crate::math::parallel::in_parallel;
use crate::monitor::Task;
use std::path::Path;

/// Side of a sprite in pixels that any graphics card supports. TensorBoard itself allows 8192.
const SIDE: usize = 4096;
/// Smallest and largest side of a thumbnail in pixels.
const MIN_TILE: usize = 16;
const MAX_TILE: usize = 64;
/// Value of empty pixels: white, because TensorBoard multiplies thumbnails by the colour of their point.
const BLANK: u8 = 255;

/// The grid of thumbnails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpriteLayout {
    /// Number of thumbnails in a row.
    pub columns: usize,
    /// Side of a thumbnail in pixels.
    pub tile: usize,
}

/// An image of the sprite.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpriteImage<'a> {
    /// Path relative to the folder of images.
    pub path: &'a str,
    pub image_sha256: Digest,
    pub variant: Variant,
}

/// A drawn sprite.
pub(super) struct Sprite {
    pub pixels: Pixels,
    /// Images that could not be used, each once.
    pub refused: Vec<Refused>,
}

impl SpriteLayout {
    /// Lays out `n` thumbnails, 1 or more, as squarely as possible.
    pub fn new(n: usize) -> Self {
        let columns = n.isqrt() + usize::from(n.isqrt().pow(2) < n);
        Self { columns, tile: (SIDE / columns).clamp(MIN_TILE, MAX_TILE) }
    }
}

/// Draws the sprite of images in the folder `root`. Images that cannot be used are blank.
pub(super) fn draw(
    root: &Path,
    images: &[SpriteImage],
    layout: SpriteLayout,
    threads: usize,
    task: &dyn Task,
) -> Result<Sprite> {
    let rows: Vec<&[SpriteImage]> = images.chunks(layout.columns).collect();
    let draw = |row: &&[SpriteImage]| {
        let drawn = draw_row(root, row, layout);
        task.advance(row.len() as u64);
        Ok(drawn)
    };
    let (mut data, mut refused) = (Vec::new(), Vec::new());
    for row in in_parallel(threads, &rows, draw)? {
        data.extend(row.pixels);
        refused.extend(row.refused);
    }
    refused.sort();
    refused.dedup();
    let pixels = Pixels::new(layout.columns * layout.tile, rows.len() * layout.tile, data);
    Ok(Sprite { pixels, refused })
}

/// A row of thumbnails: RGB bytes, and the images that could not be used.
struct SpriteRow {
    pixels: Vec<u8>,
    refused: Vec<Refused>,
}

fn draw_row(root: &Path, row: &[SpriteImage], layout: SpriteLayout) -> SpriteRow {
    let mut pixels = vec![BLANK; layout.columns * layout.tile * layout.tile * 3];
    let mut refused = Vec::new();
    let mut column = 0;
    // The variants of an image follow each other, so it is decoded once.
    for variants in row.chunk_by(|a, b| a.image_sha256 == b.image_sha256) {
        let image = read_verified(&root.join(variants[0].path), variants[0].image_sha256, None);
        for variant in variants {
            if let Ok(image) = &image {
                paste(&fit(&variant.variant.apply(image), layout.tile), column, layout, &mut pixels);
            }
            column += 1;
        }
        if let Err(reason) = image {
            let (path, image_sha256) = (variants[0].path.to_string(), Some(variants[0].image_sha256));
            refused.push(Refused { path, image_sha256, reason });
        }
    }
    SpriteRow { pixels, refused }
}

/// Copies an image into the middle of the thumbnail at `column` of a row.
fn paste(image: &Pixels, column: usize, layout: SpriteLayout, row: &mut [u8]) {
    let left = column * layout.tile + (layout.tile - image.width()) / 2;
    let top = (layout.tile - image.height()) / 2;
    for y in 0..image.height() {
        let at = ((top + y) * layout.columns * layout.tile + left) * 3;
        row[at..at + image.width() * 3].copy_from_slice(image.row(y));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbnails_shrink_before_the_sprite_exceeds_the_limit() {
        let sizes = |n| (SpriteLayout::new(n).columns, SpriteLayout::new(n).tile);
        assert_eq!([sizes(1), sizes(2), sizes(1456), sizes(6591)], [(1, 64), (2, 64), (39, 64), (82, 49)]);
        for n in (1..100_001).step_by(977).chain([100_000]) {
            let SpriteLayout { columns, tile } = SpriteLayout::new(n);
            assert!(columns * columns >= n && columns * tile <= 8192 && tile >= 12, "{n}");
        }
    }

    #[test]
    fn an_image_keeps_its_shape_and_is_centred() {
        let red = |w, h| Pixels::new(w, h, [200, 0, 0].repeat(w * h));
        assert_eq!((fit(&red(300, 150), 64).width(), fit(&red(300, 150), 64).height()), (64, 32));
        assert_eq!((fit(&red(3000, 1), 64).width(), fit(&red(3000, 1), 64).height()), (64, 1));
        let layout = SpriteLayout { columns: 2, tile: 4 };
        let mut row = vec![BLANK; 2 * 4 * 4 * 3];
        paste(&fit(&red(8, 4), 4), 1, layout, &mut row);
        let is_red: Vec<bool> = row.chunks_exact(3).map(|rgb| rgb == [200, 0, 0]).collect();
        let line = |y: usize| &is_red[8 * y..][..8];
        let full = [false, false, false, false, true, true, true, true];
        assert_eq!(
            (line(0), line(1), line(2), line(3)),
            (&[false; 8][..], &full[..], &full[..], &[false; 8][..])
        );
    }
}
