//! Exports a cache as one flat table for other tools: samples joined with features, one row per file and variant,
//! sorted by path, then by variant.

use super::npy::encode_npy;
use super::reader::FeatureCache;
use super::samples::Samples;
use crate::data::augment::Variant;
use crate::data::dataset::{Sample, Split, class_names};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::io::parquet::{ColumnData, Table, Vectors};
use crate::io::safetensors::{Tensor, TensorData, encode_tensors};
use crate::io::{fs, json};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
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

/// Writes the cache at `root` to the file `out`, which is replaced. The digest of each part is checked.
///
/// # Errors
/// [`Kind::Usage`] when `out` is inside the cache; [`Kind::Cache`] when the cache is missing or damaged;
/// [`Kind::Input`] when the CSV file of a NumPy export would replace a file that is not one; [`Kind::Io`] when a file
/// cannot be written.
pub fn export(root: &Path, out: &Path, format: ExportFormat) -> Result<ExportStats> {
    let cache = FeatureCache::open(root)?;
    if fs::resolve(out)?.starts_with(fs::resolve(root)?) {
        return Err(Error::new(Kind::Usage, "the export cannot be inside the cache")
            .at(out)
            .help("choose another place for `out`"));
    }
    let csv_path = (format == ExportFormat::Npy).then(|| csv_path(out)).transpose()?;
    let samples = cache.samples()?;
    let joined = JoinedRows::of(&cache, &samples)?;
    let spec = json::encode(cache.spec());
    let mut files = vec![out.to_path_buf()];
    let (rows, width, without_features) = (joined.rows.len(), joined.width, joined.without_features);
    let csv = csv_path.map(|path| (path, Table::new(joined.columns()).encode_csv()));
    let bytes = match format {
        ExportFormat::Parquet => joined.into_table(&spec).encode(),
        ExportFormat::Arrow => joined.into_table(&spec).encode_arrow(),
        ExportFormat::Safetensors => joined.encode_safetensors(&spec),
        ExportFormat::Npy => encode_npy(&joined.embeddings, joined.width),
    };
    fs::write_atomic(out, &bytes)?;
    if let Some((path, csv)) = csv {
        fs::write_atomic(&path, &csv)?;
        files.push(path);
    }
    Ok(ExportStats { files, rows, width, without_features })
}

/// The columns of an export except the features. They are also the header of the CSV file beside a NumPy matrix.
const COLUMNS: [&str; 6] = ["path", "label", "target", "split", "image_sha256", "variant"];

/// Path of the CSV file beside the matrix `out`.
fn csv_path(out: &Path) -> Result<PathBuf> {
    let path = out.with_extension("csv");
    let is_export = |text: Vec<u8>| text.starts_with(COLUMNS.join(",").as_bytes());
    let refuse = |kind, message, remedy| Err(Error::new(kind, message).at(&path).help(remedy));
    if path == out {
        return refuse(
            Kind::Usage,
            "the matrix and its rows would be one file",
            "let the name in `out` end with .npy",
        );
    }
    match path.exists() && !is_export(fs::read(&path)?) {
        true => refuse(
            Kind::Input,
            "the rows of the matrix belong here, but another file is in the way",
            "move it away, or choose another name for `out`",
        ),
        false => Ok(path),
    }
}

impl ExportFormat {
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
            _ => Err(Error::new(Kind::Usage, format!("{text:?} is not a format"))
                .help("use parquet, npy, safetensors or arrow")),
        }
    }
}

/// Samples joined with features.
struct JoinedRows<'a> {
    rows: Vec<JoinedRow<'a>>,
    width: usize,
    /// Features `[rows, width]` in row-major order.
    embeddings: Vec<f32>,
    /// Class names in the order of their indices.
    classes: Vec<String>,
    without_features: usize,
}

/// One file and one of its variants.
#[derive(Clone, Copy)]
struct JoinedRow<'a> {
    sample: &'a Sample,
    variant: Variant,
    /// Index of the features among the rows of the cache.
    feature_row: usize,
}

impl<'a> JoinedRows<'a> {
    fn of(cache: &FeatureCache, samples: &'a Samples) -> Result<Self> {
        let mut by_image: HashMap<Digest, Vec<&Sample>> = HashMap::new();
        for sample in &samples.rows {
            by_image.entry(sample.file.image_sha256).or_default().push(sample);
        }
        let features = cache.rows(|key| by_image.contains_key(&key.image_sha256))?;
        let mut rows: Vec<JoinedRow> = Vec::new();
        for (feature_row, key) in features.keys.iter().enumerate() {
            let row = |sample: &&'a Sample| JoinedRow { sample, variant: key.variant, feature_row };
            rows.extend(by_image[&key.image_sha256].iter().map(row));
        }
        rows.sort_by(|a, b| (&a.sample.file.path, a.variant).cmp(&(&b.sample.file.path, b.variant)));
        let width = features.width;
        let embedding = |row: &JoinedRow| &features.embeddings[row.feature_row * width..][..width];
        let embeddings = rows.iter().flat_map(embedding).copied().collect();
        let with_features: BTreeSet<&str> = rows.iter().map(|row| row.sample.file.path.as_str()).collect();
        Ok(Self {
            without_features: samples.rows.len() - with_features.len(),
            rows,
            width,
            embeddings,
            classes: class_names(&samples.rows),
        })
    }

    /// Class index of each row.
    fn targets(&self) -> Vec<i64> {
        let index = |label| self.classes.binary_search(label).expect("classes come from the samples") as i64;
        self.rows.iter().map(|row| index(&row.sample.file.label)).collect()
    }

    /// Names and values of all columns except the features.
    fn columns(&self) -> impl Iterator<Item = (&'static str, ColumnData)> {
        let text = |get: fn(&JoinedRow) -> String| ColumnData::Text(self.rows.iter().map(get).collect());
        let columns = [
            text(|row| row.sample.file.path.clone()),
            text(|row| row.sample.file.label.clone()),
            ColumnData::Int64(self.targets()),
            text(|row| row.sample.split.to_string()),
            ColumnData::Digests(self.rows.iter().map(|row| row.sample.file.image_sha256).collect()),
            text(|row| row.variant.to_string()),
        ];
        COLUMNS.into_iter().zip(columns)
    }

    fn into_table(self, spec: &str) -> Table {
        let columns: Vec<_> = self.columns().collect();
        let embeddings = Vectors { width: self.width, values: self.embeddings };
        let classes = json::encode(&self.classes);
        Table::new(columns.into_iter().chain([("embedding", ColumnData::Vectors(embeddings))]))
            .with_metadata([("headstart.classes", classes), ("headstart.spec", spec.to_string())])
    }

    fn encode_safetensors(&self, spec: &str) -> Vec<u8> {
        let variants: Vec<Variant> =
            BTreeSet::from_iter(self.rows.iter().map(|row| row.variant)).into_iter().collect();
        let index = |v: &Variant| variants.binary_search(v).expect("a variant of these rows") as i64;
        let variant_indices: Vec<i64> = self.rows.iter().map(|row| index(&row.variant)).collect();
        let splits: Vec<i64> = self.rows.iter().map(|row| row.sample.split as i64).collect();
        let digests: Vec<u8> =
            self.rows.iter().flat_map(|row| row.sample.file.image_sha256.bytes()).collect();
        let (n, targets) = (self.rows.len(), self.targets());
        let metadata = serde_json::json!({
            "classes": self.classes,
            "splits": Split::ALL.map(Split::name),
            "variants": variants.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "spec": serde_json::from_str::<serde_json::Value>(spec).expect("our own JSON"),
        });
        let tensor = |name, shape, values| Tensor { name, shape, values };
        let tensors = [
            tensor("embedding", vec![n, self.width], TensorData::Float32(&self.embeddings)),
            tensor("image_sha256", vec![n, 32], TensorData::Bytes(&digests)),
            tensor("split", vec![n], TensorData::Int64(&splits)),
            tensor("target", vec![n], TensorData::Int64(&targets)),
            tensor("variant", vec![n], TensorData::Int64(&variant_indices)),
        ];
        encode_tensors(&tensors, metadata.to_string())
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
