//! The page of a data set: its summary, composition and sizes; the sections with pictures are in `picture_sections`.

use super::examine::DatasetStats;
use super::{look, picture_sections, pictures, plots, tables};
use crate::error::Result;
use crate::io::fs;
use crate::monitor::Monitor;
use crate::report::format::{count, isolated, percent};
use crate::report::html::{Markup, html};
use crate::report::map;
use crate::report::output::{PageContent, PageOutput, WrittenPage};
use crate::report::page::{self, Fact, Page, Parts, Picture, Section, facts};
use std::path::{Path, PathBuf};

/// Rows of a table that the page shows at most; its CSV file has all.
const MOST_ROWS: usize = 200;

/// The default path of the page of a folder of images: in the current folder, named after the folder of images.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the current folder cannot be found.
pub fn default_output(images: &Path) -> Result<PathBuf> {
    let resolved = fs::resolve(images)?;
    let name = if resolved.is_file() { resolved.file_stem() } else { resolved.file_name() };
    let name = name.map_or("images".into(), |name| name.to_string_lossy().into_owned());
    Ok(PathBuf::from(format!("{name}-report.html")))
}

/// Writes the page of a data set with its plots and tables. Pictures are read from the folder of images; one that cannot be
/// read or has changed is an empty frame.
///
/// # Errors
/// Those of [`PageOutput::write`].
pub fn write(stats: &DatasetStats, output: &PageOutput, monitor: &dyn Monitor) -> Result<WrittenPage> {
    let examples = pictures::examples(stats, monitor)?;
    let (figures, tables) = (plots::all(stats), tables::all(stats));
    let parts = Parts { figures: &figures, tables: &tables };
    let name = stats.root.file_name().unwrap_or(stats.root.as_os_str()).to_string_lossy();
    let sections = sections(stats, parts, &examples);
    let page = Page { title: format!("The images of {name}"), lead: lead(stats), sections };
    output.write(&PageContent { page, figures, tables })
}

fn lead(stats: &DatasetStats) -> Markup {
    let summary = &stats.summary;
    html! {
        (count(summary.images)) " images in " (count(used_classes(stats))) (format!(" {}, ", stats.summary.class_words()))
        (format!("{:.1} MB", summary.bytes as f64 / 1e6)) ", in " (page::breakable(&stats.root.display().to_string())) "."
    }
}

/// Number of classes with an image.
fn used_classes(stats: &DatasetStats) -> usize {
    stats.summary.classes.len() - stats.summary.empty_classes
}

fn sections(stats: &DatasetStats, parts: Parts, examples: &[Vec<Picture>]) -> Vec<Section> {
    let mut all = vec![
        Section::new("summary", "Summary", summary(stats)),
        Section::new("composition", "Composition", composition(stats, parts)),
    ];
    let mut add = |id, title, body| all.push(Section::new(id, title, body));
    if !examples.is_empty() {
        let hidden = used_classes(stats) - examples.len();
        let title =
            if stats.summary.several_labels { "Examples of each label" } else { "Examples of each class" };
        add("examples", title, picture_sections::examples(stats, examples, hidden));
    }
    if stats.summary.images > 0 {
        add("sizes", "Sizes", sizes(stats, parts));
    }
    if let Some(preview) = &stats.augmentation {
        add("augmentation", "Augmentation", picture_sections::augmentation(stats, preview));
    }
    let duplicates_table = parts.first_rows("duplicates", MOST_ROWS);
    add("duplicates", "Duplicates", picture_sections::duplicates(stats, duplicates_table));
    if let Some(found) = &stats.summary.perceptual_duplicates {
        let body = look::section(stats, found, parts.first_rows("look-alike", MOST_ROWS));
        add("look-alike", "Pictures that look alike", body);
    }
    if let Some(map) = &stats.map {
        add("map", "Map", map::markup(map));
    }
    if let Some(found) = &stats.near_duplicates {
        let body = picture_sections::near_duplicates(stats, found);
        add("near-duplicates", "Near-duplicates across splits", body);
    }
    if let Some(found) = &stats.label_issues {
        add("label-issues", "Label issues", picture_sections::label_issues(stats, found));
    }
    if !(stats.summary.unreadable.is_empty() && stats.summary.conflicting.is_empty()) {
        add("refused", "Files that cannot be used", parts.first_rows("refused", MOST_ROWS));
    }
    all
}

fn summary(stats: &DatasetStats) -> Markup {
    let summary = &stats.summary;
    let used = used_classes(stats);
    let empty = match summary.empty_classes {
        0 => String::new(),
        n => format!("; {} more without any image", count(n)),
    };
    let unlabelled = match summary.unlabelled {
        0 => String::new(),
        n => format!("; {} more without a label", count(n)),
    };
    let largest = summary.classes.first();
    let baseline = largest.map_or(String::new(), |class| {
        let (name, share) = (isolated(&class.name), percent(class.share));
        match summary.several_labels {
            true => format!("{name}: {share} of the images"),
            false => format!("{name}: {share} of the images, the accuracy of the majority-class baseline"),
        }
    });
    let words = summary.class_words();
    let mut all = vec![
        Fact::new("Images", count(summary.images), format!("in {} {words}{empty}{unlabelled}", count(used))),
        Fact::new(
            if summary.several_labels { "Largest label" } else { "Largest class" },
            count(largest.map_or(0, |class| class.images)),
            baseline,
        ),
    ];
    if let Some(class) = summary.classes[..used].last() {
        let single = match summary.single_image_classes {
            0 => String::new(),
            n => format!("; {} of a single image, on which nothing can be measured", count(n)),
        };
        all.push(Fact::new(
            if summary.several_labels { "Smallest label" } else { "Smallest class" },
            count(class.images),
            format!("{}: {} of the images{single}", isolated(&class.name), percent(class.share)),
        ));
    }
    let [unreadable, conflicting] = [summary.unreadable.len(), summary.conflicting.len()];
    let kinds = format!("{} unreadable, {} under two labels", count(unreadable), count(conflicting));
    all.push(Fact::new("Refused files", count(unreadable + conflicting), kinds));
    let note = "files with the same bytes as another of their class";
    all.push(Fact::new("Duplicates", count(summary.duplicates), note));
    facts(&all)
}

fn composition(stats: &DatasetStats, parts: Parts) -> Markup {
    html! {
        (page::side_by_side([parts.figure("composition"), parts.first_rows("classes", MOST_ROWS)]))
        @if stats.splits.is_some() {
            (page::side_by_side([parts.figure("splits"), parts.first_rows("splits", MOST_ROWS)]))
        }
    }
}

fn sizes(stats: &DatasetStats, parts: Parts) -> Markup {
    let sizes = &stats.sizes;
    html! {
        @match sizes.pairs.as_slice() {
            [only] if sizes.distinct == 1 => p { "All images are " (only.width) " pixels wide and " (only.height) " high." },
            _ => {
                p {
                    (count(sizes.distinct)) " different sizes as stored, before a picture is turned as its EXIF orientation says."
                    @if sizes.step > 1 { " They are rounded to multiples of " (sizes.step) " pixels." }
                }
                (page::side_by_side([parts.figure("sizes"), parts.first_rows("sizes", MOST_ROWS)]))
            }
        }
    }
}
