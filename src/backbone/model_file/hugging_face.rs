//! Reads the image processors of Hugging Face's transformers: `preprocessor_config.json`.

use crate::data::preprocess::{Normalization, Preprocessing, Resize};
use crate::error::{Error, Kind, Result};
use serde::Deserialize;

/// An image processor, as far as it decides what pixels enter the network. Other fields are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ProcessorConfig {
    image_processor_type: Option<String>,
    feature_extractor_type: Option<String>,
    do_resize: Option<bool>,
    size: Option<Size>,
    crop_pct: Option<f64>,
    resample: Option<u8>,
    do_center_crop: Option<bool>,
    crop_size: Option<Size>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    do_normalize: Option<bool>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
    do_pad: Option<bool>,
    do_flip_channel_order: Option<bool>,
    do_thumbnail: Option<bool>,
    do_align_long_axis: Option<bool>,
    rescale_offset: Option<bool>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Size {
    Number(usize),
    Named {
        shortest_edge: Option<usize>,
        height: Option<usize>,
        width: Option<usize>,
        longest_edge: Option<usize>,
    },
}

/// A size that is understood.
#[derive(Debug, Clone, Copy)]
enum Sides {
    Shorter(usize),
    Both(usize),
}

/// The side below which ConvNeXt's processor crops.
const CONVNEXT_UNCROPPED: usize = 384;
/// The part that ConvNeXt's processor keeps by default.
const CONVNEXT_CROP: f64 = 224.0 / 256.0;
/// The usual factor of pixel values. Processors divide in float64, which this is the inverse of.
const RESCALE: f64 = 1.0 / 255.0;

impl ProcessorConfig {
    /// Returns the steps of the processor.
    ///
    /// # Errors
    /// [`Kind::Usage`] for steps that this program does not have, or that the file leaves open.
    pub fn preprocessing(&self) -> Result<Preprocessing> {
        for (name, is_on) in [
            ("do_pad", self.do_pad),
            ("do_flip_channel_order", self.do_flip_channel_order),
            ("do_thumbnail", self.do_thumbnail),
            ("do_align_long_axis", self.do_align_long_axis),
            ("rescale_offset", self.rescale_offset),
        ] {
            if is_on == Some(true) {
                return fail(format!("its step {name} is not known"));
            }
        }
        if self.do_resize == Some(false) {
            return fail("it does not resize, so that images of other sizes do not fit the network");
        }
        let (shorter_side, both_sides, size) = self.sides()?;
        Ok(Preprocessing {
            resize: self.filter()?,
            shorter_side,
            both_sides,
            margin_rounds_down: shorter_side.or(both_sides).is_some(),
            ..Preprocessing::whole(size, self.normalization()?)
        })
    }

    /// `shorter_side`, `both_sides` and `size`.
    fn sides(&self) -> Result<(Option<usize>, Option<usize>, usize)> {
        let size = self.known_size(self.size)?;
        if self.is("ConvNext") {
            return Ok(match size {
                Sides::Shorter(side) | Sides::Both(side) if side < CONVNEXT_UNCROPPED => {
                    let whole = side as f64 / self.crop_pct.unwrap_or(CONVNEXT_CROP);
                    (Some(whole as usize), None, side)
                }
                Sides::Shorter(side) | Sides::Both(side) => (None, None, side),
            });
        }
        let crop = match (self.do_center_crop, self.crop_size) {
            (Some(false), _) | (None, None) => None,
            (Some(true), None) => return fail("it crops, but says no crop_size"),
            (_, Some(Size::Number(side))) => Some(side),
            (_, named) => match self.known_size(named)? {
                Sides::Shorter(side) | Sides::Both(side) => Some(side),
            },
        };
        match (size, crop) {
            (Sides::Shorter(side), Some(crop)) => Ok((Some(side), None, crop)),
            (Sides::Both(side), Some(crop)) if crop < side => Ok((None, Some(side), crop)),
            (Sides::Both(side), Some(crop)) if crop > side => {
                fail(format!("it crops to {crop} after resizing to {side}"))
            }
            (Sides::Both(side), _) => Ok((None, None, side)),
            (Sides::Shorter(side), None) => fail(format!(
                "it resizes the shorter side to {side} and does not crop, so that images differ in size"
            )),
        }
    }

    fn known_size(&self, size: Option<Size>) -> Result<Sides> {
        match size {
            Some(Size::Number(side))
                if ["CLIP", "Bit", "ConvNext", "Levit"].iter().any(|kind| self.is(kind)) =>
            {
                Ok(Sides::Shorter(side))
            }
            Some(Size::Number(side))
                if ["ViT", "Deit", "DeiT", "Beit", "Siglip"].iter().any(|kind| self.is(kind)) =>
            {
                Ok(Sides::Both(side))
            }
            Some(Size::Number(side)) => fail(format!(
                "whether its size {side} is that of the shorter side or of both depends on its type, which is not known"
            )),
            Some(Size::Named { shortest_edge: Some(side), longest_edge: None, .. }) => {
                Ok(Sides::Shorter(side))
            }
            Some(Size::Named { height: Some(height), width: Some(width), .. }) if height == width => {
                Ok(Sides::Both(height))
            }
            Some(Size::Named { height: Some(height), width: Some(width), .. }) => {
                fail(format!("its images of {height} x {width} are not square"))
            }
            _ => fail("it says no size"),
        }
    }

    /// Whether the name of the processor starts with `kind`.
    fn is(&self, kind: &str) -> bool {
        let names = [&self.image_processor_type, &self.feature_extractor_type];
        names.into_iter().flatten().any(|name| name.starts_with(kind))
    }

    /// The filter, by Pillow's number.
    fn filter(&self) -> Result<Resize> {
        match self.resample {
            Some(0) => Ok(Resize::NearestPillow),
            Some(1) => Ok(Resize::LanczosPillow),
            Some(2) => Ok(Resize::BilinearPillow),
            Some(3) => Ok(Resize::BicubicPillow),
            Some(4) => Ok(Resize::BoxPillow),
            Some(5) => Ok(Resize::HammingPillow),
            Some(other) => fail(format!("its filter (resample) is {other}, not 0 to 5")),
            None => fail("it says no filter (resample)"),
        }
    }

    fn normalization(&self) -> Result<Normalization> {
        let divisor = match (self.do_rescale, self.rescale_factor) {
            (Some(false), _) => 1.0,
            (_, factor) => match factor.unwrap_or(RESCALE) {
                factor if (factor / RESCALE - 1.0).abs() < 1e-9 => 255.0,
                factor => (1.0 / factor) as f32,
            },
        };
        let statistics = match (self.do_normalize, self.image_mean, self.image_std) {
            (Some(false), ..) | (None, None, None) => None,
            (_, Some(mean), Some(deviation)) => Some((mean, deviation)),
            _ => return fail("it normalizes, but says no image_mean or image_std"),
        };
        Ok(match (divisor, statistics) {
            (255.0, Some(([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))) => Normalization::Imagenet,
            (_, Some((mean, deviation))) => Normalization::Custom { divisor, mean, deviation },
            (255.0, None) => Normalization::Unit,
            (1.0, None) => Normalization::None,
            (_, None) => Normalization::Custom { divisor, mean: [0.0; 3], deviation: [1.0; 3] },
        })
    }
}

fn fail<T>(why: impl Into<String>) -> Result<T> {
    Err(Error::new(Kind::Usage, format!("this image processor cannot be followed: {}", why.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(json: &str) -> Result<Preprocessing> {
        serde_json::from_str::<ProcessorConfig>(json).unwrap().preprocessing()?.checked()
    }

    #[test]
    fn the_processors_of_common_networks_are_followed() {
        let vit = r#"{"image_processor_type":"ViTImageProcessor","size":{"height":224,"width":224},"resample":2,
            "do_rescale":true,"rescale_factor":0.00392156862745098,"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5]}"#;
        let half = Normalization::Custom { divisor: 255.0, mean: [0.5; 3], deviation: [0.5; 3] };
        assert_eq!(steps(vit).unwrap(), Preprocessing::whole(224, half));
        let clip = r#"{"feature_extractor_type":"CLIPFeatureExtractor","size":224,"crop_size":224,"resample":3,
            "do_center_crop":true,"do_normalize":false}"#;
        let found = steps(clip).unwrap();
        assert_eq!((found.shorter_side, found.size, found.resize), (Some(224), 224, Resize::BicubicPillow));
        assert_eq!(found.normalization, Normalization::Unit);
        let dino = r#"{"image_processor_type":"BitImageProcessor","size":{"shortest_edge":256},"crop_size":{"height":224,
            "width":224},"resample":3,"image_mean":[0.485,0.456,0.406],"image_std":[0.229,0.224,0.225]}"#;
        let found = steps(dino).unwrap();
        assert_eq!((found.shorter_side, found.size), (Some(256), 224));
        assert_eq!(found.normalization, Normalization::Imagenet);
        let convnext = |side| {
            let json = format!(
                r#"{{"image_processor_type":"ConvNextImageProcessor","size":{{"shortest_edge":{side}}},"crop_pct":0.875,"resample":3}}"#
            );
            let found = steps(&json).unwrap();
            (found.shorter_side, found.both_sides, found.size)
        };
        assert_eq!((convnext(224), convnext(384)), ((Some(256), None, 224), (None, None, 384)));
        let deit = r#"{"image_processor_type":"DeiTImageProcessor","size":256,"crop_size":224,"resample":3,"do_rescale":false}"#;
        let found = steps(deit).unwrap();
        assert_eq!(
            (found.both_sides, found.size, found.normalization),
            (Some(256), 224, Normalization::None)
        );
    }

    #[test]
    fn a_processor_with_other_steps_is_refused_with_the_step() {
        for (json, why) in [
            (r#"{"size":{"height":224,"width":224},"resample":2,"do_pad":true}"#, "do_pad"),
            (r#"{"size":{"height":224,"width":196},"resample":2}"#, "224 x 196 are not square"),
            (r#"{"size":224,"resample":2}"#, "depends on its type"),
            (r#"{"size":{"shortest_edge":224},"resample":2}"#, "does not crop"),
            (r#"{"size":{"height":224,"width":224}}"#, "no filter"),
            (r#"{"size":{"height":224,"width":224},"resample":9}"#, "is 9"),
            (r#"{"resample":2}"#, "no size"),
            (r#"{"size":{"height":224,"width":224},"resample":2,"do_normalize":true}"#, "image_mean"),
            (r#"{"size":{"height":224,"width":224},"resample":2,"do_resize":false}"#, "does not resize"),
            (
                r#"{"size":{"height":224,"width":224},"resample":2,"image_mean":[0,0,0],"image_std":[0,1,1]}"#,
                "pixel values cannot be",
            ),
        ] {
            let error = steps(json).unwrap_err().to_string();
            assert!(error.contains(why), "{json}: {error}");
        }
    }
}
