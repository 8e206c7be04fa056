//! The known-answer test: the network embeds one fixed image, and its features must match the expected ones. A wrong
//! provider, a damaged graph or a miscompiled kernel then fails at once, before it spoils results.

use super::{Backbone, CPU_PROVIDER, OPENVINO_PROVIDER};
use crate::data::pixels::Pixels;
use crate::data::preprocess::Preprocessing;
use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

/// Draws the fixed image, 320 x 240. Integer arithmetic gives the same bytes on every machine.
pub fn probe_image() -> Pixels {
    let (width, height) = (320i32, 240i32);
    let mut data = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let (dx, dy) = (x - 200, y - 110);
            let is_disc = dx * dx + dy * dy < 70 * 70;
            let is_stripe = (x + 2 * y) / 16 % 2 == 0;
            let rgb = match (is_disc, is_stripe) {
                (true, _) => [220 - (dy + 70), 120 + dx / 2, 40],
                (false, true) => [x * 255 / width, y * 255 / height, 160],
                (false, false) => [30, (x * y / 97) % 256, 255 - x * 255 / width],
            };
            data.extend(rgb.map(|v| v as u8));
        }
    }
    Pixels::new(width as usize, height as usize, data)
}

/// Returns the stored PreLogits of the probe image, `[width]`, or `None` when none are stored under `name`. They were
/// computed by implementations that share no code with this one (`tests/oracle/known_answer.py`,
/// `tests/parity/efficientnet_lite.py`).
pub fn stored(name: &str) -> Option<Vec<f32>> {
    let text = match name {
        "nsfwjs" => include_str!("../../models/known/nsfwjs.txt"),
        "efficientnet-lite0" => include_str!("../../models/known/efficientnet-lite0.txt"),
        "efficientnet-lite1" => include_str!("../../models/known/efficientnet-lite1.txt"),
        "efficientnet-lite2" => include_str!("../../models/known/efficientnet-lite2.txt"),
        _ => return None,
    };
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.trim().parse().ok()).collect()
}

/// Embeds the probe image, `[width]`.
///
/// # Errors
/// Errors of [`Backbone::embed`], and [`Kind::Backbone`] when a feature is not finite.
pub fn compute(backbone: &mut dyn Backbone, preprocessing: &Preprocessing) -> Result<Vec<f32>> {
    let mut pixels = vec![0; preprocessing.input_bytes()];
    preprocessing.planes(&probe_image(), &mut pixels);
    let not_finite = |_| {
        Error::new(
            Kind::Backbone,
            "the network gives values that are no numbers for the image of the known-answer test",
        )
        .help("use another `layer` or `preprocess`, or another network")
    };
    backbone.embed(&pixels, 1)?.into_finite().map_err(not_finite)
}

/// The features of the probe image at one layer, and the provider that computed them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredAnswer", into = "StoredAnswer")]
pub struct KnownAnswer {
    /// `[width]`.
    pub features: Vec<f32>,
    /// The name of the provider, such as [`CPU_PROVIDER`].
    pub provider: String,
}

/// A [`KnownAnswer`] in `spec.json`: of the CPU, the features alone.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredAnswer {
    OfCpu(Vec<f32>),
    OfOther { provider: String, features: Vec<f32> },
}

impl KnownAnswer {
    /// The answer `features` of the CPU.
    pub fn of_cpu(features: Vec<f32>) -> Self {
        Self { features, provider: CPU_PROVIDER.into() }
    }
}

impl From<StoredAnswer> for KnownAnswer {
    fn from(stored: StoredAnswer) -> Self {
        match stored {
            StoredAnswer::OfCpu(features) => Self::of_cpu(features),
            StoredAnswer::OfOther { provider, features } => Self { features, provider },
        }
    }
}

impl From<KnownAnswer> for StoredAnswer {
    fn from(KnownAnswer { features, provider }: KnownAnswer) -> Self {
        if provider == CPU_PROVIDER { Self::OfCpu(features) } else { Self::OfOther { provider, features } }
    }
}

/// Returns the largest relative L2 distance that is accepted from `provider`: 1e-4 on the CPU and 1e-3 elsewhere.
pub fn tolerance(provider: &str) -> f64 {
    if provider == CPU_PROVIDER { 1e-4 } else { 1e-3 }
}

/// The largest relative L2 distance that is accepted between two providers where a network rounds values to integers. OpenVINO and
/// the CPU differ by 0.004 to 0.03 for Inception-v3 and EfficientNet-Lite0, the rounding itself costs 0.01 to 0.04, and products of
/// bytes that overflow cost 0.09 (ONNX Runtime's `quantize_static` in docs/benchmarks.md).
pub const ROUNDED_TOLERANCE: f64 = 5e-2;

/// Two providers round some values of a network to different integers.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundingDifference {
    /// The providers: the one that was tested, and the one of the known answer.
    pub providers: [String; 2],
    /// Relative L2 distance of the features of the probe image.
    pub distance: f64,
}

impl RoundingDifference {
    /// A sentence for a person.
    pub fn warning(&self) -> String {
        let [tested, known] = &self.providers;
        format!(
            "{tested} rounds some values to other integers than {known}: the features of a fixed image differ by {:.1e} (relative L2); \
             one device for all images keeps them alike",
            self.distance
        )
    }
}

/// Compares the features that `backbone` computed for the probe image with the known ones. The relative L2 distance may be
/// [`tolerance`] of its provider, or [`ROUNDED_TOLERANCE`] where a network that rounds values to integers is compared with an answer
/// of another provider. Returns what a person should know where only the latter holds.
///
/// # Errors
/// [`Kind::Backbone`] when the distance is larger or not a number, or when the lengths differ.
pub fn check(
    backbone: &dyn Backbone,
    computed: &[f32],
    known: &KnownAnswer,
) -> Result<Option<RoundingDifference>> {
    let (provider, other) = (backbone.provider(), &known.provider);
    let why = if computed.len() != known.features.len() {
        format!("{} features, not {}", computed.len(), known.features.len())
    } else {
        let of_floats = tolerance(provider);
        let may_differ = backbone.rounds_values() && provider != other;
        let tolerance = if may_differ { ROUNDED_TOLERANCE } else { of_floats };
        let distance = relative_distance(computed, &known.features);
        if distance <= tolerance {
            let providers = [provider.to_string(), other.clone()];
            return Ok((distance > of_floats).then_some(RoundingDifference { providers, distance }));
        }
        let from = if may_differ { format!(" from those of {other}") } else { String::new() };
        format!(
            "the features of a fixed image are off by {distance:.1e} (relative L2){from}, more than {tolerance:.0e}"
        )
    };
    let device = if other == OPENVINO_PROVIDER { "openvino" } else { "cpu" };
    let error = Error::new(Kind::Backbone, format!("the known-answer test failed on {provider}: {why}"));
    Err(error.help(format!(
        "no features were written; try `device` {device}, and the network that was used before"
    )))
}

/// Returns `|a - b| / |b|`, computed in float64; 0 where both are the same.
///
/// # Panics
/// When the lengths differ.
pub fn relative_distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "vectors of one length");
    let square = |v: f64| v * v;
    let difference: f64 = a.iter().zip(b).map(|(&a, &b)| square(f64::from(a) - f64::from(b))).sum();
    let norm: f64 = b.iter().map(|&b| square(f64::from(b))).sum();
    // Features that are all zero have no length to compare with.
    if difference == 0.0 { 0.0 } else { (difference / norm).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::{CUDA_PROVIDER, Embeddings};

    /// A network that only says what it is.
    struct NamedNetwork {
        provider: &'static str,
        rounds_values: bool,
    }

    impl Backbone for NamedNetwork {
        fn width(&self) -> usize {
            3
        }
        fn provider(&self) -> &str {
            self.provider
        }
        fn rounds_values(&self) -> bool {
            self.rounds_values
        }
        fn runtime(&self) -> &str {
            "none"
        }
        fn embed(&mut self, _: &[u8], _: usize) -> Result<Embeddings> {
            unreachable!()
        }
    }

    fn floats(provider: &'static str) -> NamedNetwork {
        NamedNetwork { provider, rounds_values: false }
    }

    fn integers(provider: &'static str) -> NamedNetwork {
        NamedNetwork { provider, rounds_values: true }
    }

    #[test]
    fn a_wrong_answer_fails_and_a_close_one_passes() {
        let known = KnownAnswer::of_cpu(vec![1.0, 2.0, 2.0]);
        let on_cpu = |computed: &[f32], known: &KnownAnswer| check(&floats(CPU_PROVIDER), computed, known);
        assert_eq!(on_cpu(&[1.0001, 2.0001, 2.0001], &known).unwrap(), None);
        for wrong in [[1.0, 2.0, 2.01], [f32::NAN, 2.0, 2.0], [0.0; 3]] {
            assert!(on_cpu(&wrong, &known).is_err(), "{wrong:?}");
            assert!(
                check(&integers(CPU_PROVIDER), &wrong, &known).is_err(),
                "{wrong:?} of the same provider"
            );
            assert!(check(&floats(OPENVINO_PROVIDER), &wrong, &known).is_err(), "{wrong:?} of floats");
        }
        assert!(on_cpu(&known.features[..2], &known).is_err());
        let zeros = KnownAnswer::of_cpu(vec![0.0; 3]);
        on_cpu(&[0.0; 3], &zeros).unwrap();
        assert!(on_cpu(&known.features, &zeros).is_err());
        check(&floats(CUDA_PROVIDER), &[1.0, 2.0, 2.001], &known).unwrap();
    }

    #[test]
    fn another_provider_may_round_otherwise_but_not_by_much() {
        let known = KnownAnswer { features: vec![1.0, 2.0, 2.0], provider: OPENVINO_PROVIDER.into() };
        let on_cpu = |computed: &[f32]| check(&integers(CPU_PROVIDER), computed, &known);
        assert_eq!(on_cpu(&known.features).unwrap(), None);
        let found = on_cpu(&[1.0, 2.0, 2.1]).unwrap().unwrap();
        assert_eq!(found.providers, [CPU_PROVIDER, OPENVINO_PROVIDER]);
        assert!((found.distance - 0.1 / 3.0).abs() < 1e-6, "{}", found.distance);
        for wrong in [[1.0, 2.0, 2.2], [f32::NAN, 2.0, 2.0]] {
            let error = on_cpu(&wrong).unwrap_err();
            assert!(error.to_string().contains(" from those of OpenVINO"), "{error}");
            assert!(error.remedy().unwrap().contains("`device` openvino"), "{error}");
        }
        // Its own answer is not rounded otherwise.
        assert!(check(&integers(OPENVINO_PROVIDER), &[1.0, 2.0, 2.01], &known).is_err());
    }

    #[test]
    fn answers_of_the_cpu_are_stored_as_they_always_were() {
        let of_cpu = KnownAnswer::of_cpu(vec![0.5, 2.0]);
        let of_other = KnownAnswer { provider: OPENVINO_PROVIDER.into(), ..of_cpu.clone() };
        for (answer, text) in [
            (of_cpu, "[0.5,2.0]"),
            (of_other, r#"{"provider":"OpenVINOExecutionProvider","features":[0.5,2.0]}"#),
        ] {
            assert_eq!(serde_json::to_string(&answer).unwrap(), text);
            assert_eq!(serde_json::from_str::<KnownAnswer>(text).unwrap(), answer);
        }
    }

    #[test]
    fn the_probe_image_never_changes() {
        let digest = crate::io::digest::sha256(probe_image().data()).to_string();
        assert_eq!(digest, "ec28780094dfc04ca11bc9f7caea52abf50199cf978c185b8de3a260021c811d");
    }
}
