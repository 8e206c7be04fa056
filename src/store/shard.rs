//! One part of the features: `part-NNNNNN-<16 hex digits of its sha256>.parquet`, written once and never edited.

use super::key::Key;
use super::table::{Column, Table};
use crate::digest::sha256;
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
            ("image_sha256".into(), Column::Text(rows.keys.iter().map(|k| k.image_sha256.clone()).collect())),
            ("variant".into(), Column::Text(rows.keys.iter().map(|k| k.variant.to_string()).collect())),
            ("embedding".into(), Column::Vectors { width: rows.width, values: rows.embeddings }),
        ];
        let bytes = Table { columns, metadata }.encode();
        let digest = sha256(&bytes)[..16].to_string();
        let name = format!("part-{number:06}-{digest}.parquet");
        let path = folder.join(&name);
        fs::write_atomic(&path, &bytes)?;
        Ok(Self { name, path, number, digest })
    }

    /// The keys alone, without rehashing: enough to see what is there.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the footer or a key cannot be read.
    pub fn keys(&self) -> Result<Vec<Key>> {
        let bytes = fs::read(&self.path)?;
        let table = Table::decode(bytes, &["image_sha256", "variant"], &self.path).map_err(repairable)?;
        keys(table, &self.path)
    }

    /// All rows, after comparing the file's digest with its name.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the bytes are not those that were written.
    pub fn rows(&self) -> Result<Rows> {
        let bytes = fs::read(&self.path)?;
        if sha256(&bytes)[..16] != self.digest {
            let message = "the bytes are not those that its name was made from";
            return Err(repairable(Error::new(Kind::Cache, message).at(&self.path)));
        }
        let names = ["image_sha256", "variant", "embedding"];
        let mut table = Table::decode(bytes, &names, &self.path).map_err(repairable)?;
        let (width, embeddings) = table.vectors("embedding");
        let keys = keys(table, &self.path)?;
        if embeddings.len() != keys.len() * width {
            return Err(repairable(Error::new(Kind::Cache, "its columns differ in length").at(&self.path)));
        }
        Ok(Rows { keys, width, embeddings })
    }
}

fn keys(mut table: Table, path: &Path) -> Result<Vec<Key>> {
    let variants = table.text("variant");
    let hashes = table.text("image_sha256");
    let key = |(image_sha256, variant): (String, String)| {
        let variant = variant.parse().map_err(|e: Error| repairable(e.at(path)))?;
        Ok(Key { image_sha256, variant })
    };
    hashes.into_iter().zip(variants).map(key).collect()
}

fn repairable(error: Error) -> Error {
    error.help("run `headstart cache verify CACHE`, which sets damaged parts aside; then extract again")
}
