//! What a folder of images holds: classes, counts, and the files that cannot be used.

use crate::dataset::{self, ImageFile, Refused};
use crate::digest::Digest;
use crate::error::Result;
use crate::images::{Look, Memory, no_images, scan};
use crate::monitor::Monitor;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

/// What `data summary` was asked for.
#[derive(Debug, Clone)]
pub struct SummaryConfig {
    /// `IMAGES/<class>/**/<file>`.
    pub images: PathBuf,
    /// How closely to look: headers alone miss damaged pixels.
    pub look: Look,
}

/// What a folder holds. Shares are 0 to 1.
#[derive(Debug, Clone, Serialize)]
pub struct SummaryStats {
    /// Files that can be used: as many as `extract` would take.
    pub images: usize,
    /// The class with the most images first; equals by name. Class folders without a usable file count as classes.
    pub classes: Vec<ClassSummary>,
    /// Classes with one image: it will be in train, and nothing can be measured.
    pub single_image_classes: usize,
    /// Class folders without a usable file.
    pub empty_classes: usize,
    /// Files and folders that cannot be used.
    pub unreadable: Vec<Refused>,
    /// Files whose bytes stand under two labels; `extract` refuses them.
    pub conflicting: Vec<Refused>,
    /// Files whose bytes stand there more than once under one label, beyond the first.
    pub copies: usize,
    /// Bytes of the usable files.
    pub bytes: u64,
    /// Least and largest width in pixels; `None` without images.
    pub width: Option<[u32; 2]>,
    /// Least and largest height.
    pub height: Option<[u32; 2]>,
    /// Wall time.
    pub seconds: f64,
}

/// One class of a folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassSummary {
    /// The label.
    pub name: String,
    /// Usable files.
    pub images: usize,
    /// Of all usable files.
    pub share: f64,
}

/// A folder that was looked at, with its files.
#[derive(Debug)]
pub struct Looked {
    /// The folder, absolute.
    pub root: PathBuf,
    /// Files that can be used: those of `stats.images`.
    pub files: Vec<ImageFile>,
    /// Files whose bytes stand under two labels.
    pub conflicting: Vec<ImageFile>,
    /// What they come to.
    pub stats: SummaryStats,
}

/// Looks at every file below a folder of images.
///
/// # Errors
/// [`crate::error::Kind::Input`] when there is no such folder, or nothing in it belongs to a class.
pub fn summary(config: &SummaryConfig, monitor: &dyn Monitor) -> Result<SummaryStats> {
    look(config, monitor).map(|looked| looked.stats)
}

/// The same with the files.
///
/// # Errors
/// As [`summary`].
pub fn look(config: &SummaryConfig, monitor: &dyn Monitor) -> Result<Looked> {
    let started = Instant::now();
    let found = scan(&config.images, &Memory::default(), config.look, true, monitor)?;
    if found.files.is_empty() && found.refused.is_empty() {
        return Err(no_images(&config.images, &[]));
    }
    let ([files, conflicting], refused) = dataset::refuse_conflicts(found.files);
    let classes = composition(&files, &found.labels);
    let range = |get: fn(&ImageFile) -> u32| {
        let values = || files.iter().map(get);
        values().min().zip(values().max()).map(|(least, most)| [least, most])
    };
    let distinct: HashSet<Digest> = files.iter().map(|file| file.image_sha256).collect();
    let of_size = |n: usize| classes.iter().filter(|class| class.images == n).count();
    let (single_image_classes, empty_classes) = (of_size(1), of_size(0));
    let stats = SummaryStats {
        images: files.len(),
        single_image_classes,
        empty_classes,
        copies: files.len() - distinct.len(),
        classes,
        unreadable: found.refused,
        bytes: files.iter().map(|file| file.bytes).sum(),
        width: range(|file| file.width),
        height: range(|file| file.height),
        seconds: started.elapsed().as_secs_f64(),
        conflicting: refused,
    };
    Ok(Looked { root: found.root, files, conflicting, stats })
}

/// How many of `files` each label has, the most first.
pub(super) fn composition(files: &[ImageFile], labels: &[String]) -> Vec<ClassSummary> {
    let mut counts: BTreeMap<&str, usize> = labels.iter().map(|label| (label.as_str(), 0)).collect();
    for file in files {
        *counts.entry(&file.label).or_default() += 1;
    }
    let share = |images: usize| images as f64 / files.len().max(1) as f64;
    let mut classes: Vec<ClassSummary> = counts
        .into_iter()
        .map(|(name, images)| ClassSummary { name: name.into(), images, share: share(images) })
        .collect();
    classes.sort_by_key(|class| std::cmp::Reverse(class.images)); // stable: equals stay in order of name
    classes
}
