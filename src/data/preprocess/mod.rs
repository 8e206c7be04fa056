//! Preprocessing of images for a network: stretch, crop, resize, normalization.

mod named;
mod normalization;
mod resize;
mod resize_method;
mod tensorflow1;
mod vectors;

pub use normalization::{Arithmetic, Normalization};
pub use resize::{Filter, Region, resize, resize_bilinear};
pub use resize_method::Resize;
pub use tensorflow1::resize_bilinear_tensorflow1;

use crate::data::pixels::Pixels;
use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Preprocessing that turns an image of any size into the input of a network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Central part of width and height that is kept, in `(0, 1]`.
    pub crop: f64,
    /// Filter that resizes the crop.
    pub resize: Resize,
    /// Length to which the shorter side is resized, with the proportions kept; of the result the central `size` x `size`
    /// pixels are used. `None` resizes both sides to `size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shorter_side: Option<usize>,
    /// Length to which both sides are resized instead; of the result the central `size` x `size` pixels are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub both_sides: Option<usize>,
    /// Side of the square input of the network, in pixels.
    pub size: usize,
    /// Whether half a pixel of the margin around the central pixels is rounded down, as in transformers. Else it is rounded to
    /// even, as in torchvision.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub margin_rounds_down: bool,
    /// Mapping of pixel values to floats.
    #[serde(rename = "scale")]
    pub normalization: Normalization,
    /// Whether the pixel values of each image are first stretched to the range 0 to 255.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stretch: bool,
    /// Bits that count as the whole range of a 16-bit image that needs no more of them, when it is decoded: 12 for a camera
    /// of 12 bits. `None` takes all 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stretch_16bit: Option<u8>,
}

impl Preprocessing {
    /// Resizes whole images to `size` x `size` pixels, bilinearly.
    pub fn whole(size: usize, normalization: Normalization) -> Self {
        Self {
            crop: 1.0,
            resize: Resize::BilinearPillow,
            shorter_side: None,
            both_sides: None,
            size,
            margin_rounds_down: false,
            normalization,
            stretch: false,
            stretch_16bit: None,
        }
    }

    /// Replaces the crop.
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

    /// Sets the bits that count as the whole range of a 16-bit image.
    ///
    /// # Errors
    /// [`Kind::Usage`] unless `bits` is from 1 to 15, or `None`.
    pub fn with_stretch_16bit(self, bits: Option<u8>) -> Result<Self> {
        match bits {
            None | Some(1..=15) => Ok(Self { stretch_16bit: bits, ..self }),
            Some(other) => {
                let message = format!("`stretch_16bit` must be from 1 to 15 bits, not {other}");
                Err(Error::new(Kind::Usage, message).help("give the bits that the camera uses, such as 12"))
            }
        }
    }

    /// Checks values that were read from a file.
    ///
    /// # Errors
    /// [`Kind::Usage`] unless `crop` is in `(0, 1]`, `size` from 1 to 4096, `shorter_side` or `both_sides` from
    /// there to 4096, `stretch_16bit` from 1 to 15, and the normalization can be computed.
    pub fn checked(self) -> Result<Self> {
        if !(1..=4096).contains(&self.size) {
            return Err(Error::new(
                Kind::Usage,
                format!("the input side must be from 1 to 4096, not {}", self.size),
            ));
        }
        for (what, side) in [("the shorter side", self.shorter_side), ("both sides", self.both_sides)] {
            if let Some(side) = side.filter(|side| !(self.size..=4096).contains(side)) {
                let message = format!("{what} must be from {} to 4096, not {side}", self.size);
                return Err(Error::new(Kind::Usage, message));
            }
        }
        if self.shorter_side.is_some() && self.both_sides.is_some() {
            let message = "either the shorter side or both sides have a length, not both";
            return Err(Error::new(Kind::Usage, message));
        }
        self.normalization.check()?;
        self.with_crop(self.crop)?.with_stretch_16bit(self.stretch_16bit)
    }

    /// Returns whether a shift by `pixels` of the image moves all of its content out of the part that enters the network, for
    /// an image whose shorter side is `side`.
    pub(crate) fn is_blank_after_shift(&self, side: usize, pixels: usize) -> bool {
        let share =
            self.shorter_side.or(self.both_sides).map_or(1.0, |whole| self.size as f64 / whole as f64);
        pixels >= side - crop_border(side, self.crop * share)
    }

    /// Returns the number of values in one network input: `3 * size * size`.
    pub fn input_len(&self) -> usize {
        3 * self.size * self.size
    }

    /// Returns what one value of [`Preprocessing::planes`] is.
    pub fn value_type(&self) -> ValueType {
        match self.resize.pillow() {
            Some(_) => ValueType::Uint8,
            None => ValueType::Float32,
        }
    }

    /// Returns the number of bytes in one network input.
    pub fn input_bytes(&self) -> usize {
        self.input_len() * self.value_type().bytes()
    }

    /// Returns the pixels that enter the network, `size` x `size`: stretched, cropped and resized, but not normalized.
    /// Values that the resize does not round are rounded here.
    pub fn resized(&self, image: &Pixels) -> Pixels {
        let prepared = self.stretched_and_cropped(image);
        match self.resize.pillow() {
            Some(filter) => self.resized_as_pillow(&prepared, filter),
            None => {
                let values = self.resized_as_tensorflow1(&prepared);
                Pixels::new(self.size, self.size, values.iter().map(|value| value.round() as u8).collect())
            }
        }
    }

    /// Writes the network input for `image` to `out` as `[3, size, size]` values of [`Preprocessing::value_type`], in the
    /// order red, green, blue, from 0 to 255. Floats are in the machine's order of bytes. The network itself normalizes
    /// them, see [`Normalization::steps`].
    ///
    /// # Panics
    /// When the length of `out` is not [`Preprocessing::input_bytes`].
    pub fn planes(&self, image: &Pixels, out: &mut [u8]) {
        assert_eq!(out.len(), self.input_bytes());
        match self.value_type() {
            ValueType::Uint8 => to_planes(self.resized(image).data(), out),
            ValueType::Float32 => {
                let values = self.resized_as_tensorflow1(&self.stretched_and_cropped(image));
                let mut planes = vec![0.0; values.len()];
                to_planes(&values, &mut planes);
                for (out, value) in out.chunks_exact_mut(4).zip(planes) {
                    out.copy_from_slice(&value.to_ne_bytes());
                }
            }
        }
    }

    /// Returns the normalized network input for `image`: floats `[3, size, size]`.
    pub fn tensor(&self, image: &Pixels) -> Vec<f32> {
        let mut bytes = vec![0; self.input_bytes()];
        self.planes(image, &mut bytes);
        let values = match self.value_type() {
            ValueType::Uint8 => bytes.into_iter().map(f32::from).collect(),
            ValueType::Float32 => floats(&bytes),
        };
        let normalized = |(i, value)| self.normalization.apply(value, i / (self.size * self.size));
        values.into_iter().enumerate().map(normalized).collect()
    }

    /// Returns the part of an image of `width` x `height` pixels that enters the network: left, top, width and height, in pixels
    /// of the image, not rounded.
    pub fn area(&self, width: usize, height: usize) -> [f64; 4] {
        let cropped = [width, height].map(|side| match self.crop < 1.0 {
            true => side - 2 * crop_border(side, self.crop),
            false => side,
        });
        let scaled = self.scaled(cropped);
        let along = |axis: usize, side: usize| {
            let centre = self.centre(scaled[axis]);
            let pixel = cropped[axis] as f64 / scaled[axis] as f64;
            let border = (side - cropped[axis]) as f64 / 2.0;
            (border + centre.start as f64 * pixel, centre.len as f64 * pixel)
        };
        let ((left, width), (top, height)) = (along(0, width), along(1, height));
        [left, top, width, height]
    }

    fn stretched_and_cropped<'a>(&self, image: &'a Pixels) -> Cow<'a, Pixels> {
        let image = if self.stretch { Cow::Owned(stretched(image)) } else { Cow::Borrowed(image) };
        match self.crop < 1.0 {
            true => Cow::Owned(centre_crop(&image, [self.crop; 2])),
            false => image,
        }
    }

    fn resized_as_pillow(&self, image: &Pixels, filter: Filter) -> Pixels {
        let [width, height] = self.scaled([image.width(), image.height()]);
        resize(image, filter, self.centre(width), self.centre(height))
    }

    fn resized_as_tensorflow1(&self, image: &Pixels) -> Vec<f32> {
        let [width, height] = self.scaled([image.width(), image.height()]);
        let [columns, rows] = [width, height].map(|side| self.centre(side));
        resize_bilinear_tensorflow1(image, columns, rows)
    }

    /// The central part of a resized side that enters the network.
    fn centre(&self, side: usize) -> Region {
        match self.margin_rounds_down {
            true => Region { whole: side, start: (side - self.size) / 2, len: self.size },
            false => Region::centre(side, self.size),
        }
    }

    /// Width and height of a whole image after resizing, each at least `size`. The longer side is truncated to whole pixels, as
    /// torchvision does.
    fn scaled(&self, [width, height]: [usize; 2]) -> [usize; 2] {
        let Some(shorter) = self.shorter_side else { return [self.both_sides.unwrap_or(self.size); 2] };
        let longer = shorter * width.max(height) / width.min(height);
        if width <= height { [shorter, longer] } else { [longer, shorter] }
    }
}

/// What one value of a network input is before normalization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueType {
    /// A byte.
    Uint8,
    /// A 32-bit float, in the machine's order of bytes.
    Float32,
}

impl ValueType {
    /// Returns its size in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Self::Uint8 => 1,
            Self::Float32 => 4,
        }
    }
}

/// Decodes floats in the machine's order of bytes.
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// Sorts values of pixels `[size, size, 3]` into planes `[3, size, size]`.
fn to_planes<T: Copy>(pixels: &[T], planes: &mut [T]) {
    vectors::with_widest(
        #[inline(always)]
        || sort_into_planes(pixels, planes),
    );
}

#[inline(always)]
fn sort_into_planes<T: Copy>(pixels: &[T], planes: &mut [T]) {
    let plane = pixels.len() / 3;
    let (red, rest) = planes.split_at_mut(plane);
    let (green, blue) = rest.split_at_mut(plane);
    for (((red, green), blue), pixel) in red.iter_mut().zip(green).zip(blue).zip(pixels.chunks_exact(3)) {
        (*red, *green, *blue) = (pixel[0], pixel[1], pixel[2]);
    }
}

/// Stretches the values of an image, all channels together, to the range 0 to 255: `(x - min) * 255 / (max - min) + 0.5`,
/// truncated to a byte, in float32 as in SciPy's `bytescale` for float32 images. An image of a single value becomes black.
fn stretched(image: &Pixels) -> Pixels {
    let (low, high) = image.data().iter().fold((255, 0), |(low, high), &x| (x.min(low), x.max(high)));
    let scale = (255.0 / f64::from((high - low).max(1))) as f32;
    let byte = |&x: &u8| (f32::from(x - low) * scale).min(255.0) + 0.5;
    Pixels::new(image.width(), image.height(), image.data().iter().map(|x| byte(x) as u8).collect())
}

/// Keeps the central part of an image. `parts` are the shares of width and height to keep, each in `(0, 1]`. As in TensorFlow's
/// `central_crop`, a border of `floor(side * (1 - part) / 2)` pixels is cut off on each side; at least one pixel remains.
pub fn centre_crop(image: &Pixels, parts: [f64; 2]) -> Pixels {
    let (left, top) = (crop_border(image.width(), parts[0]), crop_border(image.height(), parts[1]));
    let (width, height) = (image.width() - 2 * left, image.height() - 2 * top);
    let mut data = Vec::with_capacity(width * height * 3);
    (top..top + height).for_each(|y| data.extend_from_slice(&image.row(y)[left * 3..(left + width) * 3]));
    Pixels::new(width, height, data)
}

/// Returns the pixels that a crop cuts off at each end of a side of an image.
fn crop_border(side: usize, part: f64) -> usize {
    (((side as f64 - side as f64 * part) / 2.0) as usize).min(side.saturating_sub(1) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::Variant;

    #[test]
    fn the_tensor_is_planar_and_normalized() {
        let red = Pixels::new(4, 4, [255, 0, 51].repeat(16));
        let unit = Preprocessing { size: 2, ..Preprocessing::named("unit").unwrap() };
        assert_eq!(unit.tensor(&red), [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.2, 0.2, 0.2]);
        let symmetric = Preprocessing { normalization: Normalization::Symmetric, ..unit }.tensor(&red);
        assert_eq!((symmetric[0], symmetric[4]), (1.0, -1.0));
        let imagenet = Preprocessing { normalization: Normalization::Imagenet, ..unit }.tensor(&red);
        assert_eq!((imagenet[0], imagenet[4]), ((1.0 - 0.485) / 0.229, (0.0 - 0.456) / 0.224));
    }

    #[test]
    fn the_crop_keeps_the_centre_and_never_vanishes() {
        let ramp = Pixels::new(8, 1, (0..8).flat_map(|x| [x, x, x]).collect());
        assert_eq!(
            centre_crop(&ramp, [0.5; 2]).data().chunks(3).map(|p| p[0]).collect::<Vec<_>>(),
            [2, 3, 4, 5]
        );
        assert_eq!(centre_crop(&ramp, [1e-9; 2]).width(), 2);
        assert_eq!(centre_crop(&ramp, [1.0; 2]), ramp);
        assert!(Preprocessing::named("unit").unwrap().with_crop(f64::NAN).is_err());
    }

    #[test]
    fn a_shift_is_blank_exactly_where_no_pixel_of_the_image_enters_the_network() {
        let image = Pixels::new(9, 24, vec![255; 9 * 24 * 3]);
        for crop in [1.0, 0.875, 0.5, 0.1, 1e-9] {
            let preprocessing =
                Preprocessing { size: 32, ..Preprocessing::named("unit").unwrap().with_crop(crop).unwrap() };
            for pixels in 1..=10 {
                let is_blank = [(pixels, 0), (-pixels, 0)].map(|(dx, dy)| {
                    let shifted = Variant::Shift { dx, dy }.apply(&image);
                    preprocessing.resized(&shifted).data().iter().all(|&value| value == 0)
                });
                let expected = preprocessing.is_blank_after_shift(9, pixels as usize);
                assert_eq!(is_blank, [expected; 2], "crop {crop}, shift {pixels}");
            }
        }
    }

    #[test]
    fn the_area_is_the_part_of_an_image_that_enters_the_network() {
        let whole = Preprocessing::whole(8, Normalization::Unit);
        assert_eq!(whole.area(30, 20), [0.0, 0.0, 30.0, 20.0]);
        assert_eq!(Preprocessing { crop: 0.5, ..whole }.area(40, 20), [10.0, 5.0, 20.0, 10.0]);
        assert_eq!(Preprocessing { shorter_side: Some(10), ..whole }.area(40, 20), [12.0, 2.0, 16.0, 16.0]);
        assert_eq!(Preprocessing { both_sides: Some(16), ..whole }.area(40, 20), [10.0, 5.0, 20.0, 10.0]);
        // Pixels outside do not enter.
        let steps = Preprocessing { shorter_side: Some(10), crop: 0.875, ..whole };
        let [left, top, width, height] = steps.area(48, 32);
        let inside = |x: usize, y: usize| {
            let at = |value: usize, start: f64, len: f64| {
                value as f64 + 1.0 > start - 4.0 && (value as f64) < start + len + 4.0
            };
            at(x, left, width) && at(y, top, height)
        };
        let image = |outside: u8| {
            let value = |i: usize| if inside(i / 3 % 48, i / 3 / 48) { 77 } else { outside };
            Pixels::new(48, 32, (0..48 * 32 * 3).map(value).collect())
        };
        assert_eq!(steps.resized(&image(0)), steps.resized(&image(255)));
    }

    #[test]
    fn the_stored_form_keeps_its_field_names() {
        let text = r#"{"crop":0.875,"resize":"bilinear-pillow","size":299,"scale":"symmetric"}"#;
        let inception = Preprocessing::named("inception").unwrap();
        assert_eq!(serde_json::to_string(&inception).unwrap(), text);
        assert_eq!(serde_json::from_str::<Preprocessing>(text).unwrap(), inception);
    }
}
