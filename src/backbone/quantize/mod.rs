//! Makes a backbone of 8-bit integers or 16-bit floats from one of 32-bit floats, and measures on images what that costs.
//! Integers are calibrated on other images first.

mod calibration;
mod fidelity;
mod head_accuracy;
mod images;
mod search;

pub use fidelity::{Fidelity, HeadAccuracy, Mean, NumberFormat, fidelity_beside};

use super::graph::{HalfNetwork, IntegerNetwork, PREPROCESSING_KEY, Quantizer, to_half};
use super::import::{check_new_name, onnx_path};
use super::onnx_runtime::{OnnxBackbone, version, weight_bits};
use super::proof::prove;
use super::registry::registry;
use super::resolved::ResolvedBackbone;
use super::{BackboneChoice, Device, OPENVINO_PROVIDER, SessionOptions};
use crate::data::dataset::Refused;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::{fs, json};
use crate::monitor::Monitor;
use calibration::calibrate;
use fidelity::{Features, fidelity_path, measure};
use images::{ChosenImages, embed};
use search::Search;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Share of the calibration images that decide which values stay in floats, as a divisor, and the most of them.
const DECIDING: (usize, usize) = (4, 64);

/// A backbone to quantize.
///
/// | field | default | |
/// |---|---|---|
/// | `choice` | | the backbone of floats, with its layer and folder of backbones |
/// | `images` | | folder of images in class folders, such as those that the backbone is for |
/// | `name` | | name of the new backbone |
/// | `format` | [`NumberFormat::Int8`] | how the new backbone computes |
/// | `samples` | 512 | images to calibrate integers on, at most half of all |
/// | `min_cosine` | 0.998 | centred cosine of integers below which some values stay in floats; 0 leaves none |
/// | `device` | [`Device::Cpu`] | where the new backbone is measured |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QuantizeConfig {
    /// The backbone of floats. Fidelity is measured at its layer.
    pub choice: BackboneChoice,
    /// Folder of images in class folders.
    pub images: PathBuf,
    /// The name of the new backbone.
    pub name: String,
    /// How the new backbone computes.
    pub format: NumberFormat,
    /// Images to calibrate integers on; fewer where that would be more than half of all.
    pub samples: usize,
    /// Values stay in floats until the features are likely to have this cosine with those of floats, after the mean of all images
    /// was subtracted: 0 to 1, without 1. Measured on a part of `samples`, and less two standard errors of their mean.
    pub min_cosine: f64,
    /// Where the new backbone runs while it is measured, the first one of several GPUs: the certificate is of this device, and so are the values that stay in
    /// floats. The backbone of floats runs on the CPU.
    pub device: Device,
}

impl QuantizeConfig {
    /// Quantizes the backbone of `choice` as `name` on `images`, everything else by default.
    pub fn new(choice: BackboneChoice, images: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self {
            choice,
            images: images.into(),
            name: name.into(),
            format: NumberFormat::Int8,
            samples: 512,
            min_cosine: 0.998,
            device: Device::Cpu,
        }
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
    /// Number of convolutions that are computed in the new format.
    pub convolutions: usize,
    /// Number of nodes of each operator that stay in float.
    pub left_float: BTreeMap<String, usize>,
    /// The values that stay in float because rounding them would cost too much.
    pub float_values: BTreeSet<String>,
    /// How near its features are to those of floats.
    pub fidelity: Fidelity,
    /// The file that holds `fidelity`.
    pub certificate: PathBuf,
    /// Images that could not be used.
    pub refused: Vec<Refused>,
}

/// Quantizes a backbone. With [`NumberFormat::Int8`] convolutions behind the first compute with 8-bit integers, whose ranges are
/// those of the values for some of the images; with [`NumberFormat::F16`] everything is 16-bit floats. Other images show how near
/// the features of the new backbone are to those of the old one. Installs what is missing after asking. The same images and
/// settings give the same file on the same device.
///
/// # Errors
/// [`Kind::Usage`] for a name that cannot be used or is taken, or without samples; [`Kind::Input`] when there are too few
/// images; [`Kind::Backbone`] when the network cannot be quantized; [`Kind::Interrupted`]; those of
/// [`BackboneChoice::resolve`] and of opening the backbone. Nothing is written then.
pub fn quantize(config: &QuantizeConfig, monitor: &dyn Monitor) -> Result<QuantizeStats> {
    let onnx = free_place(config)?;
    let resolved = config.choice.resolve()?;
    let samples = if config.format == NumberFormat::Int8 { config.samples } else { 0 };
    let images = ChosenImages::of(&config.images, samples, monitor)?;
    let runtime = resolved.install_missing(config.device, monitor)?;
    let library = &runtime.library.path;
    // Calibrating takes minutes, and a device that cannot be used should cost none.
    prove(library, config.device, monitor)?;
    let at = |e: Error| if e.path().is_none() { e.at(&resolved.name) } else { e };
    let made = match config.format {
        NumberFormat::Int8 => integers(config, &resolved, library, &images, monitor).map_err(at)?,
        NumberFormat::F16 => half_floats(config, &resolved).map_err(at)?,
    };
    let fidelity = Fidelity {
        format: config.format,
        weight_bits: made.weight_bits,
        ..compare(&resolved, library, &made.onnx, config.device, &images, monitor).map_err(at)?
    };
    fs::create_folder(&config.choice.models)?;
    let certificate = fidelity_path(&onnx);
    // A network without a certificate would be one whose fidelity nobody knows.
    fs::write_atomic(&certificate, &json::encode_pretty(&fidelity))?;
    fs::write_atomic(&onnx, &made.onnx)?;
    Ok(QuantizeStats {
        name: config.name.clone(),
        title: made.title,
        onnx: std::path::absolute(&onnx).unwrap_or(onnx),
        sha256: fidelity.graph_sha256,
        bytes: made.onnx.len() as u64,
        convolutions: made.convolutions,
        left_float: made.left_float,
        float_values: made.float_values,
        fidelity,
        certificate: std::path::absolute(&certificate).unwrap_or(certificate),
        refused: images.refused,
    })
}

/// A network in its new format.
struct MadeNetwork {
    onnx: Vec<u8>,
    title: String,
    weight_bits: u32,
    convolutions: usize,
    left_float: BTreeMap<String, usize>,
    float_values: BTreeSet<String>,
}

/// The metadata of a new network.
struct Metadata {
    title: String,
    origin: String,
    steps: String,
}

impl Metadata {
    fn of(resolved: &ResolvedBackbone, format: &str, origin: String) -> Self {
        let steps = serde_json::to_string(&resolved.preprocessing).unwrap_or_default();
        Self { title: format!("{}, {format}", resolved.title), origin, steps }
    }

    fn entries<'a>(&'a self, config: &'a QuantizeConfig) -> [(&'a str, &'a str); 4] {
        [
            ("headstart.name", &config.name),
            ("headstart.title", &self.title),
            ("headstart.quantized", &self.origin),
            (PREPROCESSING_KEY, &self.steps),
        ]
    }
}

fn integers(
    config: &QuantizeConfig,
    resolved: &ResolvedBackbone,
    library: &Path,
    images: &ChosenImages,
    monitor: &dyn Monitor,
) -> Result<MadeNetwork> {
    let quantizer = Quantizer::new(&resolved.read_model()?)?;
    let goal = config.min_cosine;
    let deciding = if goal > 0.0 { (images.calibration.len() / DECIDING.0).min(DECIDING.1) } else { 0 };
    let (deciding, calibrating) = images.calibration.split_at(deciding);
    let observed = calibrate(library, &quantizer, images, calibrating, &resolved.preprocessing, monitor)?;
    let calibrated = quantizer.calibrated(observed, weight_bits());
    let device = config.device;
    let search = Search { resolved, library, calibrated: &calibrated, goal, device, monitor };
    let float_values = if deciding.is_empty() { BTreeSet::new() } else { search.run(images, deciding)? };
    let metadata = Metadata::of(resolved, "int8", origin(resolved, Some(images)));
    let IntegerNetwork { onnx, convolutions, left_float } =
        calibrated.write(&float_values, &metadata.entries(config))?;
    let (title, weight_bits) = (metadata.title, weight_bits());
    Ok(MadeNetwork { onnx, title, weight_bits, convolutions, left_float, float_values })
}

fn half_floats(config: &QuantizeConfig, resolved: &ResolvedBackbone) -> Result<MadeNetwork> {
    let metadata = Metadata::of(resolved, "16-bit floats", origin(resolved, None));
    let HalfNetwork { onnx, convolutions } = to_half(&resolved.read_model()?, &metadata.entries(config))?;
    Ok(MadeNetwork {
        onnx,
        title: metadata.title,
        weight_bits: 16,
        convolutions,
        left_float: BTreeMap::new(),
        float_values: BTreeSet::new(),
    })
}

/// The file of the new backbone, where there is none yet.
fn free_place(config: &QuantizeConfig) -> Result<PathBuf> {
    check_new_name(&config.name)?;
    if config.samples == 0 {
        return Err(Error::new(Kind::Usage, "`samples` must be at least 1"));
    }
    if !(0.0..1.0).contains(&config.min_cosine) {
        return Err(Error::new(Kind::Usage, "`min_cosine` must be at least 0 and less than 1"));
    }
    let onnx = onnx_path(&config.choice.models, &config.name);
    match onnx.try_exists().map_err(|e| Error::io("look for the backbone", &onnx, e))? {
        true => Err(Error::new(Kind::Usage, format!("there is a backbone called {} already", config.name))
            .at(&onnx)
            .help("choose another `name`, or remove the file; caches that were made with it need it")),
        false => Ok(onnx),
    }
}

/// What the new network was made from, as JSON; with the images that it was calibrated on.
fn origin(resolved: &ResolvedBackbone, images: Option<&ChosenImages>) -> String {
    #[derive(Serialize)]
    struct Origin<'a> {
        parent: &'a str,
        parent_sha256: Digest,
        #[serde(skip_serializing_if = "Option::is_none")]
        images: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        images_sha256: Option<Digest>,
    }
    // The path of a file would make the bytes depend on the folder.
    let parent = Path::new(&resolved.name).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let parent_sha256 = resolved.graph_sha256;
    let images_sha256 = images.map(ChosenImages::calibration_sha256);
    let images = images.map(|images| images.calibration.len());
    serde_json::to_string(&Origin { parent, parent_sha256, images, images_sha256 }).unwrap_or_default()
}

/// What computes with `provider`: ONNX Runtime with its version, and the wheel of OpenVINO.
fn runtime_name(library: &Path, provider: &str) -> Result<String> {
    let plug_in = registry().openvino.wheel().filter(|_| provider == OPENVINO_PROVIDER);
    let plug_in = plug_in.map(|wheel| format!(", {} {}", wheel.package, wheel.version)).unwrap_or_default();
    Ok(format!("ONNX Runtime {}{plug_in}", version(library)?))
}

/// Computes the held-out images with both networks, and compares the features and the heads that are fitted to them.
fn compare(
    resolved: &ResolvedBackbone,
    library: &Path,
    quantized: &[u8],
    device: Device,
    images: &ChosenImages,
    monitor: &dyn Monitor,
) -> Result<Fidelity> {
    let options = SessionOptions::new(device);
    let steps = &resolved.preprocessing;
    let mut float = resolved.open(SessionOptions::new(Device::Cpu), monitor)?.swap_remove(0);
    let mut rounded =
        OnnxBackbone::open(library, quantized.to_vec(), &resolved.layer, steps, options, monitor)?
            .swap_remove(0);
    let mut features = Features { float: Vec::new(), rounded: Vec::new(), width: float.width() };
    embed(images, &images.held_out, "comparing", steps, monitor, &mut |pixels, n| {
        features.float.extend(float.embed(pixels, n)?.into_finite()?);
        features.rounded.extend(rounded.embed(pixels, n)?.into_finite()?);
        Ok(())
    })?;
    let heads = head_accuracy::compare(&images.held_out, &features)?;
    let mut fidelity = measure(&features);
    (fidelity.parent, fidelity.parent_sha256) = (resolved.name.clone(), resolved.graph_sha256);
    (fidelity.graph_sha256, fidelity.layer) = (sha256(quantized), resolved.layer.clone());
    fidelity.heads = heads;
    fidelity.calibration_images = images.calibration.len();
    fidelity.images = images.root.clone();
    fidelity.provider = rounded.provider().into();
    fidelity.runtime = runtime_name(library, rounded.provider())?;
    Ok(fidelity)
}
