//! Builds backbones from published weights. One file per format reads the weights; all fill the same Inception-v3 graph.

pub mod keras;
mod named_weights;
mod names;
mod pickle;
mod published;
pub mod pytorch;
pub mod safetensors;
pub mod tensorflow;
mod tensors;
pub mod tfjs;
mod weights_file;

pub use published::{ImportConfig, ImportStats, Labels, build_onnx, import, onnx_path};
pub use tensors::{Tensor, Tensors};
pub use weights_file::{Format, WeightsFile};

use super::graph::PREPROCESSING_KEY;
use super::inception_v3::{Topology, build};
use crate::backbone::registry::{KnownBackbone, Source};
use crate::error::Result;
use crate::io::{archive, json};
use std::path::Path;
use tfjs::TfjsModel;

/// Builds the ONNX file of a known backbone from `archive`, the official file of its source.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the archive cannot be read,
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when it does not hold the network.
pub fn build_known(known: &KnownBackbone, archive: &Path) -> Result<Vec<u8>> {
    let Source::TfjsNpm { folder, .. } = &known.source;
    let model = TfjsModel::read(&archive::read_tgz(archive, folder)?)?;
    let preprocessing = json::encode(&known.preprocessing);
    let classes = json::encode(&known.classes);
    let metadata = [
        ("headstart.name", known.name.as_str()),
        ("headstart.title", known.title.as_str()),
        ("headstart.licence", known.licence.as_str()),
        ("headstart.classes", classes.as_str()),
        (PREPROCESSING_KEY, preprocessing.as_str()),
    ];
    build(Topology { input_side: known.preprocessing.size, ..Topology::default() }, &model, &metadata)
}
