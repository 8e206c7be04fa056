//! The sections of the page of a data set that show pictures.

use super::duplicates::DuplicateGroup;
use super::examine::DatasetStats;
use super::examples::{ClassExamples, MOST_CLASSES_WITH_SEVERAL};
use super::label_issues::{LabelIssue, LabelIssues};
use super::near_duplicates::{AccuracyWithout, MOST_PAIRS, NearDuplicatePair, NearDuplicates, PairImage};
use super::pictures::{self, VariantPictures};
use super::variants::{EXAMPLES, VariantPreview};
use crate::data::augment::{Step, Variant};
use crate::data::preprocess::Preprocessing;
use crate::report::format::{count, percent};
use crate::report::html::{Markup, html};
use crate::report::page::{self, Card, GalleryItem, Picture, RankedClass, cards, class_ranking, gallery};
use std::path::Path;

/// Examples of each class; `hidden` classes have none.
pub(super) fn examples(stats: &DatasetStats, pictures: &[Vec<Picture>], hidden: usize) -> Markup {
    let classes = || stats.examples.iter().zip(pictures);
    let with_name = |(class, pictures): (&ClassExamples, &Vec<Picture>)| GalleryItem {
        picture: pictures[0].clone(),
        caption: html! { p { (page::breakable(&class.label)) " " span.quiet { (count(class.images)) } } },
    };
    let item = |picture: &Picture| GalleryItem { picture: picture.clone(), caption: html! {} };
    let (word, words) = (stats.summary.class_word(), stats.summary.class_words());
    let is_single = stats.examples.len() > MOST_CLASSES_WITH_SEVERAL;
    html! {
        @if !is_single { p { "Spread evenly over the files of each " (word) ", in order of their names." } }
        @if hidden > 0 { p.note { "One image of each " (word) "; " (count(hidden)) " smaller " (words) " are not shown." } }
        @if is_single { (gallery(&classes().map(with_name).collect::<Vec<_>>())) }
        @else {
            @for (class, pictures) in classes() {
                h3 {
                    (page::breakable(&class.label)) " "
                    @match &class.folder {
                        Some(folder) => a.amount href=(file_address(&stats.root.join(folder))) { "all " (count(class.images)) },
                        None => span.quiet.amount { (count(class.images)) },
                    }
                }
                (gallery(&pictures.iter().map(item).collect::<Vec<_>>()))
            }
        }
    }
}

/// The address of a folder on this machine (RFC 8089).
fn file_address(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let part = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    format!("file://{}", path.to_string_lossy().bytes().map(part).collect::<String>())
}

pub(super) fn augmentation(stats: &DatasetStats, preview: &VariantPreview) -> Markup {
    html! {
        p {
            (page::breakable(&preview.path)) " in each variant that "
            @if preview.cached { "the cache has." }
            @else { "augmentations such as " code { (EXAMPLES.join(", ")) } " make." }
            " The area that a shift or a rotation uncovers is black. On the left the variant as it is made, on the right as it enters the network: "
            (preprocessing(&preview.preprocessing))
        }
        ul.variants { @for pictures in pictures::variants(&stats.root, preview) { (variant(&pictures)) } }
    }
}

fn preprocessing(steps: &Preprocessing) -> Markup {
    html! {
        @if steps.crop < 1.0 { "the centre " (percent(steps.crop)) " of each side" } @else { "the whole image" }
        @if let Some(side) = steps.shorter_side { ", its shorter side resized to " (side) ", of that the central " }
        @else if let Some(side) = steps.both_sides { ", resized to " (side) " x " (side) ", of that the central " }
        @else { ", resized to " }
        (steps.size) " x " (steps.size) " pixels, whose values are then " (steps.normalization.to_string())
        " (shown as they are before)."
    }
}

fn variant(pictures: &VariantPictures) -> Markup {
    let description = match pictures.variant {
        Variant::None => "the image itself".into(),
        Variant::Flip => "mirrored".into(),
        Variant::Shift { dx, dy } => shift(dx, dy),
        Variant::Steps(steps) => steps.iter().map(step).collect::<Vec<_>>().join(", then "),
    };
    html! {
        li {
            div.frame { (pictures.image.markup()) }
            div.frame { (pictures.input.markup()) }
            p { strong { (pictures.variant.to_string()) } " " span.quiet { (description) } }
        }
    }
}

/// What a step does, in words.
fn step(step: Step) -> String {
    let number = |hundredths: i16| f64::from(hundredths.abs()) / 100.0;
    match step {
        Step::Flip => "mirrored".into(),
        Step::Shift { dx, dy } => shift(dx.into(), dy.into()),
        Step::Rotate(n) if n > 0 => format!("turned counter-clockwise by {} degrees", number(n)),
        Step::Rotate(n) => format!("turned clockwise by {} degrees", number(n)),
        Step::Crop { part, .. } => format!("{part} % of each side"),
        Step::Scale(n) => format!("scaled by {}", number(n)),
        Step::Brightness(n) => format!("brightness times {}", number(n)),
        Step::Contrast(n) => format!("contrast times {}", number(n)),
        Step::Saturation(n) => format!("saturation times {}", number(n)),
        Step::Blur(n) => format!("blurred by {} pixels", number(n)),
        Step::Noise(n) => format!("noise of {} levels", number(n)),
    }
}

fn shift(dx: i32, dy: i32) -> String {
    let part = |by: i32, directions: [&str; 2]| match by {
        0 => None,
        by => Some(format!("{} pixels {}", by.unsigned_abs(), directions[usize::from(by < 0)])),
    };
    let parts: Vec<String> =
        [part(dx, ["right", "left"]), part(dy, ["down", "up"])].into_iter().flatten().collect();
    format!("moved {}", parts.join(", "))
}

/// Groups of duplicates that are shown with a picture.
const SHOWN_GROUPS: usize = 24;

/// Duplicates as cards, followed by `table` if there are more groups than cards.
pub(super) fn duplicates(stats: &DatasetStats, table: Markup) -> Markup {
    let all = &stats.duplicates;
    let conflicts = all.iter().filter(|group| group.labels.len() > 1).count();
    let card = |group: &DuplicateGroup| Card {
        picture: pictures::file(stats, &group.paths[0], group.image_sha256),
        title: group.labels.join(" and "),
        body: html! { @for path in &group.paths { p.path { (page::breakable(path)) } } },
    };
    html! {
        @if all.is_empty() { p { "No two files have the same bytes." } }
        @else {
            p {
                (count(all.len())) " images occur more than once, byte for byte. "
                @if conflicts > 0 {
                    strong { (count(conflicts)) " of them under two labels" } ": it is unknown which label is right, so " code { "extract" }
                    " refuses all files of these images. "
                }
                "Duplicates under one label share their features and their split."
            }
            (cards(&all.iter().take(SHOWN_GROUPS).map(card).collect::<Vec<_>>()))
            @if all.len() > SHOWN_GROUPS { (table) }
        }
    }
}

pub(super) fn near_duplicates(stats: &DatasetStats, found: &NearDuplicates) -> Markup {
    let [train, validation, test] = found.crossing;
    html! {
        @if train + validation + test > 0 {
            p.warning {
                (count(train)) " train, " (count(validation)) " validation and " (count(test)) " test images have a near-duplicate in another \
                split, within a cosine distance of " (found.threshold) "."
                @if let Some(accuracy) = &found.accuracy { (accuracy_without(accuracy)) }
                " " code { "data groups" } " puts near-duplicates into one group, which stays in one split."
            }
        } @else {
            p { "No image has a near-duplicate in another split, within a cosine distance of " (found.threshold) "." }
        }
        p {
            "The " (found.pairs.len()) " nearest pairs of images in different splits, of which at most " (MOST_PAIRS) " are shown, by the cosine distance of their features. A test image "
            "that nearly equals a train image measures memory, not generalization: move both into one split, or remove one."
            @if let Some(scale) = &found.scale {
                " For comparison: half of the images lie within " (format!("{:.4}", scale.median)) " of their own variant "
                code { (scale.variant.to_string()) } "."
            }
        }
        ul.image-pairs { @for pair in &found.pairs { (near_duplicate(stats, pair)) } }
    }
}

fn accuracy_without(accuracy: &AccuracyWithout) -> Markup {
    let of = |share: f64, interval: Option<[f64; 2]>| match interval {
        Some([low, high]) => format!("{} ({} to {})", percent(share), percent(low), percent(high)),
        None => percent(share),
    };
    html! {
        " A head with the default settings has an accuracy of " (of(accuracy.accuracy, accuracy.interval)) " on all "
        (count(accuracy.images)) " test images, and of " (of(accuracy.accuracy_without, accuracy.interval_without)) " on the "
        (count(accuracy.images_without)) " without a near-duplicate."
    }
}

fn near_duplicate(stats: &DatasetStats, pair: &NearDuplicatePair) -> Markup {
    let image = |image: &PairImage| {
        html! {
            div {
                div.frame { (pictures::file(stats, &image.path, image.image_sha256).markup()) }
                p { strong { (image.split.name()) } " " (page::breakable(&image.path)) }
            }
        }
    };
    let [first, second] = &pair.images;
    html! {
        li {
            (image(first)) (image(second))
            p.quiet { "distance " (format!("{:.4}", pair.distance)) @if first.label != second.label { ", of different classes" } }
        }
    }
}

/// Label issues that are shown with a picture.
const SHOWN_ISSUES: usize = 24;

pub(super) fn label_issues(stats: &DatasetStats, found: &LabelIssues) -> Markup {
    let card = |issue: &LabelIssue| Card {
        picture: pictures::file(stats, &issue.path, issue.image_sha256),
        title: issue.label.clone(),
        body: html! {
            (class_ranking(&[
                RankedClass { label: issue.suggested.clone(), probability: issue.suggested_probability, mark: None },
                RankedClass { label: issue.label.clone(), probability: issue.label_probability, mark: Some("label") },
            ]))
            p.path { (page::breakable(&issue.path)) }
        },
    };
    let shown: Vec<Card> = found.issues.iter().take(SHOWN_ISSUES).map(card).collect();
    html! {
        p {
            "The label is bold, and its bar blue. Each image was classified by one of " (found.folds) " heads, fitted without it. Their accuracy on these "
            (count(found.images)) " images is " (percent(found.accuracy)) ". Confident learning (Northcutt, Jiang and Chuang 2021) finds "
            (count(found.issues.len())) " label issues: another class is more probable than it is, on average, for its own images. "
            @if shown.len() < found.issues.len() {
                "These " (shown.len()) " are the most likely errors; the table in CSV has all of them. "
            }
            "A label issue is a reason to look at the image, not a proof: images that are hard to classify from these features are listed too."
        }
        (cards(&shown))
    }
}
