//! Bilinear resizing as TensorFlow 1 does it (`tf.image.resize_bilinear` with its defaults, `half_pixel_centers` and
//! `align_corners` false). Networks that were trained with TF-Slim expect it.

use super::resize::Region;
use crate::data::pixels::Pixels;

/// Resizes an image and keeps a region of the result: values from 0 to 255, `[rows, columns, 3]`, not rounded.
///
/// Output pixel `i` lies at `i * input / output`, between two input pixels; nothing is averaged when an image is made
/// smaller. Arithmetic is in float32, as in TensorFlow's kernel.
///
/// # Panics
/// When a region is not inside its side.
pub fn resize_bilinear_tensorflow1(image: &Pixels, columns: Region, rows: Region) -> Vec<f32> {
    let across = positions(image.width(), columns);
    let mut values = Vec::with_capacity(rows.len * columns.len * 3);
    for Position { lower, upper, share } in positions(image.height(), rows) {
        let (top, bottom) = (image.row(lower), image.row(upper));
        for column in &across {
            for channel in 0..3 {
                let (left, right) = (column.lower * 3 + channel, column.upper * 3 + channel);
                let mixed = |row: &[u8]| mix(f32::from(row[left]), f32::from(row[right]), column.share);
                values.push(mix(mixed(top), mixed(bottom), share));
            }
        }
    }
    values
}

/// Where an output pixel lies between two input pixels.
struct Position {
    lower: usize,
    upper: usize,
    /// Share of the upper pixel.
    share: f32,
}

fn positions(input: usize, region: Region) -> Vec<Position> {
    assert!(region.start + region.len <= region.whole, "{region:?}");
    let scale = input as f32 / region.whole as f32;
    (region.start..region.start + region.len)
        .map(|i| {
            let at = i as f32 * scale;
            let lower = (at.floor() as usize).min(input - 1);
            Position { lower, upper: (lower + 1).min(input - 1), share: at - lower as f32 }
        })
        .collect()
}

fn mix(a: f32, b: f32, share: f32) -> f32 {
    a + (b - a) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_mixed_from_the_top_left_corner() {
        let ramp = Pixels::new(4, 1, [0, 0, 0, 10, 20, 30, 40, 40, 40, 80, 80, 80].to_vec());
        let out = resize_bilinear_tensorflow1(&ramp, Region::all(8), Region::all(2));
        let red: Vec<f32> = out.chunks_exact(3).map(|pixel| pixel[0]).collect();
        assert_eq!(red, [0.0, 5.0, 10.0, 25.0, 40.0, 60.0, 80.0, 80.0].repeat(2));
        let part = resize_bilinear_tensorflow1(&ramp, Region { whole: 8, start: 2, len: 3 }, Region::all(1));
        assert_eq!(part[..3], [10.0, 20.0, 30.0]);
        assert_eq!(resize_bilinear_tensorflow1(&ramp, Region::all(2), Region::all(1))[3], 40.0);
    }
}
