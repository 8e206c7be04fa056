//! One part of the features: `part-NNNNNN-<first 16 hex digits of its SHA-256>.parquet`, written once and never edited.

use super::key::Key;
use super::spec::Spec;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::fs;
use crate::io::parquet::{ColumnData, ColumnSpec, ColumnType, Table, Vectors};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Maximum number of rows in a part that is written. With 2,048 floats per row this is 32 MiB.
pub const MAX_PART_ROWS: usize = 4096;

/// Metadata of a part: the digest of its spec.
pub(super) const SPEC_DIGEST: &str = "headstart.spec_sha256";

/// A part on disk, identified by its file name. Its content is not read until asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Part {
    /// File name.
    pub name: String,
    /// Path of the file.
    pub path: PathBuf,
    /// Sequence number, which later parts exceed.
    pub number: u32,
    /// First 16 hex digits of the file's SHA-256.
    digest: String,
}

/// Feature rows in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeatureRows {
    /// Key of each row.
    pub keys: Vec<Key>,
    /// Floats per row.
    pub width: usize,
    /// Features `[keys.len(), width]` in row-major order.
    pub embeddings: Vec<f32>,
}

/// A part as bytes, before it is written somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EncodedPart {
    /// File name.
    pub name: String,
    pub bytes: Vec<u8>,
    /// Digest of the bytes.
    pub sha256: Digest,
}

impl EncodedPart {
    /// Encodes `rows` as part `number`. Equal rows, numbers and metadata give equal bytes.
    ///
    /// # Panics
    /// When `rows.embeddings` does not hold `keys.len() * width` floats.
    pub fn new(number: u32, rows: FeatureRows, metadata: BTreeMap<String, String>) -> Self {
        let vectors = Vectors { width: rows.width, values: rows.embeddings };
        let columns = [
            ("image_sha256", ColumnData::Digests(rows.keys.iter().map(|k| k.image_sha256).collect())),
            ("variant", ColumnData::Text(rows.keys.iter().map(|k| k.variant.to_string()).collect())),
            ("embedding", ColumnData::Vectors(vectors)),
        ];
        let bytes = Table::new(columns).with_metadata(metadata).encode();
        let sha256 = sha256(&bytes);
        Self { name: format!("part-{number:06}-{}.parquet", sha256.short()), bytes, sha256 }
    }
}

impl Part {
    /// Parses a file name; `None` when it is not the name of a part.
    pub fn from_name(name: &str, path: PathBuf) -> Option<Self> {
        let (number, digest) = name.strip_prefix("part-")?.strip_suffix(".parquet")?.split_once('-')?;
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let is_valid = number.len() >= 6 && digest.len() == 16 && digest.chars().all(is_hex);
        let number = number.parse().ok().filter(|_| is_valid)?;
        Some(Self { name: name.into(), path, number, digest: digest.into() })
    }

    /// Writes `rows` as part `number` into `folder`. The part is durable when this returns.
    ///
    /// # Errors
    /// [`Kind::Io`] when the operating system refuses; no file is left behind then.
    ///
    /// # Panics
    /// When `rows.embeddings` does not hold `keys.len() * width` floats.
    pub fn write(
        folder: &Path,
        number: u32,
        rows: FeatureRows,
        metadata: BTreeMap<String, String>,
    ) -> Result<Self> {
        let EncodedPart { name, bytes, sha256 } = EncodedPart::new(number, rows, metadata);
        let path = folder.join(&name);
        fs::write_atomic(&path, &bytes)?;
        Ok(Self { name, path, number, digest: sha256.short() })
    }

    /// Size of the file in bytes; 0 when it is gone.
    pub fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Reads the `headstart.*` metadata of the part: digest of its spec, device, provider, runtime, version, time.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the Parquet footer cannot be read.
    pub fn metadata(&self) -> Result<BTreeMap<String, String>> {
        let mut metadata = self.read_columns(&[])?.metadata;
        metadata.retain(|key, _| is_own_metadata(key));
        Ok(metadata)
    }

    /// Whether the part names its spec. Parts of version 0.1.0 do not.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the Parquet footer cannot be read.
    pub fn names_spec(&self) -> Result<bool> {
        Ok(self.metadata()?.contains_key(SPEC_DIGEST))
    }

    /// Reads the keys of all rows, without features and without checking the digest.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the footer or a key cannot be read, or the part names another spec than `spec`.
    pub fn keys(&self, spec: &Spec) -> Result<Vec<Key>> {
        let table = self.read_columns(&KEY_COLUMNS)?;
        self.check_spec(&table, spec)?;
        parse_keys(table, &self.path)
    }

    /// Reads the keys of all rows from the bytes of the part, which were checked.
    ///
    /// # Errors
    /// As [`Part::keys`].
    pub(crate) fn decode_keys(&self, bytes: Vec<u8>, spec: &Spec) -> Result<Vec<Key>> {
        let table = Table::decode(bytes, &KEY_COLUMNS, &self.path).map_err(with_remedy)?;
        self.check_spec(&table, spec)?;
        parse_keys(table, &self.path)
    }

    /// Reads columns without checking the digest. Where they cannot be read, the digest says whether the file was changed.
    fn read_columns(&self, columns: &[ColumnSpec]) -> Result<Table> {
        Table::read(&self.path, columns).map_err(|error| match self.verified_bytes() {
            Err(changed) if error.kind() == Kind::Cache => changed,
            _ => with_remedy(error),
        })
    }

    /// Reads all rows, after checking the digest of the file.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the bytes differ from those that were written, or spec or width are not those of `spec`;
    /// [`Kind::Io`] when the file cannot be read.
    pub fn rows(&self, spec: &Spec) -> Result<FeatureRows> {
        let width = spec.width;
        let columns = [KEY_COLUMNS[0], KEY_COLUMNS[1], ColumnSpec::new("embedding", ColumnType::Vectors)];
        let mut table = Table::decode(self.verified_bytes()?, &columns, &self.path).map_err(with_remedy)?;
        self.check_spec(&table, spec)?;
        let vectors = table.take_vectors("embedding");
        let keys = parse_keys(table, &self.path)?;
        self.check_width(&keys, vectors.width, width)?;
        Ok(FeatureRows { keys, width, embeddings: vectors.values })
    }

    /// Reads all keys like [`Part::rows`], and passes the features to `visit` without copying them, `[rows, width]` for
    /// one batch of rows at a time.
    ///
    /// # Errors
    /// As [`Part::rows`].
    pub fn scan(&self, spec: &Spec, mut visit: impl FnMut(&[f32])) -> Result<Vec<Key>> {
        let width = spec.width;
        let mut stored_width = width;
        let bytes = self.verified_bytes()?;
        let table = Table::scan(bytes, &KEY_COLUMNS, "embedding", &self.path, |width, floats| {
            stored_width = width;
            visit(floats);
        });
        let table = table.map_err(with_remedy)?;
        self.check_spec(&table, spec)?;
        let keys = parse_keys(table, &self.path)?;
        self.check_width(&keys, stored_width, width)?;
        Ok(keys)
    }

    /// Reads the file and compares its digest with its name.
    fn verified_bytes(&self) -> Result<Vec<u8>> {
        let bytes = fs::read(&self.path)?;
        match sha256(&bytes).short() == self.digest {
            true => Ok(bytes),
            false => Err(self.damaged("its bytes do not match the digest in its name".into())),
        }
    }

    /// Compares the spec that the part names, if any, with the cache's.
    fn check_spec(&self, table: &Table, spec: &Spec) -> Result<()> {
        match table.metadata.get(SPEC_DIGEST) {
            Some(named) if *named != spec.digest().to_string() => Err(self
                .damaged("its features are not those of the cache's spec: they were made elsewhere".into())),
            _ => Ok(()),
        }
    }

    /// Compares the width of stored features with the spec's. A part without rows has none.
    fn check_width(&self, keys: &[Key], stored: usize, expected: usize) -> Result<()> {
        if keys.is_empty() || stored == expected {
            return Ok(());
        }
        Err(self.damaged(format!("its embeddings have {stored} floats, the cache's spec says {expected}")))
    }

    fn damaged(&self, message: String) -> Error {
        with_remedy(Error::new(Kind::Cache, message).at(&self.path))
    }
}

/// Reads the keys and the metadata of a part of `length` bytes, of which `fetch` returns ranges, and encodes them as a part without
/// features: its keys can be read, its rows cannot, since its bytes are not those that its name says.
///
/// # Errors
/// [`Kind::Cache`] when it is damaged, and those of `fetch`.
pub(super) fn keys_without_features(
    length: u64,
    path: &Path,
    fetch: impl Fn(Range<u64>) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let Table { columns, mut metadata } = Table::read_ranges(length, &KEY_COLUMNS, path, fetch)?;
    metadata.retain(|key, _| is_own_metadata(key));
    Ok(Table { columns, metadata }.encode())
}

/// Whether metadata are ours. Arrow stores its schema there too.
fn is_own_metadata(key: &str) -> bool {
    key.starts_with("headstart.")
}

pub(super) const KEY_COLUMNS: [ColumnSpec<'static>; 2] =
    [ColumnSpec::new("image_sha256", ColumnType::Digests), ColumnSpec::new("variant", ColumnType::Text)];

/// Parses the key columns of a table; `path` is for messages.
pub(super) fn parse_keys(mut table: Table, path: &Path) -> Result<Vec<Key>> {
    let variants = table.take_text("variant");
    let digests = table.take_digests("image_sha256");
    let key = |(image_sha256, variant): (Digest, String)| {
        let unknown = |e: Error| {
            with_remedy(Error::new(Kind::Cache, "it names an unknown variant").at(path).because(e))
        };
        Ok(Key { image_sha256, variant: variant.parse().map_err(unknown)? })
    };
    digests.into_iter().zip(variants).map(key).collect()
}

fn with_remedy(error: Error) -> Error {
    error.help("run `cache::verify`, which moves damaged parts out of the cache, then `extract` again")
}
