//! The page of predictions: each image with its ranked answers and the cached images that are most like it.

use super::{Answer, PredictConfig, Seen};
use crate::markup::{self, Markup, html};
use crate::neighbours::Neighbour;
use crate::page::{
    self, Cell, Column, Page, Picture, Ranked, Section, Table, Thumb, ranked, thumbnail, thumbs,
};
use crate::places::Made;
use crate::run::Record;
use crate::words::{count, percent};
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;

/// Images that are shown at most: each takes some 50 kB.
const MOST: usize = 200;
/// Answers beside an image.
const ANSWERS: usize = 5;

/// The page with its tables; `root` is the folder of the cached images.
pub(super) fn made(config: &PredictConfig, record: &Record, seen: &[Seen], root: Option<&Path>) -> Made {
    let (used, refused): (Vec<&Seen>, Vec<&Seen>) =
        seen.iter().partition(|seen| seen.answer.reason.is_none());
    let mut album = Album { root, pictures: HashMap::new() };
    let shown: Vec<Markup> =
        used.iter().take(MOST).enumerate().map(|(at, seen)| article(at + 1, seen, &mut album)).collect();
    let name = config.run.file_name().unwrap_or(config.run.as_os_str()).to_string_lossy();
    let tables = vec![answers_table(&used), neighbours_table(&used), refused_table(&refused)];
    let mut sections = vec![Section::new(
        "answers",
        "Answers",
        html! {
            @if used.len() > MOST { p { "The first " (MOST) " of " (count(used.len())) " images; " code { "--json" } " and the CSV file (" code { "--tables DIR" } ") have all." } }
            @if shown.is_empty() { p { "None of the files can be used." } }
            @if root.is_none() && config.neighbours > 0 { p.warning { "The cache of the run is not there, so the nearest images are missing." } }
            div.answers { @for one in &shown { (one) } }
        },
    )];
    if !refused.is_empty() {
        sections.push(Section::new("refused", "Files that cannot be used", tables[2].markup()));
    }
    if used.iter().any(|seen| seen.answer.neighbours.is_some()) {
        sections.push(Section::new("reading", "How to read this", reading()));
    }
    let lead = html! {
        "What " (name) " answers for " (count(used.len())) (if used.len() == 1 { " image" } else { " images" })
        ", by features of " (record.spec.backbone.name) " (" (record.spec.backbone.title) ") and "
        (count(record.classes.len())) " classes."
    };
    Made {
        page: Page { title: format!("Predictions of {name}"), lead, sections },
        figures: Vec::new(),
        tables,
    }
}

/// Pictures of cached images, each read once.
struct Album<'a> {
    root: Option<&'a Path>,
    pictures: HashMap<String, Option<page::Thumbnail>>,
}

impl Album<'_> {
    fn picture(&mut self, neighbour: &Neighbour) -> Picture {
        let root = self.root;
        let read =
            || root.and_then(|root| thumbnail(&root.join(&neighbour.path), neighbour.image_sha256).ok());
        let thumbnail = self.pictures.entry(neighbour.path.clone()).or_insert_with(read).clone();
        Picture { thumbnail, alt: format!("{}, {}", neighbour.label, neighbour.path) }
    }
}

fn article(number: usize, seen: &Seen, album: &mut Album) -> Markup {
    let answer = &seen.answer;
    let name = format!("answer-{number}");
    let picture = Picture { thumbnail: seen.thumbnail.clone(), alt: answer.path.clone() };
    html! {
        article.answer data-answer=(name) aria-labelledby=(name) {
            div.frame { (picture.markup()) }
            div {
                h3 id=(name) { (page::name(&answer.path)) }
                (judged(answer))
                (bars(answer))
                @if answer.predictions.len() > ANSWERS { p.quiet { "and " (answer.predictions.len() - ANSWERS) " classes more" } }
            }
            @if let Some(neighbours) = answer.neighbours.as_ref().filter(|all| !all.is_empty()) {
                div.near {
                    h4 { "Nearest cached images" }
                    (thumbs(&neighbours.iter().map(|one| near(one, album)).collect::<Vec<_>>()))
                }
            }
            script type="application/json" data-numbers=(name) { (markup::json(&json!(answer))) }
        }
    }
}

fn judged(answer: &Answer) -> Markup {
    html! {
        @if let Some(judged) = &answer.judged {
            @if judged.unknown {
                p.warning { strong { "Unknown: " } "no more than " (percent(judged.p_value)) " of known images lie so far off." }
            } @else {
                p.quiet { (percent(judged.p_value)) " of known images lie as far off." }
            }
        }
    }
}

fn bars(answer: &Answer) -> Markup {
    let one = |(rank, p): (usize, &super::Ranked)| Ranked {
        label: p.label.clone(),
        probability: p.probability,
        mark: (rank == 0 && answer.judged.as_ref().is_none_or(|judged| !judged.unknown)).then_some("answer"),
    };
    ranked(&answer.predictions.iter().take(ANSWERS).enumerate().map(one).collect::<Vec<_>>())
}

fn near(neighbour: &Neighbour, album: &mut Album) -> Thumb {
    let words = html! {
        p { strong { (page::name(&neighbour.label)) } }
        p { (format!("{:.4}", neighbour.distance)) ", " (neighbour.split.name()) @if same(neighbour) { ", the same picture" } }
        p.quiet { (page::name(&neighbour.path)) }
    };
    Thumb { picture: album.picture(neighbour), words }
}

/// Whether rounding alone tells the features from those of the image.
fn same(neighbour: &Neighbour) -> bool {
    neighbour.distance < 1e-6
}

fn reading() -> Markup {
    html! {
        p {
            "The number below a cached image is one less the cosine of the angle between its features and those of the image above: 0 for the "
            "same picture, about 1 for features that have nothing in common. It tells what looks alike to the network, before any head: "
            "near images of another class are why a head errs; images that are all far tell of a picture unlike those it was "
            "fitted to. Images in " em { "train" } " are those that the head may have seen; it need not get others right as often."
        }
    }
}

fn answers_table(used: &[&Seen]) -> Table {
    let rows = used.iter().flat_map(|seen| {
        let ranked = seen.answer.predictions.iter().enumerate();
        ranked.map(|(rank, p)| {
            vec![
                Cell::text(&seen.answer.path),
                Cell::count(rank + 1),
                Cell::text(&p.label),
                Cell::percent(p.probability),
            ]
        })
    });
    table(
        "answers",
        "Answers, most probable first",
        &[("Image", "path"), ("Rank", "rank"), ("Class", "label"), ("Probability", "probability")],
        rows.collect(),
    )
}

fn neighbours_table(used: &[&Seen]) -> Table {
    let rows = used.iter().flat_map(|seen| {
        seen.answer.neighbours.iter().flatten().map(|one| {
            vec![
                Cell::text(&seen.answer.path),
                Cell::text(&one.path),
                Cell::text(&one.label),
                Cell::text(one.split.name()),
                Cell::Number { told: format!("{:.4}", one.distance), value: Some(one.distance) },
            ]
        })
    });
    table(
        "neighbours",
        "Nearest cached images",
        &[
            ("Image", "path"),
            ("Cached image", "cached_path"),
            ("Class", "label"),
            ("Split", "split"),
            ("Distance", "distance"),
        ],
        rows.collect(),
    )
}

fn refused_table(refused: &[&Seen]) -> Table {
    let rows = refused.iter().map(|seen| {
        vec![Cell::text(&seen.answer.path), Cell::text(seen.answer.reason.as_deref().unwrap_or_default())]
    });
    let caption = format!("Files that cannot be used: {}", count(refused.len()));
    table("refused", &caption, &[("File", "path"), ("Reason", "reason")], rows.collect())
}

fn table(name: &str, caption: &str, columns: &[(&str, &str)], rows: Vec<Vec<Cell>>) -> Table {
    let columns = columns.iter().map(|(title, key)| Column::new(*title, *key)).collect();
    Table { name: name.into(), caption: caption.into(), columns, rows }
}
