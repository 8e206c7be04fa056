//! The page of images to label next, each with what the run says about it now.

use crate::error::Result;
use crate::evaluate::suggest::{MIX, SuggestBy, SuggestConfig, SuggestStats, Suggestion};
use crate::math::parallel;
use crate::report::format::count;
use crate::report::html::{Markup, html};
use crate::report::output::{self, PageContent, PageOutput, WrittenPage};
use crate::report::page::{Card, Page, Picture, RankedClass, Section, cards, check_page, class_ranking};
use std::path::Path;

/// Images that the page shows at most; each takes some 10 kB.
const SHOWN_IMAGES: usize = 500;
/// Classes below an image at most.
const SHOWN_CLASSES: usize = 3;

/// Checks, before long work, that the page may be written to `out`.
///
/// # Errors
/// Those of [`PageOutput::check_for_run`].
pub fn check(config: &SuggestConfig, out: &Path) -> Result<()> {
    output::check_for_run(&[("html", out)], &config.run, config.cache.as_deref())?;
    check_page(out)
}

/// Writes the page of `stats`, the result of [`suggest`](crate::evaluate::suggest::suggest) with `config`. A picture that cannot be
/// read or has changed is an empty frame.
///
/// # Errors
/// Those of [`PageOutput::write`].
pub fn write(stats: &SuggestStats, config: &SuggestConfig, out: &Path) -> Result<WrittenPage> {
    let shown = &stats.images[..stats.images.len().min(SHOWN_IMAGES)];
    let shown = parallel::in_parallel(parallel::thread_count(config.threads), shown, |image| {
        Ok(card(image, Picture::read(&stats.root.join(&image.path), image.image_sha256, &image.path)))
    })?;
    let name = config.run.file_name().unwrap_or(config.run.as_os_str()).to_string_lossy();
    let lead = html! {
        "The " (count(stats.images.len())) " of " (count(stats.unlabelled)) " images without a label that " (name)
        " would learn most from, by " (stats.by.to_string()) ", with its present answers."
    };
    let sections = vec![
        Section::new("reading", "How to read this page", about(stats.by)),
        Section::new(
            "images",
            "Images to label",
            html! {
                @if stats.images.len() > SHOWN_IMAGES { p.note { "The first " (count(SHOWN_IMAGES)) "; the table has all of them." } }
                (cards(&shown))
            },
        ),
    ];
    let page = Page { title: format!("What to label next for {name}"), lead, sections };
    let output = PageOutput { out: out.to_path_buf(), plots: None, tables: None };
    output.write(&PageContent { page, figures: Vec::new(), tables: Vec::new() })
}

fn card(image: &Suggestion, picture: Picture) -> Card {
    let ranked = |(rank, class): (usize, &crate::evaluate::predict::ClassProbability)| RankedClass {
        label: class.label.clone(),
        probability: class.probability,
        mark: (rank == 0).then_some("answer"),
    };
    let classes: Vec<_> = image.predictions.iter().take(SHOWN_CLASSES).enumerate().map(ranked).collect();
    let body = html! {
        (class_ranking(&classes))
        p.quiet {
            "margin " (format!("{:.3}", image.uncertainty.margin)) ", entropy " (format!("{:.3}", image.uncertainty.entropy))
            @if let Some(distance) = image.distance { ", distance " (format!("{distance:.3}")) }
        }
    };
    Card { picture, title: image.path.clone(), body }
}

fn about(by: SuggestBy) -> Markup {
    let order = match by {
        SuggestBy::Margin => "The image with the smallest margin is first.".to_string(),
        SuggestBy::Entropy => "The image with the largest entropy is first.".to_string(),
        SuggestBy::Coverage => {
            "Each image is the farthest from the images before it and from those trained on.".to_string()
        }
        _ => format!(
            "Of the {MIX} times as many images with the smallest margin, each is the farthest from the images before it and from those \
             trained on."
        ),
    };
    html! {
        p {
            "Below each image are its most probable classes; the answer is bold, and its bar blue. "
            "The margin is the difference of the two largest probabilities: 0 where two classes are equally probable. "
            "The entropy is that of all probabilities, in nats: large where many classes are probable. "
            "The distance is the cosine distance of the features, 0 for the same direction, from the nearest image that was trained on or "
            "stands before this one. " (order)
        }
    }
}
