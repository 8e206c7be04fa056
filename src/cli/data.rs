//! `headstart data`

use super::text::{headed, percent, seconds};
use super::{Ended, Global, complain_of, print, progress::Terminal};
use crate::data::{SelectConfig, SelectStats, SummaryConfig, SummaryStats, select, summary};
use crate::error::Result;
use crate::images::Look;
use crate::places::{PageOutput, WrittenPage};
use crate::survey::{self, DatasetConfig, DatasetStats, examine};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Look at a folder of labelled images, or make one of its largest classes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart data summary photos")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Classes, counts, composition, and the files that cannot be used
    #[command(after_help = "Example:\n  headstart data summary photos")]
    Summary {
        #[arg(help = "Folder of images: IMAGES/<class>/<file>")]
        images: PathBuf,
        /// Read only the header of each file: faster, but damaged pixels do not show
        #[arg(long)]
        headers: bool,
    },
    /// A page about the images: classes, examples, sizes, duplicates, how variants enter the network
    #[command(
        after_help = "Examples:\n  headstart data report photos\n  headstart data report photos --cache cache/photos --out photos.html"
    )]
    Report {
        #[arg(help = "Folder of images: IMAGES/<class>/<file>")]
        images: PathBuf,
        /// A cache of these images: shows its splits, its variants and how pixels entered its network
        #[arg(long, value_name = "CACHE")]
        cache: Option<PathBuf>,
        /// The page; one of headstart that is there is replaced [default: IMAGES-report.html, in the current folder]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Write each plot here too, as SVG and as PNG; files of the same names are replaced
        #[arg(long, value_name = "DIR")]
        plots: Option<PathBuf>,
        /// Write each table here too, as CSV; files of the same names are replaced
        #[arg(long, value_name = "DIR")]
        tables: Option<PathBuf>,
    },
    /// The classes with the most images, as `NNN Name` folders
    #[command(after_help = "Example:\n  headstart data select lfw --top 10 --out lfw10")]
    Select {
        #[arg(help = "Folder of images: IMAGES/<class>/<file>")]
        images: PathBuf,
        /// How many classes
        #[arg(long, value_name = "N", default_value_t = 10, allow_negative_numbers = true)]
        top: usize,
        /// The folder to make or to complete
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Make hard links instead of copies: they take no space, and editing the one edits the other
        #[arg(long)]
        link: bool,
    },
}

/// Classes shown in the text; the JSON has all.
const SHOWN: usize = 20;

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    match args.command {
        Command::Summary { images, headers } => {
            let look = if headers { Look::Header } else { Look::Pixels };
            let stats = summary(&SummaryConfig { images, look }, terminal)?;
            let ended = complain_of(&[&stats.unreadable[..], &stats.conflicting[..]].concat());
            print(global, &stats, || summarised(&stats))?;
            Ok(ended)
        }
        Command::Report { images, cache, out, plots, tables } => {
            let out = out.map_or_else(|| survey::default_output(&images), Ok)?;
            report(DatasetConfig { images, cache }, &PageOutput { out, plots, tables }, global, terminal)
        }
        Command::Select { images, top, out, link } => {
            let config = SelectConfig { images, top, out, link };
            let stats = select(&config, terminal)?;
            let ended = complain_of(&stats.refused);
            print(global, &stats, || selected(&stats, &config.out))?;
            Ok(ended)
        }
    }
}

/// The JSON document of `data report`: what the folder holds, and the page.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    stats: DatasetStats,
    page: WrittenPage,
}

fn report(config: DatasetConfig, output: &PageOutput, global: &Global, terminal: &Terminal) -> Result<Ended> {
    output.check(Some(&config.images), None)?;
    let stats = examine(&config, terminal)?;
    let page = survey::write(&stats, output, terminal)?;
    let summary = &stats.summary;
    let ended = complain_of(&[&summary.unreadable[..], &summary.conflicting[..]].concat());
    let text = format!("{}\n{}\n", summarised(summary), page.out.display());
    print(global, &Report { stats, page }, || text)?;
    Ok(ended)
}

fn summarised(stats: &SummaryStats) -> String {
    let range = |range: Option<[u32; 2]>| match range {
        Some([least, most]) if least == most => least.to_string(),
        Some([least, most]) => format!("{least}-{most}"),
        None => "-".into(),
    };
    let mut out = format!(
        "{} images in {} classes, {:.1} MB, {} x {} pixels, looked at in {}\n",
        stats.images,
        stats.classes.len() - stats.empty_classes,
        stats.bytes as f64 / 1e6,
        range(stats.width),
        range(stats.height),
        seconds(stats.seconds)
    );
    out.push_str(&format!("classes with one image: {}", stats.single_image_classes));
    for (n, what) in [
        (stats.empty_classes, "classes without any"),
        (stats.unreadable.len(), "unreadable files"),
        (stats.conflicting.len(), "files under two labels"),
        (stats.copies, "copies of other files of their class"),
    ] {
        if n > 0 {
            out.push_str(&format!("; {what}: {n}"));
        }
    }
    let row = |c: &crate::data::ClassSummary| [c.name.clone(), c.images.to_string(), percent(c.share)];
    let rows = stats.classes.iter().take(SHOWN).map(row);
    out.push_str(&format!("\n\n{}", headed(["class", "images", "share"], rows)));
    if let Some(rest) = stats.classes.get(SHOWN..).filter(|rest| !rest.is_empty()) {
        let images: usize = rest.iter().map(|class| class.images).sum();
        out.push_str(&format!("... and {} more classes with {images} images (--json has all)\n", rest.len()));
    }
    out
}

fn selected(stats: &SelectStats, out: &Path) -> String {
    let mut text: String = stats.classes.iter().map(|class| format!("{}\n", class.folder)).collect();
    text.push_str(&format!(
        "{} images of {} classes in {}, {} of them placed now\n",
        stats.images,
        stats.classes.len(),
        out.display(),
        stats.placed
    ));
    text
}
