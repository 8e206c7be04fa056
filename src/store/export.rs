//! The cache as one flat table in the files that other tools like best: samples joined with features, one row for each
//! file and variant, by path, then by variant. It refuses to write into the cache.

use super::table::{Column, Table};
use super::{FeatureStore, Samples};
use crate::augment::Variant;
use crate::dataset::{Sample, Split, class_names};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::tensors::{self, Tensor, Values};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A kind of file to export to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One Parquet file.
    Parquet,
    /// A NumPy matrix, and the other columns as CSV beside it.
    Npy,
    /// Tensors of features and of indices.
    Safetensors,
    /// An Arrow IPC file, also known as Feather version 2.
    Arrow,
}

/// What `cache export` did.
#[derive(Debug, Clone, Serialize)]
pub struct ExportStats {
    /// The files that were written.
    pub files: Vec<PathBuf>,
    /// Rows in each.
    pub rows: usize,
    /// Floats in a feature.
    pub width: usize,
    /// Image files that have no features yet.
    pub without_features: usize,
}

/// The join in memory.
struct Flat<'a> {
    rows: Vec<(&'a Sample, Variant)>,
    width: usize,
    /// `rows.len() * width` floats.
    embeddings: Vec<f32>,
    classes: Vec<String>,
    without_features: usize,
}

/// Writes the cache at `root` to the file `out`, which is replaced; each part is rehashed on the way.
///
/// # Errors
/// [`Kind::Usage`] when `out` is in the cache, [`Kind::Cache`] when the cache is missing or damaged, [`Kind::Io`] when the
/// file cannot be written.
pub fn export(root: &Path, out: &Path, format: Format) -> Result<ExportStats> {
    let store = FeatureStore::open(root)?;
    if fs::resolve(out)?.starts_with(fs::resolve(root)?) {
        return Err(Error::new(Kind::Usage, "the export cannot be inside the cache")
            .at(out)
            .help("choose another place for --out"));
    }
    let beside = (format == Format::Npy).then(|| rows_beside(out)).transpose()?;
    let samples = store.samples()?;
    let flat = Flat::join(&store, &samples)?;
    let spec = serde_json::to_string(store.spec()).expect("plain data");
    let mut files = vec![out.to_path_buf()];
    let (rows, width, without_features) = (flat.rows.len(), flat.width, flat.without_features);
    let texts = beside.is_some().then(|| Table { columns: flat.columns(), ..Table::default() }.encode_csv());
    let bytes = match format {
        Format::Parquet => flat.table(&spec).encode(),
        Format::Arrow => flat.table(&spec).encode_arrow(),
        Format::Safetensors => flat.tensors(&spec),
        Format::Npy => npy(&flat.embeddings, flat.width),
    };
    fs::write_atomic(out, &bytes)?;
    if let Some((beside, texts)) = beside.zip(texts) {
        fs::write_atomic(&beside, &texts)?;
        files.push(beside);
    }
    Ok(ExportStats { files, rows, width, without_features })
}

/// The columns of an export, but for the features: also the first line of the CSV file beside a NumPy matrix.
const NAMES: [&str; 6] = ["path", "label", "target", "split", "image_sha256", "variant"];

/// Where the rows' texts go beside the matrix `out`.
fn rows_beside(out: &Path) -> Result<PathBuf> {
    let beside = out.with_extension("csv");
    let ours = |text: Vec<u8>| text.starts_with(NAMES.join(",").as_bytes());
    let refuse = |kind, message, remedy| Err(Error::new(kind, message).at(&beside).help(remedy));
    if beside == out {
        return refuse(Kind::Usage, "the matrix and its rows would be one file", "end --out with .npy");
    }
    match beside.exists() && !ours(fs::read(&beside)?) {
        true => refuse(
            Kind::Input,
            "the rows of the matrix belong here, but another file is in the way",
            "move it away, or choose another name for --out",
        ),
        false => Ok(beside),
    }
}

impl Format {
    /// The format that a file name's extension speaks of.
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "feather" | "ipc" => Some(Self::Arrow),
            other => other.parse().ok(),
        }
    }
}

impl FromStr for Format {
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

impl<'a> Flat<'a> {
    fn join(store: &FeatureStore, samples: &'a Samples) -> Result<Self> {
        let mut by_image: HashMap<Digest, Vec<&Sample>> = HashMap::new();
        for sample in &samples.rows {
            by_image.entry(sample.file.image_sha256).or_default().push(sample);
        }
        let found = store.rows(|key| by_image.contains_key(&key.image_sha256))?;
        let mut rows: Vec<(&Sample, Variant, usize)> = Vec::new();
        for (row, key) in found.keys.iter().enumerate() {
            rows.extend(by_image[&key.image_sha256].iter().map(|sample| (*sample, key.variant, row)));
        }
        rows.sort_by(|a, b| (&a.0.file.path, a.1).cmp(&(&b.0.file.path, b.1)));
        let width = found.width;
        let embedding =
            |&(_, _, row): &(&Sample, Variant, usize)| &found.embeddings[row * width..(row + 1) * width];
        let embeddings = rows.iter().flat_map(embedding).copied().collect();
        let with: BTreeSet<&str> = rows.iter().map(|(sample, ..)| sample.file.path.as_str()).collect();
        Ok(Self {
            without_features: samples.rows.len() - with.len(),
            rows: rows.into_iter().map(|(sample, variant, _)| (sample, variant)).collect(),
            width,
            embeddings,
            classes: class_names(&samples.rows),
        })
    }

    fn targets(&self) -> Vec<i64> {
        let index = |label| self.classes.binary_search(label).expect("classes come from the samples") as i64;
        self.rows.iter().map(|(sample, _)| index(&sample.file.label)).collect()
    }

    /// All columns but the features.
    fn columns(&self) -> Vec<(String, Column)> {
        let text = |get: &dyn Fn(&Sample, Variant) -> String| {
            Column::Text(self.rows.iter().map(|(sample, variant)| get(sample, *variant)).collect())
        };
        let columns = [
            text(&|sample, _| sample.file.path.clone()),
            text(&|sample, _| sample.file.label.clone()),
            Column::Int64(self.targets()),
            text(&|sample, _| sample.split.to_string()),
            Column::Digests(self.rows.iter().map(|(sample, _)| sample.file.image_sha256).collect()),
            text(&|_, variant| variant.to_string()),
        ];
        NAMES.map(String::from).into_iter().zip(columns).collect()
    }

    fn table(self, spec: &str) -> Table {
        let mut columns = self.columns();
        let values = self.embeddings;
        columns.push(("embedding".into(), Column::Vectors { width: self.width, values }));
        let classes = serde_json::to_string(&self.classes).expect("plain data");
        let metadata = [("headstart.classes", classes), ("headstart.spec", spec.to_string())];
        Table { columns, metadata: metadata.map(|(k, v)| (k.to_string(), v)).into() }
    }

    fn tensors(&self, spec: &str) -> Vec<u8> {
        let variants: Vec<Variant> =
            BTreeSet::from_iter(self.rows.iter().map(|(_, variant)| *variant)).into_iter().collect();
        let index = |v: &Variant| variants.binary_search(v).expect("a variant of these rows") as i64;
        let of_variant: Vec<i64> = self.rows.iter().map(|(_, variant)| index(variant)).collect();
        let of_split: Vec<i64> = self.rows.iter().map(|(sample, _)| sample.split as i64).collect();
        let mut digests = Vec::with_capacity(32 * self.rows.len());
        for (sample, _) in &self.rows {
            digests.extend(sample.file.image_sha256.bytes());
        }
        let (n, targets) = (self.rows.len(), self.targets());
        let tensor = |name, shape, values| Tensor { name, shape, values };
        let noted = serde_json::json!({
            "classes": self.classes,
            "splits": Split::ALL.map(Split::name),
            "variants": variants.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "spec": serde_json::from_str::<serde_json::Value>(spec).expect("our own JSON"),
        });
        let tensors = [
            tensor("embedding", vec![n, self.width], Values::Float32(&self.embeddings)),
            tensor("image_sha256", vec![n, 32], Values::Bytes(&digests)),
            tensor("split", vec![n], Values::Int64(&of_split)),
            tensor("target", vec![n], Values::Int64(&targets)),
            tensor("variant", vec![n], Values::Int64(&of_variant)),
        ];
        tensors::encode(&tensors, noted.to_string())
    }
}

/// A `[rows, width]` matrix as a NumPy file, version 1.0 (NumPy Enhancement Proposal 1): magic, version, length of the
/// header, the header padded so that the data begin at a multiple of 64 bytes.
fn npy(values: &[f32], width: usize) -> Vec<u8> {
    let rows = values.len() / width.max(1);
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}");
    let unpadded = 10 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.bytes());
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_a_matrix_is_padded_as_numpy_wants_it() {
        let file = npy(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3);
        assert_eq!(&file[..8], b"\x93NUMPY\x01\x00");
        let length = usize::from(u16::from_le_bytes([file[8], file[9]]));
        assert_eq!((10 + length) % 64, 0);
        assert!(file[10..10 + length].ends_with(b"\n"));
        assert_eq!(file.len(), 10 + length + 24);
    }

    #[test]
    fn formats_follow_from_names() {
        assert_eq!(Format::of_path(Path::new("a/b.FEATHER")), Some(Format::Arrow));
        assert_eq!(Format::of_path(Path::new("x.npy")), Some(Format::Npy));
        assert_eq!(Format::of_path(Path::new("x.csv")), None);
        assert!("hdf5".parse::<Format>().is_err());
    }
}
