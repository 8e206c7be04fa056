//! A spec and feature rows for the unit tests of all rooms.

use super::key::Key;
use super::part::FeatureRows;
use super::spec::{BackboneSpec, PreprocessingSpec, SCHEMA, Spec};
use crate::data::augment::Variant;
use crate::data::preprocess::Preprocessing;
use crate::io::digest::sha256;

/// A spec of features of width 2.
pub(crate) fn spec() -> Spec {
    Spec {
        schema: SCHEMA.into(),
        backbone: BackboneSpec { name: "n".into(), title: "t".into(), graph_sha256: sha256(b"ab") },
        layer: "PreLogits".into(),
        width: 2,
        preprocessing: PreprocessingSpec { decode: "d".into(), steps: Preprocessing::named("unit").unwrap() },
        known_answer: None,
    }
}

/// One row of variant `none` for each name. Keys and features follow from the name.
pub(crate) fn rows(names: &[&str]) -> FeatureRows {
    let key = |n: &&str| Key { image_sha256: sha256(n.as_bytes()), variant: Variant::None };
    let embeddings = names.iter().flat_map(|n| [n.len() as f32, f32::from(n.as_bytes()[0])]).collect();
    FeatureRows { keys: names.iter().map(key).collect(), width: 2, embeddings }
}
