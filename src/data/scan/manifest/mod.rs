//! Lists the images of a manifest, a table with a row for each image, without opening any of them.

mod given_labels;
mod rows;
mod table;

pub(in crate::data) use given_labels::GivenLabels;

use super::listed_files::ListedFiles;
use super::objects;
use super::walk::{Listing, ObjectTable};
use crate::data::dataset::{FolderLayout, Reason, Refused};
use crate::data::manifest::ManifestOptions;
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use crate::io::store::Location;
use rows::{Rows, plain_path};
use std::path::{Path, PathBuf};
use table::{Column, Row, for_each_row, format};

/// Lists the images that the manifest `file` names. Rows that cannot be used are refused with their lines.
///
/// # Errors
/// [`Kind::Input`] when the file is no manifest, lacks a column, or its root is no folder.
pub(super) fn list(file: &Path, options: &ManifestOptions) -> Result<Listing> {
    let format = format(
        file,
        "not a folder of images, and not a manifest",
        "a folder IMAGES/<class>/<file>, such an archive (.zip, .tar), or ",
    )?;
    let (root, objects) = root(file, options)?;
    // A column that is named must be there.
    let column = |given: &Option<String>, usual: &str, is_required: bool| Column {
        name: given.clone().unwrap_or_else(|| usual.into()),
        is_required: is_required || given.is_some(),
        instead: None,
        takes_list: false,
    };
    let [label, labels] = label_columns(file, options, &column)?;
    let columns = [
        column(&options.path_column, "path", true),
        label,
        labels,
        column(&options.split_column, "split", false),
        column(&options.group_column, "group", false),
        column(&options.weight_column, "weight", false),
    ];
    let mut rows = Rows::new(&root);
    for_each_row(file, format, &columns, &mut |row| rows.add(row))?;
    let listed = rows.finish(&file.file_name().unwrap_or_default().to_string_lossy());
    Ok(Listing {
        root,
        manifest: std::fs::canonicalize(file).ok(),
        layout: FolderLayout::Manifest,
        has_label_sets: listed.has_label_sets,
        folders: listed.classes,
        candidates: listed.candidates,
        refused: listed.refused,
        notes: listed.notes,
        objects,
        ..Listing::default()
    })
}

/// The files that the manifest `file` names, which needs a column of paths and no other. Paths start from its folder.
///
/// # Errors
/// [`Kind::Input`] when the file is no manifest or lacks the column.
pub(super) fn images_of(file: &Path) -> Result<ListedFiles> {
    let format =
        format(file, "not a folder of images, an archive or a manifest", "a folder, an archive, or ")?;
    let column = Column { name: "path".into(), is_required: true, instead: None, takes_list: false };
    let (root, name) = (fs::parent(file), file.file_name().unwrap_or_default().to_string_lossy());
    let mut listed = ListedFiles::default();
    for_each_row(file, format, &[column], &mut |Row { line, values }| {
        let path = values.map(|values| values.into_iter().next().unwrap_or_default());
        let fault = match path {
            Ok(path) if !path.trim().is_empty() => {
                return listed.files.push(root.join(plain_path(root, &path)));
            }
            Ok(_) => "it has no path".to_string(),
            Err(fault) => fault,
        };
        let reason = Reason::Row { line, fault };
        listed.refused.push(Refused { path: name.clone().into(), image_sha256: None, reason });
    })?;
    Ok(listed)
}

/// The first line of each of `paths` in the manifest `file`; `None` where it has none.
///
/// # Errors
/// [`Kind::Input`] when the file is no manifest, or its columns or its root cannot be found.
pub fn lines_of(file: &Path, options: &ManifestOptions, paths: &[&str]) -> Result<Vec<Option<u64>>> {
    let format = format(file, "not a manifest", "")?;
    let (root, _) = root(file, options)?;
    let name = options.path_column.clone().unwrap_or_else(|| "path".into());
    let column = Column { name, is_required: true, instead: None, takes_list: false };
    let mut lines = vec![None; paths.len()];
    for_each_row(file, format, &[column], &mut |Row { line, values }| {
        let path = values.ok().and_then(|values| values.into_iter().next()).unwrap_or_default();
        let path = plain_path(&root, &path);
        for (found, _) in lines.iter_mut().zip(paths).filter(|(_, wanted)| **wanted == path) {
            found.get_or_insert(line);
        }
    })?;
    Ok(lines)
}

/// The columns of one label and of several, of which a manifest has one. One that is named makes the other none.
fn label_columns(
    file: &Path,
    options: &ManifestOptions,
    column: &dyn Fn(&Option<String>, &str, bool) -> Column,
) -> Result<[Column; 2]> {
    let label = column(&options.label_column, "label", true);
    let labels = Column { takes_list: true, ..column(&options.labels_column, "labels", false) };
    let none = |column: Column| Column { name: String::new(), is_required: false, ..column };
    match (options.label_column.is_some(), options.labels_column.is_some()) {
        (true, true) => Err(Error::new(Kind::Usage, "an image has either one label or several")
            .at(file)
            .help("leave `label_column` or `labels_column` out")),
        (true, false) => Ok([label, none(labels)]),
        (false, true) => Ok([none(label), labels]),
        (false, false) => Ok([Column { instead: Some(labels.name.clone()), ..label }, labels]),
    }
}

/// The folder that relative paths start from, absolute; or a URL, with its objects.
fn root(file: &Path, options: &ManifestOptions) -> Result<(PathBuf, Option<ObjectTable>)> {
    let given = options.root.as_deref().map(Location::parse).transpose()?;
    let given = match given {
        Some(Location::Url(url)) => {
            let url = PathBuf::from(url.text);
            return Ok((url.clone(), Some(objects::table(&url)?)));
        }
        Some(Location::Folder(folder)) => Some(folder),
        None => None,
    };
    let root = given.as_deref().unwrap_or_else(|| fs::parent(file));
    let found = std::fs::canonicalize(root).ok().filter(|root| root.is_dir());
    let found = found.ok_or_else(|| {
        Error::new(Kind::Input, "no such folder, where the paths of the manifest start")
            .at(root)
            .help("give an existing folder for `root`, or leave it out for the folder of the manifest")
    })?;
    fs::require_utf8(&found)?;
    Ok((found, None))
}
