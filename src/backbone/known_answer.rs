//! The known-answer test: the network embeds one fixed image, and its features must match the expected ones. A wrong
//! provider, a damaged graph or a miscompiled kernel then fails at once, before it spoils results.

use super::{Backbone, CPU_PROVIDER};
use crate::data::pixels::Pixels;
use crate::data::preprocess::Preprocessing;
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;

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

/// The largest relative L2 distance that is accepted of a network that rounds values to integers. Right answers of two devices
/// differ by 0.01 to 0.03, as much as the rounding itself costs; products of bytes that overflow cost about 0.09.
pub const ROUNDED_TOLERANCE: f64 = 5e-2;

/// Returns the largest relative L2 distance that is accepted from `provider`: 1e-4 on the CPU and 1e-3 elsewhere.
pub fn tolerance(provider: &str) -> f64 {
    if provider == CPU_PROVIDER { 1e-4 } else { 1e-3 }
}

/// Compares the features that `backbone` computed for the probe image with the expected ones. The relative L2 distance
/// may be [`tolerance`] of its provider. For a network that rounds values to integers it may be [`ROUNDED_TOLERANCE`]; the monitor
/// gets a warning where it is more than [`tolerance`].
///
/// # Errors
/// [`Kind::Backbone`] when the distance is larger or not a number, or when the lengths differ.
pub fn check(
    backbone: &dyn Backbone,
    computed: &[f32],
    expected: &[f32],
    monitor: &dyn Monitor,
) -> Result<()> {
    let provider = backbone.provider();
    let why = if computed.len() != expected.len() {
        format!("{} features, not {}", computed.len(), expected.len())
    } else {
        let of_floats = tolerance(provider);
        let tolerance = if backbone.rounds_values() { ROUNDED_TOLERANCE } else { of_floats };
        let error = relative_distance(computed, expected);
        if error <= tolerance {
            if error > of_floats {
                monitor.warn(&format!(
                    "{provider} rounds some integers otherwise: the features of a fixed image are {error:.1e} (relative L2) from \
                     the known ones"
                ));
            }
            return Ok(());
        }
        format!(
            "the features of a fixed image are off by {error:.1e} (relative L2), more than {tolerance:.0e}"
        )
    };
    Err(Error::new(Kind::Backbone, format!("the known-answer test failed on {provider}: {why}"))
        .help("no features were written; try `device` cpu, and the network that was used before"))
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
    use crate::monitor::Silent;

    /// A network of a provider, of floats or of integers.
    struct Of(&'static str, bool);

    impl Backbone for Of {
        fn width(&self) -> usize {
            3
        }
        fn provider(&self) -> &str {
            self.0
        }
        fn rounds_values(&self) -> bool {
            self.1
        }
        fn runtime(&self) -> &str {
            "none"
        }
        fn embed(&mut self, _: &[u8], _: usize) -> Result<Embeddings> {
            unreachable!()
        }
    }

    const FLOATS: Of = Of(CPU_PROVIDER, false);
    const INTEGERS: Of = Of(CPU_PROVIDER, true);

    #[test]
    fn a_wrong_answer_fails_and_a_close_one_passes() {
        let known = [1.0, 2.0, 2.0];
        let on_cpu = |computed: &[f32], expected: &[f32]| check(&FLOATS, computed, expected, &Silent);
        on_cpu(&[1.0001, 2.0001, 2.0001], &known).unwrap();
        for wrong in [[1.0, 2.0, 2.01], [f32::NAN, 2.0, 2.0], [0.0; 3]] {
            assert!(on_cpu(&wrong, &known).is_err(), "{wrong:?}");
        }
        assert!(on_cpu(&known[..2], &known).is_err());
        on_cpu(&[0.0; 3], &[0.0; 3]).unwrap();
        assert!(on_cpu(&known, &[0.0; 3]).is_err());
        check(&Of(CUDA_PROVIDER, false), &[1.0, 2.0, 2.001], &known, &Silent).unwrap();
    }

    #[test]
    fn integers_may_be_rounded_otherwise_but_not_by_much() {
        let known = [1.0, 2.0, 2.0];
        check(&INTEGERS, &[1.0, 2.0, 2.1], &known, &Silent).unwrap();
        for wrong in [[1.0, 2.0, 2.2], [f32::NAN, 2.0, 2.0]] {
            assert!(check(&INTEGERS, &wrong, &known, &Silent).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_probe_image_never_changes() {
        let digest = crate::io::digest::sha256(probe_image().data()).to_string();
        assert_eq!(digest, "ec28780094dfc04ca11bc9f7caea52abf50199cf978c185b8de3a260021c811d");
    }
}
