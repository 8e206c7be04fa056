//! Makes an int8 backbone from one of floats: calibrates it on images, writes it, and measures on other images what it costs.

mod calibration;
mod fidelity;
mod head_accuracy;
mod images;

pub use fidelity::{Fidelity, HeadAccuracy, Mean, fidelity_beside};

use super::graph::{PREPROCESSING_KEY, Quantizer};
use super::import::{check_new_name, onnx_path};
use super::onnx_runtime::{OnnxBackbone, version, weight_bits};
use super::resolved::ResolvedBackbone;
use super::{BackboneChoice, Device, SessionOptions};
use crate::data::dataset::Refused;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::{fs, json};
use crate::monitor::Monitor;
use calibration::calibrate;
use fidelity::{Features, fidelity_path, measure};
use images::{ChosenImages, embed};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A backbone to quantize.
///
/// | field | default | |
/// |---|---|---|
/// | `choice` | | the backbone of floats, with its layer and folder of backbones |
/// | `images` | | folder of images in class folders, such as those that the backbone is for |
/// | `name` | | name of the new backbone |
/// | `samples` | 512 | images to calibrate on, at most half of all |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QuantizeConfig {
    /// The backbone of floats. Fidelity is measured at its layer.
    pub choice: BackboneChoice,
    /// Folder of images in class folders.
    pub images: PathBuf,
    /// The name of the new backbone.
    pub name: String,
    /// Images to calibrate on; fewer where that would be more than half of all.
    pub samples: usize,
}

impl QuantizeConfig {
    /// Quantizes the backbone of `choice` as `name` on `images`, everything else by default.
    pub fn new(choice: BackboneChoice, images: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self { choice, images: images.into(), name: name.into(), samples: 512 }
    }
}

impl Default for QuantizeConfig {
    fn default() -> Self {
        Self::new(BackboneChoice::default(), PathBuf::new(), "")
    }
}

/// The backbone that [`quantize`] made.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct QuantizeStats {
    /// Its name.
    pub name: String,
    /// A few words that describe it.
    pub title: String,
    /// Its ONNX file, an absolute path.
    pub onnx: PathBuf,
    /// Digest of the ONNX file.
    pub sha256: Digest,
    /// Size of the ONNX file in bytes.
    pub bytes: u64,
    /// Number of convolutions that are computed with integers.
    pub convolutions: usize,
    /// Number of nodes of each operator that stay in float.
    pub left_float: BTreeMap<String, usize>,
    /// How near its features are to those of floats.
    pub fidelity: Fidelity,
    /// The file that holds `fidelity`.
    pub certificate: PathBuf,
    /// Images that could not be used.
    pub refused: Vec<Refused>,
}

/// Quantizes a backbone: convolutions behind the first compute with 8-bit integers, whose ranges are those of the features of
/// some of the images; other images show how near the features of the new backbone are to those of the old one. Installs
/// what is missing after asking. The same images and settings give the same file.
///
/// # Errors
/// [`Kind::Usage`] for a name that cannot be used or is taken, or without samples; [`Kind::Input`] when there are too few
/// images; [`Kind::Backbone`] when the network cannot be quantized; [`Kind::Interrupted`]; those of
/// [`BackboneChoice::resolve`] and of opening the backbone. Nothing is written then.
pub fn quantize(config: &QuantizeConfig, monitor: &dyn Monitor) -> Result<QuantizeStats> {
    let onnx = free_place(config)?;
    let resolved = config.choice.resolve()?;
    let images = ChosenImages::of(&config.images, config.samples, monitor)?;
    let runtime = resolved.install_missing(Device::Cpu, monitor)?;
    let library = &runtime.library.path;
    let at = |e: Error| if e.path().is_none() { e.at(&resolved.name) } else { e };
    let quantizer = Quantizer::new(&resolved.read_model()?).map_err(at)?;
    let (convolutions, left_float) = (quantizer.convolutions()?, quantizer.left_float().clone());
    let observed = calibrate(library, &quantizer, &images, &resolved.preprocessing, monitor).map_err(at)?;
    let title = format!("{}, int8", resolved.title);
    let origin = origin(&resolved, &images);
    let steps = serde_json::to_string(&resolved.preprocessing).unwrap_or_default();
    let metadata = [
        ("headstart.name", config.name.as_str()),
        ("headstart.title", &title),
        ("headstart.quantized", &origin),
        (PREPROCESSING_KEY, &steps),
    ];
    let bytes = quantizer.write(&observed, weight_bits(), &metadata).map_err(at)?;
    let sha256 = sha256(&bytes);
    let fidelity = compare(&resolved, library, &bytes, &images, monitor).map_err(at)?;
    fs::create_folder(&config.choice.models)?;
    let certificate = fidelity_path(&onnx);
    // A network without a certificate would be one whose fidelity nobody knows.
    fs::write_atomic(&certificate, &json::encode_pretty(&fidelity))?;
    fs::write_atomic(&onnx, &bytes)?;
    Ok(QuantizeStats {
        name: config.name.clone(),
        title,
        onnx: std::path::absolute(&onnx).unwrap_or(onnx),
        sha256,
        bytes: bytes.len() as u64,
        convolutions,
        left_float,
        fidelity,
        certificate: std::path::absolute(&certificate).unwrap_or(certificate),
        refused: images.refused,
    })
}

/// The file of the new backbone, where there is none yet.
fn free_place(config: &QuantizeConfig) -> Result<PathBuf> {
    check_new_name(&config.name)?;
    if config.samples == 0 {
        return Err(Error::new(Kind::Usage, "`samples` must be at least 1"));
    }
    let onnx = onnx_path(&config.choice.models, &config.name);
    match onnx.try_exists().map_err(|e| Error::io("look for the backbone", &onnx, e))? {
        true => Err(Error::new(Kind::Usage, format!("there is a backbone called {} already", config.name))
            .at(&onnx)
            .help("choose another `name`, or remove the file; caches that were made with it need it")),
        false => Ok(onnx),
    }
}

/// What the new network was made from, as JSON.
fn origin(resolved: &ResolvedBackbone, images: &ChosenImages) -> String {
    #[derive(Serialize)]
    struct Origin<'a> {
        parent: &'a str,
        parent_sha256: Digest,
        images: usize,
        images_sha256: Digest,
    }
    // The path of a file would make the bytes depend on the folder.
    let parent = Path::new(&resolved.name).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (parent_sha256, images_sha256) = (resolved.graph_sha256, images.calibration_sha256());
    let images = images.calibration.len();
    serde_json::to_string(&Origin { parent, parent_sha256, images, images_sha256 }).unwrap_or_default()
}

/// Computes the held-out images with both networks, and compares the features and the heads that are fitted to them.
fn compare(
    resolved: &ResolvedBackbone,
    library: &Path,
    quantized: &[u8],
    images: &ChosenImages,
    monitor: &dyn Monitor,
) -> Result<Fidelity> {
    let options = SessionOptions::new(Device::Cpu);
    let steps = &resolved.preprocessing;
    let mut float = resolved.open(options, monitor)?.swap_remove(0);
    let mut integer =
        OnnxBackbone::open(library, quantized.to_vec(), &resolved.layer, steps, options, monitor)?
            .swap_remove(0);
    let mut features = Features { float: Vec::new(), integer: Vec::new(), width: float.width() };
    embed(images, &images.held_out, "comparing", steps, monitor, &mut |pixels, n| {
        features.float.extend(float.embed(pixels, n)?.into_finite()?);
        features.integer.extend(integer.embed(pixels, n)?.into_finite()?);
        Ok(())
    })?;
    let heads = head_accuracy::compare(&images.held_out, &features)?;
    let mut fidelity = measure(&features);
    (fidelity.parent, fidelity.parent_sha256) = (resolved.name.clone(), resolved.graph_sha256);
    (fidelity.graph_sha256, fidelity.layer) = (sha256(quantized), resolved.layer.clone());
    (fidelity.weight_bits, fidelity.heads) = (weight_bits(), heads);
    fidelity.calibration_images = images.calibration.len();
    fidelity.images = images.root.clone();
    fidelity.runtime = format!("ONNX Runtime {}", version(library)?);
    Ok(fidelity)
}
