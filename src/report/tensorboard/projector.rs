//! The features of a run's cache for TensorBoard's embedding projector: points, metadata of each point, thumbnails.

use super::points::{Point, Points};
use super::sprite::{self, SpriteImage, SpriteLayout};
use crate::cache::{FeatureCache, Samples, Spec};
use crate::data::dataset::{Refused, Split};
use crate::data::decode;
use crate::error::{Error, Kind, Result};
use crate::head::{Example, Head, LabelledFeatures, argmax};
use crate::io::digest::Digest;
use crate::io::fs;
use crate::math::matrix::Matrix;
use crate::math::parallel;
use crate::monitor::{Monitor, Unit};
use crate::run::{Prediction, StoredRun, TrainedHead};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Settings of the embedding projector.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProjectorConfig {
    /// Upper limit on points, from 1 to 100,000, which is the limit of TensorBoard. Of more feature rows, evenly spaced ones
    /// are shown. Default: 10,000.
    pub points: usize,
    /// Folder of images for thumbnails. Default: the folder that was extracted.
    pub images: Option<PathBuf>,
}

impl Default for ProjectorConfig {
    fn default() -> Self {
        Self { points: 10_000, images: None }
    }
}

/// The points of a run in the projector.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ProjectorStats {
    /// Number of points.
    pub points: usize,
    /// Number of feature rows in the cache.
    pub of: usize,
    /// Number of floats in a feature row.
    pub width: usize,
    /// Side of a thumbnail in pixels; `None` without thumbnails.
    pub thumbnail: Option<usize>,
}

const TENSORS: &str = "tensors.bytes";
const TENSORS_AS_TEXT: &str = "tensors.tsv";
const METADATA: &str = "metadata.tsv";
const SPRITE: &str = "sprite.png";
const CONFIG: &str = "projector_config.pbtxt";
/// All files of the projector.
pub(super) const FILES: [&str; 5] = [TENSORS, TENSORS_AS_TEXT, METADATA, SPRITE, CONFIG];

/// Upper limit on points in TensorBoard's page.
const MAX_POINTS: usize = 100_000;

impl ProjectorConfig {
    pub(super) fn check(&self) -> Result<()> {
        if !(1..=MAX_POINTS).contains(&self.points) {
            let message = format!("`points` must be from 1 to {MAX_POINTS}, the limit of TensorBoard");
            return Err(Error::new(Kind::Usage, message));
        }
        match self.images.as_ref().filter(|images| !images.is_dir()) {
            Some(images) => Err(Error::new(Kind::Input, "no such folder of images")
                .at(images)
                .help("set `images` to the folder that was extracted, or leave it out")),
            None => Ok(()),
        }
    }
}

/// A file of the projector: name and content.
#[derive(Debug)]
struct ProjectorFile {
    name: &'static str,
    bytes: Vec<u8>,
}

impl ProjectorFile {
    /// A file with the same name and bytes in `folder` or in a folder beside it.
    fn equal_beside(&self, folder: &Path) -> Option<PathBuf> {
        let beside = fs::list(folder.parent()?).ok()?.into_iter();
        let has_size = |path: &PathBuf| {
            std::fs::symlink_metadata(path)
                .is_ok_and(|found| found.is_file() && found.len() == self.bytes.len() as u64)
        };
        let mut candidates = beside.map(|entry| entry.path.join(self.name)).filter(has_size);
        candidates.find(|path| fs::read(path).is_ok_and(|bytes| bytes == self.bytes))
    }
}

/// The points of one cache, shared by all runs of that cache.
#[derive(Debug)]
pub(super) struct ProjectorData {
    cache: PathBuf,
    spec: Spec,
    samples: Samples,
    points: Points,
    /// Layout of the thumbnails; `None` without thumbnails.
    layout: Option<SpriteLayout>,
    /// Files with points and thumbnails, the same for all runs. The first one holds the points.
    shared: Vec<ProjectorFile>,
    /// Folder that the shared files were already written to.
    written_to: Option<PathBuf>,
    /// Images without a thumbnail.
    pub refused: Vec<Refused>,
}

/// What a run adds to the points.
#[derive(Debug)]
pub(super) struct RunPoints {
    pub stats: ProjectorStats,
    /// Files of this run alone.
    files: [ProjectorFile; 2],
}

impl ProjectorData {
    /// Reads the features of a cache and draws the thumbnails.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the cache is missing, damaged or empty.
    pub fn read(features: FeatureCache, config: &ProjectorConfig, monitor: &dyn Monitor) -> Result<Self> {
        let threads = parallel::thread_count(0);
        let cache = features.root();
        let samples = features.samples()?;
        let samples = Samples { root: samples.images_root(cache), ..samples };
        let points = Points::read(cache, &features, &samples, config.points, threads)?;
        if points.points.len() < points.total {
            monitor.note(&format!(
                "the projector shows {} of {} feature rows, evenly spaced; `points` may be up to {MAX_POINTS}",
                points.points.len(),
                points.total
            ));
        }
        let (cache, spec) = (cache.to_path_buf(), features.spec().clone());
        let shared = vec![tensors(&points.features)];
        let (layout, written_to, refused) = (None, None, Vec::new());
        let mut data = Self { cache, spec, samples, points, layout, shared, written_to, refused };
        data.draw_thumbnails(config.images.as_deref(), threads, monitor)?;
        Ok(data)
    }

    /// Draws the thumbnails, if the folder of images exists.
    fn draw_thumbnails(
        &mut self,
        images: Option<&Path>,
        threads: usize,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        let root = images.unwrap_or(&self.samples.root);
        if !root.is_dir() {
            monitor.warn(&format!(
                "no thumbnails: the images are no longer in {}; set `images` to the folder where they are",
                root.display()
            ));
            return Ok(());
        }
        let image = |point: &Point| {
            let file = &self.samples.rows[point.sample].file;
            SpriteImage { path: &file.path, image_sha256: file.image_sha256, variant: point.variant }
        };
        let images: Vec<SpriteImage> = self.points.points.iter().map(image).collect();
        let layout = SpriteLayout::new(images.len());
        let task = monitor.task("drawing thumbnails", Some(images.len() as u64), Unit::Images);
        let sprite = sprite::draw(root, &images, layout, threads, &*task)?;
        self.shared.push(ProjectorFile { name: SPRITE, bytes: decode::encode_png(&sprite.pixels) });
        (self.layout, self.refused) = (Some(layout), sprite.refused);
        Ok(())
    }

    /// Whether these are the points of the cache at this path.
    pub fn is_of(&self, cache: &Path) -> bool {
        self.cache == cache
    }

    /// Computes the metadata of the points for a run.
    ///
    /// # Errors
    /// [`Kind::Run`] when the run was trained on other features, or is damaged.
    pub fn of_run(&self, run: &StoredRun, trained: &TrainedHead) -> Result<RunPoints> {
        let differences = trained.spec.differences(&self.spec, "in the run", "in its cache now");
        let features = &self.points.features;
        if !differences.is_empty() || trained.head.width() != features.width() {
            let message = format!("its cache now holds other features: {}", differences.join("; "));
            return Err(Error::new(Kind::Run, message)
                .at(run.path())
                .help("train again, or leave `projector` out"));
        }
        let answers = RunAnswers::read(run, &self.samples, &trained.classes)?;
        let metadata = self.metadata(&trained.head, &trained.classes, &answers);
        let stats = ProjectorStats {
            points: features.rows(),
            of: self.points.total,
            width: features.width(),
            thumbnail: self.layout.map(|layout| layout.tile),
        };
        let metadata = ProjectorFile { name: METADATA, bytes: metadata.into_bytes() };
        let config = ProjectorFile { name: CONFIG, bytes: self.config().into_bytes() };
        Ok(RunPoints { stats, files: [metadata, config] })
    }

    /// Writes the files of a run into the folder `staging`, which will be renamed to `folder`. Files with points and thumbnails
    /// are shared with the runs beside it, also those of earlier exports: hard-linked, if the file system supports that. They
    /// cannot lie in a folder of their own, since TensorBoard reads nothing outside the folder of a run.
    ///
    /// # Errors
    /// [`Kind::Io`] when writing fails.
    pub fn write(&mut self, points: &RunPoints, staging: &Path, folder: &Path) -> Result<()> {
        for file in &self.shared {
            let path = staging.join(file.name);
            let written = self.written_to.as_ref().map(|written| written.join(file.name));
            let equal = written.or_else(|| file.equal_beside(folder));
            if equal.is_none_or(|equal| fs::hard_link(&equal, &path).is_err()) {
                fs::write_atomic(&path, &file.bytes)?;
            }
        }
        self.written_to = Some(folder.to_path_buf());
        points.files.iter().try_for_each(|file| fs::write_atomic(&staging.join(file.name), &file.bytes))
    }

    /// Builds `metadata.tsv`: column names, then one line for each point.
    fn metadata(&self, head: &Head, classes: &[String], answers: &RunAnswers) -> String {
        let Points { points, features, .. } = &self.points;
        let examples: Vec<Example> = (0..points.len() as u32).map(|row| Example { row, target: 0 }).collect();
        let probabilities = head.probabilities_of(LabelledFeatures { features, examples: &examples });
        let mut out = String::from("label\tsplit\tvariant\tpredicted\tanswer\tpath\n");
        for (point, probabilities) in points.iter().zip(&probabilities) {
            let file = &self.samples.rows[point.sample].file;
            let predicted = answers.name_now(&classes[argmax(probabilities)]);
            let split = answers.splits.get(&file.image_sha256).map_or("new", |split| split.name());
            let answer = if predicted == file.label { "right" } else { "wrong" };
            let cells = [&file.label, split, &point.variant.to_string(), predicted, answer, &file.path];
            out.push_str(&cells.map(escape_cell).join("\t"));
            out.push('\n');
        }
        out
    }

    /// Builds `projector_config.pbtxt`, a `ProjectorConfig` message as text.
    fn config(&self) -> String {
        let tensors = self.shared[0].name;
        let (points, width) = (self.points.features.rows(), self.points.features.width());
        let sprite = self.layout.map_or(String::new(), |SpriteLayout { tile, .. }| {
            format!("  sprite {{\n    image_path: \"{SPRITE}\"\n    single_image_dim: {tile}\n    single_image_dim: {tile}\n  }}\n")
        });
        format!(
            "embeddings {{\n  tensor_name: \"features\"\n  tensor_shape: {points}\n  tensor_shape: {width}\n  tensor_path: \"{tensors}\"\n  metadata_path: \"{METADATA}\"\n{sprite}}}\n"
        )
    }
}

/// What a run says about the images of its cache.
#[derive(Debug)]
struct RunAnswers {
    /// The split of each image in the run.
    splits: HashMap<Digest, Split>,
    /// The present names of classes that were renamed since, by their names in the run.
    renamed: HashMap<String, String>,
}

impl RunAnswers {
    fn read(run: &StoredRun, samples: &Samples, classes: &[String]) -> Result<Self> {
        let predictions = run.predictions()?;
        let held_out = predictions.iter().map(|row| (row.image_sha256, row.split));
        let trained_on = run.trained_on()?.into_iter().map(|image| (image, Split::Train));
        Ok(Self {
            splits: trained_on.chain(held_out).collect(),
            renamed: renamed_classes(&predictions, samples, classes),
        })
    }

    fn name_now<'a>(&'a self, class: &'a str) -> &'a str {
        self.renamed.get(class).map_or(class, String::as_str)
    }
}

/// Finds classes that have another name by now: all held-out images of such a class that the cache still knows have one
/// label, and no class of the run is called so.
fn renamed_classes(
    predictions: &[Prediction],
    samples: &Samples,
    classes: &[String],
) -> HashMap<String, String> {
    let now = samples.by_digest();
    let mut labels: HashMap<&str, HashSet<&str>> = HashMap::new();
    for row in predictions {
        if let Some(sample) = now.get(&row.image_sha256) {
            labels.entry(&row.label).or_default().insert(&sample.file.label);
        }
    }
    let is_new = |label: &str| !classes.iter().any(|class| class == label);
    let renamed = labels.into_iter().filter(|(_, now)| now.len() == 1 && now.iter().all(|now| is_new(now)));
    renamed.flat_map(|(then, now)| now.into_iter().map(move |now| (then.into(), now.into()))).collect()
}

/// Encodes the features as little-endian float32 values, or as text where those bytes could be text. TensorBoard
/// distinguishes the two by trying to read a first line of text.
fn tensors(features: &Matrix) -> ProjectorFile {
    let bytes: Vec<u8> = features.values().flat_map(f32::to_le_bytes).collect();
    let first = bytes.split(|&byte| byte == b'\n').find(|line| !line.is_empty()).unwrap_or_default();
    if std::str::from_utf8(first).is_err() {
        return ProjectorFile { name: TENSORS, bytes };
    }
    let line =
        |row: usize| features.row(row).iter().map(f32::to_string).collect::<Vec<_>>().join("\t") + "\n";
    let text: String = (0..features.rows()).map(line).collect();
    ProjectorFile { name: TENSORS_AS_TEXT, bytes: text.into_bytes() }
}

/// Escapes characters that would end a cell or a line. Different texts stay different.
fn escape_cell(text: &str) -> String {
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\\');
    text.chars().flat_map(|c| if is_break(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_one_cell_and_distinct() {
        assert_eq!(escape_cell("Gerhard Schröder"), "Gerhard Schröder");
        assert_eq!(escape_cell("a\tb\nc\r\u{85}\u{2028}"), "a\\tb\\nc\\r\\u{85}\\u{2028}");
        assert_ne!(escape_cell("a\tb"), escape_cell("a\\tb"));
    }

    #[test]
    fn features_that_could_be_text_are_written_as_text() {
        let text = tensors(&Matrix::from_rows(2, &[0.5, 2.0, 0.0, 8.0]));
        assert_eq!((text.name, &text.bytes[..]), (TENSORS_AS_TEXT, &b"0.5\t2\n0\t8\n"[..]));
        // 1.1 is CD CC 8C 3F.
        let binary = tensors(&Matrix::from_rows(1, &[1.1, 2.0]));
        assert_eq!((binary.name, &binary.bytes[..]), (TENSORS, &[0xcd, 0xcc, 0x8c, 0x3f, 0, 0, 0, 0x40][..]));
    }
}
