//! The metadata of `samples.parquet`, in three versions. Data sets that versions before manifests and groups know have the
//! first; theirs is the second, and that of data sets with several labels an image, with weights, or with images without a label, the third. Versions that do not know one
//! refuse it, since they would lose what it adds.

use crate::data::dataset::{FolderLayout, Fractions};
use crate::data::group_pattern::GroupPattern;
use crate::data::manifest::Manifest;
use crate::error::{Error, Kind, Result};
use crate::io::json;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the file says about all rows.
pub(super) struct SamplesMetadata {
    pub root: PathBuf,
    pub seed: u64,
    pub fractions: Fractions,
    pub layout: FolderLayout,
    pub manifest: Option<Manifest>,
    pub group_by: Option<GroupPattern>,
}

/// The version of a file, which follows from what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SamplesVersion {
    /// Folders of labelled images.
    First,
    /// With a manifest, or columns of given splits or groups.
    Second,
    /// With several labels an image, weights, or images without a label.
    Third,
}

// The keys of the first version. Files of later ones have none of them: a reader of the first stops at the missing seed.
const ROOT: &str = "headstart.root";
const SEED: &str = "headstart.seed";
const FRACTIONS: &str = "headstart.fractions";
/// Files of the usual layout do not have it.
const LAYOUT: &str = "headstart.layout";

/// The key of the second version and of later ones: JSON with their name.
const SAMPLES: &str = "headstart.samples";
/// Names of the second version and of the third.
const SCHEMAS: [&str; 2] = ["samples-v2", "samples-v3"];

/// The second version and the third, under one key.
#[derive(Serialize, Deserialize)]
struct UnderOneKey {
    schema: String,
    root: String,
    seed: u64,
    fractions: String,
    layout: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<Manifest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_by: Option<String>,
}

/// The only field that all versions from the second on have.
#[derive(Deserialize)]
struct Name {
    schema: String,
}

impl SamplesMetadata {
    /// Encodes the metadata of a file whose rows need `rows`, and which may need a later version for itself.
    pub fn encode(self, rows: SamplesVersion) -> Vec<(&'static str, String)> {
        let root = self.root.to_string_lossy().into_owned();
        let (fractions, layout) = (self.fractions.to_string(), self.layout.to_string());
        let is_second =
            self.manifest.is_some() || self.group_by.is_some() || self.layout == FolderLayout::Manifest;
        let version = if is_second { rows.max(SamplesVersion::Second) } else { rows };
        if version > SamplesVersion::First {
            let group_by = self.group_by.map(|pattern| pattern.to_string());
            let Self { seed, manifest, .. } = self;
            let schema = SCHEMAS[version as usize - 1].into();
            let later = UnderOneKey { schema, root, seed, fractions, layout, manifest, group_by };
            return vec![(SAMPLES, json::encode(&later))];
        }
        let mut first = vec![(ROOT, root), (SEED, self.seed.to_string()), (FRACTIONS, fractions)];
        if self.layout.has_splits() {
            first.push((LAYOUT, layout));
        }
        first
    }

    /// Reads the metadata of a file of any version.
    ///
    /// # Errors
    /// [`Kind::Cache`] when it is damaged, or of a later version.
    pub fn read(metadata: &BTreeMap<String, String>) -> Result<Self> {
        match metadata.get(SAMPLES) {
            Some(text) => Self::read_one_key(text),
            None => Self::read_first(metadata),
        }
    }

    fn read_first(metadata: &BTreeMap<String, String>) -> Result<Self> {
        let text = |key: &str| metadata.get(key).map(String::as_str).unwrap_or_default();
        let layout = metadata.get(LAYOUT).map(|text| text.parse()).transpose();
        Ok(Self {
            root: PathBuf::from(text(ROOT)),
            seed: text(SEED).parse().map_err(|_| damaged("seed"))?,
            fractions: text(FRACTIONS).parse().map_err(|_| damaged("fractions"))?,
            layout: layout.map_err(|_: Error| damaged("layout"))?.unwrap_or_default(),
            manifest: None,
            group_by: None,
        })
    }

    fn read_one_key(text: &str) -> Result<Self> {
        let unreadable = |e: serde_json::Error| damaged("metadata").because(e);
        let Name { schema } = serde_json::from_str(text).map_err(unreadable)?;
        if !SCHEMAS.contains(&schema.as_str()) {
            let message = format!("the samples are {schema}, this version reads {}", SCHEMAS.join(" and "));
            return Err(Error::new(Kind::Cache, message)
                .help("use the version of headstart that made them, or extract into another `cache`"));
        }
        let second: UnderOneKey = serde_json::from_str(text).map_err(unreadable)?;
        let group_by = second.group_by.map(|pattern| pattern.parse()).transpose();
        Ok(Self {
            root: second.root.into(),
            seed: second.seed,
            fractions: second.fractions.parse().map_err(|_| damaged("fractions"))?,
            layout: second.layout.parse().map_err(|_| damaged("layout"))?,
            manifest: second.manifest,
            group_by: group_by.map_err(|e: Error| damaged("groups").because(e))?,
        })
    }
}

fn damaged(what: &str) -> Error {
    Error::new(Kind::Cache, format!("its {what} cannot be read"))
}
