//! The classes with the most images as a folder of their own, `OUT/NNN <class>/<file>`. It refuses to remove or to
//! overwrite anything.

use super::summary::composition;
use crate::dataset::{self, ImageFile, Refused};
use crate::digest::sha256_file;
use crate::error::{Error, Kind, Result};
use crate::fs::{self, FolderEntry, Lock};
use crate::images::{Look, Memory, is_passed_over, no_images, scan};
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What `data select` was asked for.
#[derive(Debug, Clone)]
pub struct SelectConfig {
    /// `IMAGES/<class>/**/<file>`.
    pub images: PathBuf,
    /// How many classes; of equals, the first by name.
    pub top: usize,
    /// The folder to make or to complete.
    pub out: PathBuf,
    /// Hard links instead of copies.
    pub link: bool,
}

/// What `data select` did.
#[derive(Debug, Clone, Serialize)]
pub struct SelectStats {
    /// The class with the most images first.
    pub classes: Vec<Selected>,
    /// Files of these classes, all of them in OUT now.
    pub images: usize,
    /// Files that were copied or linked now; the others were there already.
    pub placed: usize,
    /// Files of the folder that cannot be used, or stand under two labels; they are left out.
    pub refused: Vec<Refused>,
}

/// One class that was selected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Selected {
    /// The label.
    pub name: String,
    /// Its folder in OUT.
    pub folder: String,
    /// Usable files.
    pub images: usize,
}

/// A file to be placed.
struct Placed<'a> {
    file: &'a ImageFile,
    source: PathBuf,
    target: PathBuf,
}

/// Copies or links the images of the classes with the most images; each copy is read back and compared. What is
/// there already and has the right bytes is left as it is, so the command can be run again.
///
/// # Errors
/// [`Kind::Usage`] when the two folders contain each other or no class is asked for; [`Kind::Input`] when there are no
/// images, or OUT holds something else: no file is written or removed then; [`Kind::Locked`] when another process is
/// filling OUT.
pub fn select(config: &SelectConfig, monitor: &dyn Monitor) -> Result<SelectStats> {
    check(config)?;
    let found = scan(&config.images, &Memory::default(), Look::Pixels, true, monitor)?;
    let ([files, _], conflicts) = dataset::refuse_conflicts(found.files);
    let refused = [found.refused, conflicts].concat();
    if files.is_empty() {
        return Err(no_images(&config.images, &refused));
    }
    let classes: Vec<Selected> = composition(&files, &[])
        .into_iter()
        .take(config.top)
        .map(|class| Selected {
            folder: format!("{:03} {}", class.images, class.name),
            name: class.name,
            images: class.images,
        })
        .collect();
    let plan = plan(&config.out, &classes, &files, &found.root)?;
    fs::create_folder(&config.out)?;
    let _lock = Lock::of_folder(&config.out)?;
    let missing = missing(&config.out, &plan)?;
    let task = monitor.task("placing files", Some(missing.len() as u64), Unit::Images);
    for Placed { file, source, target } in &missing {
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
    if config.top == 0 {
        return Err(Error::new(Kind::Usage, "--top must be at least 1"));
    }
    let (images, out) = (fs::resolve(&config.images)?, fs::resolve(&config.out)?);
    if out.starts_with(&images) || images.starts_with(&out) {
        return Err(Error::new(
            Kind::Usage,
            "the selection and the folder of images cannot contain each other",
        )
        .at(&config.out)
        .help("choose another folder for --out"));
    }
    Ok(())
}

/// Where each file of the classes goes: below `NNN <class>/`, under its path below the class folder.
fn plan<'a>(
    out: &Path,
    classes: &[Selected],
    files: &'a [ImageFile],
    root: &Path,
) -> Result<Vec<Placed<'a>>> {
    let folders: BTreeMap<&str, &str> =
        classes.iter().map(|class| (class.name.as_str(), class.folder.as_str())).collect();
    let mut targets: BTreeMap<PathBuf, &ImageFile> = BTreeMap::new();
    let mut plan = Vec::new();
    for file in files {
        let Some(folder) = folders.get(file.label.as_str()) else { continue };
        let below = file.path.split_once('/').map_or(file.path.as_str(), |(_, below)| below);
        let target = out.join(folder).join(below);
        if let Some(other) = targets.insert(target.clone(), file) {
            let message = format!("{} and {} would both become this file", other.path, file.path);
            return Err(Error::new(Kind::Input, message).at(target).help("rename one of them"));
        }
        plan.push(Placed { file, source: root.join(&file.path), target });
    }
    Ok(plan)
}

/// What of the plan is not there yet, after making sure that nothing else is there.
fn missing<'a, 'b>(out: &Path, plan: &'b [Placed<'a>]) -> Result<Vec<&'b Placed<'a>>> {
    let planned: Planned = plan.iter().map(|placed| (placed.target.as_path(), placed.file)).collect();
    let (mut there, mut unfinished) = (Vec::new(), Vec::new());
    files_below(out, &planned, &mut there, &mut unfinished)?;
    there.sort();
    let refuse = |path: &Path, message: &str, remedy: &str| {
        let remedy = format!("{remedy}, or choose an empty folder for --out");
        Err(Error::new(Kind::Input, message).at(path).help(remedy))
    };
    for path in &there {
        match planned.get(path.as_path()) {
            None => {
                return refuse(
                    path,
                    "it is not part of the selection, which is never mixed with other files",
                    "move it away (the number of images is part of a folder's name, so an older selection may be in the way)",
                );
            }
            Some(file) if sha256_file(path)? != file.image_sha256 => {
                return refuse(
                    path,
                    "it has other bytes than the image that belongs there",
                    "move it away to have it placed again",
                );
            }
            Some(_) => {}
        }
    }
    for path in unfinished {
        fs::remove(&path)?;
    }
    Ok(plan.iter().filter(|placed| there.binary_search(&placed.target).is_err()).collect())
}

type Planned<'a> = BTreeMap<&'a Path, &'a ImageFile>;

/// Adds the files below `folder`, and apart from them the half-written copies of planned files, which a killed writer left.
/// Links to folders are not followed; what no reader of such a folder looks at is passed over.
fn files_below(
    folder: &Path,
    planned: &Planned,
    found: &mut Vec<PathBuf>,
    unfinished: &mut Vec<PathBuf>,
) -> Result<()> {
    for FolderEntry { name, path } in fs::list(folder)? {
        let half =
            fs::unfinished_target(&name).is_some_and(|of| planned.contains_key(folder.join(of).as_path()));
        match path.is_dir() && !path.is_symlink() {
            true => files_below(&path, planned, found, unfinished)?,
            false if half => unfinished.push(path),
            false if is_passed_over(&name) => {}
            false => found.push(path),
        }
    }
    Ok(())
}
