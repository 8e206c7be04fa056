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
    /// Returns the format of a table to be read, which may be packed by gzip, by its name; `None` when that is no table's.
    pub fn of_table(path: &Path) -> Option<Self> {
        let is_packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        match Self::from_path(Path::new(path.file_stem().filter(|_| is_packed).unwrap_or(path.as_os_str()))) {
            Some(Self::Parquet) if is_packed => None,
            format => format,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_may_be_packed_and_parquet_is_not() {
        let of = |name: &str| ManifestFormat::of_table(Path::new(name));
        assert_eq!(
            (of("a/m.csv.gz"), of("m.JSONL.GZ")),
            (Some(ManifestFormat::Csv), Some(ManifestFormat::JsonLines))
        );
        assert_eq!((of("m.parquet.gz"), of("m.gz"), of("a.tar.gz")), (None, None, None));
        assert_eq!(
            (of("m.parquet"), ManifestFormat::from_path(Path::new("m.csv.gz"))),
            (Some(ManifestFormat::Parquet), None)
        );
    }
}
