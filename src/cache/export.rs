//! Exports a cache as one flat table for other tools: samples joined with features.

use super::joined_rows::{COLUMNS, JoinedRow, JoinedRows};
use super::npy::{MAGIC, npy_header};
use super::reader::FeatureCache;
use crate::data::augment::Variant;
use crate::data::dataset::Split;
use crate::error::{Error, Kind, Result};
use crate::io::fs::{self, OutputFormat};
use crate::io::json;
use crate::io::parquet::{ColumnData, Table, TableWriter, Vectors, arrow_has_key, parquet_has_key};
use crate::io::safetensors::{Tensor, TensorData, encode_tensors, own_tensor_names};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// File format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportFormat {
    /// One Parquet file.
    Parquet,
    /// A NumPy matrix, and the other columns as CSV beside it.
    Npy,
    /// Tensors of features and of indices.
    Safetensors,
    /// An Arrow IPC file, also known as Feather version 2.
    Arrow,
}

/// Result of [`export`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ExportStats {
    /// The files that were written.
    pub files: Vec<PathBuf>,
    /// Number of rows in each file.
    pub rows: usize,
    /// Floats per feature row.
    pub width: usize,
    /// Number of image files without features.
    pub without_features: usize,
}

/// Writes the cache at `root` to `out`: an earlier export is replaced, a link followed, a device or pipe written through. The
/// digest of each part is checked. Beside a NumPy file the other columns are written as CSV.
///
/// # Errors
/// [`Kind::Usage`] when `out` is inside the cache; [`Kind::Cache`] when the cache is missing or damaged;
/// [`Kind::Input`] when another file is in the way; [`Kind::Io`] when a file cannot be written.
pub fn export(root: &Path, out: &Path, format: ExportFormat) -> Result<ExportStats> {
    let cache = FeatureCache::open(root)?;
    if fs::resolve(out)?.starts_with(fs::resolve(root)?) {
        return Err(Error::new(Kind::Usage, "the export cannot be inside the cache")
            .at(out)
            .help("choose another place for `out`"));
    }
    let is_own = |path: &Path| format.is_own(path);
    let output = OutputFormat { name: "export", is_own: &is_own };
    let csv_path = if format == ExportFormat::Npy { csv_path(out)? } else { None };
    fs::check_output(out, output)?;
    let samples = cache.samples()?;
    let joined = JoinedRows::of(&cache, &samples)?;
    fs::write_output(out, output, |file| joined.write(format, &cache, file, out))?;
    let mut files = vec![out.to_path_buf()];
    if let Some(path) = csv_path {
        let csv = Table::new(joined.columns(&joined.rows)).encode_csv(true);
        fs::write_output(&path, ROWS, |file| file.write_all(&csv).map_err(|e| Error::io("write", &path, e)))?;
        files.push(path);
    }
    let (rows, width) = (joined.rows.len(), joined.width());
    Ok(ExportStats { files, rows, width, without_features: joined.without_features })
}

/// Key in the metadata of an export that no other file of ours has.
const CLASSES: &str = "headstart.classes";

/// The table beside a NumPy matrix. An earlier one has the same heading.
const ROWS: OutputFormat = OutputFormat { name: "table of rows", is_own: &is_table_of_rows };

fn is_table_of_rows(path: &Path) -> bool {
    begins_with(path, COLUMNS.join(",").as_bytes())
}

fn begins_with(path: &Path, bytes: &[u8]) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(bytes.len() as u64).read_to_end(&mut start));
    read.is_ok() && start == bytes
}

/// Path of the table beside the matrix `out`; `None` beside a device or pipe.
fn csv_path(out: &Path) -> Result<Option<PathBuf>> {
    if fs::is_stream(out) {
        return Ok(None);
    }
    let path = out.with_extension("csv");
    if path == out {
        return Err(Error::new(Kind::Usage, "the matrix and its rows would be one file")
            .at(&path)
            .help("let the name in `out` end with .npy"));
    }
    fs::check_output(&path, ROWS)?;
    Ok(Some(path))
}

impl ExportFormat {
    /// Whether the file at `path` is an earlier export of this format. A NumPy file holds no notes; it is one when its
    /// table of rows is beside it.
    fn is_own(self, path: &Path) -> bool {
        match self {
            Self::Parquet => parquet_has_key(path, CLASSES),
            Self::Arrow => arrow_has_key(path, CLASSES),
            Self::Npy => begins_with(path, MAGIC) && is_table_of_rows(&path.with_extension("csv")),
            Self::Safetensors => {
                own_tensor_names(path).is_some_and(|names| names.iter().any(|n| n == "embedding"))
            }
        }
    }

    /// The format that the extension of a file name stands for; `None` when there is none.
    pub fn from_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "feather" | "ipc" => Some(Self::Arrow),
            other => other.parse().ok(),
        }
    }
}

impl FromStr for ExportFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "parquet" => Ok(Self::Parquet),
            "npy" => Ok(Self::Npy),
            "safetensors" => Ok(Self::Safetensors),
            "arrow" => Ok(Self::Arrow),
            _ => Err(Error::not_one_of(text, "a format", &["parquet", "npy", "safetensors", "arrow"])),
        }
    }
}

impl JoinedRows<'_> {
    /// Writes the rows to `file`, whose path is `out`.
    fn write(
        &self,
        format: ExportFormat,
        cache: &FeatureCache,
        file: &mut (dyn Write + Send),
        out: &Path,
    ) -> Result<()> {
        let fail = |e| Error::io("write", out, e);
        let spec = json::encode(cache.spec());
        match format {
            ExportFormat::Parquet | ExportFormat::Arrow => {
                let Table { columns, metadata } =
                    self.table(&[], Vec::new()).with_metadata(self.metadata(&spec));
                let mut writer = match format {
                    ExportFormat::Parquet => TableWriter::parquet(file, &columns, &metadata),
                    _ => TableWriter::arrow(file, &columns, &metadata).map_err(fail)?,
                };
                self.for_each_block(|rows, features| {
                    writer.write(self.table(rows, features).columns).map_err(fail)
                })?;
                writer.finish().map_err(fail)
            }
            ExportFormat::Npy => {
                file.write_all(&npy_header(self.rows.len(), self.width())).map_err(fail)?;
                self.for_each_block(|_, features| {
                    let bytes: Vec<u8> = features.into_iter().flat_map(f32::to_le_bytes).collect();
                    file.write_all(&bytes).map_err(fail)
                })
            }
            ExportFormat::Safetensors => file.write_all(&self.encode_safetensors(&spec)?).map_err(fail),
        }
    }

    /// All columns of `rows`, whose features are given.
    fn table(&self, rows: &[JoinedRow], features: Vec<f32>) -> Table {
        let embeddings = ColumnData::Vectors(Vectors { width: self.width(), values: features });
        Table::new(self.columns(rows).chain([("embedding", embeddings)]))
    }

    fn metadata(&self, spec: &str) -> [(&'static str, String); 2] {
        let classes = json::encode(&self.classes);
        [(CLASSES, classes), ("headstart.spec", spec.to_string())]
    }

    /// Encodes the rows as safetensors. The format stores each tensor in one piece, so all features are in memory at once.
    fn encode_safetensors(&self, spec: &str) -> Result<Vec<u8>> {
        let mut embeddings = Vec::with_capacity(self.rows.len() * self.width());
        self.for_each_block(|_, features| {
            embeddings.extend(features);
            Ok(())
        })?;
        let variants: Vec<Variant> =
            BTreeSet::from_iter(self.rows.iter().map(|row| row.variant)).into_iter().collect();
        let index = |v: &Variant| variants.binary_search(v).expect("a variant of these rows") as i64;
        let variant_indices: Vec<i64> = self.rows.iter().map(|row| index(&row.variant)).collect();
        let splits: Vec<i64> = self.rows.iter().map(|row| row.sample.split as i64).collect();
        let digests: Vec<u8> =
            self.rows.iter().flat_map(|row| row.sample.file.image_sha256.bytes()).collect();
        let (n, targets) = (self.rows.len(), self.targets(&self.rows));
        let metadata = serde_json::json!({
            "classes": self.classes,
            "splits": Split::ALL.map(Split::name),
            "variants": variants.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "spec": serde_json::from_str::<serde_json::Value>(spec).expect("our own JSON"),
        });
        let tensor = |name, shape, values| Tensor { name, shape, values };
        let tensors = [
            tensor("embedding", vec![n, self.width()], TensorData::Float32(&embeddings)),
            tensor("image_sha256", vec![n, 32], TensorData::Bytes(&digests)),
            tensor("split", vec![n], TensorData::Int64(&splits)),
            tensor("target", vec![n], TensorData::Int64(&targets)),
            tensor("variant", vec![n], TensorData::Int64(&variant_indices)),
        ];
        Ok(encode_tensors(&tensors, metadata.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_selects_the_format() {
        assert_eq!(ExportFormat::from_path(Path::new("a/b.FEATHER")), Some(ExportFormat::Arrow));
        assert_eq!(ExportFormat::from_path(Path::new("x.npy")), Some(ExportFormat::Npy));
        assert_eq!(ExportFormat::from_path(Path::new("x.csv")), None);
        assert!("hdf5".parse::<ExportFormat>().is_err());
    }
}
