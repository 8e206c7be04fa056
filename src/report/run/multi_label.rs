//! The page of a run on images with several labels: scores of each label, and the images with the most wrong labels.

use super::origin;
use super::plots::{axis, training};
use super::run_data::CommandLine;
use super::settings::MadeFrom;
use super::tables::settings_table;
use crate::cache::Samples;
use crate::data::augment::Variant;
use crate::data::dataset::Split;
use crate::data::dataset::label_set;
use crate::error::Result;
use crate::evaluate::{LabelScore, MultiLabelStats, evaluate_multi_label};
use crate::io::digest::Digest;
use crate::math::parallel;
use crate::report::format::{count, percent, score};
use crate::report::html::{Markup, html};
use crate::report::output::{PageContent, PageOutput, WrittenPage};
use crate::report::page::{
    Card, Cell, Column, Fact, Page, Parts, Picture, RankedClass, Section, Table, cards, class_ranking, facts,
};
use crate::report::plot::{BarChart, Chart, Figure, Series, Unit};
use crate::run::{Prediction, StoredRun};
use serde_json::json;
use std::path::Path;

/// Images with wrong labels at most.
const MOST_EXAMPLES: usize = 24;

/// An image, its labels, and those answered.
struct Answer {
    path: String,
    image_sha256: Digest,
    labels: Vec<String>,
    answered: Vec<String>,
    /// The labels that are wrong or missing, with their probabilities; the most confident error first.
    errors: Vec<(String, f64)>,
}

/// What the page is made from.
pub(super) struct MultiLabelPage<'a> {
    pub run: &'a StoredRun,
    pub split: Split,
    /// `None` if the cache cannot be read.
    pub samples: Option<&'a Samples>,
    /// Where the images are, if that is known.
    pub root: Option<&'a Path>,
    /// Commands that make the run again.
    pub commands: &'a [CommandLine],
}

/// The page that was written, and how many pictures it shows and lacks.
pub(super) struct WrittenPictures {
    pub page: WrittenPage,
    pub shown: usize,
    pub missing: usize,
}

/// Writes the page of a run on images with several labels.
///
/// # Errors
/// Those of [`evaluate_multi_label`] and of [`PageOutput::write`].
pub(super) fn write(data: &MultiLabelPage, output: &PageOutput) -> Result<WrittenPictures> {
    let MultiLabelPage { run, split, root, .. } = *data;
    let stats = evaluate_multi_label(run, split)?;
    let answers = answers(run, split)?;
    let wrong: Vec<&Answer> =
        answers.iter().filter(|answer| !answer.errors.is_empty()).take(MOST_EXAMPLES).collect();
    let pictures = parallel::in_parallel(parallel::thread_count(0), &wrong, |answer| {
        let alt = answer.path.as_str();
        Ok(match root {
            Some(root) => Picture::read(&root.join(alt), answer.image_sha256, alt),
            None => Picture { thumbnail: None, alt: alt.into() },
        })
    })?;
    let missing = pictures.iter().filter(|picture| picture.thumbnail.is_none()).count();
    let shown = pictures.len() - missing;
    let figures = [training(run.record()), vec![label_scores(&stats)]].concat();
    let made = MadeFrom { run: run.path(), record: run.record(), samples: data.samples };
    let tables = vec![label_table(&stats), answer_table(&answers), settings_table(&made)];
    let examples: Vec<Card> =
        wrong.iter().zip(pictures).map(|(answer, picture)| card(answer, picture)).collect();
    let parts = Parts { figures: &figures, tables: &tables };
    let page = page(data, &stats, parts, &examples);
    let page = output.write(&PageContent { page, figures, tables })?;
    Ok(WrittenPictures { page, shown, missing })
}

/// The answers for the images of the split, the most confident errors first.
fn answers(run: &StoredRun, split: Split) -> Result<Vec<Answer>> {
    let names = run.record().class_names();
    let Some(multi_label) = &run.record().multi_label else { return Ok(Vec::new()) };
    let mut rows = run.predictions()?;
    rows.retain(|row| row.split == split && row.variant == Variant::None);
    let answer = |row: Prediction| {
        let labels = label_set(&row.label);
        let is_answered: Vec<bool> = multi_label.answers(&row.probabilities).collect();
        let pairs = || names.iter().zip(&is_answered).zip(&row.probabilities);
        let is_own = |name: &String| labels.binary_search(name).is_ok();
        let answered = pairs().filter(|((_, is_answer), _)| **is_answer).map(|((name, _), _)| name.clone());
        let wrong = pairs().filter(|((name, is_answer), _)| is_own(name) != **is_answer);
        let mut errors: Vec<(String, f64)> =
            wrong.map(|((name, _), &p)| (name.clone(), f64::from(p))).collect();
        let confidence = |name: &String, p: f64| if is_own(name) { 1.0 - p } else { p };
        errors.sort_by(|a, b| confidence(&b.0, b.1).total_cmp(&confidence(&a.0, a.1)));
        let most = errors.first().map_or(0.0, |(name, p)| confidence(name, *p));
        let answered = answered.collect();
        (most, Answer { path: row.path, image_sha256: row.image_sha256, labels, answered, errors })
    };
    let mut answers: Vec<(f64, Answer)> = rows.into_iter().map(answer).collect();
    answers.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.path.cmp(&b.1.path)));
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

fn page(data: &MultiLabelPage, stats: &MultiLabelStats, parts: Parts, examples: &[Card]) -> Page {
    let (path, record) = (data.run.path(), data.run.record());
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let lead = html! {
        "A head for " (count(stats.labels.len())) " labels, of which an image may have several, on features of "
        (record.spec.backbone.name) ", measured on " (count(stats.images)) " " (stats.split) " images that it was not trained on."
    };
    let sections = vec![
        Section::new("summary", "Summary", facts(&key_figures(stats))),
        Section::new("training", "Training", parts.figures(&["training-loss", "training-accuracy"])),
        Section::new("labels", "Labels", parts.figure_beside("label-scores", parts.table("labels"))),
        Section::new("pictures", "Wrong labels", pictures(examples)),
        Section::new("origin", "How it was made", how_it_was_made(data, parts)),
    ];
    Page { title: format!("Report on {name}"), lead, sections }
}

fn key_figures(stats: &MultiLabelStats) -> Vec<Fact> {
    let [low, high] = stats.exact_match_interval.unwrap_or([0.0, 1.0]);
    vec![
        Fact::new(
            "Mean average precision",
            score(stats.mean_average_precision),
            "mean over labels, all thresholds",
        ),
        Fact::new("Micro F1", score(stats.micro.f1), "over all pairs of an image and a label"),
        Fact::new("Macro F1", score(stats.macro_f1), "mean over labels of equal weight"),
        Fact::new(
            "All labels right",
            percent(stats.exact_match),
            format!("of the images, 95 % interval {} to {}", percent(low), percent(high)),
        ),
    ]
}

fn average_precision(label: &LabelScore) -> Option<f64> {
    label.curve.as_ref().map(|curve| curve.average_precision)
}

/// The labels by index, the lowest average precision first, those without one last.
fn worst_first(stats: &MultiLabelStats) -> Vec<usize> {
    let key = |label: usize| average_precision(&stats.labels[label]).unwrap_or(f64::INFINITY);
    let mut order: Vec<usize> = (0..stats.labels.len()).collect();
    order.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
    order
}

fn label_scores(stats: &MultiLabelStats) -> Figure {
    let order: Vec<&LabelScore> = worst_first(stats).into_iter().map(|label| &stats.labels[label]).collect();
    let series = |name: &str, get: &dyn Fn(&LabelScore) -> Option<f64>| Series {
        name: name.into(),
        values: order.iter().map(|label| get(label)).collect(),
    };
    Figure {
        name: "label-scores".into(),
        title: "Average precision and F1 of each label".into(),
        summary: format!(
            "The lowest average precision first; the mean over the labels is {}. F1 is that of the answers at the threshold of each label.",
            score(stats.mean_average_precision)
        ),
        chart: Chart::Bar(BarChart {
            categories: order.iter().map(|label| label.name.clone()).collect(),
            series: vec![
                series("average precision", &average_precision),
                series("F1", &|label| label.score.f1),
            ],
            values: axis("score", Unit::Plain(3), Some((0.0, 1.0))),
            notes: Vec::new(),
            remarks: None,
        }),
        numbers: json!({ "labels": stats.labels, "mean_average_precision": stats.mean_average_precision }),
    }
}

fn label_table(stats: &MultiLabelStats) -> Table {
    let columns = [
        Column::new("Label", "label"),
        Column::new("Images", "images"),
        Column::file_only("answered"),
        Column::new("Threshold", "threshold"),
        Column::new("Precision", "precision"),
        Column::new("Recall", "recall"),
        Column::new("F1", "f1"),
        Column::new("Average precision", "average_precision"),
        Column::file_only("average_precision_low"),
        Column::file_only("average_precision_high"),
        Column::new("ROC area", "roc_area"),
    ];
    let row = |label: &LabelScore| {
        let curve = label.curve.as_ref();
        let limits = curve.and_then(|curve| curve.average_precision_interval);
        [
            Cell::text(&label.name),
            Cell::count(label.support),
            Cell::count(label.predicted),
            Cell::score(label.threshold),
            Cell::percent(label.score.precision),
            Cell::percent(label.score.recall),
            Cell::score(label.score.f1),
            Cell::score_with_interval(average_precision(label), limits),
            Cell::score(limits.map(|limits| limits[0])),
            Cell::score(limits.map(|limits| limits[1])),
            Cell::score(curve.map(|curve| curve.roc_area)),
        ]
    };
    let caption = "Scores of each label, with the 95 % interval of its average precision";
    Table {
        page_order: worst_first(stats),
        ..Table::new("labels", caption, columns, stats.labels.iter().map(row))
    }
}

fn answer_table(answers: &[Answer]) -> Table {
    let columns = [
        Column::new("Image", "path"),
        Column::new("Labels", "labels"),
        Column::new("Answered", "answered"),
        Column::new("Wrong", "wrong"),
    ];
    let row = |answer: &Answer| {
        let names = |names: &[String]| Cell::text(names.join("|"));
        let wrong: Vec<String> = answer.errors.iter().map(|(name, _)| name.clone()).collect();
        [Cell::text(&answer.path), names(&answer.labels), names(&answer.answered), names(&wrong)]
    };
    Table::new("answers", "Labels and answers of each image", columns, answers.iter().map(row))
}

fn card(answer: &Answer, picture: Picture) -> Card {
    let ranked = |(name, probability): &(String, f64)| {
        let is_own = answer.labels.binary_search(name).is_ok();
        RankedClass { label: name.clone(), probability: *probability, mark: is_own.then_some("missed") }
    };
    let names = |names: &[String]| if names.is_empty() { "none".to_string() } else { names.join(", ") };
    let body = html! {
        p { "labels: " (names(&answer.labels)) }
        p { "answered: " (names(&answer.answered)) }
        (class_ranking(&answer.errors.iter().take(4).map(ranked).collect::<Vec<_>>()))
    };
    Card { picture, title: answer.path.clone(), body }
}

fn pictures(examples: &[Card]) -> Markup {
    html! {
        @if examples.is_empty() { p { "All labels of all images are right." } }
        @else {
            p {
                "The images with the most confident errors, each with its wrong labels and their probabilities. A label that was missed is "
                "bold, and its bar blue; the others were answered and are wrong."
            }
            (cards(examples))
        }
    }
}

fn how_it_was_made(data: &MultiLabelPage, parts: Parts) -> Markup {
    html! {
        p { "The threshold of each label is that of largest F1 on the validation images." }
        (origin::markup(parts, data.commands, data.samples.is_some()))
    }
}
