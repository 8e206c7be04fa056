//! Writes a manifest of a data set: a table with a row for each image, to be changed and given in place of the folder.

use super::dataset::{ImageFile, LabelConflicts, LayoutChoice, Refused, Weight, separate_conflicts};
use super::manifest::{MANIFEST_NAMES, ManifestFormat, ManifestOptions};
use super::scan::{GivenLabels, ScanDepth, ScanOptions, no_images, scan};
use crate::error::{Error, Kind, Result};
use crate::io::fs::{self, OutputFormat};
use crate::io::json;
use crate::io::parquet::{ColumnData, Table};
use crate::io::separated;
use crate::monitor::Monitor;
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Settings of [`write_manifest`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ManifestConfig {
    /// Folder of images, `IMAGES/<class>/<file>`, or another manifest.
    pub images: PathBuf,
    /// How that manifest is read; without meaning for a folder.
    pub manifest: ManifestOptions,
    /// How folders that are called as splits are taken; `None` takes them as classes, with a remark.
    pub layout: Option<LayoutChoice>,
    /// Tables with the columns `path` and `label`, paths as in the manifest or relative to the folder of images: their labels
    /// replace those of the images. A row without a label changes nothing.
    pub labels: Vec<PathBuf>,
    /// The file to write. Its extension is its format.
    pub out: PathBuf,
}

/// Result of [`write_manifest`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ManifestStats {
    /// The file that was written.
    pub out: PathBuf,
    /// Number of rows.
    pub images: usize,
    /// How many of them have no label.
    pub unlabelled: usize,
    /// Number of images that have another label than before, or one for the first time.
    pub relabelled: usize,
    /// Names of the columns.
    pub columns: Vec<&'static str>,
    /// Files left out because they cannot be used, or because their bytes occur under more than one label.
    pub refused: Vec<Refused>,
}

/// The rows of a manifest, column by column.
struct Columns {
    names: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// Writes a row for each usable image: its path, its label if it has one, its split and group where an image has one. Paths below the folder
/// of the manifest are relative to it, the others absolute. An existing file is never replaced, since somebody may have
/// changed it.
///
/// # Errors
/// [`Kind::Usage`] for a name that stands for no format; [`Kind::Input`] without usable images, and when a file is in the way;
/// those of [`scan`]; [`Kind::Io`] when the file cannot be written.
pub fn write_manifest(config: &ManifestConfig, monitor: &dyn Monitor) -> Result<ManifestStats> {
    let out = &config.out;
    check_manifest_output(out)?;
    let options = ScanOptions {
        layout: config.layout,
        manifest: Some(&config.manifest),
        ..ScanOptions::new(ScanDepth::Header)
    };
    let mut found = scan(&config.images, &options, monitor)?;
    let mut labels = GivenLabels::read(&config.labels, &found.root)?;
    let relabelled = labels.apply(&mut found.files, &mut found.unlabelled);
    let LabelConflicts { kept, refused: conflicts, .. } = separate_conflicts(found.files);
    let refused = [found.refused, conflicts, labels.into_refused()].concat();
    let unlabelled = found.unlabelled.len();
    let files = [kept, found.unlabelled].concat();
    if files.is_empty() {
        return Err(no_images(&config.images, 0, &refused));
    }
    let columns = write_manifest_of(&files, &found.root, out)?;
    Ok(ManifestStats { out: out.clone(), images: files.len(), unlabelled, relabelled, columns, refused })
}

/// Checks that a manifest can be written to `out`, and returns its format.
///
/// # Errors
/// [`Kind::Usage`] for a name that stands for no format; [`Kind::Input`] when a file is in the way.
pub(crate) fn check_manifest_output(out: &Path) -> Result<ManifestFormat> {
    let format = match ManifestFormat::from_path(out) {
        None if fs::is_stream(out) => ManifestFormat::Csv,
        None => {
            return Err(Error::new(Kind::Usage, "its name does not say what format it is to have")
                .at(out)
                .help(format!("let the name in `out` end with {MANIFEST_NAMES}")));
        }
        Some(format) => format,
    };
    fs::check_output(out, OUTPUT)?;
    Ok(format)
}

/// Writes a manifest of `files`, whose paths start from `root`. Returns the names of its columns.
///
/// # Errors
/// Those of [`check_manifest_output`]; [`Kind::Io`] when the file cannot be written.
pub(crate) fn write_manifest_of(files: &[ImageFile], root: &Path, out: &Path) -> Result<Vec<&'static str>> {
    let format = check_manifest_output(out)?;
    files.iter().try_for_each(|file| check_names(file, format))?;
    let columns = Columns::of(files, root, &base(out)?);
    fs::write_output(out, OUTPUT, |file| {
        columns.write(format, file).map_err(|e| Error::io("write", out, e))
    })?;
    Ok(columns.names)
}

/// Checks that a manifest gives the names of a file back as they are: spaces at the ends of labels are no part of them there, nor
/// are line breaks in tables of text.
fn check_names(file: &ImageFile, format: ManifestFormat) -> Result<()> {
    let is_text = matches!(format, ManifestFormat::Csv | ManifestFormat::Tsv);
    let is_broken = |name: &str| is_text && name.contains(['\n', '\r']);
    let group = file.group.as_deref().unwrap_or_default();
    let fault = match () {
        () if file.label.trim() != file.label => format!("the class {:?} has spaces at its ends", file.label),
        () if is_broken(&file.label) => format!("the class {:?} has a line break", file.label),
        () if is_broken(&file.path) || is_broken(group) => format!("{:?} has a line break", file.path),
        () => return Ok(()),
    };
    let message = format!("{fault}, which a manifest does not keep");
    Err(Error::new(Kind::Input, message).help("give it another name, in the folder of images"))
}

/// Any file in the way may be one that somebody has changed.
const OUTPUT: OutputFormat = OutputFormat { name: "manifest", is_own: &|_| false };

/// The folder that the paths of the manifest `out` start from, absolute.
fn base(out: &Path) -> Result<PathBuf> {
    let resolved = fs::resolve(out)?;
    Ok(resolved.parent().map_or(resolved.clone(), Path::to_path_buf))
}

impl Columns {
    fn of(files: &[ImageFile], root: &Path, base: &Path) -> Self {
        let path = |file: &ImageFile| {
            let path = root.join(&file.path);
            path.strip_prefix(base).unwrap_or(&path).to_string_lossy().into_owned()
        };
        let split = |file: &ImageFile| file.fixed_split.map_or(String::new(), |split| split.name().into());
        let group = |file: &ImageFile| file.group.clone().unwrap_or_default();
        let has_sets = files.iter().any(|file| file.labels.is_some());
        let mut names = vec!["path", if has_sets { "labels" } else { "label" }];
        let has_splits = files.iter().any(|file| file.fixed_split.is_some());
        let has_weights = files.iter().any(|file| file.weight != Weight::default());
        let has_groups = files.iter().any(|file| file.group.is_some());
        names.extend(has_splits.then_some("split"));
        names.extend(has_groups.then_some("group"));
        names.extend(has_weights.then_some("weight"));
        let row = |file: &ImageFile| {
            let mut row = vec![path(file), file.label.clone()];
            row.extend(has_splits.then(|| split(file)));
            row.extend(has_groups.then(|| group(file)));
            row.extend(has_weights.then(|| file.weight.to_string()));
            row
        };
        Self { names, rows: files.iter().map(row).collect() }
    }

    fn write(&self, format: ManifestFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            ManifestFormat::Csv => self.write_separated(b',', out),
            ManifestFormat::Tsv => self.write_separated(b'\t', out),
            ManifestFormat::JsonLines => self.rows.iter().try_for_each(|row| {
                let values = row.iter().map(|value| serde_json::Value::String(value.clone()));
                let object: serde_json::Map<_, _> =
                    self.names.iter().map(|name| name.to_string()).zip(values).collect();
                writeln!(out, "{}", json::encode(&object))
            }),
            ManifestFormat::Parquet => {
                let column = |at: usize| self.rows.iter().map(|row| row[at].clone()).collect();
                let columns = self.names.iter().enumerate();
                let columns = columns.map(|(at, name)| (*name, ColumnData::Text(column(at))));
                out.write_all(&Table::new(columns).encode())
            }
        }
    }

    fn write_separated(&self, separator: u8, out: &mut dyn Write) -> io::Result<()> {
        let mut writer = separated::Writer::new(out, separator);
        writer.write(&self.names)?;
        self.rows.iter().try_for_each(|row| writer.write(row))?;
        writer.finish()
    }
}
