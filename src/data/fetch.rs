//! Fetches a public data set: downloads its archive or takes a given one, checks it, and unpacks it as
//! `OUT/<class>/<file>`.

use crate::error::{Error, Kind, Result, did_you_mean};
use crate::io::archive::{UnpackLimits, unpack_tgz};
use crate::io::download::{RemoteFile, download};
use crate::io::fs::{self, require_space};
use crate::io::{json, user_folders};
use crate::monitor::{Monitor, Unit};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file in the folder of a data set that says what it holds. Scans pass over it.
const RECORD: &str = ".headstart-data.json";

/// A public data set, and what is known of its archive: a gzip-compressed tar of `FOLDER/<class>/<file>`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DataSetSource {
    /// Its name.
    pub name: String,
    /// A few words that describe it.
    pub title: String,
    /// Terms of its use, as its makers state them.
    pub terms: String,
    /// File name of the archive.
    pub archive: String,
    /// Where the archive is, and its size and digest.
    pub file: RemoteFile,
    /// Most bytes that its images have.
    pub most_bytes: u64,
    /// Number of images.
    pub images: usize,
    /// Number of classes.
    pub classes: usize,
}

impl DataSetSource {
    /// Describes a data set whose archive is `file`. It has no terms and no classes yet.
    pub fn new(name: impl Into<String>, file: RemoteFile) -> Self {
        let name = name.into();
        let (title, archive) = (name.clone(), format!("{name}.tgz"));
        Self { name, title, terms: String::new(), archive, file, most_bytes: 0, images: 0, classes: 0 }
    }
}

/// Returns the data sets that can be fetched by name.
pub fn known_data_sets() -> Vec<DataSetSource> {
    let addresses = [
        "https://drive.google.com/uc?export=download&id=1qqNse-0j3LYdgXnspgaKP2iTgYWXU9oT",
        "http://vis-www.cs.umass.edu/lfw/lfw-deepfunneled.tgz",
    ];
    let mut file = RemoteFile::new(addresses.map(String::from));
    file.bytes = Some(108_761_145);
    file.md5 = "68331da3eb755a505a502b5aacb3c201".parse().ok();
    vec![DataSetSource {
        name: "lfw-deepfunneled".into(),
        title: "Labeled Faces in the Wild, deep-funneled: 13,233 photographs of 5,749 people".into(),
        terms: "photographs of real people from news sites, published by the University of Massachusetts as a benchmark \
                for research; no licence is stated; read umass-vis-lfw.github.io before using them for anything else"
            .into(),
        archive: "lfw-deepfunneled.tgz".into(),
        file,
        most_bytes: 1 << 30,
        images: 13_233,
        classes: 5_749,
    }]
}

/// Settings of [`fetch_data_set`].
///
/// | field | default | |
/// |---|---|---|
/// | `dataset` | | name of a known data set |
/// | `out` | | folder to create |
/// | `archive` | none | its archive, where it was fetched elsewhere |
/// | `mirror` | none | address to use instead of the official ones |
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FetchDataConfig {
    /// Name of a known data set.
    pub dataset: String,
    /// The folder to create.
    pub out: PathBuf,
    /// Its archive, where it was fetched elsewhere; nothing is downloaded then.
    pub archive: Option<PathBuf>,
    /// Address to use instead of the official ones.
    pub mirror: Option<String>,
}

/// Result of [`fetch_data_set`], and what the folder says about itself.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct FetchDataStats {
    /// Name of the data set.
    pub dataset: String,
    /// A few words that describe it.
    pub title: String,
    /// Terms of its use.
    pub terms: String,
    /// The folder of images: `OUT/<class>/<file>`.
    pub out: PathBuf,
    /// Number of images.
    pub images: usize,
    /// Number of classes.
    pub classes: usize,
    /// Whether it was unpacked now; else it was there.
    pub is_new: bool,
}

/// What [`RECORD`] holds.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    dataset: String,
    images: usize,
}

/// Fetches a known data set by name, as [`fetch_from`] does.
///
/// # Errors
/// [`Kind::Usage`] for an unknown name, and those of [`fetch_from`].
pub fn fetch_data_set(config: &FetchDataConfig, monitor: &dyn Monitor) -> Result<FetchDataStats> {
    let known = known_data_sets();
    let Some(source) = known.iter().find(|source| source.name == config.dataset) else {
        let names: Vec<&str> = known.iter().map(|source| source.name.as_str()).collect();
        let message = format!("no data set is called {:?}", config.dataset);
        return Err(Error::new(Kind::Usage, message).help(format!(
            "{}use {}",
            did_you_mean(&config.dataset, names.iter().copied()),
            names.join(", ")
        )));
    };
    let downloads = match config.archive {
        Some(_) => PathBuf::new(),
        None => user_folders::downloads_folder()?,
    };
    fetch_from(source, config, &downloads, monitor)
}

/// Downloads the archive of a data set or takes the given one, checks it, and unpacks it into the new folder `out`. A folder
/// that holds the data set is left alone. A download goes to the folder `downloads`; an interrupted one is continued by the
/// next call, a complete one is removed once it is unpacked.
///
/// # Errors
/// [`Kind::Io`] when the archive cannot be fetched, in which case the remedy names its address, or the folder cannot be
/// written. [`Kind::Input`] when the archive is another file or holds what is no data set, or `out` holds other files.
/// [`Kind::Interrupted`] when the monitor asks to stop; what was fetched is kept.
pub fn fetch_from(
    source: &DataSetSource,
    config: &FetchDataConfig,
    downloads: &Path,
    monitor: &dyn Monitor,
) -> Result<FetchDataStats> {
    monitor.note(&format!("{} ({})", source.title, source.terms));
    let stats = |images, is_new| FetchDataStats {
        dataset: source.name.clone(),
        title: source.title.clone(),
        terms: source.terms.clone(),
        out: config.out.clone(),
        images,
        classes: source.classes,
        is_new,
    };
    if let Some(images) = images_there(source, &config.out)? {
        return Ok(stats(images, false));
    }
    let archive = match &config.archive {
        Some(given) => {
            source.file.check(given).map_err(|e| match e.kind() {
                Kind::Input => e.help(format!("give {} as its makers publish it", source.archive)),
                _ => e,
            })?;
            given.clone()
        }
        None => fetched(source, config, downloads, monitor)?,
    };
    let images = unpack(source, &archive, &config.out, monitor)?;
    if images != source.images {
        monitor
            .warn(&format!("the archive holds {images} files, not the {} that are published", source.images));
    }
    if config.archive.is_none() {
        fs::remove(&archive)?;
    }
    Ok(stats(images, true))
}

/// Downloads the archive, and returns its path.
fn fetched(
    source: &DataSetSource,
    config: &FetchDataConfig,
    downloads: &Path,
    monitor: &dyn Monitor,
) -> Result<PathBuf> {
    let mut file = source.file.clone();
    if let Some(mirror) = &config.mirror {
        let at = if mirror.ends_with('/') { source.archive.as_str() } else { "" };
        file.addresses = vec![format!("{mirror}{at}")];
    }
    let path = downloads.join(&source.archive);
    download(&source.archive, &file, &path, monitor).map_err(|e| match e.remedy() {
        Some(_) => e,
        None => e.help(format!(
            "check the network and the proxy; or fetch {} elsewhere, and run `data fetch` {} with `out`, and with `archive` \
             and that file",
            source.file.addresses.join(" or "),
            source.name
        )),
    })?;
    Ok(path)
}

/// Number of images of the folder, if it holds the data set already.
fn images_there(source: &DataSetSource, out: &Path) -> Result<Option<usize>> {
    let entries = if out.exists() { fs::list(out)? } else { Vec::new() };
    if entries.is_empty() {
        return Ok(None);
    }
    let record: Option<Record> =
        std::fs::read(out.join(RECORD)).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let Some(record) = record.filter(|record| record.dataset == source.name) else {
        return Err(Error::new(Kind::Input, "the folder holds other things")
            .at(out)
            .help("choose a new folder as `out`"));
    };
    let mut images = 0;
    for class in entries.iter().filter(|entry| entry.path.is_dir()) {
        images += fs::list(&class.path)?.len();
    }
    if images == record.images {
        return Ok(Some(images));
    }
    let message =
        format!("it was the data set {}, but holds {images} of {} files", source.name, record.images);
    Err(Error::new(Kind::Input, message)
        .at(out)
        .help("remove the folder to fetch it again, or choose another one as `out`"))
}

/// Unpacks the archive beside `out`, and moves it there when it is whole. Returns the number of images.
fn unpack(source: &DataSetSource, archive: &Path, out: &Path, monitor: &dyn Monitor) -> Result<usize> {
    let parent = fs::parent(out);
    fs::create_folder(parent)?;
    require_space(parent, std::fs::metadata(archive).map_or(0, |found| found.len()))?;
    let task = monitor.task("unpacking", Some(source.images as u64), Unit::Images);
    // What was not known of the archive when this was written is no reason to refuse it: its digest is the published one.
    let limits = UnpackLimits { files: 2 * source.images, bytes: source.most_bytes };
    let mut images = 0;
    fs::write_folder(out, |folder| {
        let mut done = || {
            task.advance(1);
            match monitor.is_interrupted() {
                true => Err(Error::new(Kind::Interrupted, "interrupted while unpacking")
                    .help("the archive is kept; the same command goes on from there")),
                false => Ok(()),
            }
        };
        images = unpack_tgz(archive, limits, |path| place(path, folder), &mut done)?;
        let record = Record { dataset: source.name.clone(), images };
        fs::write_atomic(&folder.join(RECORD), &json::encode_pretty(&record))
    })?;
    Ok(images)
}

/// The place of a file: without the outer folder of the archive. Hidden files, which some systems add, are left out.
fn place(path: &Path, folder: &Path) -> Option<PathBuf> {
    let parts: Vec<_> =
        path.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect();
    let is_hidden = |part: &std::path::Component| part.as_os_str().to_string_lossy().starts_with('.');
    match &parts[..] {
        [_, class, file] if !is_hidden(class) && !is_hidden(file) => Some(folder.join(class).join(file)),
        _ => None,
    }
}
