//! Lists the images of a manifest, a table with a row for each image, without opening any of them.

mod given_labels;
mod rows;
mod table;

pub(in crate::data) use given_labels::GivenLabels;

use super::objects;
use super::walk::{Listing, ObjectTable};
use crate::data::dataset::FolderLayout;
use crate::data::manifest::ManifestOptions;
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use crate::io::store::Location;
use rows::Rows;
use std::path::{Path, PathBuf};
use table::{Column, for_each_row, format};

/// Lists the images that the manifest `file` names. Rows that cannot be used are refused with their lines.
///
/// # Errors
/// [`Kind::Input`] when the file is no manifest, lacks a column, or its root is no folder.
pub(super) fn list(file: &Path, options: &ManifestOptions) -> Result<Listing> {
    let format =
        format(file, "not a folder of images, and not a manifest", "a folder IMAGES/<class>/<file>, or ")?;
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
    let beside = || file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let root = given.as_deref().unwrap_or_else(beside);
    let found = std::fs::canonicalize(root).ok().filter(|root| root.is_dir());
    let found = found.ok_or_else(|| {
        Error::new(Kind::Input, "no such folder, where the paths of the manifest start")
            .at(root)
            .help("give an existing folder for `root`, or leave it out for the folder of the manifest")
    })?;
    fs::require_utf8(&found)?;
    Ok((found, None))
}
