//! A perceptual hash: 64 bits of the low frequencies of a picture, and its coarse colours.
//!
//! The bits are those of the hash by the discrete cosine transform in C. Zauner, *Implementation and Benchmarking of Perceptual
//! Image Hash Functions*, 2010, section 3.2.1: the picture in grey at 32 x 32 pixels, of its DCT the coefficients 1 to 8 of both
//! directions, each compared with their median. Grey is that of ITU-R BT.601. The colours tell apart what differs in colour
//! alone, and pictures without detail, whose bits say nothing.

use crate::data::pixels::Pixels;
use crate::data::preprocess::resize_bilinear;
use std::f64::consts::PI;

/// Side of the picture that is transformed.
const SIDE: usize = 32;
/// Number of frequencies of each direction, from 1 on.
const FREQUENCIES: usize = 8;
/// Number of fields of each side whose mean colour is kept.
const FIELDS: usize = 8;

/// Coefficients below this are of waves of less than a fifth of a level of 256.
const LEAST: f64 = 0.2 * (SIDE * SIDE / 4) as f64;

/// What a picture looks like, in 200 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerceptualHash {
    bits: u64,
    /// Mean colour of each field, row by row: `[fields, fields, 3]`.
    colours: [u8; 3 * FIELDS * FIELDS],
}

impl PerceptualHash {
    /// Largest number of bits in which near-duplicates differ.
    pub const MOST_BITS: u32 = 7;
    /// Largest mean difference of their colours, in levels of 256.
    pub const MOST_LEVELS: f64 = 10.0;

    /// Computes the hash of a picture.
    pub fn of(image: &Pixels) -> Self {
        let small = resize_bilinear(image, SIDE, SIDE);
        Self { bits: bits(&grey(&small)), colours: colours(&small) }
    }

    /// The 64 bits, the lowest frequencies in the highest bits.
    pub fn bits(self) -> u64 {
        self.bits
    }

    /// Number of bits in which two hashes differ.
    pub fn distance(self, other: Self) -> u32 {
        (self.bits ^ other.bits).count_ones()
    }

    /// Whether two pictures look nearly the same.
    pub fn is_near(self, other: Self) -> bool {
        self.distance(other) <= Self::MOST_BITS && self.difference_of_colours(other) <= Self::MOST_LEVELS
    }

    fn difference_of_colours(self, other: Self) -> f64 {
        let sum: u32 = self.colours.iter().zip(&other.colours).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        f64::from(sum) / self.colours.len() as f64
    }
}

/// Grey levels of a picture, row by row.
fn grey(image: &Pixels) -> Vec<f64> {
    let level = |pixel: &[u8]| {
        (299.0 * f64::from(pixel[0]) + 587.0 * f64::from(pixel[1]) + 114.0 * f64::from(pixel[2])) / 1000.0
    };
    image.data().chunks_exact(3).map(level).collect()
}

/// Whether each low frequency is above their median.
fn bits(grey: &[f64]) -> u64 {
    // `cosines[k][x]` is the value at pixel x of the wave with k + 1 half periods.
    let wave =
        |k: usize| (0..SIDE).map(move |x| (PI * (x as f64 + 0.5) * (k + 1) as f64 / SIDE as f64).cos());
    let cosines: Vec<Vec<f64>> = (0..FREQUENCIES).map(|k| wave(k).collect()).collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let rows: Vec<Vec<f64>> =
        grey.chunks_exact(SIDE).map(|row| cosines.iter().map(|wave| product(row, wave)).collect()).collect();
    let mut coefficients = Vec::with_capacity(FREQUENCIES * FREQUENCIES);
    for down in &cosines {
        for across in 0..FREQUENCIES {
            coefficients.push(rows.iter().zip(down).map(|(row, wave)| row[across] * wave).sum::<f64>());
        }
    }
    // What rounding leaves of a picture of one colour would be compared with itself.
    if coefficients.iter().all(|value| value.abs() < LEAST) {
        return 0;
    }
    let mut sorted = coefficients.clone();
    sorted.sort_by(f64::total_cmp);
    let median = f64::midpoint(sorted[sorted.len() / 2 - 1], sorted[sorted.len() / 2]);
    coefficients.iter().fold(0, |bits, value| bits << 1 | u64::from(*value > median))
}

fn colours(image: &Pixels) -> [u8; 3 * FIELDS * FIELDS] {
    let side = SIDE / FIELDS;
    let mut sums = [0u32; 3 * FIELDS * FIELDS];
    for (at, pixel) in image.data().chunks_exact(3).enumerate() {
        let field = at / SIDE / side * FIELDS + at % SIDE / side;
        for (channel, level) in pixel.iter().enumerate() {
            sums[3 * field + channel] += u32::from(*level);
        }
    }
    sums.map(|sum| (sum / (side * side) as u32) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose levels follow from the position.
    fn picture(width: usize, height: usize, level: impl Fn(f64, f64) -> [f64; 3]) -> Pixels {
        let at = |i: usize| ((i % width) as f64 / width as f64, (i / width) as f64 / height as f64);
        let data = (0..width * height).flat_map(|i| {
            let (x, y) = at(i);
            level(x, y).map(|level| level.clamp(0.0, 255.0) as u8)
        });
        Pixels::new(width, height, data.collect())
    }

    fn scene(shift: f64) -> impl Fn(f64, f64) -> [f64; 3] {
        move |x, y| {
            let wave = (9.0 * (x + shift)).sin() * (7.0 * y).cos() + (4.0 * x * y + shift).sin();
            [128.0 + 60.0 * wave, 120.0 + 50.0 * wave, 90.0 - 30.0 * wave + 40.0 * x]
        }
    }

    #[test]
    fn a_picture_is_near_itself_at_another_size_and_brightness_and_not_near_another() {
        let one = PerceptualHash::of(&picture(200, 150, scene(0.0)));
        let small = PerceptualHash::of(&picture(90, 70, scene(0.0)));
        let bright =
            PerceptualHash::of(&picture(200, 150, |x, y| scene(0.0)(x, y).map(|level| level * 1.04)));
        let other = PerceptualHash::of(&picture(200, 150, scene(0.8)));
        assert!(
            one.is_near(small) && one.is_near(bright),
            "{} {}",
            one.distance(small),
            one.distance(bright)
        );
        assert!(!one.is_near(other), "{}", one.distance(other));
    }

    #[test]
    fn pictures_without_detail_are_told_apart_by_colour() {
        let plain = |level: f64| PerceptualHash::of(&picture(40, 40, |_, _| [level, 80.0, 10.0]));
        assert!(plain(100.0).is_near(plain(104.0)) && !plain(100.0).is_near(plain(200.0)));
    }

    #[test]
    fn a_single_frequency_sets_its_own_bit() {
        // Half a period across and down: coefficient (1, 1), the first bit.
        let wave = |x: f64, y: f64| [128.0 + 100.0 * (PI * x).cos() * (PI * y).cos(); 3];
        let bits = PerceptualHash::of(&picture(32, 32, wave)).bits();
        assert_eq!(bits >> 63, 1, "{bits:064b}");
        let inverse = |x: f64, y: f64| [128.0 - 100.0 * (PI * x).cos() * (PI * y).cos(); 3];
        assert_eq!(PerceptualHash::of(&picture(32, 32, inverse)).bits() >> 63, 0);
    }
}
