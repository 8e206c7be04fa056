//! Proves a backbone on this machine: ONNX Runtime's answer at every endpoint for one fixed image, beside a computation in
//! float64 that shares no code with it. The result is written beside the ONNX file.

use super::choice::BackboneChoice;
use super::graph::{Endpoint, evaluate_float64, inspect, network_summary};
use super::known_answer::{self, probe_image, relative_distance};
use super::onnx_runtime::{NetworkOutput, OnnxBackbone};
use super::registry::{DEFAULT_BACKBONE, default_models, registry};
use super::resolved::ResolvedBackbone;
use super::{Device, PRELOGITS};
use crate::data::preprocess::Preprocessing;
use crate::error::{Error, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::{fs, json};
use crate::math::parallel::thread_count;
use crate::monitor::Monitor;
use serde::Serialize;
use std::collections::HashMap;
use std::path::PathBuf;

/// Configuration of [`verify`].
///
/// | field | default | |
/// |---|---|---|
/// | `backbone` | `nsfwjs` | name of an installed backbone, or path of an ONNX file |
/// | `preprocess` | the backbone's own | named preprocessing |
/// | `device` | [`Device::Auto`] | where the network runs |
/// | `models` | [`default_models`] | folder of built backbones |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifyBackboneConfig {
    /// The name of an installed backbone, or the path of an ONNX file.
    pub backbone: String,
    /// The name of a preprocessing to use instead of the backbone's own.
    pub preprocess: Option<String>,
    /// Where the network runs.
    pub device: Device,
    /// Folder of built backbones.
    pub models: PathBuf,
}

impl VerifyBackboneConfig {
    /// Verifies `backbone`, everything else by default.
    pub fn new(backbone: impl Into<String>) -> Self {
        Self { backbone: backbone.into(), preprocess: None, device: Device::Auto, models: default_models() }
    }
}

impl Default for VerifyBackboneConfig {
    fn default() -> Self {
        Self::new(DEFAULT_BACKBONE)
    }
}

/// What [`verify`] found, and what is written.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Certificate {
    /// Name of the backbone.
    pub name: String,
    /// A few words that describe it.
    pub title: String,
    /// SHA-256 of the file that the ONNX file was built from, where it is known.
    pub source_sha256: Option<String>,
    /// SHA-256 of the ONNX file.
    pub graph_sha256: Digest,
    /// SHA-256 of the pixels of the image.
    pub image_sha256: Digest,
    /// How the image entered the network.
    pub preprocessing: Preprocessing,
    /// The runtime with its version.
    pub runtime: String,
    /// The execution provider that ran the network.
    pub provider: String,
    /// Version of headstart.
    pub version: String,
    /// Largest relative L2 distance that is accepted.
    pub tolerance: f64,
    /// Whether every distance is at most `tolerance`; `None` when there was nothing to compare with.
    pub agrees: Option<bool>,
    /// Why there is no computation in float64; `None` when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_reference: Option<String>,
    /// Relative L2 distance of PreLogits from the answer that is stored in headstart; `None` when none is stored.
    pub distance_to_stored_answer: Option<f64>,
    /// The endpoints, from the input on.
    pub endpoints: Vec<EndpointProof>,
}

/// The answer at one endpoint.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct EndpointProof {
    /// Its name.
    pub name: String,
    /// Its shape for one image, `[height, width, channels]` or `[width]`.
    pub shape: Option<Vec<usize>>,
    /// Mean of its values.
    pub mean: f64,
    /// L2 norm of its values.
    pub norm: f64,
    /// Largest absolute difference from the value in float64.
    pub largest_difference: Option<f64>,
    /// Relative L2 distance from the values in float64.
    pub relative_distance: Option<f64>,
}

/// Result of [`verify`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Verified {
    /// The certificate.
    #[serde(flatten)]
    pub certificate: Certificate,
    /// The file that holds it.
    pub file: PathBuf,
}

/// Runs the image of the known-answer test through every endpoint of a backbone, compares the answers with a computation in
/// float64, and writes the certificate beside its ONNX file, as `NAME.certificate.json`. Installs what is missing after
/// asking. A network that does not agree is no error: the certificate says so.
///
/// # Errors
/// Those of [`BackboneChoice::resolve`] and of opening the backbone; [`Kind::Io`](crate::error::Kind::Io) when the
/// certificate cannot be written.
pub fn verify(config: &VerifyBackboneConfig, monitor: &dyn Monitor) -> Result<Verified> {
    let VerifyBackboneConfig { backbone, preprocess, device, models } = config.clone();
    let choice = BackboneChoice { preprocess, models, ..BackboneChoice::new(backbone) };
    let resolved = choice.resolve()?;
    let runtime = resolved.install_missing(device, monitor)?;
    let (path, model) = (resolved.locate()?, resolved.read_model()?);
    let at = |e: Error| if e.path().is_none() { e.at(&path) } else { e };
    let endpoints = network_summary(&model, resolved.preprocessing.size).map_err(at)?.endpoints;
    // A plus would join two layers.
    let endpoints: Vec<Endpoint> = endpoints.into_iter().filter(|e| !e.name.contains('+')).collect();
    let layers: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    let steps = &resolved.preprocessing;
    let mut pixels = vec![0; steps.input_bytes()];
    steps.planes(&probe_image(), &mut pixels);
    let library = &runtime.library.path;
    let output = OnnxBackbone::layer_values(library, model.clone(), &layers, steps, device, &pixels, monitor);
    let output = output.map_err(at)?;
    let certificate = certificate(&resolved, &model, &endpoints, output)?;
    let file = path.with_extension("certificate.json");
    fs::write_atomic(&file, &json::encode_pretty(&certificate))?;
    Ok(Verified { certificate, file })
}

/// Compares the output of the network with its reference.
fn certificate(
    resolved: &ResolvedBackbone,
    model: &[u8],
    endpoints: &[Endpoint],
    output: NetworkOutput,
) -> Result<Certificate> {
    let found: HashMap<&str, &[f32]> =
        endpoints.iter().zip(&output.layers).map(|(e, layer)| (e.name.as_str(), &layer.values[..])).collect();
    let (distances, without_reference) =
        match distances(&found, model, &resolved.preprocessing.tensor(&probe_image())) {
            Ok(distances) => (distances, None),
            // Half a reference would look like a whole one.
            Err(e) => (HashMap::new(), Some(e.with_causes())),
        };
    let proof = |endpoint| EndpointProof::of(endpoint, found[endpoint.name.as_str()], &distances);
    let endpoints: Vec<EndpointProof> = endpoints.iter().map(proof).collect();
    let answer =
        resolved.known_answer.as_ref().map(|known| &known.features).zip(found.get(PRELOGITS).copied());
    let stored = answer.map(|(expected, values)| match expected.len() == values.len() {
        true => relative_distance(values, expected),
        false => f64::INFINITY,
    });
    let tolerance = known_answer::tolerance(output.provider);
    Ok(Certificate {
        name: resolved.name.clone(),
        title: resolved.title.clone(),
        source_sha256: source_digest(resolved, model),
        graph_sha256: resolved.graph_sha256,
        image_sha256: sha256(probe_image().data()),
        preprocessing: resolved.preprocessing,
        runtime: output.runtime,
        provider: output.provider.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        tolerance,
        agrees: agreement(&endpoints, stored, tolerance),
        without_reference,
        distance_to_stored_answer: stored,
        endpoints,
    })
}

/// The distance of each endpoint from its value in float64, by name. `found` are the values of the network.
fn distances(
    found: &HashMap<&str, &[f32]>,
    model: &[u8],
    image: &[f32],
) -> Result<HashMap<String, Distance>> {
    let mut distances = HashMap::new();
    evaluate_float64(model, image, thread_count(0), &mut |name, reference| {
        if let Some(values) = found.get(name).filter(|values| values.len() == reference.len()) {
            distances.insert(name.to_string(), Distance::between(values, reference));
        }
    })?;
    Ok(distances)
}

impl EndpointProof {
    fn of(endpoint: &Endpoint, values: &[f32], distances: &HashMap<String, Distance>) -> Self {
        let distance = distances.get(&endpoint.name);
        Self {
            name: endpoint.name.clone(),
            shape: endpoint.shape.clone(),
            mean: values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64,
            norm: values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt(),
            largest_difference: distance.map(|distance| distance.largest),
            relative_distance: distance.map(|distance| distance.relative),
        }
    }
}

/// How far values are from their reference.
struct Distance {
    largest: f64,
    relative: f64,
}

impl Distance {
    fn between(values: &[f32], reference: &[f64]) -> Self {
        let differences = || values.iter().zip(reference).map(|(&a, b)| f64::from(a) - b);
        // A comparison with what is no number must not pass it over.
        let larger = |a: f64, b: f64| if b.is_nan() || a.is_nan() { f64::NAN } else { a.max(b) };
        let (square, norm) =
            (differences().map(|d| d * d).sum::<f64>(), reference.iter().map(|b| b * b).sum::<f64>());
        let relative = if square == 0.0 { 0.0 } else { (square / norm).sqrt() };
        Self { largest: differences().map(f64::abs).fold(0.0, larger), relative }
    }
}

/// Whether all distances are small; `None` without any.
fn agreement(endpoints: &[EndpointProof], stored: Option<f64>, tolerance: f64) -> Option<bool> {
    let mut distances = endpoints.iter().filter_map(|e| e.relative_distance).chain(stored).peekable();
    distances.peek()?;
    Some(distances.all(|distance| distance <= tolerance))
}

/// The digest of the file that the network was built from.
fn source_digest(resolved: &ResolvedBackbone, model: &[u8]) -> Option<String> {
    let known = registry().backbones.iter().find(|known| known.onnx_sha256 == resolved.graph_sha256);
    let pinned = known.map(|known| known.source.package_sha256().to_string());
    pinned.or_else(|| inspect(model).ok()?.source_sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_off_or_no_number_does_not_agree() {
        let proof = |relative_distance| EndpointProof {
            name: "x".into(),
            shape: None,
            mean: 0.0,
            norm: 0.0,
            largest_difference: None,
            relative_distance,
        };
        let near = proof(Some(1e-6));
        assert_eq!(agreement(&[near.clone(), near.clone()], Some(1e-5), 1e-4), Some(true));
        for (distance, stored) in [(1e-3, None), (f64::NAN, None), (1e-6, Some(1.0))] {
            assert_eq!(agreement(&[near.clone(), proof(Some(distance))], stored, 1e-4), Some(false));
        }
        assert_eq!(agreement(&[proof(None)], None, 1e-4), None);
        let off = Distance::between(&[1.0, 2.0, 2.5], &[1.0, 2.0, 2.0]);
        assert_eq!((off.largest, off.relative), (0.5, 0.5 / 3.0));
        let not_a_number = Distance::between(&[1.0, f32::NAN, 2.0], &[1.0, 2.0, 2.0]);
        assert!(not_a_number.largest.is_nan() && not_a_number.relative.is_nan());
        assert_eq!(Distance::between(&[0.0], &[0.0]).relative, 0.0);
    }
}
