//! `spec.json`: what the features of a cache are. Features of caches with equal specs can be compared.

use super::layout::SPEC;
use crate::backbone::known_answer::KnownAnswer;
use crate::backbone::{BackboneSearch, RecordedBackbone, ResolvedBackbone};
use crate::data::preprocess::Preprocessing;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::store::{Store, is_url};
use crate::io::{fs, json};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Version of the file formats in a cache.
pub const SCHEMA: &str = "features-v1";

/// The content of `spec.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The network that computed the features.
    pub backbone: BackboneSpec,
    /// The layer whose output is the features.
    pub layer: String,
    /// Floats per feature row.
    pub width: usize,
    /// How pixels enter the network.
    pub preprocessing: PreprocessingSpec,
    /// The output on the CPU for the image of the known-answer test, when the registry has none for this network; of a network that
    /// rounds values to integers, that on the device of the first rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_answer: Option<KnownAnswer>,
}

/// The network of a [`Spec`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneSpec {
    /// Name in the registry, or path. For display, not compared.
    pub name: String,
    /// Description. For display, not compared.
    pub title: String,
    /// SHA-256 of the ONNX file.
    pub graph_sha256: Digest,
}

/// The preprocessing of a [`Spec`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreprocessingSpec {
    /// Version of the image decoders.
    pub decode: String,
    /// Crop, resizing, size and normalization.
    #[serde(flatten)]
    pub steps: Preprocessing,
}

impl Spec {
    /// Reads the spec of the cache in the folder `cache`; `None` when there is none.
    ///
    /// # Errors
    /// [`Kind::Cache`] when `spec.json` cannot be parsed or is of another version, [`Kind::Io`] when it cannot be read.
    pub fn read(cache: &Path) -> Result<Option<Self>> {
        if is_url(cache) {
            return Err(Error::new(Kind::Usage, "a URL, where the path of a cache is needed")
                .at(cache)
                .help("copy the cache into a folder, and give that"));
        }
        let path = cache.join(SPEC);
        if !path.exists() {
            return Ok(None);
        }
        Self::parse(&fs::read(&path)?, &path).map(Some)
    }

    /// Reads the spec of the cache that `store` holds; `None` when there is none.
    ///
    /// # Errors
    /// Those of [`Spec::read`].
    pub(crate) fn read_from(store: &Store) -> Result<Option<Self>> {
        let bytes = store.read_if_any(SPEC)?;
        bytes.map(|bytes| Self::parse(&bytes, &store.path(SPEC))).transpose()
    }

    /// Parses `spec.json`; `path` is for messages.
    fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let restore = "restore the file, or extract into another `cache`";
        let unreadable = |e: serde_json::Error| {
            Error::new(Kind::Cache, "not a spec that this version reads").at(path).because(e).help(restore)
        };
        let json: serde_json::Value = json::decode(bytes).map_err(unreadable)?;
        match json.get("schema").and_then(serde_json::Value::as_str) {
            Some(SCHEMA) => serde_json::from_value(json).map_err(unreadable),
            Some(other) => {
                Err(Error::new(Kind::Cache, format!("the cache is {other}, this version reads {SCHEMA}"))
                    .at(path)
                    .help("use the version of headstart that made it, or extract into another `cache`"))
            }
            None => Err(Error::new(Kind::Cache, "not a spec: it names no schema").at(path).help(restore)),
        }
    }

    /// Returns the network that computed these features. It is known by its digest; its file need not be found yet.
    ///
    /// # Errors
    /// Errors of [`ResolvedBackbone::recorded`].
    pub fn resolve_backbone(&self, search: BackboneSearch) -> Result<ResolvedBackbone> {
        let recorded = RecordedBackbone {
            name: &self.backbone.name,
            title: &self.backbone.title,
            graph_sha256: self.backbone.graph_sha256,
            layer: &self.layer,
            preprocessing: self.preprocessing.steps,
            known_answer: self.known_answer.as_ref(),
        };
        ResolvedBackbone::recorded(recorded, search)
    }

    /// Encodes `spec.json`.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = json::encode_pretty(self);
        bytes.push(b'\n');
        bytes
    }

    /// Lists the fields in which `other` means other features, each as `NAME: VALUE this_place, VALUE other_place`,
    /// such as "layer: PreLogits in the cache, Mixed_6e asked for". The width follows from network and layer, and names
    /// are for display: neither is compared.
    pub fn differences(&self, other: &Self, this_place: &str, other_place: &str) -> Vec<String> {
        let text = |spec: &Self, name: &str, value: String| match name {
            "backbone" => format!("{} ({})", spec.backbone.name, spec.backbone.graph_sha256.short()),
            _ if value == "null" => "none".into(),
            _ => value,
        };
        self.compared_fields()
            .into_iter()
            .zip(other.compared_fields())
            .filter(|((_, ours), (_, theirs))| ours != theirs)
            .map(|((name, ours), (_, theirs))| {
                let (ours, theirs) = (text(self, name, ours), text(other, name, theirs));
                format!("{name}: {ours} {this_place}, {theirs} {other_place}")
            })
            .collect()
    }

    /// Names and values of the fields that decide what the features are.
    fn compared_fields(&self) -> [(&'static str, String); 12] {
        let steps = &self.preprocessing.steps;
        [
            ("backbone", self.backbone.graph_sha256.to_string()),
            ("layer", self.layer.clone()),
            ("decode", self.preprocessing.decode.clone()),
            ("crop", text(&steps.crop)),
            ("resize", text(&steps.resize)),
            ("shorter_side", text(&steps.shorter_side)),
            ("both_sides", text(&steps.both_sides)),
            ("size", text(&steps.size)),
            ("margin_rounds_down", text(&steps.margin_rounds_down.then_some(true))),
            ("scale", text(&steps.normalization)),
            ("stretch", text(&steps.stretch)),
            ("stretch_16bit", text(&steps.stretch_16bit)),
        ]
    }

    /// Computes the SHA-256 that each part carries: of the lines `schema=VALUE`, then `NAME=VALUE` for each field that is
    /// compared, each with a line feed. Fields without a value are left out, so that a later version can add some.
    pub fn digest(&self) -> Digest {
        let fields = self.compared_fields().into_iter().filter(|(_, value)| value != "null");
        let lines = fields.map(|(name, value)| format!("{name}={value}\n"));
        sha256(format!("schema={}\n{}", self.schema, lines.collect::<String>()).as_bytes())
    }

    /// Checks that the features of `cache`, which has this spec, are those of `wanted`.
    ///
    /// # Errors
    /// [`Kind::Cache`], naming each field that differs.
    pub fn require(&self, wanted: &Self, cache: &Path) -> Result<()> {
        match self.differences(wanted, "in the cache", "asked for") {
            none if none.is_empty() => Ok(()),
            some => Err(Error::new(Kind::Cache, format!("it holds other features: {}", some.join("; ")))
                .at(cache)
                .help("use another `cache` for these features, or the settings that this one was made with")),
        }
    }
}

/// A value as in the JSON file, without quotes.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default().trim_matches('"').to_string()
}

#[cfg(test)]
mod tests {
    use super::super::test_data::spec;
    use super::*;

    #[test]
    fn a_spec_survives_a_round_trip() {
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
        let message = spec().require(&other, Path::new("c")).unwrap_err().to_string();
        for field in [
            "backbone: n (fb8e20fc2e4c3f24",
            "layer: PreLogits in",
            "decode: d in",
            "crop: 1.0",
            "scale: unit",
        ] {
            assert!(message.contains(field), "{field} in {message}");
        }
        assert_ne!(spec().digest(), other.digest());
        other = Spec { width: 9, known_answer: Some(KnownAnswer::of_cpu(vec![1.0])), ..spec() };
        other.backbone.name = "another name".into();
        spec().require(&other, Path::new("c")).unwrap();
        assert_eq!(spec().digest(), other.digest());
    }

    #[test]
    fn the_digest_is_the_documented_one() {
        let Spec { backbone, preprocessing, .. } = spec();
        let lines = format!(
            "schema=features-v1\nbackbone={}\nlayer=PreLogits\ndecode={}\n",
            backbone.graph_sha256, preprocessing.decode
        );
        let steps = &spec().preprocessing.steps;
        let [crop, resize, size] = [text(&steps.crop), text(&steps.resize), text(&steps.size)];
        let rest = format!("crop={crop}\nresize={resize}\nsize={size}\nscale=unit\n");
        let stretch = format!("stretch={}\n", text(&steps.stretch));
        let stretch = if stretch.contains("null") { String::new() } else { stretch };
        assert_eq!(spec().digest(), sha256(format!("{lines}{rest}{stretch}").as_bytes()));
    }
}
