//! The page of predictions: each image with its most probable classes and the cached images that are most like it.

mod overview;
mod pictures;
mod tables;

use crate::cache::near_images::Neighbour;
use crate::error::Result;
use crate::evaluate::predict::{
    ClassProbability, FilePrediction, PredictConfig, Predictions, PredictorConfig,
};
use crate::report::format::{count, percent};
use crate::report::html::{self, Markup, html};
use crate::report::output::{self, PageContent, PageOutput, WrittenPage};
use crate::report::page::{self, GalleryItem, Page, RankedClass, Section, class_ranking, gallery};
use crate::run::Record;
use pictures::{Pictures, UsedFile};
use serde_json::json;
use std::path::PathBuf;

/// Images that the page shows at most; each takes some 50 kB.
const SHOWN_IMAGES: usize = 200;
/// Classes beside an image at most.
const SHOWN_CLASSES: usize = 5;

/// Where the page of predictions and its tables are written.
#[derive(Debug, Clone, Default)]
pub struct PredictionOutput {
    /// The page.
    pub page: Option<PathBuf>,
    /// Folder for each table as CSV.
    pub tables: Option<PathBuf>,
}

impl PredictionOutput {
    /// The page with its tables, where a page is wanted.
    fn with_page(&self) -> Option<PageOutput> {
        Some(PageOutput { out: self.page.clone()?, plots: None, tables: self.tables.clone() })
    }
}

/// Checks, before the predictions are computed, that page and tables may be written to `output`.
///
/// # Errors
/// Those of [`PageOutput::check_for_run`], where there is an output.
pub fn check_output(config: &PredictorConfig, output: &PredictionOutput) -> Result<()> {
    let page = output.page.iter().map(|page| ("html", page.as_path()));
    let outputs: Vec<_> =
        page.chain(output.tables.iter().map(|tables| ("tables", tables.as_path()))).collect();
    if !outputs.is_empty() {
        output::check_for_run(&outputs, &config.run, config.cache.as_deref())?;
    }
    output.page.as_deref().map_or(Ok(()), page::check_page)
}

/// Writes the page of `predictions`, the result of [`predict`](crate::evaluate::predict::predict) with `config`, and its
/// tables, where `output` asks for them. Pictures are read from the files and from the folder of cached images; one that
/// cannot be read or has changed is an empty frame.
///
/// # Errors
/// Those of [`PageOutput::write`].
pub fn write(
    predictions: &Predictions,
    config: &PredictConfig,
    output: &PredictionOutput,
) -> Result<Option<WrittenPage>> {
    let Predictions { files, record, cached_images } = predictions;
    let Some(page) = output.with_page() else {
        let used: Vec<&FilePrediction> = files.iter().filter(|file| file.reason.is_none()).collect();
        let refused: Vec<&FilePrediction> = files.iter().filter(|file| file.reason.is_some()).collect();
        let write = |folder| output::write_tables(folder, &tables::all(&used, &refused));
        return output.tables.as_deref().map_or(Ok(()), write).map(|()| None);
    };
    let paths = config.images.iter().map(PathBuf::as_path);
    let used: Vec<UsedFile> = paths
        .zip(files)
        .filter(|(_, file)| file.reason.is_none())
        .map(|(path, file)| UsedFile { path, file })
        .collect();
    let shown = &used[..used.len().min(SHOWN_IMAGES)];
    let pictures = Pictures::load(shown, cached_images.as_deref())?;
    page.write(&content(files, record, &config.predictor, &pictures)).map(Some)
}

fn content(
    files: &[FilePrediction],
    record: &Record,
    config: &PredictorConfig,
    pictures: &Pictures,
) -> PageContent {
    let (used, refused): (Vec<&FilePrediction>, Vec<&FilePrediction>) =
        files.iter().partition(|file| file.reason.is_none());
    let name = config.run.file_name().unwrap_or(config.run.as_os_str()).to_string_lossy();
    let refused_table = tables::refused(&refused);
    let has_neighbours = used.iter().any(|file| file.prediction.neighbours.is_some());
    let is_without_cache = config.neighbours > 0 && !used.is_empty() && !has_neighbours;
    let predictions = predictions(&used, is_without_cache, pictures);
    let mut sections = Vec::new();
    if used.len() > 1 {
        sections.push(Section::new("overview", "Overview", overview::markup(&used)));
    }
    sections.push(Section::new("answers", "Predictions", predictions));
    if !refused.is_empty() {
        sections.push(Section::new("refused", "Files that cannot be used", refused_table.markup()));
    }
    if has_neighbours {
        sections.push(Section::new("reading", "How to read this page", explanation()));
    }
    let lead = html! {
        "Predictions of " (name) " for " (count(used.len())) (if used.len() == 1 { " image" } else { " images" })
        ", from features of " (record.spec.backbone.name) " (" (record.spec.backbone.title) ") and "
        (count(record.classes.len())) " classes."
    };
    PageContent {
        page: Page { title: format!("Predictions of {name}"), lead, sections },
        figures: Vec::new(),
        tables: tables::all(&used, &refused),
    }
}

fn predictions(used: &[&FilePrediction], is_without_cache: bool, pictures: &Pictures) -> Markup {
    let shown = used.iter().take(SHOWN_IMAGES).enumerate();
    html! {
        @if used.len() > SHOWN_IMAGES {
            p { "The first " (SHOWN_IMAGES) " of " (count(used.len())) " images; the table in CSV has all of them." }
        }
        @if used.is_empty() { p { "None of the files can be used." } }
        @if is_without_cache {
            p.warning { "The cache of the run cannot be read, so the nearest images are missing." }
        }
        div.answers { @for (at, file) in shown { (article(at, file, pictures)) } }
    }
}

/// The prediction for the image at index `at`.
fn article(at: usize, file: &FilePrediction, pictures: &Pictures) -> Markup {
    let name = format!("answer-{}", at + 1);
    let classes = &file.prediction.predictions;
    let neighbours = file.prediction.neighbours.as_ref().filter(|all| !all.is_empty());
    html! {
        article.answer data-answer=(name) aria-labelledby=(name) {
            div.frame { (pictures.image(at, &file.path).markup()) }
            div {
                h3 id=(name) { (page::breakable(&file.path)) }
                (open_set(file))
                (ranking(file))
                @if classes.len() > SHOWN_CLASSES { p.quiet { "and " (classes.len() - SHOWN_CLASSES) " more classes" } }
            }
            @if let Some(neighbours) = neighbours {
                div.near {
                    h4 { "Nearest cached images" }
                    (gallery(&neighbours.iter().map(|one| neighbour(one, pictures)).collect::<Vec<_>>()))
                }
            }
            script type="application/json" data-numbers=(name) { (html::json(&json!(file))) }
        }
    }
}

fn open_set(file: &FilePrediction) -> Markup {
    html! {
        @if let Some(score) = &file.prediction.open_set {
            @if score.unknown {
                p.warning { strong { "Unknown: " } "of the validation images and this one, " (percent(score.p_value)) " lie as far from every class." }
            } @else {
                p.quiet { "Of the validation images and this one, " (percent(score.p_value)) " lie as far from every class." }
            }
        }
    }
}

fn ranking(file: &FilePrediction) -> Markup {
    let is_unknown = file.prediction.open_set.as_ref().is_some_and(|score| score.unknown);
    let ranked = |(rank, class): (usize, &ClassProbability)| RankedClass {
        label: class.label.clone(),
        probability: class.probability,
        mark: (rank == 0 && !is_unknown).then_some("answer"),
    };
    let shown = file.prediction.predictions.iter().take(SHOWN_CLASSES);
    class_ranking(&shown.enumerate().map(ranked).collect::<Vec<_>>())
}

/// Distances below this differ from 0 by rounding alone.
const SAME: f64 = 1e-6;

fn neighbour(neighbour: &Neighbour, pictures: &Pictures) -> GalleryItem {
    let caption = html! {
        p { strong { (page::breakable(&neighbour.label)) } }
        p { (format!("{:.4}", neighbour.distance)) ", " (neighbour.split.name()) @if neighbour.distance < SAME { ", the same picture" } }
        p.quiet { (page::breakable(&neighbour.path)) }
    };
    GalleryItem { picture: pictures.neighbour(neighbour), caption }
}

fn explanation() -> Markup {
    html! {
        p {
            "The number below a cached image is its cosine distance: one minus the cosine of the angle between its features and those of the "
            "predicted image. It is 0 for the same picture and about 1 for features that have nothing in common. It shows what the backbone finds "
            "similar, before any head. Near images of another class explain an error of the head. If all images are far away, the picture is "
            "unlike those that the head was trained on. The head may have been trained on the images of the " em { "train" } " split, so its "
            "accuracy on other images is lower."
        }
    }
}
