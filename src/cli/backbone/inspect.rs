//! `headstart backbone inspect`: the endpoints and weights of a network.

use super::quantize::certificate;
use crate::backbone::graph::{Endpoint, NetworkSummary, Variable, network_summary};
use crate::backbone::quantize::{Fidelity, fidelity_beside};
use crate::backbone::{BackboneChoice, ResolvedBackbone};
use crate::cli::options::Global;
use crate::cli::output::{Outcome, print_result};
use crate::cli::text::table_with_header;
use crate::data::preprocess::Preprocessing;
use crate::error::Result;
use crate::io::digest::Digest;
use serde::Serialize;

/// The JSON document of `backbone inspect`.
#[derive(Serialize)]
struct Inspected {
    name: String,
    title: String,
    sha256: Digest,
    preprocessing: Preprocessing,
    /// What its integers cost, where it was quantized here.
    fidelity: Option<Fidelity>,
    #[serde(flatten)]
    network: NetworkSummary,
}

pub(super) fn inspect(backbone: String, preprocess: Option<String>, global: &Global) -> Result<Outcome> {
    let choice =
        BackboneChoice { preprocess, models: global.models.clone(), ..BackboneChoice::new(backbone) };
    let resolved = choice.resolve()?;
    let network = network_summary(&resolved.read_model()?, resolved.preprocessing.size)
        .map_err(|e| e.at(&resolved.name))?;
    let fidelity = fidelity_beside(&resolved.locate()?, resolved.graph_sha256)?;
    let ResolvedBackbone { name, title, graph_sha256: sha256, preprocessing, .. } = resolved;
    let inspected = Inspected { name, title, sha256, preprocessing, fidelity, network };
    print_result(global, &inspected, || inspection(&inspected))?;
    Ok(Outcome::Done)
}

fn inspection(inspected: &Inspected) -> String {
    let Inspected { name, title, preprocessing, fidelity, network, .. } = inspected;
    let fidelity =
        fidelity.as_ref().map(|fidelity| format!("{}\n", certificate(fidelity))).unwrap_or_default();
    let side = preprocessing.size;
    let endpoint = |e: &Endpoint| {
        let shape = e.shape.as_deref().map_or_else(|| "?".into(), shape_text);
        [e.name.clone(), shape, e.parameters.to_string(), format!("{:.3}", gflop(e.multiply_adds))]
    };
    let variable = |v: &Variable| [v.name.clone(), shape_text(&v.shape), v.parameters.to_string()];
    format!(
        "{name}: {title}\ninput {side} x {side} x 3, {} parameters, {:.2} GFLOP an image\n\n{fidelity}{}\n{}",
        network.parameters,
        gflop(network.multiply_adds),
        table_with_header(
            ["endpoint", "shape", "parameters", "GFLOP"],
            network.endpoints.iter().map(endpoint)
        ),
        table_with_header(
            ["trainable variable", "shape", "parameters"],
            network.variables.iter().map(variable)
        ),
    )
}

fn shape_text(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}

/// A multiply-add is two operations.
pub(super) fn gflop(multiply_adds: u64) -> f64 {
    2.0 * multiply_adds as f64 / 1e9
}
