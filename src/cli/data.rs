//! The subcommand `headstart data`: its arguments, and its result as text.

use super::duplicates::{GroupsArgs, write_groups};
use super::options::{DataSet, DataSetArgs, Global, Size, parse};
use super::output::{Outcome, list_refused, print_result, print_result_beside};
use super::paths::with_cache_if_given;
use super::progress::Terminal;
use super::text::{percent, printable, seconds, table_with_header};
use crate::data::perceptual::PerceptualDuplicates;
use crate::data::scan::ScanDepth;
use crate::data::{
    FetchDataConfig, FetchDataStats, ManifestConfig, ManifestStats, SelectConfig, SelectStats, SummaryConfig,
    SummaryStats, fetch_data_set, select, summary, write_manifest,
};
use crate::error::{Result, counted};
use crate::report::dataset::{self, DatasetConfig, DatasetStats, examine};
use crate::report::output::{PageOutput, WrittenPage};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Inspect a folder of labelled images, select its largest classes, or fetch a public data set
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart data summary photos")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Count classes and images, and list the files that cannot be used
    #[command(
        after_help = "Examples:\n  headstart data summary photos\n  headstart data summary photos --near-duplicates"
    )]
    Summary {
        #[command(flatten)]
        data: DataSetArgs,
        /// Read only the header of each file, which is faster but does not find damaged pixels
        #[arg(long)]
        headers: bool,
        /// Also look for pictures that look nearly the same, within a class and across: saved anew, scaled, slightly changed
        #[arg(long, conflicts_with = "headers")]
        near_duplicates: bool,
        /// Memory for decoding, such as 4GiB, of all threads together: an image waits until its share is free, and one
        /// that needs more is refused [default: half of what is free]
        #[arg(long, value_name = "SIZE", value_parser = parse::<Size>)]
        decode_memory: Option<Size>,
    },
    /// Download a public data set and unpack it: lfw-deepfunneled, 13,233 photographs of 5,749 people
    ///
    /// The archive is checked by its size and MD5 and unpacked as OUT/CLASS/FILE; what leads outside is refused. An
    /// interrupted download is continued by the next, and a folder that holds the data set is left alone. The terms of use
    /// are printed.
    #[command(
        after_help = "Examples:\n  headstart data fetch lfw-deepfunneled --out lfw\n  headstart data fetch lfw-deepfunneled --out lfw --archive lfw-deepfunneled.tgz"
    )]
    Fetch {
        /// Data set: lfw-deepfunneled
        #[arg(value_name = "NAME")]
        dataset: String,
        /// Folder to create
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Use this archive, fetched elsewhere, instead of downloading it
        #[arg(long, value_name = "FILE", conflicts_with = "mirror")]
        archive: Option<PathBuf>,
        /// Download from this address instead of the official ones
        #[arg(long, value_name = "URL")]
        mirror: Option<String>,
    },
    /// Write a manifest of the images: a table with a row for each, to change and to give in place of the folder
    ///
    /// Its columns are path and label, empty for images without one; split where folders are taken as splits, and group where another manifest has groups.
    /// Paths below the folder of the manifest are relative to it. The extension of FILE is the format.
    #[command(
        after_help = "Examples:\n  headstart data manifest photos --out photos.csv\n  headstart extract photos.csv --cache cache/photos"
    )]
    Manifest {
        #[command(flatten)]
        data: DataSetArgs,
        /// Take labels from this table with the columns path and label, such as `suggest` writes: they replace those of the images,
        /// and a row without a label changes nothing. May be repeated
        #[arg(long, value_name = "FILE")]
        labels: Vec<PathBuf>,
        /// File to write: .csv, .tsv, .jsonl or .parquet; an existing one is not replaced
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    Groups(GroupsArgs),
    /// Write a page about the images: classes, examples, sizes, duplicates, variants as they enter the network
    #[command(
        after_help = "Examples:\n  headstart data report photos\n  headstart data report photos --cache cache/photos --out photos.html"
    )]
    Report {
        #[command(flatten)]
        data: DataSetArgs,
        /// A cache of these images, or its URL: adds its splits, near-duplicates across them, labels that may be wrong, its variants
        #[arg(long, value_name = "CACHE")]
        cache: Option<PathBuf>,
        /// The page to write; an earlier page of headstart is replaced [default: IMAGES-report.html, in the current
        /// folder]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Also write each plot into this folder, as SVG and PNG; earlier ones are replaced, other files refused
        #[arg(long, value_name = "DIR")]
        plots: Option<PathBuf>,
        /// Also write each table into this folder, as CSV; earlier ones are replaced, other files refused
        #[arg(long, value_name = "DIR")]
        tables: Option<PathBuf>,
    },
    /// Copy the classes with the most images, or those that are named, into a new folder, as `NNN Name`
    #[command(
        after_help = "Examples:\n  headstart data select lfw --top 10 --out lfw10\n  headstart data select photos --classes ant,bee --max 100 --out small"
    )]
    Select {
        #[command(flatten)]
        data: DataSetArgs,
        /// Number of classes, the largest first [default: 10, or all with --classes or --exclude]
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        top: Option<usize>,
        /// Only these classes, such as ant,bee
        #[arg(long, value_name = "A,B", value_delimiter = ',')]
        classes: Vec<String>,
        /// All classes but these, such as cat,dog
        #[arg(long, value_name = "C,D", value_delimiter = ',')]
        exclude: Vec<String>,
        /// Maximum number of images of each class; their digests decide which
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        max: Option<usize>,
        /// Folder to create or to complete
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Make hard links instead of copies: they take no space, but editing one file edits the other
        #[arg(long)]
        link: bool,
    },
}

/// Number of classes shown as text; the JSON has all.
const SHOWN: usize = 20;

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    match args.command {
        Command::Summary { data, headers, near_duplicates, decode_memory } => {
            let depth = if headers { ScanDepth::Header } else { ScanDepth::Pixels };
            let decode_memory = decode_memory.map(Size::bytes);
            let DataSet { images, layout, manifest } = data.chosen();
            let config = SummaryConfig { images, manifest, depth, layout, decode_memory, near_duplicates };
            summarise(&config, global, terminal)
        }
        Command::Fetch { dataset, out, archive, mirror } => {
            terminal.stop_on_signals();
            let stats = fetch_data_set(&FetchDataConfig { dataset, out, archive, mirror }, terminal)?;
            print_result(global, &stats, || fetched_text(&stats))?;
            Ok(Outcome::Done)
        }
        Command::Manifest { data, labels, out } => {
            let DataSet { images, layout, manifest } = data.chosen();
            let config = ManifestConfig { images, manifest, layout, labels, out };
            list_images(&config, global, terminal)
        }
        Command::Groups(args) => write_groups(args, global, terminal),
        Command::Report { data, cache, out, plots, tables } => {
            let DataSet { images, layout, manifest } = data.chosen();
            let out = out.map_or_else(|| dataset::default_output(&images), Ok)?;
            with_cache_if_given(cache.as_deref(), terminal, |cache| {
                let config = DatasetConfig { images, manifest, cache, layout };
                report(config, &PageOutput { out, plots, tables }, global, terminal)
            })
        }
        Command::Select { data, top, classes, exclude, max, out, link } => {
            let DataSet { images, layout, manifest } = data.chosen();
            let is_named = !classes.is_empty() || !exclude.is_empty();
            let top = top.or(if is_named { None } else { SelectConfig::default().top });
            let config = SelectConfig { images, manifest, top, classes, exclude, max, out, link, layout };
            let stats = select(&config, terminal)?;
            let ended = list_refused(&stats.refused);
            print_result(global, &stats, || selection(&stats, &config.out))?;
            Ok(ended)
        }
    }
}

fn summarise(config: &SummaryConfig, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let stats = summary(config, terminal)?;
    let ended = list_refused(&[&stats.unreadable[..], &stats.conflicting[..]].concat());
    print_result(global, &stats, || summary_text(&stats))?;
    Ok(ended)
}

fn list_images(config: &ManifestConfig, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let stats = write_manifest(config, terminal)?;
    let ended = list_refused(&stats.refused);
    print_result_beside(&config.out, global, &stats, || written_text(&stats))?;
    Ok(ended)
}

/// The JSON document of `data report`: what the folder holds, and the page.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    stats: DatasetStats,
    page: WrittenPage,
}

fn report(
    config: DatasetConfig,
    output: &PageOutput,
    global: &Global,
    terminal: &Terminal,
) -> Result<Outcome> {
    output.check(Some(&config.images), None)?;
    let stats = examine(&config, terminal)?;
    let page = dataset::write(&stats, output, terminal)?;
    let summary = &stats.summary;
    let ended = list_refused(&[&summary.unreadable[..], &summary.conflicting[..]].concat());
    let text = format!("{}\n{}\n", summary_text(summary), page.out.display());
    print_result_beside(&output.out, global, &Report { stats, page }, || text)?;
    Ok(ended)
}

fn summary_text(stats: &SummaryStats) -> String {
    let range = |range: Option<[u32; 2]>| match range {
        Some([least, most]) if least == most => least.to_string(),
        Some([least, most]) => format!("{least}-{most}"),
        None => "-".into(),
    };
    let mut out = format!(
        "{} in {}, {:.1} MB, {} x {} pixels, read in {}\n",
        counted(stats.images, "image"),
        counted(stats.classes.len() - stats.empty_classes, stats.class_word()),
        stats.bytes as f64 / 1e6,
        range(stats.width),
        range(stats.height),
        seconds(stats.seconds)
    );
    let (class, classes) = (stats.class_word(), stats.class_words());
    out.push_str(&format!("{classes} with one image: {}", stats.single_image_classes));
    for (n, what) in [
        (stats.unlabelled, "images without a label"),
        (stats.empty_classes, &format!("{classes} without images")),
        (stats.unreadable.len(), "unreadable files"),
        (stats.conflicting.len(), "files under two labels"),
        (stats.duplicates, "duplicates of other files of their class"),
    ] {
        if n > 0 {
            out.push_str(&format!("; {what}: {n}"));
        }
    }
    let row = |c: &crate::data::ClassSummary| [c.name.clone(), c.images.to_string(), percent(c.share)];
    let rows = stats.classes.iter().take(SHOWN).map(row);
    out.push_str(&format!("\n\n{}", table_with_header([class, "images", "share"], rows)));
    if let Some(rest) = stats.classes.get(SHOWN..).filter(|rest| !rest.is_empty()) {
        let images: usize = rest.iter().map(|class| class.images).sum();
        out.push_str(&format!(
            "... and {} with {} (--json has all)\n",
            counted(rest.len(), &format!("more {class}")),
            counted(images, if stats.several_labels { "label" } else { "image" })
        ));
    }
    out + &stats.perceptual_duplicates.as_ref().map_or(String::new(), look_alike)
}

/// Groups that are shown as text; the JSON has all.
const SHOWN_GROUPS: usize = 20;

/// Groups of pictures that look nearly the same, a line for each.
fn look_alike(found: &PerceptualDuplicates) -> String {
    let several = found.groups.iter().filter(|group| group.labels.len() > 1).count();
    let mut out = format!(
        "\npictures that look nearly the same: {}, {} of several classes; pictures that repeat another: {} of {}\n",
        counted(found.groups.len(), "group"),
        several,
        found.surplus(),
        found.images
    );
    for group in found.groups.iter().take(SHOWN_GROUPS) {
        let mut paths: Vec<String> =
            group.images.iter().take(4).map(|image| printable(&image.path)).collect();
        paths.extend((group.images.len() > 4).then(|| format!("... {} in all", group.images.len())));
        out.push_str(&format!("- {}\n", paths.join(", ")));
    }
    if let Some(rest) = found.groups.len().checked_sub(SHOWN_GROUPS).filter(|rest| *rest > 0) {
        out.push_str(&format!("... and {} (--json has all)\n", counted(rest, "more group")));
    }
    out
}

fn written_text(stats: &ManifestStats) -> String {
    let mut out = format!(
        "{} in {}, with the columns {}\n",
        counted(stats.images, "image"),
        stats.out.display(),
        stats.columns.join(", ")
    );
    for (n, what) in [(stats.relabelled, "labels changed"), (stats.unlabelled, "images without a label")] {
        if n > 0 {
            out.push_str(&format!("{what}: {n}\n"));
        }
    }
    out
}

fn fetched_text(stats: &FetchDataStats) -> String {
    let made = if stats.is_new { "" } else { " (it was there)" };
    format!("{}: {} files in {}{made}\n", stats.dataset, stats.images, stats.out.display())
}

fn selection(stats: &SelectStats, out: &Path) -> String {
    let mut text: String = stats.classes.iter().map(|class| format!("{}\n", class.folder)).collect();
    text.push_str(&format!(
        "{} of {} in {}; placed now: {}\n",
        counted(stats.images, "image"),
        counted(stats.classes.len(), "class"),
        out.display(),
        stats.placed
    ));
    text
}
