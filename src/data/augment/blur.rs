//! Gaussian blur as in Pillow's `ImageFilter.GaussianBlur`, byte for byte: three box blurs in each direction, whose boxes have
//! fractional edges (Gwosdek et al. 2011, SSVM, *Theoretical Foundations of Gaussian Convolution by Extended Box Filtering*).

use crate::data::pixels::Pixels;

/// Box blurs in each direction.
const PASSES: usize = 3;

/// Blurs by a Gaussian of this standard deviation, in pixels.
pub(super) fn gaussian(source: &Pixels, deviation: f64) -> Pixels {
    let radius = box_radius(deviation as f32);
    let mut image = source.clone();
    for _ in 0..2 {
        let mut data = image.data().to_vec();
        for row in data.chunks_exact_mut(image.width() * 3) {
            (0..PASSES).for_each(|_| box_blur(row, radius));
        }
        image = transposed(&Pixels::new(image.width(), image.height(), data));
    }
    image
}

/// Radius of the boxes, with its fraction (equations 7, 11 and 14 there; Pillow's `BoxBlur.c`, in float32).
fn box_radius(deviation: f32) -> f32 {
    let variance = deviation * deviation / PASSES as f32;
    let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
    let whole = ((f64::from(length) - 1.0) / 2.0).floor() as f32;
    let next = whole + 1.0;
    let fraction = (2.0 * whole + 1.0) * (whole * next - 3.0 * variance);
    whole + fraction / (6.0 * (variance - next * next))
}

/// Blurs a row of pixels. Pixels beyond an end are those of the end.
fn box_blur(row: &mut [u8], radius: f32) {
    let source = row.as_chunks::<3>().0.to_vec();
    let last = source.len() as isize - 1;
    let at = |x: isize| source[x.clamp(0, last) as usize].map(u32::from);
    let whole = radius as isize;
    // Weights of a whole pixel and of each edge, in 24-bit fixed point.
    let weight = ((1 << 24) as f32 / (radius * 2.0 + 1.0)) as u32;
    let edge = ((1 << 24) - (whole as u32 * 2 + 1) * weight) / 2;
    let mut sums = [0u32; 3];
    for x in -1 - whole..whole {
        let pixel = at(x);
        (0..3).for_each(|channel| sums[channel] += pixel[channel]);
    }
    for (x, out) in (0..).zip(row.as_chunks_mut::<3>().0) {
        let (leaves, enters, next) = (at(x - whole - 1), at(x + whole), at(x + whole + 1));
        for channel in 0..3 {
            sums[channel] = sums[channel] + enters[channel] - leaves[channel];
            let mean = sums[channel] * weight + (leaves[channel] + next[channel]) * edge;
            out[channel] = ((mean + (1 << 23)) >> 24) as u8;
        }
    }
}

/// Exchanges rows and columns.
fn transposed(image: &Pixels) -> Pixels {
    let (width, height) = (image.width(), image.height());
    let column = |x: usize| (0..height).flat_map(move |y| image.row(y)[x * 3..x * 3 + 3].iter().copied());
    Pixels::new(height, width, (0..width).flat_map(column).collect())
}
