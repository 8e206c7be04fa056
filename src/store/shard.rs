//! One part of the features: `part-NNNNNN-<16 hex digits of its sha256>.parquet`, written once and never edited.

use super::key::Key;
use super::table::{Column, Holds, Table};
use crate::digest::{Digest, sha256};
use crate::error::{Error, Kind, Result};
use crate::fs;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A part on disk, known by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The file's name.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its running number.
    pub number: u32,
    digest: String,
}

/// Feature rows in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// One for each row.
    pub keys: Vec<Key>,
    /// Floats in a row.
    pub width: usize,
    /// `keys.len() * width` floats.
    pub embeddings: Vec<f32>,
}

impl Part {
    /// The part that a file name speaks of; `None` for other names.
    pub fn from_name(name: &str, path: PathBuf) -> Option<Self> {
        let (number, digest) = name.strip_prefix("part-")?.strip_suffix(".parquet")?.split_once('-')?;
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let shaped = number.len() >= 6 && digest.len() == 16 && digest.chars().all(hex);
        let number = number.parse().ok().filter(|_| shaped)?;
        Some(Self { name: name.into(), path, number, digest: digest.into() })
    }

    /// Writes `rows` as part `number` of `folder`, durable when this returns.
    ///
    /// # Errors
    /// When the operating system refuses; nothing is left behind then.
    pub fn write(folder: &Path, number: u32, rows: Rows, metadata: BTreeMap<String, String>) -> Result<Self> {
        let columns = vec![
            ("image_sha256".into(), Column::Digests(rows.keys.iter().map(|k| k.image_sha256).collect())),
            ("variant".into(), Column::Text(rows.keys.iter().map(|k| k.variant.to_string()).collect())),
            ("embedding".into(), Column::Vectors { width: rows.width, values: rows.embeddings }),
        ];
        let bytes = Table { columns, metadata }.encode();
        let digest = sha256(&bytes).short();
        let name = format!("part-{number:06}-{digest}.parquet");
        let path = folder.join(&name);
        fs::write_atomic(&path, &bytes)?;
        Ok(Self { name, path, number, digest })
    }

    /// The size of the file; zero when it is gone.
    pub fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |found| found.len())
    }

    /// What was noted about the part: device, provider, runtime, version, time.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the footer cannot be read.
    pub fn metadata(&self) -> Result<BTreeMap<String, String>> {
        let mut noted = Table::read(&self.path, &[]).map_err(repairable)?.metadata;
        // Arrow leaves its schema there too.
        noted.retain(|key, _| key.starts_with("headstart."));
        Ok(noted)
    }

    /// The keys alone, without rehashing: enough to see what is there.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the footer or a key cannot be read.
    pub fn keys(&self) -> Result<Vec<Key>> {
        keys(Table::read(&self.path, &KEY_COLUMNS).map_err(repairable)?, &self.path)
    }

    /// The whole file and its keys, after comparing the file's digest with its name; `visit` gets the embeddings as they
    /// lie in memory, many rows at a time.
    ///
    /// # Errors
    /// As [`Part::rows`].
    pub fn scan(&self, width: usize, mut visit: impl FnMut(&[f32])) -> Result<Vec<Key>> {
        let mut found = width;
        let table = Table::scan(self.verified()?, &KEY_COLUMNS, "embedding", &self.path, |width, floats| {
            found = width;
            visit(floats);
        });
        let keys = keys(table.map_err(repairable)?, &self.path)?;
        if !keys.is_empty() && found != width { Err(self.of_width(found, width)) } else { Ok(keys) }
    }

    /// The file's bytes, which must be those that its name was made from.
    fn verified(&self) -> Result<Vec<u8>> {
        let bytes = fs::read(&self.path)?;
        match sha256(&bytes).short() == self.digest {
            true => Ok(bytes),
            false => Err(self.damaged("the bytes are not those that its name was made from".into())),
        }
    }

    fn of_width(&self, found: usize, width: usize) -> Error {
        self.damaged(format!("its embeddings have {found} floats, the cache's spec says {width}"))
    }

    fn damaged(&self, message: String) -> Error {
        repairable(Error::new(Kind::Cache, message).at(&self.path))
    }

    /// All rows, each of `width` floats, after comparing the file's digest with its name.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the bytes are not those that were written, or the width is another; [`Kind::Io`] when they
    /// cannot be read.
    pub fn rows(&self, width: usize) -> Result<Rows> {
        let columns = [KEY_COLUMNS[0], KEY_COLUMNS[1], ("embedding", Holds::Vectors)];
        let mut table = Table::decode(self.verified()?, &columns, &self.path).map_err(repairable)?;
        let (found, embeddings) = table.vectors("embedding");
        let keys = keys(table, &self.path)?;
        if !keys.is_empty() && found != width {
            return Err(self.of_width(found, width));
        }
        Ok(Rows { keys, width, embeddings })
    }
}

const KEY_COLUMNS: [(&str, Holds); 2] = [("image_sha256", Holds::Digests), ("variant", Holds::Text)];

fn keys(mut table: Table, path: &Path) -> Result<Vec<Key>> {
    let variants = table.text("variant");
    let hashes = table.digests("image_sha256");
    let key = |(image_sha256, variant): (Digest, String)| {
        let unknown = |e: Error| {
            repairable(Error::new(Kind::Cache, "it speaks of an unknown variant").at(path).because(e))
        };
        Ok(Key { image_sha256, variant: variant.parse().map_err(unknown)? })
    };
    hashes.into_iter().zip(variants).map(key).collect()
}

fn repairable(error: Error) -> Error {
    error.help("run `headstart cache verify CACHE`, which sets damaged parts aside; then extract again")
}
