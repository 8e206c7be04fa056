//! `samples.parquet` and `refused.parquet`: the data set as it is now. Small files, replaced whole.

use super::table::{Column, Holds, Table};
use crate::dataset::{Fractions, ImageFile, Refused, Sample};
use crate::error::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The described data set: what `samples.parquet` holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// One row a file, by path.
    pub rows: Vec<Sample>,
    /// The folder of images, absolute.
    pub root: PathBuf,
    /// Seed of the split.
    pub seed: u64,
    /// Shares of the split.
    pub fractions: Fractions,
}

const COLUMNS: [(&str, Holds); 8] = [
    ("path", Holds::Text),
    ("label", Holds::Text),
    ("split", Holds::Text),
    ("image_sha256", Holds::Digests),
    ("width", Holds::Integers),
    ("height", Holds::Integers),
    ("bytes", Holds::Integers),
    ("mtime_ns", Holds::Integers),
];

impl Samples {
    /// The bytes of `samples.parquet`.
    pub fn encode(&self) -> Vec<u8> {
        let text = |get: fn(&ImageFile) -> &str| {
            Column::Text(self.rows.iter().map(|row| get(&row.file).to_string()).collect())
        };
        let long =
            |get: fn(&ImageFile) -> i64| Column::Int64(self.rows.iter().map(|row| get(&row.file)).collect());
        let short =
            |get: fn(&ImageFile) -> i32| Column::Int32(self.rows.iter().map(|row| get(&row.file)).collect());
        let splits = self.rows.iter().map(|row| row.split.name().to_string()).collect();
        let columns = [
            text(|f| &f.path),
            text(|f| &f.label),
            Column::Text(splits),
            Column::Digests(self.rows.iter().map(|row| row.file.image_sha256).collect()),
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
        Table {
            columns: COLUMNS.map(|(name, _)| name.to_string()).into_iter().zip(columns).collect(),
            metadata: metadata.map(|(k, v)| (k.to_string(), v)).into(),
        }
        .encode()
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Kind::Cache`] when it is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let mut table = Table::read(path, &COLUMNS)?;
        let noted = |key: &str| table.metadata.get(key).map(String::as_str).unwrap_or_default();
        let damaged = |what: &str| Error::new(Kind::Cache, format!("its {what} cannot be read")).at(path);
        let root = PathBuf::from(noted("headstart.root"));
        let seed = noted("headstart.seed").parse().map_err(|_| damaged("seed"))?;
        let fractions = noted("headstart.fractions").parse().map_err(|_| damaged("fractions"))?;
        let [paths, labels, splits] = ["path", "label", "split"].map(|c| table.text(c));
        let digests = table.digests("image_sha256");
        let [widths, heights, bytes, times] =
            ["width", "height", "bytes", "mtime_ns"].map(|c| table.integers(c));
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

/// The bytes of `refused.parquet`.
pub(super) fn encode_refused(refused: &[Refused]) -> Vec<u8> {
    let columns = vec![
        ("path".to_string(), Column::Text(refused.iter().map(|r| r.path.clone()).collect())),
        (
            "image_sha256".into(),
            Column::OptionalText(refused.iter().map(|r| r.image_sha256.map(|d| d.to_string())).collect()),
        ),
        ("reason".into(), Column::Text(refused.iter().map(|r| r.reason.to_string()).collect())),
    ];
    Table { columns, metadata: BTreeMap::new() }.encode()
}

/// Reads `refused.parquet`.
///
/// # Errors
/// [`Kind::Cache`] when it is damaged.
pub(super) fn read_refused(file: &Path) -> Result<Vec<Refused>> {
    let columns = [("path", Holds::Text), ("image_sha256", Holds::OptionalText), ("reason", Holds::Text)];
    let mut table = Table::read(file, &columns)?;
    let (hashes, reasons) = (table.optional_text("image_sha256"), table.text("reason"));
    let rows = table.text("path").into_iter().zip(hashes).zip(reasons);
    rows.map(|((path, digest), reason)| {
        let image_sha256 = digest.map(|text| text.parse()).transpose();
        let image_sha256 = image_sha256.map_err(|e: Error| e.of_kind(Kind::Cache).at(file))?;
        Ok(Refused { path, image_sha256, reason: reason.into() })
    })
    .collect()
}
