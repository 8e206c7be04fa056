//! `samples.parquet`: the data set as it is now, with labels and splits. Small, and replaced whole.

use crate::data::dataset::{Fractions, ImageFile, Sample};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::io::fs::places_after_a_move;
use crate::io::parquet::{ColumnData, ColumnType, Table};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The content of `samples.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// One row per image file, sorted by path.
    pub rows: Vec<Sample>,
    /// Absolute path of the folder of images.
    pub root: PathBuf,
    /// Seed of the split.
    pub seed: u64,
    /// Percentages of the split.
    pub fractions: Fractions,
}

const COLUMNS: [(&str, ColumnType); 8] = [
    ("path", ColumnType::Text),
    ("label", ColumnType::Text),
    ("split", ColumnType::Text),
    ("image_sha256", ColumnType::Digests),
    ("width", ColumnType::Integers),
    ("height", ColumnType::Integers),
    ("bytes", ColumnType::Integers),
    ("mtime_ns", ColumnType::Integers),
];

impl Samples {
    /// Encodes `samples.parquet`.
    pub fn encode(&self) -> Vec<u8> {
        let text = |get: fn(&ImageFile) -> &str| {
            ColumnData::Text(self.rows.iter().map(|row| get(&row.file).to_string()).collect())
        };
        let long = |get: fn(&ImageFile) -> i64| {
            ColumnData::Int64(self.rows.iter().map(|row| get(&row.file)).collect())
        };
        let short = |get: fn(&ImageFile) -> i32| {
            ColumnData::Int32(self.rows.iter().map(|row| get(&row.file)).collect())
        };
        let splits = self.rows.iter().map(|row| row.split.name().to_string()).collect();
        let columns = [
            text(|f| &f.path),
            text(|f| &f.label),
            ColumnData::Text(splits),
            ColumnData::Digests(self.rows.iter().map(|row| row.file.image_sha256).collect()),
            short(|f| f.width as i32),
            short(|f| f.height as i32),
            long(|f| f.bytes as i64),
            long(|f| f.mtime_ns),
        ];
        let metadata = [
            ("headstart.root", self.root.to_string_lossy().into_owned()),
            ("headstart.seed", self.seed.to_string()),
            ("headstart.fractions", self.fractions.to_string()),
        ];
        Table::new(COLUMNS.map(|(name, _)| name).into_iter().zip(columns)).with_metadata(metadata).encode()
    }

    /// The sample of each distinct image; of files with the same bytes the first.
    pub fn by_digest(&self) -> HashMap<Digest, &Sample> {
        let mut found = HashMap::new();
        for sample in &self.rows {
            found.entry(sample.file.image_sha256).or_insert(sample);
        }
        found
    }

    /// The folder of images now: where it was, or near the folder `cache` where a project was moved as a whole.
    pub fn images_root(&self, cache: &Path) -> PathBuf {
        let is_there =
            |root: &PathBuf| self.rows.iter().take(20).any(|row| root.join(&row.file.path).exists());
        if self.root.is_dir() {
            return self.root.clone();
        }
        let mut places = places_after_a_move(&self.root, cache).into_iter();
        places.find(is_there).unwrap_or_else(|| self.root.clone())
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the file is damaged, [`Kind::Io`] when it cannot be opened.
    pub fn read(path: &Path) -> Result<Self> {
        let mut table = Table::read(path, &COLUMNS)?;
        let metadata = |key: &str| table.metadata.get(key).map(String::as_str).unwrap_or_default();
        let damaged = |what: &str| Error::new(Kind::Cache, format!("its {what} cannot be read")).at(path);
        let root = PathBuf::from(metadata("headstart.root"));
        let seed = metadata("headstart.seed").parse().map_err(|_| damaged("seed"))?;
        let fractions = metadata("headstart.fractions").parse().map_err(|_| damaged("fractions"))?;
        let [paths, labels, splits] = ["path", "label", "split"].map(|c| table.take_text(c));
        let digests = table.take_digests("image_sha256");
        let [widths, heights, bytes, times] =
            ["width", "height", "bytes", "mtime_ns"].map(|c| table.take_integers(c));
        let mut rows = Vec::with_capacity(paths.len());
        for (i, path) in paths.into_iter().enumerate() {
            let file = ImageFile {
                path,
                label: labels[i].clone(),
                image_sha256: digests[i],
                width: widths[i] as u32,
                height: heights[i] as u32,
                bytes: bytes[i] as u64,
                mtime_ns: times[i],
            };
            let split = splits[i].parse().map_err(|e: Error| damaged("splits").because(e))?;
            rows.push(Sample { file, split });
        }
        Ok(Self { rows, root, seed, fractions })
    }
}
