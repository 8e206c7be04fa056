//! The text form of a preprocessing: a name, and what differs from it.

use super::{Normalization, Preprocessing, Resize};
use crate::error::{Error, Kind, Result, did_you_mean};

/// The names, in the order of the help.
const NAMES: [&str; 5] = ["unit", "inception", "imagenet", "stretched", "raw"];

/// The filters that can be chosen.
const FILTERS: [(&str, Resize); 6] = [
    ("nearest", Resize::NearestPillow),
    ("box", Resize::BoxPillow),
    ("bilinear", Resize::BilinearPillow),
    ("hamming", Resize::HammingPillow),
    ("bicubic", Resize::BicubicPillow),
    ("lanczos", Resize::LanczosPillow),
];

impl Preprocessing {
    /// Returns a preprocessing by name. All resize to 299 x 299, bilinearly.
    ///
    /// - `unit`: whole image, values in `[0, 1]`.
    /// - `inception`: central 87.5 % of each side, values in `[-1, 1]`.
    /// - `imagenet`: central 87.5 % of each side, ImageNet mean and standard deviation.
    /// - `stretched`: as `unit`, with the values of each image first stretched to the full range, as
    ///   `scipy.misc.imresize` did with images of floats before SciPy 1.3.
    /// - `raw`: whole image, values from 0 to 255.
    ///
    /// Settings may follow, separated by commas: `imagenet,resize=bicubic,shorter-side=256,size=224`. They are `resize` (nearest,
    /// box, bilinear, hamming, bicubic, lanczos), `size`, and `shorter-side` or `both-sides`, of which the centre of `size` is
    /// kept.
    ///
    /// # Errors
    /// [`Kind::Usage`] for any other text.
    pub fn named(text: &str) -> Result<Self> {
        let mut parts = text.split(',');
        let mut steps = base(parts.next().unwrap_or_default())?;
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let number = || value.parse::<usize>().map_err(|_| setting_error(part));
            match key {
                "resize" => {
                    let filter = FILTERS.iter().find(|(name, _)| *name == value);
                    steps.resize = filter.ok_or_else(|| setting_error(part))?.1;
                }
                "size" => steps.size = number()?,
                "shorter-side" => steps.shorter_side = Some(number()?),
                "both-sides" => steps.both_sides = Some(number()?),
                _ => return Err(setting_error(part)),
            }
        }
        steps.checked()
    }

    /// Returns the text for which [`Preprocessing::named`] gives these steps, but for the crop and the bits of 16-bit images;
    /// `None` where there is none.
    pub fn text(&self) -> Option<String> {
        let same = |steps: &Self| steps.normalization == self.normalization && steps.stretch == self.stretch;
        let name = NAMES.iter().find(|name| base(name).is_ok_and(|steps| same(&steps)))?;
        let (filter, _) = FILTERS.iter().find(|(_, resize)| *resize == self.resize)?;
        let mut text = name.to_string();
        if self.resize != Resize::BilinearPillow {
            text += &format!(",resize={filter}");
        }
        let numbers = [
            ("shorter-side", self.shorter_side),
            ("both-sides", self.both_sides),
            ("size", (self.size != SIZE).then_some(self.size)),
        ];
        for (key, value) in numbers {
            value.iter().for_each(|value| text += &format!(",{key}={value}"));
        }
        (!self.margin_rounds_down).then_some(text)
    }
}

/// Side of the input of Inception-v3.
const SIZE: usize = 299;

fn base(name: &str) -> Result<Preprocessing> {
    let (crop, normalization) = match name {
        "unit" | "stretched" => (1.0, Normalization::Unit),
        "raw" => (1.0, Normalization::None),
        "inception" => (0.875, Normalization::Symmetric),
        "imagenet" => (0.875, Normalization::Imagenet),
        _ => {
            let names = ["unit", "inception", "imagenet", "stretched", "raw"];
            return Err(Error::not_one_of(name, "a preprocessing", &names));
        }
    };
    let steps = Preprocessing::whole(SIZE, normalization);
    Ok(Preprocessing { crop, stretch: name == "stretched", ..steps })
}

fn setting_error(part: &str) -> Error {
    let filters: Vec<&str> = FILTERS.iter().map(|(name, _)| *name).collect();
    let settings = ["resize", "size", "shorter-side", "both-sides"];
    let meant = match part.split_once('=') {
        Some(("resize", filter)) => did_you_mean(filter, filters.iter().copied()),
        Some((name, _)) if settings.contains(&name) => String::new(),
        Some((name, _)) => did_you_mean(name, settings),
        None => did_you_mean(part, settings),
    };
    Error::new(Kind::Usage, format!("{part:?} is not a setting of a preprocessing")).help(format!(
        "{meant}after the name use resize={}, size=N, and shorter-side=N or both-sides=N",
        filters.join("|")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_the_steps() {
        for text in [
            "unit",
            "stretched",
            "inception,resize=lanczos",
            "imagenet,resize=bicubic,shorter-side=256,size=224",
            "imagenet,both-sides=512",
        ] {
            assert_eq!(Preprocessing::named(text).unwrap().text().as_deref(), Some(text));
        }
        let lite = Preprocessing::named("imagenet,size=224,shorter-side=256,resize=bicubic").unwrap();
        assert_eq!((lite.size, lite.shorter_side, lite.resize), (224, Some(256), Resize::BicubicPillow));
        let tensorflow = Preprocessing { resize: Resize::BilinearTensorflow1, ..lite };
        assert_eq!(tensorflow.text(), None);
    }

    #[test]
    fn what_is_no_setting_is_refused_by_name() {
        for (text, why) in [
            ("unit,", "\"\" is not a setting"),
            ("unit,resize=cubic", "\"resize=cubic\" is not"),
            ("unit,size=0", "must be from 1"),
            ("unit,size=224,shorter-side=100", "shorter side must be from 224"),
            ("unit,shorter-side=400,both-sides=400", "not both"),
            ("unit,crop=1", "\"crop=1\" is not"),
            ("vgg,size=2", "\"vgg\" is not a preprocessing"),
        ] {
            let error = Preprocessing::named(text).unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }
}
