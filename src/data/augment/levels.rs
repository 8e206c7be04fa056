//! Levels of pixels: brightness, contrast and saturation as in Pillow's `ImageEnhance`, byte for byte, and noise.

use crate::data::pixels::Pixels;
use crate::io::digest::sha256;
use crate::math::random::Rng;

/// `ImageEnhance.Brightness`: black at 0, the image at 1.
pub(super) fn brightness(source: &Pixels, factor: f64) -> Pixels {
    mapped(source, |pixel| pixel.map(|level| blend(0, level, factor)))
}

/// `ImageEnhance.Contrast`: the mean grey at 0, the image at 1.
pub(super) fn contrast(source: &Pixels, factor: f64) -> Pixels {
    let greys = source.data().as_chunks::<3>().0.iter().map(|pixel| u64::from(grey(*pixel)));
    let mean = greys.sum::<u64>() as f64 / (source.width() * source.height()) as f64;
    let mean = (mean + 0.5) as u8;
    mapped(source, |pixel| pixel.map(|level| blend(mean, level, factor)))
}

/// `ImageEnhance.Color`: the grey image at 0, the image at 1.
pub(super) fn saturation(source: &Pixels, factor: f64) -> Pixels {
    mapped(source, |pixel| {
        let grey = grey(pixel);
        pixel.map(|level| blend(grey, level, factor))
    })
}

/// Adds noise, independent for each level. Its seed is the digest of the pixels, so that an image always gets the same noise.
///
/// A normal number is approximated by the sum of four uniform ones, which every machine computes alike.
pub(super) fn noise(source: &Pixels, deviation: f64) -> Pixels {
    let digest = sha256(source.data()).bytes();
    let seed = u64::from_le_bytes(std::array::from_fn(|i| digest[i]));
    let mut rng = Rng::new(seed, 0);
    // Four uniform numbers of width 1 have the variance 4 / 12.
    let scale = (3.0 * deviation * deviation).sqrt() as f32;
    let noisy = |level: &u8| {
        let sum: f32 = (0..4).map(|_| rng.uniform(-0.5, 0.5)).sum();
        (f32::from(*level) + sum * scale).round().clamp(0.0, 255.0) as u8
    };
    Pixels::new(source.width(), source.height(), source.data().iter().map(noisy).collect())
}

fn mapped(source: &Pixels, change: impl Fn([u8; 3]) -> [u8; 3]) -> Pixels {
    let data = source.data().as_chunks::<3>().0.iter().flat_map(|pixel| change(*pixel)).collect();
    Pixels::new(source.width(), source.height(), data)
}

/// `Image.convert("L")` (ITU-R 601-2 in 16-bit fixed point, Pillow's `Convert.c`).
fn grey([red, green, blue]: [u8; 3]) -> u8 {
    ((u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471 + 0x8000) >> 16) as u8
}

/// `Image.blend`: `from` at 0, `to` at 1, beyond at other factors, truncated (Pillow's `Blend.c`, in float32).
fn blend(from: u8, to: u8, factor: f64) -> u8 {
    let mixed = f32::from(from) + factor as f32 * (f32::from(to) - f32::from(from));
    // The cast truncates and saturates.
    mixed as u8
}
