//! What the features of a cache are: `spec.json`. Two caches with equal specs hold comparable features.

use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::preprocess::Preprocessing;
use crate::setup::ResolvedBackbone;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The version of the files in a cache.
pub const SCHEMA: &str = "features-v1";

/// The content of `spec.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// [`SCHEMA`].
    pub schema: String,
    /// The network.
    pub backbone: BackboneSpec,
    /// The layer that was embedded.
    pub layer: String,
    /// Floats in one embedding.
    pub width: usize,
    /// How pixels entered.
    pub preprocessing: PreprocessingSpec,
    /// The network's first answer on the CPU to the known-answer image, where none is stored for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_answer: Option<Vec<f32>>,
}

/// The network of a [`Spec`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneSpec {
    /// A known name or a path; for people, not compared.
    pub name: String,
    /// What it is; for people, not compared.
    pub title: String,
    /// Digest of the ONNX file.
    pub graph_sha256: Digest,
}

/// The preprocessing of a [`Spec`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreprocessingSpec {
    /// Version of the image decoders.
    pub decode: String,
    /// Crop, resize, size and scale.
    #[serde(flatten)]
    pub steps: Preprocessing,
}

impl Spec {
    /// Reads `spec.json` of a cache; `None` when there is none.
    ///
    /// # Errors
    /// [`Kind::Cache`] when it cannot be parsed or is of another version.
    pub fn read(cache: &Path) -> Result<Option<Self>> {
        let path = cache.join("spec.json");
        if !path.exists() {
            return Ok(None);
        }
        let unread = |e: serde_json::Error| {
            Error::new(Kind::Cache, "not a spec that this version reads")
                .at(&path)
                .because(e)
                .help("put the file back as it was, or extract into another --cache")
        };
        let json: serde_json::Value = serde_json::from_slice(&fs::read(&path)?).map_err(unread)?;
        match json.get("schema").and_then(serde_json::Value::as_str) {
            Some(SCHEMA) => serde_json::from_value(json).map(Some).map_err(unread),
            Some(other) => {
                Err(Error::new(Kind::Cache, format!("the cache is {other}, this version reads {SCHEMA}"))
                    .at(&path)
                    .help("use the headstart that made it, or extract into another --cache"))
            }
            None => Err(Error::new(Kind::Cache, "not a spec: it names no schema")
                .at(&path)
                .help("put the file back as it was, or extract into another --cache")),
        }
    }

    /// Returns the network that computed these features. `models` is the folder of built backbones.
    ///
    /// # Errors
    /// Errors of [`ResolvedBackbone::checked`].
    pub fn resolve_backbone(&self, models: &Path) -> Result<ResolvedBackbone> {
        ResolvedBackbone {
            name: self.backbone.name.clone(),
            title: self.backbone.title.clone(),
            graph_sha256: self.backbone.graph_sha256,
            layer: self.layer.clone(),
            preprocessing: self.preprocessing.steps,
            known_answer: self.known_answer.clone(),
            models: models.to_path_buf(),
        }
        .checked()
    }

    /// The bytes of `spec.json`.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("plain data");
        bytes.push(b'\n');
        bytes
    }

    /// The fields in which `wanted` speaks of other features, each as `name: this one HERE, that one THERE`. The width
    /// follows from network and layer, and names are for people: neither is compared.
    pub fn differences(&self, wanted: &Self, in_this: &str, in_that: &str) -> Vec<String> {
        let (here, there) = (&self.preprocessing.steps, &wanted.preprocessing.steps);
        let fields: [(&str, String, String); 8] = [
            ("backbone", self.backbone_text(), wanted.backbone_text()),
            ("layer", self.layer.clone(), wanted.layer.clone()),
            ("decode", self.preprocessing.decode.clone(), wanted.preprocessing.decode.clone()),
            ("crop", text(&here.crop), text(&there.crop)),
            ("resize", text(&here.resize), text(&there.resize)),
            ("size", text(&here.size), text(&there.size)),
            ("scale", text(&here.normalization), text(&there.normalization)),
            ("stretch", text(&here.stretch), text(&there.stretch)),
        ];
        let differs = self.backbone.graph_sha256 != wanted.backbone.graph_sha256;
        fields
            .into_iter()
            .filter(|(name, a, b)| if *name == "backbone" { differs } else { a != b })
            .map(|(name, a, b)| format!("{name}: {a} {in_this}, {b} {in_that}"))
            .collect()
    }

    fn backbone_text(&self) -> String {
        format!("{} ({})", self.backbone.name, self.backbone.graph_sha256.short())
    }

    /// Refuses features of another kind.
    ///
    /// # Errors
    /// [`Kind::Cache`], naming each field that differs.
    pub fn require(&self, wanted: &Self, cache: &Path) -> Result<()> {
        match self.differences(wanted, "in the cache", "asked for") {
            none if none.is_empty() => Ok(()),
            some => Err(Error::new(Kind::Cache, format!("it holds other features: {}", some.join("; ")))
                .at(cache)
                .help("use another --cache for these features, or the settings that this one was made with")),
        }
    }
}

/// A value as it stands in the JSON, without quotes.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default().trim_matches('"').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;

    fn spec() -> Spec {
        Spec {
            schema: SCHEMA.into(),
            backbone: BackboneSpec { name: "n".into(), title: "t".into(), graph_sha256: sha256(b"ab") },
            layer: "PreLogits".into(),
            width: 4,
            preprocessing: PreprocessingSpec {
                decode: "d/1".into(),
                steps: Preprocessing::named("unit").unwrap(),
            },
            known_answer: None,
        }
    }

    #[test]
    fn it_survives_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Spec::read(dir.path()).unwrap(), None);
        fs::write_atomic(&dir.path().join("spec.json"), &spec().encode()).unwrap();
        assert_eq!(Spec::read(dir.path()).unwrap(), Some(spec()));
    }

    #[test]
    fn every_field_that_differs_is_named() {
        let mut other = spec();
        other.backbone.graph_sha256 = sha256(b"cd");
        other.layer = "Mixed_6e".into();
        other.preprocessing.decode = "d/2".into();
        other.preprocessing.steps = Preprocessing::named("inception").unwrap();
        let said = spec().require(&other, Path::new("c")).unwrap_err().to_string();
        for field in [
            "backbone: n (fb8e20fc2e4c3f24",
            "layer: PreLogits in",
            "decode: d/1",
            "crop: 1.0",
            "scale: unit",
        ] {
            assert!(said.contains(field), "{field} in {said}");
        }
        other = Spec { width: 9, ..spec() };
        other.backbone.name = "another name".into();
        spec().require(&other, Path::new("c")).unwrap();
    }
}
