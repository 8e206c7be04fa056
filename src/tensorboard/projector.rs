//! The features of a run's cache for TensorBoard's embedding projector: a point a row, what is known of each, thumbnails.

use super::points::Points;
use super::sprite::{self, Grid, Shot};
use crate::augment::Variant;
use crate::dataset::{Refused, Split};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::head::{Example, Head, Rows, argmax};
use crate::image_io;
use crate::matrix::Matrix;
use crate::monitor::{Monitor, Unit};
use crate::run;
use crate::store::{FeatureCache, Samples, Spec};
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
    spec: Spec,
    samples: Samples,
    points: Points,
    grid: Option<Grid>,
    /// Points and thumbnails, the same for all runs.
    shared: Vec<(&'static str, Vec<u8>)>,
    /// The folder where those are already.
    home: Option<PathBuf>,
    /// Pictures without a thumbnail.
    pub refused: Vec<Refused>,
}

/// What a run makes of the points.
#[derive(Debug)]
pub(super) struct Page {
    pub told: Projected,
    /// Names and bytes of its own files.
    files: [(&'static str, Vec<u8>); 2],
}

impl Album {
    /// Reads the features of a cache, and draws the thumbnails.
    ///
    /// # Errors
    /// [`Kind::Cache`] when it is gone, damaged, or empty.
    pub fn open(cache: &Path, config: &ProjectorConfig, monitor: &dyn Monitor) -> Result<Self> {
        let threads = threads::number(0);
        let store = FeatureCache::open(cache)?;
        let samples = store.samples()?;
        let points = Points::read(cache, &store, &samples, (config.points, threads))?;
        if points.places.len() < points.of {
            monitor.note(&format!(
                "the projector shows {} of {} feature rows, evenly spread; --points allows up to {MOST}",
                points.places.len(),
                points.of
            ));
        }
        let (cache, spec) = (cache.to_path_buf(), store.spec().clone());
        let shared = vec![tensors(&points.features)];
        let mut album =
            Self { cache, spec, samples, points, grid: None, shared, home: None, refused: Vec::new() };
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
        let shots: Vec<Shot> = self.points.places.iter().map(shot).collect();
        let grid = Grid::of(shots.len());
        let task = monitor.task("drawing thumbnails", Some(shots.len() as u64), Unit::Images);
        let (sprite, refused) = sprite::draw(root, &shots, grid, threads, &*task)?;
        self.shared.push((SPRITE, image_io::encode_png(&sprite)));
        (self.grid, self.refused) = (Some(grid), refused);
        Ok(())
    }

    /// Whether these are the points of this cache.
    pub fn is_of(&self, cache: &str) -> bool {
        self.cache == Path::new(cache)
    }

    /// What a run with this head for these classes makes of the points.
    ///
    /// # Errors
    /// [`Kind::Run`] when the run is of other features, or damaged.
    pub fn page(&self, run: &Path, (head, classes, spec): &(Head, Vec<String>, Spec)) -> Result<Page> {
        let differences = spec.differences(&self.spec, "in the run", "in its cache now");
        let features = &self.points.features;
        if !differences.is_empty() || head.width() != features.width() {
            let message = format!("its cache holds other features by now: {}", differences.join("; "));
            return Err(Error::new(Kind::Run, message).at(run).help("train again, or leave --projector out"));
        }
        let metadata = self.metadata(head, classes, &splits(run)?);
        let (points, of, width) = (features.rows(), self.points.of, features.width());
        let told = Projected { points, of, width, thumbnail: self.grid.map(|grid| grid.tile) };
        Ok(Page { told, files: [(METADATA, metadata.into_bytes()), (CONFIG, self.config().into_bytes())] })
    }

    /// Writes the files of a run into `folder`, which is on its way to `place`. What runs share is written once and linked
    /// for the others, where the file system can.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn write(&mut self, page: &Page, folder: &Path, place: &Path) -> Result<()> {
        for (name, bytes) in &self.shared {
            let linked = self.home.as_ref().map(|home| fs::hard_link(&home.join(name), &folder.join(name)));
            if !matches!(linked, Some(Ok(()))) {
                fs::write_atomic(&folder.join(name), bytes)?;
            }
        }
        self.home = Some(place.to_path_buf());
        page.files.iter().try_for_each(|(name, bytes)| fs::write_atomic(&folder.join(name), bytes))
    }

    /// A line a point below a line of names, cells between tabs.
    fn metadata(&self, head: &Head, classes: &[String], splits: &HashMap<Digest, Split>) -> String {
        let Points { places, features, .. } = &self.points;
        let examples: Vec<Example> = (0..places.len() as u32).map(|row| Example { row, target: 0 }).collect();
        let answers = head.probabilities_of(Rows { features, examples: &examples });
        let mut out = String::from("label\tsplit\tvariant\tpredicted\tanswer\tpath\n");
        for (&(number, variant), probabilities) in places.iter().zip(answers) {
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
    fn config(&self) -> String {
        let tensors = self.shared[0].0;
        let (points, width) = (self.points.features.rows(), self.points.features.width());
        let sprite = self.grid.map_or(String::new(), |Grid { tile, .. }| {
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
