//! Where pixels go: mirrored, moved, turned, cropped, scaled. Each equals its operation of Pillow byte for byte.

use crate::data::pixels::Pixels;
use crate::data::preprocess::{Filter, Region, resize};

/// Mirrors left to right.
pub(super) fn flip(source: &Pixels) -> Pixels {
    let mut data = Vec::with_capacity(source.data().len());
    for y in 0..source.height() {
        for pixel in source.row(y).rchunks_exact(3) {
            data.extend_from_slice(pixel);
        }
    }
    Pixels::new(source.width(), source.height(), data)
}

/// Moves right and down, with black where nothing is.
pub(super) fn shift(source: &Pixels, dx: i32, dy: i32) -> Pixels {
    let (width, height) = (source.width(), source.height());
    let mut data = vec![0; source.data().len()];
    let (skip_x, skip_y) = (dx.unsigned_abs() as usize, dy.unsigned_abs() as usize);
    if skip_x < width && skip_y < height {
        let (from_x, to_x) = if dx < 0 { (skip_x, 0) } else { (0, skip_x) };
        let (from_y, to_y) = if dy < 0 { (skip_y, 0) } else { (0, skip_y) };
        let n = (width - skip_x) * 3;
        for y in 0..height - skip_y {
            let target = ((to_y + y) * width + to_x) * 3;
            data[target..target + n].copy_from_slice(&source.row(from_y + y)[from_x * 3..from_x * 3 + n]);
        }
    }
    Pixels::new(width, height, data)
}

/// Turns counter-clockwise about the centre, in the frame of the image, as `Image.rotate` does with its bilinear filter
/// (Pillow's `Image.py` and `Geometry.c`).
pub(super) fn rotate(source: &Pixels, degrees: f64) -> Pixels {
    let (width, height) = (source.width(), source.height());
    let degrees = degrees.rem_euclid(360.0);
    // Turns by right angles move whole pixels.
    let from = |x: usize, y: usize| match () {
        () if degrees == 180.0 => Some((width - 1 - x, height - 1 - y)),
        () if degrees == 90.0 && width == height => Some((width - 1 - y, x)),
        () if degrees == 270.0 && width == height => Some((y, height - 1 - x)),
        () => None,
    };
    let matrix = rotation(degrees, width as f64 / 2.0, height as f64 / 2.0);
    let mut data = Vec::with_capacity(source.data().len());
    for y in 0..height {
        for x in 0..width {
            data.extend(match from(x, y) {
                Some((x, y)) => pixel(source, x, y),
                None => {
                    let (x, y) = (x as f64 + 0.5, y as f64 + 0.5);
                    let at = |[a, b, c]: [f64; 3]| a * x + b * y + c;
                    bilinear(source, at(matrix[0]), at(matrix[1]))
                }
            });
        }
    }
    Pixels::new(width, height, data)
}

/// The matrix from output to input positions.
fn rotation(degrees: f64, centre_x: f64, centre_y: f64) -> [[f64; 3]; 2] {
    let angle = -degrees.to_radians();
    let (cos, sin, minus_sin) = (decimals(angle.cos()), decimals(angle.sin()), decimals(-angle.sin()));
    let moved = |a: f64, b: f64| a * -centre_x + b * -centre_y;
    [[cos, sin, moved(cos, sin) + centre_x], [minus_sin, cos, moved(minus_sin, cos) + centre_y]]
}

/// Rounds to 15 decimals, as Pillow does.
fn decimals(value: f64) -> f64 {
    format!("{value:.15}").parse().unwrap_or(value)
}

fn pixel(source: &Pixels, x: usize, y: usize) -> [u8; 3] {
    let row = source.row(y);
    [row[x * 3], row[x * 3 + 1], row[x * 3 + 2]]
}

/// Mixes the four pixels around a position; black outside the image. Levels are truncated, as in Pillow.
fn bilinear(source: &Pixels, x: f64, y: f64) -> [u8; 3] {
    let (width, height) = (source.width() as f64, source.height() as f64);
    if !(x >= 0.0 && x < width && y >= 0.0 && y < height) {
        return [0; 3];
    }
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (dx, dy) = (x - left, y - top);
    // Positions beyond an edge are those of the edge.
    let [x0, x1] = [left, left + 1.0].map(|x| x.clamp(0.0, width - 1.0) as usize);
    let [y0, y1] = [top, top + 1.0].map(|y| y.clamp(0.0, height - 1.0) as usize);
    let [a, b] = [(x0, y0), (x1, y0)].map(|(x, y)| pixel(source, x, y));
    let [c, d] = [(x0, y1), (x1, y1)].map(|(x, y)| pixel(source, x, y));
    let mixed = |from: f64, to: f64, share: f64| from + (to - from) * share;
    std::array::from_fn(|channel| {
        let [a, b, c, d] = [a, b, c, d].map(|pixel| f64::from(pixel[channel]));
        let upper = mixed(a, b, dx);
        // Below the last row Pillow takes the upper value itself.
        let lower = if top + 1.0 < height { mixed(c, d, dx) } else { upper };
        mixed(upper, lower, dy) as u8
    })
}

/// A side in hundredths of itself, rounded to whole pixels, at least one.
fn share(side: usize, hundredths: usize) -> usize {
    ((side * hundredths + 50) / 100).max(1)
}

/// Keeps a part of each side, in hundredths. `at` holds the shares of what is cut off that lie on the left and at the top, in halves.
pub(super) fn crop(source: &Pixels, part: usize, at: [usize; 2]) -> Pixels {
    let (width, height) = (share(source.width(), part), share(source.height(), part));
    let left = (source.width() - width) * at[0] / 2;
    let top = (source.height() - height) * at[1] / 2;
    let row = |y: usize| &source.row(y)[left * 3..(left + width) * 3];
    Pixels::new(width, height, (top..top + height).flat_map(row).copied().collect())
}

/// Resizes bilinearly by a factor in hundredths, and keeps the centre, or puts the result on the centre of a black frame.
pub(super) fn scale(source: &Pixels, factor: usize) -> Pixels {
    let (width, height) = (source.width(), source.height());
    let sides = [width, height].map(|side| {
        let whole = share(side, factor);
        let len = whole.min(side);
        Region { whole, start: (whole - len) / 2, len }
    });
    let resized = resize(source, Filter::Bilinear, sides[0], sides[1]);
    if (resized.width(), resized.height()) == (width, height) {
        return resized;
    }
    let (left, top) = ((width - resized.width()) / 2, (height - resized.height()) / 2);
    let mut data = vec![0; source.data().len()];
    for y in 0..resized.height() {
        let target = ((top + y) * width + left) * 3;
        data[target..target + resized.width() * 3].copy_from_slice(resized.row(y));
    }
    Pixels::new(width, height, data)
}
