//! Copies or links the images of the largest classes into a folder of their own, `OUT/NNN <class>/<file>`. Files that are
//! there are never removed or overwritten.

use super::summary::composition;
use crate::data::dataset::{
    FolderLayout, ImageFile, LabelConflicts, LayoutChoice, Refused, separate_conflicts,
};
use crate::data::manifest::ManifestOptions;
use crate::data::scan::{ScanDepth, ScanOptions, is_passed_over, no_images, scan};
use crate::error::{Error, Kind, Result, did_you_mean};
use crate::io::digest::sha256_file;
use crate::io::fs::{self, FolderEntry, Lock};
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Settings of [`select`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SelectConfig {
    /// Folder of images, `IMAGES/<class>/**/<file>`, or a manifest.
    pub images: PathBuf,
    /// How a manifest is read; without meaning for a folder.
    pub manifest: ManifestOptions,
    /// Number of classes, at least 1. Among classes of equal size, the first by name are selected. `None` takes all classes that
    /// `classes` and `exclude` leave. The default is 10.
    pub top: Option<usize>,
    /// Only these classes; all where it is empty.
    pub classes: Vec<String>,
    /// Without these classes.
    pub exclude: Vec<String>,
    /// Images of a class at most, chosen by their content alone, so that adding images changes few; `None` takes all.
    pub max: Option<usize>,
    /// The folder to create or to complete.
    pub out: PathBuf,
    /// Whether to make hard links instead of copies.
    pub link: bool,
    /// How folders that are called as splits are taken; `None` takes them as classes, with a remark.
    pub layout: Option<LayoutChoice>,
}

/// Result of [`select`].
#[derive(Debug, Clone, Serialize)]
pub struct SelectStats {
    /// The selected classes, the largest first.
    pub classes: Vec<SelectedClass>,
    /// Number of files of these classes. All of them are in the folder now.
    pub images: usize,
    /// Number of files copied or linked in this call. The others were there before.
    pub placed: usize,
    /// Files left out because they cannot be used, or because their bytes occur under more than one label.
    pub refused: Vec<Refused>,
}

/// A selected class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelectedClass {
    /// Label of the class.
    pub name: String,
    /// Name of its folder.
    pub folder: String,
    /// Number of usable files.
    pub images: usize,
}

/// A file of the selection, and where it belongs.
struct Placement<'a> {
    file: &'a ImageFile,
    source: PathBuf,
    target: PathBuf,
}

impl Default for SelectConfig {
    fn default() -> Self {
        Self {
            images: PathBuf::new(),
            manifest: ManifestOptions::default(),
            top: Some(10),
            classes: Vec::new(),
            exclude: Vec::new(),
            max: None,
            out: PathBuf::new(),
            link: false,
            layout: None,
        }
    }
}

/// Copies or links the images of the largest classes. Each copy is read back and compared. Files that are there and have
/// the right bytes are left alone, so an interrupted call can be repeated.
///
/// # Errors
/// [`Kind::Usage`] when one folder contains the other, or `top` is 0. [`Kind::Input`] when there are no images, or `out`
/// holds other files; nothing is written then. [`Kind::Locked`] when another process is filling `out`, [`Kind::Io`] when a
/// file cannot be written, [`Kind::Interrupted`] when the monitor was interrupted during the scan.
pub fn select(config: &SelectConfig, monitor: &dyn Monitor) -> Result<SelectStats> {
    check(config)?;
    let manifest = Some(&config.manifest);
    let options = ScanOptions { layout: config.layout, manifest, ..ScanOptions::new(ScanDepth::Pixels) };
    let found = scan(&config.images, &options, monitor)?;
    let LabelConflicts { kept: files, refused: conflicts, .. } = separate_conflicts(found.files);
    let refused = [found.refused, conflicts].concat();
    if files.is_empty() {
        return Err(no_images(&config.images, found.unlabelled.len(), &refused));
    }
    if files.iter().any(|file| file.labels.is_some()) {
        let message = "its images have several labels, and a folder is one class";
        return Err(Error::new(Kind::Input, message)
            .at(&config.images)
            .help("take rows out of the manifest instead; `data manifest` writes one in another format"));
    }
    let files = wanted(config, files)?;
    let classes: Vec<SelectedClass> = composition(&files, &[])
        .into_iter()
        .take(config.top.unwrap_or(usize::MAX))
        .map(|class| SelectedClass {
            folder: format!("{:03} {}", class.images, class.name),
            name: class.name,
            images: class.images,
        })
        .collect();
    let plan = plan(&config.out, &classes, &files, found.layout, &found.root)?;
    fs::create_folder(&config.out)?;
    let _lock = Lock::of_folder(&config.out)?;
    let missing = missing(&config.out, &plan)?;
    let task = monitor.task("placing files", Some(missing.len() as u64), Unit::Images);
    for Placement { file, source, target } in &missing {
        fs::create_folder(target.parent().unwrap_or(&config.out))?;
        match config.link {
            true => fs::hard_link_verified(source, target, file.image_sha256)?,
            false => fs::copy_verified(source, target, file.image_sha256)?,
        }
        task.advance(1);
    }
    Ok(SelectStats { images: plan.len(), placed: missing.len(), classes, refused })
}

fn check(config: &SelectConfig) -> Result<()> {
    for (field, number) in [("top", config.top), ("max", config.max)] {
        if number == Some(0) {
            return Err(Error::new(Kind::Usage, format!("`{field}` must be at least 1")));
        }
    }
    let (images, out) = (fs::resolve(&config.images)?, fs::resolve(&config.out)?);
    if out.starts_with(&images) || images.starts_with(&out) {
        return Err(Error::new(
            Kind::Usage,
            "the selection and the folder of images cannot contain each other",
        )
        .at(&config.out)
        .help("choose another folder for `out`"));
    }
    Ok(())
}

/// The files of the wanted classes, of each at most `max`.
fn wanted(config: &SelectConfig, files: Vec<ImageFile>) -> Result<Vec<ImageFile>> {
    let labels: BTreeSet<&str> = files.iter().map(|file| file.label.as_str()).collect();
    for name in config.classes.iter().chain(&config.exclude) {
        if !labels.contains(name.as_str()) {
            let known = crate::data::dataset::number_and_names(&labels.iter().copied().collect::<Vec<_>>());
            return Err(Error::new(Kind::Usage, format!("there is no class {name:?}"))
                .at(&config.images)
                .help(format!(
                    "{}the classes with usable images are: {known}",
                    did_you_mean(name, labels.iter().copied())
                )));
        }
    }
    let is_wanted = |label: &String| {
        (config.classes.is_empty() || config.classes.contains(label)) && !config.exclude.contains(label)
    };
    let mut kept: Vec<ImageFile> = files.into_iter().filter(|file| is_wanted(&file.label)).collect();
    if kept.is_empty() {
        return Err(Error::new(Kind::Usage, "`classes` and `exclude` leave no class").at(&config.images));
    }
    if let Some(max) = config.max {
        kept.sort_by(|a, b| (&a.label, a.image_sha256, &a.path).cmp(&(&b.label, b.image_sha256, &b.path)));
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        kept.retain(|file| {
            let taken = taken.entry(file.label.clone()).or_default();
            *taken += 1;
            *taken <= max
        });
        kept.sort_by(|a, b| a.path.cmp(&b.path));
    }
    Ok(kept)
}

/// Determines where each file of the classes belongs: in `NNN <class>/`, at its path below the class folder. Where splits
/// are folders, they become folders of the class: `NNN <class>/<split>/`.
fn plan<'a>(
    out: &Path,
    classes: &[SelectedClass],
    files: &'a [ImageFile],
    layout: FolderLayout,
    root: &Path,
) -> Result<Vec<Placement<'a>>> {
    let folders: BTreeMap<&str, &str> =
        classes.iter().map(|class| (class.name.as_str(), class.folder.as_str())).collect();
    let mut targets: BTreeMap<PathBuf, &ImageFile> = BTreeMap::new();
    let mut plan = Vec::new();
    for file in files {
        let Some(folder) = folders.get(file.label.as_str()) else { continue };
        let target = out.join(folder).join(layout.below_class(&file.path));
        if let Some(other) = targets.insert(target.clone(), file) {
            let message = format!("{} and {} would both become this file", other.path, file.path);
            return Err(Error::new(Kind::Input, message).at(target).help("rename one of them"));
        }
        plan.push(Placement { file, source: root.join(&file.path), target });
    }
    Ok(plan)
}

/// Returns the part of the plan that is not there yet, after checking that nothing else is there.
fn missing<'a, 'b>(out: &Path, plan: &'b [Placement<'a>]) -> Result<Vec<&'b Placement<'a>>> {
    let planned: Planned = plan.iter().map(|place| (place.target.as_path(), place.file)).collect();
    let mut present = PresentFiles::default();
    present.collect(out, &planned)?;
    present.finished.sort();
    let refuse = |path: &Path, message: &str, remedy: &str| {
        let remedy = format!("{remedy}, or choose an empty folder for `out`");
        Err(Error::new(Kind::Input, message).at(path).help(remedy))
    };
    for path in &present.finished {
        match planned.get(path.as_path()) {
            None => {
                return refuse(
                    path,
                    "it is not part of the selection, which is never mixed with other files",
                    "move it away (it may be from an older selection: the number of images is part of a folder's name)",
                );
            }
            Some(file) if sha256_file(path)? != file.image_sha256 => {
                return refuse(
                    path,
                    "it has other bytes than the image that belongs there",
                    "move it away, so that the image can be placed again",
                );
            }
            Some(_) => {}
        }
    }
    for path in &present.unfinished {
        fs::remove(path)?;
    }
    Ok(plan.iter().filter(|place| present.finished.binary_search(&place.target).is_err()).collect())
}

type Planned<'a> = BTreeMap<&'a Path, &'a ImageFile>;

/// The files below a folder.
#[derive(Default)]
struct PresentFiles {
    finished: Vec<PathBuf>,
    /// Half-written copies of planned files, left by a killed process.
    unfinished: Vec<PathBuf>,
}

impl PresentFiles {
    /// Adds the files below `folder`. Links to folders are not followed, and what is passed over is left out.
    fn collect(&mut self, folder: &Path, planned: &Planned) -> Result<()> {
        for FolderEntry { name, path } in fs::list(folder)? {
            let target = fs::unfinished_target(&name).map(|target| folder.join(target));
            let is_unfinished = target.is_some_and(|target| planned.contains_key(target.as_path()));
            match path.is_dir() && !path.is_symlink() {
                false if is_unfinished => self.unfinished.push(path),
                _ if is_passed_over(&name) => {}
                true => self.collect(&path, planned)?,
                false => self.finished.push(path),
            }
        }
        Ok(())
    }
}
