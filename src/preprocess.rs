//! How pixels enter a network: crop, resize, scale. Pure. The resize equals Pillow's bilinear filter byte for byte,
//! because anything else moves the features by some parts in a thousand.

use crate::error::{Error, Kind, Result};
use crate::pixels::Pixels;
use serde::{Deserialize, Serialize};

/// How 8-bit values become floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// `x / 255`, in `[0, 1]`.
    Unit,
    /// `x / 127.5 - 1`, in `[-1, 1]`.
    Symmetric,
    /// `(x / 255 - mean) / deviation` with the ImageNet statistics of each channel.
    Imagenet,
}

/// How to resize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resize {
    /// Pillow's antialiased bilinear filter in 8-bit fixed point; the sides are scaled independently.
    #[serde(rename = "bilinear-pillow")]
    BilinearPillow,
}

/// From an image of any size to the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// The centre part of each side that is kept, in `(0, 1]`.
    pub crop: f64,
    /// How the crop becomes `size` x `size`.
    pub resize: Resize,
    /// Side of the square that enters the network, in pixels.
    pub size: usize,
    /// Byte to float.
    pub scale: Scale,
    /// Whether the values of each image are spread over 0 to 255 first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stretch: bool,
}

impl Preprocessing {
    /// A named preprocessing: `unit` (whole image, `[0, 1]`), `inception` (centre 87.5 %, `[-1, 1]`), `imagenet`
    /// (centre 87.5 %, ImageNet statistics) or `stretched` (`unit` with the values of each image spread over the whole range
    /// first, as `scipy.misc.imresize` did to images of floats until SciPy 1.2), all to 299 x 299.
    ///
    /// # Errors
    /// [`Kind::Usage`] for another name.
    pub fn named(name: &str) -> Result<Self> {
        let (crop, scale) = match name {
            "unit" => (1.0, Scale::Unit),
            "inception" => (0.875, Scale::Symmetric),
            "imagenet" => (0.875, Scale::Imagenet),
            "stretched" => (1.0, Scale::Unit),
            _ => {
                return Err(Error::new(Kind::Usage, format!("{name:?} is not a preprocessing"))
                    .help("use unit, inception, imagenet or stretched"));
            }
        };
        Ok(Self { crop, resize: Resize::BilinearPillow, size: 299, scale, stretch: name == "stretched" })
    }

    /// The same with another crop.
    ///
    /// # Errors
    /// [`Kind::Usage`] unless `crop` is in `(0, 1]`.
    pub fn with_crop(self, crop: f64) -> Result<Self> {
        if crop > 0.0 && crop <= 1.0 {
            Ok(Self { crop, ..self })
        } else {
            Err(Error::new(Kind::Usage, format!("the crop must be above 0 and at most 1, not {crop}")))
        }
    }

    /// The same, if it makes sense: for values that come from a file.
    ///
    /// # Errors
    /// [`Kind::Usage`] unless `crop` is in `(0, 1]` and `size` from 1 to 4096.
    pub fn checked(self) -> Result<Self> {
        if !(1..=4096).contains(&self.size) {
            return Err(Error::new(
                Kind::Usage,
                format!("the input side must be from 1 to 4096, not {}", self.size),
            ));
        }
        self.with_crop(self.crop)
    }

    /// Values in one network input: `3 * size * size`.
    pub fn input_len(&self) -> usize {
        3 * self.size * self.size
    }

    /// The 8-bit pixels that enter the network, `size` x `size`.
    pub fn resized(&self, image: &Pixels) -> Pixels {
        let Resize::BilinearPillow = self.resize;
        if self.stretch {
            return Self { stretch: false, ..*self }.resized(&stretched(image));
        }
        match self.crop < 1.0 {
            true => resize_bilinear(&centre(image, [self.crop; 2]), self.size, self.size),
            false => resize_bilinear(image, self.size, self.size),
        }
    }

    /// Writes what enters the network for `image` to `out`: three planes (red, green, blue) of `size` x `size` bytes.
    /// [`Scale`] is the network's own first step.
    ///
    /// # Panics
    /// When `out` does not hold [`Preprocessing::input_len`] bytes.
    pub fn planes(&self, image: &Pixels, out: &mut [u8]) {
        let resized = self.resized(image);
        let plane = self.size * self.size;
        assert_eq!(out.len(), 3 * plane);
        let (red, rest) = out.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        let planes = red.iter_mut().zip(green).zip(blue);
        for (((red, green), blue), pixel) in planes.zip(resized.data().chunks_exact(3)) {
            (*red, *green, *blue) = (pixel[0], pixel[1], pixel[2]);
        }
    }

    /// The same planes, scaled: `[3, size, size]` floats.
    pub fn tensor(&self, image: &Pixels) -> Vec<f32> {
        let mut bytes = vec![0; self.input_len()];
        self.planes(image, &mut bytes);
        let mut out = Vec::with_capacity(bytes.len());
        for (channel, plane) in bytes.chunks_exact(self.size * self.size).enumerate() {
            out.extend(plane.iter().map(|&byte| self.scale.of_byte(byte, channel)));
        }
        out
    }
}

/// One step of arithmetic in float32, with a number for each channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arithmetic {
    /// Divide by it.
    Divide([f32; 3]),
    /// Subtract it.
    Subtract([f32; 3]),
}

impl Scale {
    /// The steps that make the network's input out of a byte, in this order and in float32: whoever takes them gets the
    /// same bits.
    pub fn steps(self) -> Vec<Arithmetic> {
        use Arithmetic::{Divide, Subtract};
        match self {
            Self::Unit => vec![Divide([255.0; 3])],
            Self::Symmetric => vec![Divide([127.5; 3]), Subtract([1.0; 3])],
            // The ImageNet statistics as torchvision publishes them.
            Self::Imagenet => {
                vec![Divide([255.0; 3]), Subtract([0.485, 0.456, 0.406]), Divide([0.229, 0.224, 0.225])]
            }
        }
    }

    fn of_byte(self, byte: u8, channel: usize) -> f32 {
        self.steps().iter().fold(f32::from(byte), |value, step| match step {
            Arithmetic::Divide(by) => value / by[channel],
            Arithmetic::Subtract(by) => value - by[channel],
        })
    }
}

/// Spreads the values of an image, all channels together, over 0 to 255: `(x - min) * 255 / (max - min) + 0.5`, cut off
/// to a byte, in float32 as SciPy's `bytescale` computed it for images of float32. One of a single value becomes black.
fn stretched(image: &Pixels) -> Pixels {
    let (low, high) = image.data().iter().fold((255, 0), |(low, high), &x| (x.min(low), x.max(high)));
    let scale = (255.0 / f64::from((high - low).max(1))) as f32;
    let byte = |&x: &u8| (f32::from(x - low) * scale).min(255.0) + 0.5;
    Pixels::new(image.width(), image.height(), image.data().iter().map(|x| byte(x) as u8).collect())
}

/// Keeps the centre part of width and height, each in `(0, 1]`. The border is `floor(side * (1 - part) / 2)`, as in TensorFlow's
/// `central_crop`.
pub fn centre(image: &Pixels, parts: [f64; 2]) -> Pixels {
    let border =
        |side: usize, part: f64| (((side as f64 - side as f64 * part) / 2.0) as usize).min((side - 1) / 2);
    let (left, top) = (border(image.width(), parts[0]), border(image.height(), parts[1]));
    let (width, height) = (image.width() - 2 * left, image.height() - 2 * top);
    let mut data = Vec::with_capacity(width * height * 3);
    (top..top + height).for_each(|y| data.extend_from_slice(&image.row(y)[left * 3..(left + width) * 3]));
    Pixels::new(width, height, data)
}

/// Fixed-point precision of the filter weights: 32 bits less 8 of the pixel and 2 of headroom (Pillow, `Resample.c`).
const PRECISION: u32 = 32 - 8 - 2;

/// Bilinear resize as `PIL.Image.resize(..., BILINEAR)` does it: a triangle filter widened by the scale when
/// shrinking, weights in 22-bit fixed point, a horizontal pass and then a vertical one with 8-bit values between.
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
            // Enlarging takes two neighbours at most; spelt out, that takes a fifth less time.
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

/// The input positions that make one output position, with their fixed-point weights.
struct Window {
    start: usize,
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

    #[test]
    fn the_tensor_is_planar_and_scaled() {
        let red = Pixels::new(4, 4, [255, 0, 51].repeat(16));
        let unit = Preprocessing { size: 2, ..Preprocessing::named("unit").unwrap() };
        assert_eq!(unit.tensor(&red), [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.2, 0.2, 0.2]);
        let symmetric = Preprocessing { scale: Scale::Symmetric, ..unit }.tensor(&red);
        assert_eq!((symmetric[0], symmetric[4]), (1.0, -1.0));
        let imagenet = Preprocessing { scale: Scale::Imagenet, ..unit }.tensor(&red);
        assert_eq!((imagenet[0], imagenet[4]), ((1.0 - 0.485) / 0.229, (0.0 - 0.456) / 0.224));
    }

    #[test]
    fn the_crop_keeps_the_centre_and_never_vanishes() {
        let ramp = Pixels::new(8, 1, (0..8).flat_map(|x| [x, x, x]).collect());
        assert_eq!(centre(&ramp, [0.5; 2]).data().chunks(3).map(|p| p[0]).collect::<Vec<_>>(), [2, 3, 4, 5]);
        assert_eq!(centre(&ramp, [1e-9; 2]).width(), 2);
        assert_eq!(centre(&ramp, [1.0; 2]), ramp);
        assert!(Preprocessing::named("unit").unwrap().with_crop(f64::NAN).is_err());
    }
}
