//! The features of a run's cache for TensorBoard's embedding projector: a point a row, what is known of each, thumbnails.

use super::sprite::{self, Grid, Shot};
use crate::augment::Variant;
use crate::dataset::{Refused, Split};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::head::{Example, Head, Rows, argmax};
use crate::image_io;
use crate::matrix::Matrix;
use crate::monitor::Monitor;
use crate::run::{self, Record};
use crate::store::{FeatureStore, Key, Samples};
use crate::threads;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What is wanted of the projector.
#[derive(Debug, Clone)]
pub struct ProjectorConfig {
    /// Feature rows at most; of more, so many that are evenly spread. From 1 to 100,000, which is all that the page asks
    /// for.
    pub points: usize,
    /// Where the pictures are; `None` is where they were extracted from.
    pub images: Option<PathBuf>,
}

/// What a run has in the projector.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Projected {
    /// Feature rows that are shown.
    pub points: usize,
    /// Feature rows that there are.
    pub of: usize,
    /// Floats in each.
    pub width: usize,
    /// The side of a thumbnail in pixels; `None` where there are none.
    pub thumbnail: Option<usize>,
}

const TENSORS: &str = "tensors.bytes";
const TENSORS_AS_TEXT: &str = "tensors.tsv";
const METADATA: &str = "metadata.tsv";
const SPRITE: &str = "sprite.png";
const CONFIG: &str = "projector_config.pbtxt";
/// All files of the projector.
pub(super) const FILES: [&str; 5] = [TENSORS, TENSORS_AS_TEXT, METADATA, SPRITE, CONFIG];

/// The most points that TensorBoard's page asks for.
const MOST: usize = 100_000;

impl ProjectorConfig {
    pub(super) fn check(&self) -> Result<()> {
        if !(1..=MOST).contains(&self.points) {
            let message = format!("--points must be from 1 to {MOST}, which is all that TensorBoard shows");
            return Err(Error::new(Kind::Usage, message));
        }
        match self.images.as_ref().filter(|images| !images.is_dir()) {
            Some(images) => Err(Error::new(Kind::Input, "no such folder of images")
                .at(images)
                .help("give --images the folder that was extracted, or leave it out")),
            None => Ok(()),
        }
    }
}

/// The points of one cache, which any number of runs share.
#[derive(Debug)]
pub(super) struct Album {
    cache: PathBuf,
    store: FeatureStore,
    samples: Samples,
    /// Each point: the number of its sample, and its variant.
    points: Vec<(usize, Variant)>,
    /// Points that there would be without a limit.
    all: usize,
    features: Matrix,
    sprite: Option<(Grid, Vec<u8>)>,
    refused: Vec<Refused>,
}

impl Album {
    /// Reads the features of a cache, and draws the thumbnails.
    ///
    /// # Errors
    /// [`Kind::Cache`] when it is gone, damaged, or empty.
    pub fn open(cache: &Path, config: &ProjectorConfig, monitor: &dyn Monitor) -> Result<Self> {
        let threads = threads::number(0);
        let store = FeatureStore::open(cache)?;
        let samples = store.samples()?;
        let catalog = store.catalog(threads)?;
        // The first path of each image.
        let mut places: HashMap<Digest, usize> = HashMap::new();
        for (number, sample) in samples.rows.iter().enumerate() {
            places.entry(sample.file.image_sha256).or_insert(number);
        }
        let place = |key: &Key| places.get(&key.image_sha256).map(|&number| (number, key.variant));
        let mut points: Vec<(usize, Variant)> = catalog.keys().filter_map(place).collect();
        points.sort_unstable();
        points.dedup();
        let all = points.len();
        let points: Vec<_> = points.into_iter().step_by(all.div_ceil(config.points).max(1)).collect();
        if points.is_empty() {
            return Err(Error::new(Kind::Cache, "it holds no features of its images")
                .at(cache)
                .help("run the same `headstart extract` again: it computes only what is missing"));
        }
        if points.len() < all {
            monitor.note(&format!(
                "the projector shows {} of {all} feature rows, evenly spread; --points allows up to {MOST}",
                points.len()
            ));
        }
        let wanted: HashMap<(usize, Variant), usize> = points.iter().copied().zip(0..).collect();
        let row_of = |key: &Key| place(key).and_then(|point| wanted.get(&point).copied());
        let found = catalog.read(&catalog.picks(|key| row_of(key).is_some()), threads)?;
        let mut features = Matrix::zeros(points.len(), store.spec().width);
        for (key, row) in found.keys.iter().zip(0..) {
            let own = row_of(key).expect("only wanted rows were read");
            features.row_mut(own).copy_from_slice(found.features.row(row));
        }
        let cache = cache.to_path_buf();
        let mut album =
            Self { cache, store, samples, points, all, features, sprite: None, refused: Vec::new() };
        album.draw(config.images.as_deref(), threads, monitor)?;
        Ok(album)
    }

    /// Draws the thumbnails, where there is a folder of images.
    fn draw(&mut self, images: Option<&Path>, threads: usize, monitor: &dyn Monitor) -> Result<()> {
        let root = images.unwrap_or(&self.samples.root);
        if !root.is_dir() {
            monitor.warn(&format!(
                "no thumbnails: the images are no longer in {}; --images names where they are",
                root.display()
            ));
            return Ok(());
        }
        let shot = |&(number, variant): &(usize, Variant)| {
            let file = &self.samples.rows[number].file;
            Shot { path: &file.path, image_sha256: file.image_sha256, variant }
        };
        let shots: Vec<Shot> = self.points.iter().map(shot).collect();
        let grid = Grid::of(shots.len());
        let (sprite, refused) = sprite::draw(root, &shots, grid, threads)?;
        self.sprite = Some((grid, image_io::encode_png(&sprite)));
        self.refused = refused;
        Ok(())
    }

    /// Whether these are the points of this cache.
    pub fn is_of(&self, cache: &str) -> bool {
        self.cache == Path::new(cache)
    }

    /// Pictures without a thumbnail.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// The files of a run: points and thumbnails of its cache, with what the run makes of them.
    ///
    /// # Errors
    /// [`Kind::Run`] when the run is of other features, or damaged.
    pub fn files(
        &self,
        run: &Path,
        record: &Record,
        head: &Head,
    ) -> Result<(Projected, Vec<(&'static str, Vec<u8>)>)> {
        let differences = record.spec.differences(self.store.spec(), "in the run", "in its cache now");
        if !differences.is_empty() || head.width() != self.features.width() {
            let message = format!("its cache holds other features by now: {}", differences.join("; "));
            return Err(Error::new(Kind::Run, message).at(run).help("train again, or leave --projector out"));
        }
        let (name, tensors) = tensors(&self.features);
        let metadata = self.metadata(record, head, &splits(run)?);
        let config = self.config(name);
        let mut files =
            vec![(name, tensors), (METADATA, metadata.into_bytes()), (CONFIG, config.into_bytes())];
        files.extend(self.sprite.as_ref().map(|(_, png)| (SPRITE, png.clone())));
        let (points, of, width) = (self.points.len(), self.all, self.features.width());
        Ok((
            Projected { points, of, width, thumbnail: self.sprite.as_ref().map(|(grid, _)| grid.tile) },
            files,
        ))
    }

    /// A line a point below a line of names, cells between tabs.
    fn metadata(&self, record: &Record, head: &Head, splits: &HashMap<Digest, Split>) -> String {
        let classes = record.class_names();
        let examples: Vec<Example> =
            (0..self.points.len() as u32).map(|row| Example { row, target: 0 }).collect();
        let answers = head.probabilities_of(Rows { features: &self.features, examples: &examples });
        let mut out = String::from("label\tsplit\tvariant\tpredicted\tanswer\tpath\n");
        for (&(number, variant), probabilities) in self.points.iter().zip(answers) {
            let file = &self.samples.rows[number].file;
            let predicted = &classes[argmax(&probabilities)];
            let split = splits.get(&file.image_sha256).map_or("new", |split| split.name());
            let answer = if *predicted == file.label { "right" } else { "wrong" };
            let cells = [&file.label, split, &variant.to_string(), predicted, answer, &file.path];
            out.push_str(&cells.map(cell).join("\t"));
            out.push('\n');
        }
        out
    }

    /// `projector_config.pbtxt`: a `ProjectorConfig` as text.
    fn config(&self, tensors: &str) -> String {
        let (points, width) = (self.points.len(), self.features.width());
        let sprite = self.sprite.as_ref().map_or(String::new(), |(Grid { tile, .. }, _)| {
            format!("  sprite {{\n    image_path: \"{SPRITE}\"\n    single_image_dim: {tile}\n    single_image_dim: {tile}\n  }}\n")
        });
        format!(
            "embeddings {{\n  tensor_name: \"features\"\n  tensor_shape: {points}\n  tensor_shape: {width}\n  tensor_path: \"{tensors}\"\n  metadata_path: \"{METADATA}\"\n{sprite}}}\n"
        )
    }
}

/// The split of each image as the run had it.
fn splits(run: &Path) -> Result<HashMap<Digest, Split>> {
    let seen: HashSet<Digest> = run::read_trained_on(run)?;
    let held_out = run::read_predictions(run)?.into_iter().map(|row| (row.image_sha256, row.split));
    Ok(seen.into_iter().map(|image| (image, Split::Train)).chain(held_out).collect())
}

/// The features as TensorBoard reads them, and what the file is called: float32 values, little-endian; as text where their
/// bytes could be one. It tells the two apart by trying to read a first line of text.
fn tensors(features: &Matrix) -> (&'static str, Vec<u8>) {
    let bytes: Vec<u8> = features.values().flat_map(f32::to_le_bytes).collect();
    let first = bytes.split(|&byte| byte == b'\n').find(|line| !line.is_empty()).unwrap_or_default();
    if std::str::from_utf8(first).is_err() {
        return (TENSORS, bytes);
    }
    let line =
        |row: usize| features.row(row).iter().map(f32::to_string).collect::<Vec<_>>().join("\t") + "\n";
    (TENSORS_AS_TEXT, (0..features.rows()).map(line).collect::<String>().into_bytes())
}

/// Text as a cell: what would end a cell or a line becomes an escape, and so stays apart from everything else.
fn cell(text: &str) -> String {
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\\');
    text.chars().flat_map(|c| if is_break(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_kind_stays_one_cell_and_apart_from_others() {
        assert_eq!(cell("Gerhard Schröder"), "Gerhard Schröder");
        assert_eq!(cell("a\tb\nc\r\u{85}\u{2028}"), "a\\tb\\nc\\r\\u{85}\\u{2028}");
        assert_ne!(cell("a\tb"), cell("a\\tb"));
    }

    #[test]
    fn features_that_could_be_text_are_text() {
        assert_eq!(
            tensors(&Matrix::from_rows(2, &[0.5, 2.0, 0.0, 8.0])),
            (TENSORS_AS_TEXT, b"0.5\t2\n0\t8\n".to_vec())
        );
        // 1.1 is CD CC 8C 3F.
        let (name, bytes) = tensors(&Matrix::from_rows(1, &[1.1, 2.0]));
        assert_eq!((name, &bytes[..]), (TENSORS, &[0xcd, 0xcc, 0x8c, 0x3f, 0, 0, 0, 0x40][..]));
    }
}
