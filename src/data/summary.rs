//! Summary of a folder of images: classes, counts, and the files that cannot be used.

use crate::data::dataset::{
    FolderLayout, ImageFile, LabelConflicts, LayoutChoice, Refused, separate_conflicts, still_unlabelled,
};
use crate::data::decode;
use crate::data::manifest::ManifestOptions;
use crate::data::perceptual::{PerceptualDuplicates, PerceptualHashes};
use crate::data::scan::{EarlierScan, PassedOver, ScanDepth, ScanOptions, no_images, scan};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::monitor::Monitor;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

/// Settings of [`summary`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SummaryConfig {
    /// Folder of images, `IMAGES/<class>/**/<file>`, or a manifest.
    pub images: PathBuf,
    /// How a manifest is read; without meaning for a folder.
    pub manifest: ManifestOptions,
    /// How much of each file is examined. [`ScanDepth::Header`] does not find damaged pixels.
    pub depth: ScanDepth,
    /// How folders that are called as splits are taken; `None` takes them as classes, with a remark.
    pub layout: Option<LayoutChoice>,
    /// Memory for decoding, in bytes, of all threads together; `None` takes half of what is free. A larger image is refused.
    pub decode_memory: Option<u64>,
    /// Whether to look for pictures that look nearly the same. It needs [`ScanDepth::Pixels`].
    pub near_duplicates: bool,
}

/// Summary of a folder of images.
#[derive(Debug, Clone, Serialize)]
pub struct SummaryStats {
    /// Number of usable files: those that `extract` would use.
    pub images: usize,
    /// Whether images have several labels. `classes` are the labels then, and an image counts in each of its own.
    #[serde(skip)]
    pub several_labels: bool,
    /// Number of usable files without a label, which are not among `images`.
    pub unlabelled: usize,
    /// All classes, the largest first, equal ones by name. Class folders without a usable file are included.
    pub classes: Vec<ClassSummary>,
    /// Number of classes with one image. The image is in the train split, so such a class cannot be evaluated.
    pub single_image_classes: usize,
    /// Number of class folders without a usable file.
    pub empty_classes: usize,
    /// Numbers of files that programs and systems left there and that were passed over, by name.
    pub passed_over: PassedOver,
    /// Files and folders that cannot be used.
    pub unreadable: Vec<Refused>,
    /// Files whose bytes occur under more than one label; `extract` refuses them.
    pub conflicting: Vec<Refused>,
    /// Number of files with the same bytes as another file of their class, not counting the first of each group.
    #[serde(rename = "copies")]
    pub duplicates: usize,
    /// Pictures that look nearly the same, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perceptual_duplicates: Option<PerceptualDuplicates>,
    /// Total size of the usable files in bytes.
    pub bytes: u64,
    /// Smallest and largest width in pixels; `None` without images.
    pub width: Option<[u32; 2]>,
    /// Smallest and largest height in pixels; `None` without images.
    pub height: Option<[u32; 2]>,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl SummaryStats {
    /// What `classes` are: class or label.
    pub fn class_word(&self) -> &'static str {
        if self.several_labels { "label" } else { "class" }
    }

    /// What `classes` are, in the plural.
    pub fn class_words(&self) -> &'static str {
        if self.several_labels { "labels" } else { "classes" }
    }
}

/// One class of a folder, or one label of a manifest with several labels an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassSummary {
    /// Label of the class.
    pub name: String,
    /// Number of usable files.
    pub images: usize,
    /// Share of all usable files, 0 to 1.
    pub share: f64,
}

/// A folder of images: its files and their summary.
#[derive(Debug)]
pub struct ImageFolder {
    /// The folder, absolute.
    pub root: PathBuf,
    /// What its folders stand for.
    pub layout: FolderLayout,
    /// The usable files, which `stats` counts.
    pub files: Vec<ImageFile>,
    /// Files whose bytes occur under more than one label.
    pub conflicting: Vec<ImageFile>,
    /// Summary of the folder.
    pub stats: SummaryStats,
}

/// Scans a folder of images and counts what it holds.
///
/// # Errors
/// [`Kind::Input`] when there is no such folder, or when it holds no class folder with a file;
/// [`Kind::Interrupted`] when the monitor was interrupted. Files that cannot be used are
/// listed in the result.
pub fn summary(config: &SummaryConfig, monitor: &dyn Monitor) -> Result<SummaryStats> {
    ImageFolder::scan(config, None, monitor).map(|folder| folder.stats)
}

impl SummaryConfig {
    fn check(&self) -> Result<()> {
        if self.near_duplicates && self.depth == ScanDepth::Header {
            return Err(Error::new(Kind::Usage, "`near_duplicates` cannot be found in headers")
                .help("leave `depth` out, so that the pictures are read"));
        }
        Ok(())
    }
}

impl ImageFolder {
    /// Scans a folder of images. Returns its files together with their [`summary`]. Labels of the `earlier` scan stay.
    ///
    /// # Errors
    /// Those of [`summary`].
    pub fn scan(config: &SummaryConfig, earlier: Option<EarlierScan>, monitor: &dyn Monitor) -> Result<Self> {
        let started = Instant::now();
        decode::limit_memory(config.decode_memory)?;
        config.check()?;
        let hashes = config.near_duplicates.then(PerceptualHashes::default);
        let options = ScanOptions {
            earlier,
            rehash: true,
            layout: config.layout,
            manifest: Some(&config.manifest),
            hashes: hashes.as_ref(),
            ..ScanOptions::new(config.depth)
        };
        let found = scan(&config.images, &options, monitor)?;
        if found.files.is_empty() && found.refused.is_empty() {
            return Err(no_images(&config.images, found.unlabelled.len(), &[]));
        }
        let LabelConflicts { kept: files, conflicting, refused } = separate_conflicts(found.files);
        let unlabelled = still_unlabelled(&found.unlabelled, &files).len();
        let classes = composition(&files, &found.labels);
        let range = |side: fn(&ImageFile) -> u32| {
            let sides = || files.iter().map(side);
            sides().min().zip(sides().max()).map(|(smallest, largest)| [smallest, largest])
        };
        let distinct: HashSet<Digest> = files.iter().map(|file| file.image_sha256).collect();
        let looked_at: Vec<&ImageFile> = files.iter().chain(&conflicting).collect();
        let perceptual_duplicates = hashes.map(|hashes| hashes.find(&looked_at));
        let classes_of_size = |n: usize| classes.iter().filter(|class| class.images == n).count();
        let stats = SummaryStats {
            images: files.len(),
            several_labels: files.iter().any(|file| file.labels.is_some()),
            unlabelled,
            single_image_classes: classes_of_size(1),
            empty_classes: classes_of_size(0),
            duplicates: files.len() - distinct.len(),
            classes,
            perceptual_duplicates,
            passed_over: found.passed_over,
            unreadable: found.refused,
            conflicting: refused,
            bytes: files.iter().map(|file| file.bytes).sum(),
            width: range(|file| file.width),
            height: range(|file| file.height),
            seconds: started.elapsed().as_secs_f64(),
        };
        Ok(Self { root: found.root, layout: found.layout, files, conflicting, stats })
    }
}

/// Counts the files of each class, or of each label where files have several, the largest first. Labels without a file are included.
pub(super) fn composition(files: &[ImageFile], labels: &[String]) -> Vec<ClassSummary> {
    let mut counts: BTreeMap<&str, usize> = labels.iter().map(|label| (label.as_str(), 0)).collect();
    for label in files.iter().flat_map(|file| file.labels_or_class()) {
        *counts.entry(label).or_default() += 1;
    }
    let share = |images: usize| images as f64 / files.len().max(1) as f64;
    let mut classes: Vec<ClassSummary> = counts
        .into_iter()
        .map(|(name, images)| ClassSummary { name: name.into(), images, share: share(images) })
        .collect();
    // A stable sort: equal classes stay in the order of their names.
    classes.sort_by_key(|class| std::cmp::Reverse(class.images));
    classes
}
