//! What a person says about a manifest: a table with a row for each image, in place of folders of classes.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How a manifest is read. The default is that of files whose columns have the usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ManifestOptions {
    /// Folder that relative paths start from; `None` takes the folder of the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// Column of paths; `None` takes `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_column: Option<String>,
    /// Column of labels; `None` takes `label`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Column of several labels an image; `None` takes `labels` if there is such a column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels_column: Option<String>,
    /// Column of splits; `None` takes `split` if there is such a column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_column: Option<String>,
    /// Column of weights in the loss; `None` takes `weight` if there is such a column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_column: Option<String>,
    /// Column of groups; `None` takes `group` if there is such a column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_column: Option<String>,
}

/// A manifest that a data set was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The file, absolute.
    pub file: PathBuf,
    /// How it was read.
    #[serde(flatten)]
    pub options: ManifestOptions,
}

/// File format of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestFormat {
    /// A line of column names, then a line for each image, separated by commas.
    Csv,
    /// The same, separated by tabs.
    Tsv,
    /// A JSON object on each line.
    JsonLines,
    /// One Parquet file.
    Parquet,
}

/// Names of files that are manifests, for messages.
pub const MANIFEST_NAMES: &str = ".csv, .tsv, .jsonl or .parquet";

impl ManifestFormat {
    /// Returns the format that the extension of a file name stands for; `None` when there is none.
    pub fn from_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }
}
