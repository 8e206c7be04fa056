//! `samples.parquet`: the data set as it is now, with labels and splits. Small, and replaced whole.

use crate::data::dataset::{FolderLayout, Fractions, ImageFile, LayoutChoice, Sample, shares};
use crate::data::group_pattern::GroupPattern;
use crate::data::manifest::Manifest;
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::io::fs::{FileIdentity, places_after_a_move};
use crate::io::json;
use crate::io::parquet::{ColumnData, ColumnSpec, ColumnType, Table};
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
    /// Percentages of the split. With splits that are folders, they divide the images of the train folders.
    pub fractions: Fractions,
    /// What the folders of images stand for.
    pub layout: FolderLayout,
    /// The manifest that lists the images; `None` for folders.
    pub manifest: Option<Manifest>,
    /// The expression by which paths are grouped; `None` without one.
    pub group_by: Option<GroupPattern>,
}

const COLUMNS: [ColumnSpec<'static>; 8] = [
    ColumnSpec::new("path", ColumnType::Text),
    ColumnSpec::new("label", ColumnType::Text),
    ColumnSpec::new("split", ColumnType::Text),
    ColumnSpec::new("image_sha256", ColumnType::Digests),
    ColumnSpec::new("width", ColumnType::Integers),
    ColumnSpec::new("height", ColumnType::Integers),
    ColumnSpec::new("bytes", ColumnType::Integers),
    ColumnSpec::new("mtime_ns", ColumnType::Integers),
];

/// Columns that files of 0.1.0 do not have, with their values.
const IDENTITY: [(&str, IdentityField); 3] = [
    ("device", |identity| identity.device as i64),
    ("inode", |identity| identity.inode as i64),
    ("changed_ns", |identity| identity.changed_ns),
];

type IdentityField = fn(&FileIdentity) -> i64;

/// Metadata key of the layout, which files of the usual layout do not have.
const LAYOUT: &str = "headstart.layout";
/// Metadata key of the manifest, as JSON, where the images are listed by one.
const MANIFEST: &str = "headstart.manifest";
/// Metadata key of the expression by which paths are grouped, where there is one.
const GROUP_BY: &str = "headstart.group_by";

/// Columns that files have only where an image has a value.
const OPTIONAL: [&str; 2] = ["fixed_split", "group"];

impl Samples {
    /// Returns the percentages for other splits of the same images: those of the split rule, or with splits that are
    /// folders the shares that the folders have.
    pub fn resplit_fractions(&self) -> Fractions {
        if self.has_fixed_splits() { shares(&self.rows) } else { self.fractions }
    }

    /// Whether somebody fixed the split of an image, as a folder or in a manifest.
    pub fn has_fixed_splits(&self) -> bool {
        self.rows.iter().any(|row| row.file.fixed_split.is_some())
    }

    /// Returns the choice by which the folders in `images` were taken; `None` for a manifest, which has none.
    pub fn choice_for(&self, images: &Path) -> Option<LayoutChoice> {
        self.layout.choice().filter(|_| !images.is_file())
    }

    /// Returns the choice that gives the layout of the folders again; `None` where they cannot be taken otherwise.
    pub fn layout_choice(&self) -> Option<LayoutChoice> {
        let all_are =
            |layout: FolderLayout| self.rows.iter().all(|row| layout.split(&row.file.path).is_some());
        if self.layout == FolderLayout::Manifest {
            return None;
        }
        let has_choice =
            [FolderLayout::SplitThenClass, FolderLayout::ClassThenSplit].into_iter().any(all_are);
        self.layout.choice().or(has_choice.then_some(LayoutChoice::AsClasses))
    }

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
        let identities = IDENTITY.map(|(name, get)| {
            (name, ColumnData::Int64(self.rows.iter().map(|row| get(&row.file.identity)).collect()))
        });
        let mut metadata = vec![
            ("headstart.root", self.root.to_string_lossy().into_owned()),
            ("headstart.seed", self.seed.to_string()),
            ("headstart.fractions", self.fractions.to_string()),
        ];
        if self.layout != FolderLayout::Classes {
            metadata.push((LAYOUT, self.layout.to_string()));
        }
        metadata.extend(self.manifest.as_ref().map(|manifest| (MANIFEST, json::encode(manifest))));
        metadata.extend(self.group_by.as_ref().map(|pattern| (GROUP_BY, pattern.to_string())));
        let columns = COLUMNS.map(|column| column.name).into_iter().zip(columns).chain(identities);
        let columns = columns.chain(self.optional_columns());
        Table::new(columns).with_metadata(metadata).encode()
    }

    /// The columns that are there only where an image has a value. Splits that are folders follow from the path.
    fn optional_columns(&self) -> impl Iterator<Item = (&'static str, ColumnData)> {
        let fixed = |row: &Sample| match self.layout {
            FolderLayout::Manifest => row.file.fixed_split.map(|split| split.name().to_string()),
            _ => None,
        };
        let fixed: Vec<Option<String>> = self.rows.iter().map(fixed).collect();
        let groups: Vec<Option<String>> = self.rows.iter().map(|row| row.file.group.clone()).collect();
        let columns = OPTIONAL.into_iter().zip([fixed, groups]);
        let used = columns.filter(|(_, values)| values.iter().any(Option::is_some));
        used.map(|(name, values)| (name, ColumnData::OptionalText(values)))
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
        let identity = IDENTITY.map(|(name, _)| ColumnSpec::new(name, ColumnType::Integers));
        let given = OPTIONAL.map(|name| ColumnSpec::new(name, ColumnType::OptionalText));
        let optional = [&identity[..], &given].concat();
        let mut table = Table::read_with_optional(path, &COLUMNS, &optional)?;
        let metadata = |key: &str| table.metadata.get(key).map(String::as_str).unwrap_or_default();
        let damaged = |what: &str| Error::new(Kind::Cache, format!("its {what} cannot be read")).at(path);
        let root = PathBuf::from(metadata("headstart.root"));
        let seed = metadata("headstart.seed").parse().map_err(|_| damaged("seed"))?;
        let fractions = metadata("headstart.fractions").parse().map_err(|_| damaged("fractions"))?;
        let (layout, manifest, group_by) = source(&table).map_err(|e| e.at(path))?;
        let [fixed, mut groups] = OPTIONAL.map(|name| table.take_optional_text(name));
        let [paths, labels, splits] = ["path", "label", "split"].map(|c| table.take_text(c));
        let digests = table.take_digests("image_sha256");
        let [widths, heights, bytes, times] =
            ["width", "height", "bytes", "mtime_ns"].map(|c| table.take_integers(c));
        let identities = IDENTITY.map(|(name, _)| table.take_integers(name));
        // Without the columns the identities are unknown.
        let identity = |i: usize| {
            let [device, inode, changed_ns] = [0, 1, 2].map(|column| identity_at(&identities[column], i));
            FileIdentity { device: device as u64, inode: inode as u64, changed_ns }
        };
        let mut rows = Vec::with_capacity(paths.len());
        for (i, path) in paths.into_iter().enumerate() {
            let fixed_split = match fixed.get(i).and_then(Option::as_deref) {
                Some(split) => Some(split.parse().map_err(|e: Error| damaged("splits").because(e))?),
                None => layout.split(&path),
            };
            let file = ImageFile {
                fixed_split,
                group: groups.get_mut(i).and_then(Option::take),
                path,
                label: labels[i].clone(),
                image_sha256: digests[i],
                width: widths[i] as u32,
                height: heights[i] as u32,
                bytes: bytes[i] as u64,
                mtime_ns: times[i],
                identity: identity(i),
            };
            let split = splits[i].parse().map_err(|e: Error| damaged("splits").because(e))?;
            rows.push(Sample { file, split });
        }
        Ok(Self { rows, root, seed, fractions, layout, manifest, group_by })
    }
}

fn identity_at(column: &[i64], row: usize) -> i64 {
    column.get(row).copied().unwrap_or(0)
}

/// The layout, the manifest and the expression of groups in the metadata of a file.
fn source(table: &Table) -> Result<(FolderLayout, Option<Manifest>, Option<GroupPattern>)> {
    let damaged = |what: &str| Error::new(Kind::Cache, format!("its {what} cannot be read"));
    let layout = match table.metadata.get(LAYOUT) {
        Some(text) => text.parse().map_err(|_| damaged("layout"))?,
        None => FolderLayout::Classes,
    };
    let manifest = table.metadata.get(MANIFEST).map(|text| serde_json::from_str(text));
    let manifest = manifest.transpose().map_err(|e| damaged("manifest").because(e))?;
    let group_by = table.metadata.get(GROUP_BY).map(|text| text.parse());
    let group_by = group_by.transpose().map_err(|e: Error| damaged("groups").because(e))?;
    Ok((layout, manifest, group_by))
}
