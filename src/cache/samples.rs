//! `samples.parquet`: the data set as it is now, with labels and splits. Small, and replaced whole.

use super::layout::SAMPLES;
use super::samples_metadata::{SamplesMetadata, SamplesVersion};
use crate::data::dataset::{
    FolderLayout, Fractions, ImageFile, LayoutChoice, Sample, Weight, label_set, shares,
};
use crate::data::group_pattern::GroupPattern;
use crate::data::manifest::Manifest;
use crate::data::scan::EarlierScan;
use crate::error::{Error, Kind, Result};
use crate::io::archive::is_archive;
use crate::io::digest::Digest;
use crate::io::fs::{FileIdentity, places_after_a_move};
use crate::io::parquet::{ColumnData, ColumnSpec, ColumnType, Table, TextReader};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The content of `samples.parquet`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// One row per labelled image file, sorted by path.
    pub rows: Vec<Sample>,
    /// The image files without a label, sorted by path. They have features, and neither a split nor a class.
    pub unlabelled: Vec<ImageFile>,
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

/// Column of weights, which files have only where one is not 1.
const WEIGHT: &str = "weight";

/// Columns that files have only where an image has a value.
const GIVEN: [&str; 3] = ["fixed_split", "group", LABELS];
/// Column of several labels an image.
const LABELS: &str = "labels";

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
        self.layout.choice().filter(|_| !images.is_file() || is_archive(images))
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

    /// Whether images have several labels.
    pub fn has_label_sets(&self) -> bool {
        self.rows.iter().any(|row| row.file.labels.is_some())
    }

    /// Whether the images of the cache at `root` have several labels. Only the footer of the file is read; a cache without one has none.
    ///
    /// # Errors
    /// [`Kind::Input`] when the file is damaged.
    pub fn are_label_sets(root: &Path) -> Result<bool> {
        let path = root.join(SAMPLES);
        Ok(path.exists() && TextReader::open(&path)?.columns().iter().any(|column| column == LABELS))
    }

    /// Whether images have weights other than 1.
    pub fn has_weights(&self) -> bool {
        self.images().any(|file| file.weight != Weight::default())
    }

    /// All image files, those with a label first.
    pub fn images(&self) -> impl Iterator<Item = &ImageFile> {
        self.rows.iter().map(|row| &row.file).chain(&self.unlabelled)
    }

    /// The data set as the result of an earlier scan.
    pub fn as_earlier_scan(&self) -> EarlierScan<'_> {
        EarlierScan { root: &self.root, samples: &self.rows, unlabelled: &self.unlabelled }
    }

    /// Encodes `samples.parquet`. Images without a label have neither label nor split there.
    pub fn encode(&self) -> Vec<u8> {
        let text = |get: fn(&ImageFile) -> &str| {
            ColumnData::Text(self.images().map(|file| get(file).to_string()).collect())
        };
        let long = |get: fn(&ImageFile) -> i64| ColumnData::Int64(self.images().map(get).collect());
        let short = |get: fn(&ImageFile) -> i32| ColumnData::Int32(self.images().map(get).collect());
        let splits = self.rows.iter().map(|row| row.split.name());
        let splits = splits.chain(self.unlabelled.iter().map(|_| "")).map(String::from).collect();
        let columns = [
            text(|f| &f.path),
            text(|f| &f.label),
            ColumnData::Text(splits),
            ColumnData::Digests(self.images().map(|file| file.image_sha256).collect()),
            short(|f| f.width as i32),
            short(|f| f.height as i32),
            long(|f| f.bytes as i64),
            long(|f| f.mtime_ns),
        ];
        let identities = IDENTITY.map(|(name, get)| {
            (name, ColumnData::Int64(self.images().map(|file| get(&file.identity)).collect()))
        });
        let given: Vec<_> = self.given_columns().collect();
        let version = match () {
            () if self.has_weights() || self.has_label_sets() => SamplesVersion::Third,
            () if !self.unlabelled.is_empty() => SamplesVersion::Third,
            () if !given.is_empty() => SamplesVersion::Second,
            () => SamplesVersion::First,
        };
        let metadata = self.metadata().encode(version);
        let columns = COLUMNS.map(|column| column.name).into_iter().zip(columns).chain(identities);
        let weights = || (WEIGHT, ColumnData::Float32(self.images().map(|file| file.weight.get()).collect()));
        let weights = self.has_weights().then(weights);
        Table::new(columns.chain(given).chain(weights)).with_metadata(metadata).encode()
    }

    fn metadata(&self) -> SamplesMetadata {
        let Self { seed, fractions, layout, .. } = *self;
        let (root, manifest, group_by) = (self.root.clone(), self.manifest.clone(), self.group_by.clone());
        SamplesMetadata { root, seed, fractions, layout, manifest, group_by }
    }

    /// The columns that are there only where an image has a value. Splits that are folders follow from the path.
    fn given_columns(&self) -> impl Iterator<Item = (&'static str, ColumnData)> {
        let fixed = |file: &ImageFile| match self.layout {
            FolderLayout::Manifest => file.fixed_split.map(|split| split.name().to_string()),
            _ => None,
        };
        let fixed: Vec<Option<String>> = self.images().map(fixed).collect();
        let groups: Vec<Option<String>> = self.images().map(|file| file.group.clone()).collect();
        let labels = |file: &ImageFile| file.labels.as_ref().map(|_| file.label.clone());
        let labels: Vec<Option<String>> = self.images().map(labels).collect();
        let columns = GIVEN.into_iter().zip([fixed, groups, labels]);
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
        let is_there = |root: &PathBuf| self.images().take(20).any(|file| root.join(&file.path).exists());
        // An archive is a file.
        if self.root.exists() {
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
        let given = GIVEN.map(|name| ColumnSpec::new(name, ColumnType::OptionalText));
        let weight = [ColumnSpec::new(WEIGHT, ColumnType::Floats)];
        let optional = [&identity[..], &given, &weight].concat();
        let mut table = Table::read_with_optional(path, &COLUMNS, &optional)?;
        let damaged = |what: &str| Error::new(Kind::Cache, format!("its {what} cannot be read")).at(path);
        let SamplesMetadata { root, seed, fractions, layout, manifest, group_by } =
            SamplesMetadata::read(&table.metadata).map_err(|e| e.at(path))?;
        let mut given = GivenValues::take(&mut table);
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
        let (mut rows, mut unlabelled) = (Vec::with_capacity(paths.len()), Vec::new());
        for (i, path) in paths.into_iter().enumerate() {
            let is_unlabelled = labels[i].is_empty();
            let file = ImageFile {
                fixed_split: layout.split(&path).filter(|_| !is_unlabelled),
                group: None,
                path,
                label: labels[i].clone(),
                labels: None,
                weight: Weight::default(),
                image_sha256: digests[i],
                width: widths[i] as u32,
                height: heights[i] as u32,
                bytes: bytes[i] as u64,
                mtime_ns: times[i],
                identity: identity(i),
            };
            let file = given.add(i, file).map_err(damaged)?;
            if is_unlabelled {
                unlabelled.push(file);
                continue;
            }
            let split = splits[i].parse().map_err(|e: Error| damaged("splits").because(e))?;
            rows.push(Sample { file, split });
        }
        Ok(Self { rows, unlabelled, root, seed, fractions, layout, manifest, group_by })
    }
}

/// Values that only some data sets give their images, column by column.
struct GivenValues {
    fixed_splits: Vec<Option<String>>,
    groups: Vec<Option<String>>,
    labels: Vec<Option<String>>,
    weights: Vec<f32>,
}

impl GivenValues {
    fn take(table: &mut Table) -> Self {
        let [fixed_splits, groups, labels] = GIVEN.map(|name| table.take_optional_text(name));
        Self { fixed_splits, groups, labels, weights: table.take_floats(WEIGHT) }
    }

    /// Adds the values of row `i` to its file. An error names what is damaged.
    fn add(&mut self, i: usize, file: ImageFile) -> std::result::Result<ImageFile, &'static str> {
        let fixed = self.fixed_splits.get(i).and_then(Option::as_deref);
        let fixed = fixed.map(|split| split.parse().map_err(|_: Error| "splits")).transpose()?;
        let weight = self.weights.get(i).map(|&weight| Weight::new(weight).ok_or("weights")).transpose()?;
        Ok(ImageFile {
            fixed_split: fixed.or(file.fixed_split),
            group: self.groups.get_mut(i).and_then(Option::take),
            labels: self.labels.get(i).and_then(Option::as_deref).map(label_set),
            weight: weight.unwrap_or_default(),
            ..file
        })
    }
}

fn identity_at(column: &[i64], row: usize) -> i64 {
    column.get(row).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::Split;
    use crate::data::manifest::ManifestOptions;
    use crate::io::digest::sha256;

    fn samples(layout: FolderLayout) -> Samples {
        let row = |(i, split): (usize, Split)| Sample {
            file: ImageFile {
                path: format!("{split}/a/{i}"),
                label: "a".into(),
                labels: None,
                fixed_split: layout.has_splits().then_some(split),
                group: None,
                weight: Weight::default(),
                image_sha256: sha256(&[i as u8]),
                width: 2,
                height: 3,
                bytes: 4,
                mtime_ns: 5,
                identity: FileIdentity { device: 6, inode: 7, changed_ns: 8 },
            },
            split,
        };
        let rows = Split::ALL.into_iter().enumerate().map(row).collect();
        let (manifest, group_by) = (None, None);
        Samples {
            rows,
            unlabelled: Vec::new(),
            root: "/in".into(),
            seed: 9,
            fractions: Fractions::default(),
            layout,
            manifest,
            group_by,
        }
    }

    /// The data sets that versions before manifests and groups do not know, each by one thing.
    fn newer() -> Vec<Samples> {
        let mut all: Vec<Samples> = (0..7).map(|_| samples(FolderLayout::Classes)).collect();
        all[0].rows[1].file.group = Some("g".into());
        all[1].group_by = Some("(a)".parse().unwrap());
        all[2].layout = FolderLayout::Manifest;
        all[2].manifest = Some(Manifest { file: "/in/m.csv".into(), options: ManifestOptions::default() });
        all[3].layout = FolderLayout::Manifest;
        all[3].rows[2].file.fixed_split = Some(Split::Test);
        let file =
            ImageFile { path: "_unlabelled/1".into(), label: String::new(), ..all[4].rows[0].file.clone() };
        all[4].unlabelled = vec![file];
        all[6].rows[1].file.weight = Weight::new(0.25).unwrap();
        for (row, text) in all[5].rows.iter_mut().zip(["a|b", "b", "|"]) {
            (row.file.label, row.file.labels) = (text.into(), Some(label_set(text)));
        }
        all
    }

    fn written(samples: &Samples) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("samples.parquet");
        std::fs::write(&path, samples.encode()).unwrap();
        (dir, path)
    }

    /// The bytes that versions before manifests and groups write.
    fn encoded_before(samples: &Samples) -> Vec<u8> {
        let of = |get: fn(&Sample) -> String| ColumnData::Text(samples.rows.iter().map(get).collect());
        let long = |value: i64| ColumnData::Int64(vec![value; 3]);
        let digests = samples.rows.iter().map(|row| row.file.image_sha256).collect();
        let columns = [
            ("path", of(|row| row.file.path.clone())),
            ("label", of(|row| row.file.label.clone())),
            ("split", of(|row| row.split.to_string())),
            ("image_sha256", ColumnData::Digests(digests)),
            ("width", ColumnData::Int32(vec![2; 3])),
            ("height", ColumnData::Int32(vec![3; 3])),
            ("bytes", long(4)),
            ("mtime_ns", long(5)),
            ("device", long(6)),
            ("inode", long(7)),
            ("changed_ns", long(8)),
        ];
        let mut metadata =
            vec![("headstart.root", "/in"), ("headstart.seed", "9"), ("headstart.fractions", "70/5/25")];
        if samples.layout == FolderLayout::SplitThenClass {
            metadata.push(("headstart.layout", "split/class"));
        }
        let metadata = metadata.into_iter().map(|(key, value)| (key, value.to_string()));
        Table::new(columns).with_metadata(metadata).encode()
    }

    #[test]
    fn without_manifest_and_groups_the_bytes_are_those_of_before() {
        for layout in [FolderLayout::Classes, FolderLayout::SplitThenClass] {
            let samples = samples(layout);
            assert!(samples.encode() == encoded_before(&samples), "{layout}");
            let (_dir, path) = written(&samples);
            assert_eq!(Samples::read(&path).unwrap(), samples);
        }
    }

    #[test]
    fn manifests_and_groups_are_read_back_and_are_refused_by_versions_before_them() {
        for samples in newer() {
            let (_dir, path) = written(&samples);
            assert_eq!(Samples::read(&path).unwrap(), samples);
            // All those versions read seed and fractions first, and cannot do without.
            let table = Table::read(&path, &COLUMNS).unwrap();
            let own = table.metadata.keys().filter(|key| key.starts_with("headstart."));
            assert_eq!(own.collect::<Vec<_>>(), ["headstart.samples"]);
        }
    }

    #[test]
    fn a_later_version_is_refused_by_its_name() {
        let (_dir, path) = written(&newer()[0]);
        let metadata = [("headstart.samples", r#"{"schema":"samples-v4","rows":1}"#.to_string())];
        let later = Table::read(&path, &COLUMNS).unwrap().with_metadata(metadata);
        std::fs::write(&path, later.encode()).unwrap();
        let error = Samples::read(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Cache);
        let message = error.with_causes();
        assert!(
            message.contains("the samples are samples-v4, this version reads samples-v2 and samples-v3"),
            "{message}"
        );
    }
}
