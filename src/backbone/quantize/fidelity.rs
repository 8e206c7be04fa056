//! How near the features of a quantized backbone are to those of the backbone of floats, and the file that says so.

use crate::backbone::CPU_PROVIDER;
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::io::fs;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How a backbone stores and computes numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NumberFormat {
    /// 8-bit integers, for CPUs.
    #[default]
    Int8,
    /// 16-bit floats, for GPUs.
    F16,
}

impl NumberFormat {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::F16 => "f16",
        }
    }
}

impl FromStr for NumberFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Int8, Self::F16].into_iter().find(|format| format.name() == text).ok_or_else(|| {
            Error::new(Kind::Usage, format!("{text:?} is no number format")).help("use int8 or f16")
        })
    }
}

/// The certificate of a quantized backbone, over images that it was not calibrated on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fidelity {
    /// The backbone of floats.
    pub parent: String,
    /// Digest of the ONNX file of the backbone of floats.
    pub parent_sha256: Digest,
    /// Digest of the ONNX file of the quantized backbone.
    pub graph_sha256: Digest,
    /// How it computes. Certificates of older versions are of integers.
    #[serde(default)]
    pub format: NumberFormat,
    /// Bits of the weights.
    pub weight_bits: u32,
    /// The layer that was compared.
    pub layer: String,
    /// The folder of images.
    pub images: PathBuf,
    /// Number of images that it was calibrated on.
    pub calibration_images: usize,
    /// Number of images that were compared.
    pub held_out_images: usize,
    /// Cosine of the angle between the features of an image.
    pub cosine: Mean,
    /// The same after the mean of all images was subtracted, which tells images apart.
    pub centred_cosine: Mean,
    /// L2 distance of the features of an image, relative to their norm.
    pub relative_distance: Mean,
    /// Accuracy of linear heads on both features; `None` where the held-out images are too few.
    pub heads: Option<HeadAccuracy>,
    /// The runtime with its version.
    pub runtime: String,
    /// The execution provider that ran the quantized backbone. Certificates of older versions are of the CPU.
    #[serde(default = "cpu_provider")]
    pub provider: String,
    /// Version of headstart.
    pub version: String,
}

fn cpu_provider() -> String {
    CPU_PROVIDER.into()
}

/// A measure over images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// The worst image.
    pub worst: f64,
}

/// Accuracy of linear heads that were fitted to the features of some held-out images and tested on others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HeadAccuracy {
    /// Number of random splits.
    pub splits: usize,
    /// Number of classes.
    pub classes: usize,
    /// Number of train images of each split.
    pub train_images: usize,
    /// Number of test images of each split.
    pub test_images: usize,
    /// Mean accuracy on features of floats, 0 to 1.
    pub float: f64,
    /// Mean accuracy on features of the quantized backbone, 0 to 1.
    pub quantized: f64,
    /// The second less the first.
    pub difference: f64,
    /// The 95 % interval of the difference (corrected resampled t-test).
    pub interval: [f64; 2],
}

/// Features of the same images from both backbones, row by row.
pub(super) struct Features {
    pub float: Vec<f32>,
    pub rounded: Vec<f32>,
    pub width: usize,
}

/// The file beside the ONNX file `onnx` that holds its certificate.
pub(super) fn fidelity_path(onnx: &Path) -> PathBuf {
    onnx.with_extension("fidelity.json")
}

/// Reads the certificate beside the ONNX file `onnx`, whose digest is `sha256`. `None` where there is none, and where it is that
/// of another file.
///
/// # Errors
/// [`Kind::Io`] when the file cannot be read.
pub fn fidelity_beside(onnx: &Path, sha256: Digest) -> Result<Option<Fidelity>> {
    let path = fidelity_path(onnx);
    if !path.is_file() {
        return Ok(None);
    }
    let found = serde_json::from_slice::<Fidelity>(&fs::read(&path)?).ok();
    Ok(found.filter(|fidelity| fidelity.graph_sha256 == sha256))
}

impl Features {
    /// The rows of each image.
    fn rows(&self) -> impl Iterator<Item = (&[f32], &[f32])> {
        let width = self.width.max(1);
        self.float.chunks_exact(width).zip(self.rounded.chunks_exact(width))
    }

    /// The cosine of each image after the mean of all features of floats was subtracted.
    pub fn centred_cosines(&self) -> Vec<f64> {
        let count = self.rows().count();
        let mut centre = vec![0f64; self.width.max(1)];
        for (row, _) in self.rows() {
            centre.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value) / count as f64);
        }
        self.rows().map(|(a, b)| cosine(a, b, &centre)).collect()
    }
}

/// Measures how near the features are. What no measure says is left open.
pub(super) fn measure(features: &Features) -> Fidelity {
    let zero = vec![0f64; features.width.max(1)];
    let rows = || features.rows();
    let none: Digest = crate::io::digest::sha256(&[]);
    Fidelity {
        parent: String::new(),
        parent_sha256: none,
        graph_sha256: none,
        format: NumberFormat::Int8,
        weight_bits: 0,
        layer: String::new(),
        images: PathBuf::new(),
        calibration_images: 0,
        held_out_images: rows().count(),
        cosine: Mean::of(rows().map(|(a, b)| cosine(a, b, &zero)), f64::min),
        centred_cosine: Mean::of(features.centred_cosines().into_iter(), f64::min),
        relative_distance: Mean::of(rows().map(|(a, b)| relative_distance(a, b)), f64::max),
        heads: None,
        runtime: String::new(),
        provider: cpu_provider(),
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

impl Mean {
    fn of(values: impl Iterator<Item = f64>, worse: impl Fn(f64, f64) -> f64) -> Self {
        let values: Vec<f64> = values.collect();
        let worst = values.iter().copied().reduce(worse).unwrap_or(f64::NAN);
        Self { mean: values.iter().sum::<f64>() / values.len() as f64, worst }
    }
}

/// The cosine of the angle between two rows as seen from `centre`. Rows that are both there agree.
fn cosine(a: &[f32], b: &[f32], centre: &[f64]) -> f64 {
    let (mut product, mut squares) = (0.0, [0.0; 2]);
    for ((a, b), centre) in a.iter().zip(b).zip(centre) {
        let (a, b) = (f64::from(*a) - centre, f64::from(*b) - centre);
        product += a * b;
        squares = [squares[0] + a * a, squares[1] + b * b];
    }
    if squares == [0.0; 2] { 1.0 } else { product / (squares[0] * squares[1]).sqrt().max(f64::MIN_POSITIVE) }
}

/// The distance of `b` from `a`, relative to the norm of `a`.
fn relative_distance(a: &[f32], b: &[f32]) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let off = square(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    if off == 0.0 { 0.0 } else { (off / square(&mut a.iter().map(|a| f64::from(*a)))).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_those_of_their_definitions() {
        let features =
            Features { float: vec![3.0, 4.0, 1.0, 0.0], rounded: vec![3.0, 4.0, 1.0, 1.0], width: 2 };
        let found = measure(&features);
        assert_eq!(found.held_out_images, 2);
        assert!((found.cosine.worst - 0.5f64.sqrt()).abs() < 1e-12, "{:?}", found.cosine);
        assert!((found.cosine.mean - (1.0 + 0.5f64.sqrt()) / 2.0).abs() < 1e-12);
        assert_eq!((found.relative_distance.mean, found.relative_distance.worst), (0.5, 1.0));
        // From the centre (2, 2) the rows of the second image are (-1, -2) and (-1, -1).
        assert!(
            (found.centred_cosine.worst - 3.0 / 10f64.sqrt()).abs() < 1e-12,
            "{:?}",
            found.centred_cosine
        );
    }
}
