//! Thumbnails of all points in one picture, row by row from the top left, as the embedding projector wants them.

use crate::augment::Variant;
use crate::dataset::Refused;
use crate::digest::Digest;
use crate::error::Result;
use crate::monitor::Task;
use crate::pixels::Pixels;
use crate::threads::in_parallel;
use crate::thumbnail::{fit, read_verified};
use std::path::Path;

/// The side of a picture that any graphics card takes; TensorBoard itself allows 8192.
const SIDE: usize = 4096;
/// Sides of a thumbnail: no smaller, no larger.
const TILES: (usize, usize) = (16, 64);
/// What is no picture. TensorBoard multiplies thumbnails with the colour of their point.
const BLANK: u8 = 255;

/// How thumbnails are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// Thumbnails in a row.
    pub columns: usize,
    /// The side of each, in pixels.
    pub tile: usize,
}

/// A picture to be shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shot<'a> {
    /// Relative to the folder of images.
    pub path: &'a str,
    pub image_sha256: Digest,
    pub variant: Variant,
}

impl Grid {
    /// As square as it can be, for `n` thumbnails, 1 or more.
    pub fn of(n: usize) -> Self {
        let columns = n.isqrt() + usize::from(n.isqrt().pow(2) < n);
        Self { columns, tile: (SIDE / columns).clamp(TILES.0, TILES.1) }
    }
}

/// The sprite of `shots` from the folder `root`; pictures that cannot be used are blank, and told once each.
pub(super) fn draw(
    root: &Path,
    shots: &[Shot],
    grid: Grid,
    threads: usize,
    task: &dyn Task,
) -> Result<(Pixels, Vec<Refused>)> {
    let bands: Vec<&[Shot]> = shots.chunks(grid.columns).collect();
    let drawn = |band: &&[Shot]| {
        let done = draw_band(root, band, grid);
        task.advance(band.len() as u64);
        Ok(done)
    };
    let (mut data, mut refused) = (Vec::new(), Vec::new());
    for (pixels, reasons) in in_parallel(threads, &bands, drawn)? {
        data.extend(pixels);
        refused.extend(reasons);
    }
    refused.sort();
    refused.dedup();
    Ok((Pixels::new(grid.columns * grid.tile, bands.len() * grid.tile, data), refused))
}

/// One row of thumbnails. The variants of an image come one after the other: it is decoded once.
fn draw_band(root: &Path, band: &[Shot], grid: Grid) -> (Vec<u8>, Vec<Refused>) {
    let mut pixels = vec![BLANK; grid.columns * grid.tile * grid.tile * 3];
    let mut refused = Vec::new();
    let mut number = 0;
    for copies in band.chunk_by(|a, b| a.image_sha256 == b.image_sha256) {
        let image = read_verified(&root.join(copies[0].path), copies[0].image_sha256);
        for shot in copies {
            if let Ok(image) = &image {
                paste(&fit(&shot.variant.apply(image), grid.tile), number, grid, &mut pixels);
            }
            number += 1;
        }
        if let Err(reason) = image {
            let (path, image_sha256) = (copies[0].path.to_string(), Some(copies[0].image_sha256));
            refused.push(Refused { path, image_sha256, reason });
        }
    }
    (pixels, refused)
}

/// Puts a picture into the middle of the thumbnail `number` of a row.
fn paste(image: &Pixels, number: usize, grid: Grid, row: &mut [u8]) {
    let left = number * grid.tile + (grid.tile - image.width()) / 2;
    let top = (grid.tile - image.height()) / 2;
    for y in 0..image.height() {
        let at = ((top + y) * grid.columns * grid.tile + left) * 3;
        row[at..at + image.width() * 3].copy_from_slice(image.row(y));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbnails_shrink_before_the_sprite_outgrows_what_is_allowed() {
        let told = |n| (Grid::of(n).columns, Grid::of(n).tile);
        assert_eq!([told(1), told(2), told(1456), told(6591)], [(1, 64), (2, 64), (39, 64), (82, 49)]);
        for n in (1..100_001).step_by(977).chain([100_000]) {
            let Grid { columns, tile } = Grid::of(n);
            assert!(columns * columns >= n && columns * tile <= 8192 && tile >= 12, "{n}");
        }
    }

    #[test]
    fn a_picture_stands_in_the_middle() {
        let red = |w, h| Pixels::new(w, h, [200, 0, 0].repeat(w * h));
        let grid = Grid { columns: 2, tile: 4 };
        let mut row = vec![BLANK; 2 * 4 * 4 * 3];
        paste(&fit(&red(8, 4), 4), 1, grid, &mut row);
        let is_red: Vec<bool> = row.chunks_exact(3).map(|rgb| rgb == [200, 0, 0]).collect();
        let line = |y: usize| &is_red[8 * y..][..8];
        let full = [false, false, false, false, true, true, true, true];
        assert_eq!(
            (line(0), line(1), line(2), line(3)),
            (&[false; 8][..], &full[..], &full[..], &[false; 8][..])
        );
    }
}
