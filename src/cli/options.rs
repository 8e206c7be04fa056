//! Options of every command, and how values of options are parsed.

use super::fields::with_flags;
use crate::backbone::Device;
use crate::backbone::registry::default_models;
use crate::data::dataset::LayoutChoice;
use crate::data::manifest::ManifestOptions;
use crate::error::{Error, Kind, Result};
use crate::io::store::Location;
use clap::Args;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Help of a folder of images.
const IMAGES: &str = "Folder of images, IMAGES/<class>/<file>; an archive (.zip, .tar) of such folders or of WebDataset; or a manifest (.csv, .tsv, .jsonl, .parquet) with the columns path and label";

/// Help of a preprocessing that replaces that of a backbone, or that its file does not name.
pub(super) const PREPROCESS: &str = "Preprocessing instead of the backbone's own: unit, inception, imagenet, stretched or raw, with \
    settings after it such as imagenet,resize=bicubic,shorter-side=256,size=224";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// Print one JSON document on stdout instead of text
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub json: bool,
    /// Install what the command needs without asking
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub yes: bool,
    /// Folder of built backbones [default: ./models if it holds one, else the user's data folder]
    #[arg(long, global = true, value_name = "DIR", default_value_os_t = default_models(), hide_default_value = true, help_heading = "Options of every command")]
    pub models: PathBuf,
}

/// What a network runs on, and how much of the machine it takes.
#[derive(Debug, Clone, Args)]
pub(super) struct Machine {
    /// Device to run on: auto, cpu, cuda, cuda:N, cuda:N,M or openvino
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    pub device: Device,
    /// Images in a batch [default: 4 on a CPU, 64 elsewhere]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub threads: usize,
    /// Memory for decoding, such as 4GiB, of all threads together: an image waits until its share is free, and one that
    /// needs more is refused [default: half of what is free]
    #[arg(long, value_name = "SIZE", value_parser = parse::<Size>)]
    pub decode_memory: Option<Size>,
}

/// How folders of images are taken that are called as splits.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Layout {
    /// Take the splits of folders such as train/CLASS, val/CLASS, test/CLASS, or CLASS/train, CLASS/test, as they are
    #[arg(long, conflicts_with = "as_classes")]
    split_folders: bool,
    /// Take the topmost folders as classes, even if they are called train and test
    #[arg(long)]
    as_classes: bool,
}

/// How a manifest is read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options for a manifest")]
struct ManifestArgs {
    /// Folder that the paths start from [default: the folder of the manifest]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Column of paths [default: path]
    #[arg(long, value_name = "NAME")]
    path_column: Option<String>,
    /// Column of labels [default: label]
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// Column of several labels an image, separated by | [default: labels, if there is one]
    #[arg(long, value_name = "NAME")]
    labels_column: Option<String>,
    /// Column of splits: train, validation, test or other usual names, empty for the split rule [default: split, if there is
    /// one]
    #[arg(long, value_name = "NAME")]
    split_column: Option<String>,
    /// Column of groups, whose images stay in one split [default: group, if there is one]
    #[arg(long, value_name = "NAME")]
    group_column: Option<String>,
    /// Column of weights in the loss, numbers of at least 0, empty for 1 [default: weight, if there is one]
    #[arg(long, value_name = "NAME")]
    weight_column: Option<String>,
}

/// A folder of images or a manifest, and how it is taken.
#[derive(Debug, Clone, Args)]
pub(super) struct DataSetArgs {
    #[arg(help = IMAGES)]
    images: PathBuf,
    #[command(flatten)]
    layout: Layout,
    #[command(flatten)]
    manifest: ManifestArgs,
}

/// What a person chose by [`DataSetArgs`].
pub(super) struct DataSet {
    pub images: PathBuf,
    pub layout: Option<LayoutChoice>,
    pub manifest: ManifestOptions,
}

impl DataSetArgs {
    pub fn chosen(self) -> DataSet {
        let Self { images, layout, manifest } = self;
        // Another URL is refused by whoever reads the images.
        let images = match Location::parse(&images) {
            Ok(Location::Folder(folder)) => folder,
            _ => images,
        };
        DataSet { images, layout: layout.choice(), manifest: manifest.options() }
    }
}

impl ManifestArgs {
    fn options(self) -> ManifestOptions {
        let Self {
            root,
            path_column,
            label_column,
            labels_column,
            split_column,
            group_column,
            weight_column,
        } = self;
        ManifestOptions {
            root,
            path_column,
            label_column,
            labels_column,
            split_column,
            group_column,
            weight_column,
        }
    }
}

impl Layout {
    /// Returns the flag of a choice.
    pub fn flag(choice: LayoutChoice) -> &'static str {
        match choice {
            LayoutChoice::SplitFolders => "--split-folders",
            LayoutChoice::AsClasses => "--as-classes",
        }
    }

    fn choice(self) -> Option<LayoutChoice> {
        match (self.split_folders, self.as_classes) {
            (true, _) => Some(LayoutChoice::SplitFolders),
            (false, true) => Some(LayoutChoice::AsClasses),
            (false, false) => None,
        }
    }
}

/// Parses a value by the rules of its own type. The message of a failure includes the remedy.
pub(super) fn parse<T: FromStr<Err = Error>>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(|e: Error| {
        let text = match e.remedy() {
            Some(remedy) => format!("{}; {remedy}", e.with_causes()),
            None => e.with_causes(),
        };
        with_flags(&text)
    })
}

/// An amount of memory as people write it: `1GiB`, `500MB`, `123456`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(u64);

impl Size {
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit: Option<u64> = match text[digits..].trim() {
            "" | "B" => Some(1),
            "kB" => Some(1000),
            "MB" => Some(1000 * 1000),
            "GB" => Some(1000 * 1000 * 1000),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            _ => None,
        };
        let number: Option<u64> = text[..digits].parse().ok();
        let bytes = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
        bytes.map(Self).ok_or_else(|| {
            Error::new(Kind::Usage, format!("{text:?} is not an amount of memory"))
                .help("give a whole number with a unit, such as 1GiB, 512MiB or 800MB")
        })
    }
}

/// The present time, in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_memory_have_units() {
        for (text, bytes) in
            [("1GiB", 1 << 30), ("512 MiB", 512 << 20), ("3MB", 3_000_000), ("7", 7), ("2kB", 2000)]
        {
            assert_eq!(text.parse::<Size>().unwrap().bytes(), bytes);
        }
        for bad in ["", "GiB", "1.5GiB", "-1", "1 gib", "99999999999GiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
