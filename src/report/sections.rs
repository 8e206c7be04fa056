//! The page of a report, section by section.

use super::Material;
use super::album::{Pair, Shown};
use crate::dataset::{Split, number_and_names};
use crate::evaluate::EvaluateStats;
use crate::markup::{Markup, html};
use crate::page::{self, Card, Page, Section, Table, cards, facts, ranked};
use crate::plot::Figure;
use crate::words::{count, date_time, interval, percent, score};

/// What has been made for the page, by name.
struct Made<'a> {
    figures: &'a [Figure],
    tables: &'a [Table],
}

impl Made<'_> {
    /// Those of the plots that there are, side by side.
    fn plots(&self, names: &[&str]) -> Markup {
        let of_name = |name: &&str| self.figures.iter().find(|figure| figure.name == **name);
        page::side_by_side(names.iter().filter_map(of_name).map(page::figure))
    }

    fn table(&self, name: &str) -> Markup {
        self.tables.iter().find(|table| table.name == name).map_or(html! {}, Table::markup)
    }

    /// A plot and what belongs beside it.
    fn beside(&self, name: &str, other: Markup) -> Markup {
        let figure = self.figures.iter().find(|figure| figure.name == name).map(page::figure);
        page::side_by_side(figure.into_iter().chain([other]))
    }

    /// A table that opens when asked to.
    fn folded(&self, name: &str) -> Markup {
        let table = self.tables.iter().find(|table| table.name == name);
        html! {
            @if let Some(table) = table { details { summary { (table.caption) ", as a table" } (table.markup()) } }
        }
    }
}

/// The page of figures and tables that have been made.
pub(super) fn page(material: &Material, figures: &[Figure], tables: &[Table]) -> Page {
    let (stats, made) = (&material.stats, Made { figures, tables });
    let name = material.run.file_name().unwrap_or(material.run.as_os_str()).to_string_lossy();
    let sections = vec![
        Section::new("summary", "Summary", summary(stats)),
        Section::new("training", "Training", training(material, &made)),
        Section::new("confusion", "Confusion", confusion(material, &made)),
        Section::new("classes", "Classes", made.beside("class-scores", made.table("classes"))),
        Section::new("composition", "Images against predictions", composition(&made)),
        Section::new("confidence", "Confidence", confidence(stats, &made)),
        Section::new("pictures", "Mistakes and near misses", pictures(material)),
        Section::new("origin", "How it was made", origin(material, &made)),
    ];
    Page { title: format!("Report on {name}"), lead: lead(material), sections }
}

fn lead(material: &Material) -> Markup {
    let record = &material.record;
    html! {
        "A head for " (count(record.classes.len())) " classes on features of " (record.spec.backbone.name)
        ", trained on " (date_time(record.time)) ", measured on " (count(material.stats.images)) " "
        (material.stats.split) " images that it was not trained on"
        @if material.stats.split == Split::Validation { ", which chose its epoch and its temperature: the test is the fair measure" }
        "."
    }
}

fn summary(stats: &EvaluateStats) -> Markup {
    let right: usize = (0..stats.classes.len()).map(|class| stats.confusion[class][class]).sum();
    let unseen: Vec<&str> =
        stats.classes.iter().filter(|class| class.support == 0).map(|class| class.name.as_str()).collect();
    html! {
        (facts(&numbers(stats)))
        p {
            (count(right)) " of " (count(stats.images)) " " (stats.split) " images are answered right"
            @if let Some((ours, majority)) = stats.accuracy.zip(stats.majority_accuracy) {
                ", " (format!("{:.1}", 100.0 * (ours - majority).abs())) " percentage points "
                (if ours < majority { "fewer" } else { "more" })
                " than by always answering " (stats.majority_class) ", the most frequent class of the train images"
            }
            "."
        }
        @if !unseen.is_empty() {
            p.warning { "Classes without an image in this split: " (number_and_names(&unseen)) "." }
        }
    }
}

/// The numbers that matter most, each with what it means.
fn numbers(stats: &EvaluateStats) -> Vec<(&'static str, String, String)> {
    let [low, high] = stats.interval.unwrap_or([0.0, 1.0]);
    let (calibration, split) = (&stats.calibration, &stats.calibration.split);
    let calibrated = match calibration.temperature {
        Some(temperature) => format!("{} at temperature {temperature:.2}", percent(split.ece_after)),
        None => "the validation images tell no temperature".into(),
    };
    let mut all = vec![
        ("Accuracy", percent(stats.accuracy), format!("95 % interval {} to {}", percent(low), percent(high))),
        ("Baseline", percent(stats.majority_accuracy), format!("always answering {}", stats.majority_class)),
        ("Macro F1", score(stats.macro_f1), "mean over classes, large or small".into()),
        ("Calibration error", percent(split.ece_before), calibrated),
    ];
    let top = stats.top_k.last().filter(|top| top.k > 1);
    all.extend(top.map(|top| {
        ("Truth named", percent(top.accuracy), format!("among the {} most probable classes", top.k))
    }));
    all
}

fn training(material: &Material, made: &Made) -> Markup {
    let record = &material.record;
    html! {
        @match record.history.as_slice() {
            [only] => p {
                "L-BFGS or a single epoch: there are no curves. Loss on the validation images " (format!("{:.4}", only.validation_loss))
                ", accuracy " (percent(only.validation_accuracy)) "."
            },
            _ => (made.plots(&["training-loss", "training-accuracy"])),
        }
        (made.folded("training"))
    }
}

/// A confusion matrix of more classes takes the whole width.
const BESIDE: usize = 12;
/// One of more classes is no table that anybody reads.
const MOST_CLASSES: usize = 40;

fn confusion(material: &Material, made: &Made) -> Markup {
    html! {
        @let classes = material.stats.classes.len();
        @let pairs = confused_pairs(material, made);
        @if classes <= BESIDE { (made.beside("confusion", pairs)) }
        @else { (made.plots(&["confusion"])) (pairs) }
        @if classes <= MOST_CLASSES { (made.folded("confusion")) }
    }
}

fn confused_pairs(material: &Material, made: &Made) -> Markup {
    html! {
        @if !material.album.pairs.is_empty() {
            h3 { "Most confused pairs" }
            (made.table("confused-pairs"))
        }
    }
}

fn composition(made: &Made) -> Markup {
    html! {
        p {
            "Does a class get more answers than it has images? A head that is unsure may fall back on the class that it has seen most."
        }
        (made.plots(&["frequencies", "composition"]))
        (made.beside("relative-difference", made.table("composition")))
    }
}

fn confidence(stats: &EvaluateStats, made: &Made) -> Markup {
    let calibration = &stats.calibration;
    html! {
        @if let Some((temperature, (low, high))) = calibration.temperature.zip(calibration.temperature_interval) {
            p {
                "Temperature " (format!("{temperature:.2}")) ", 95 % interval " (interval(low, high)) ", from "
                (count(calibration.temperature_images.unwrap_or(0))) " validation images: "
                @if calibration.applied { "it differs significantly from 1, so " code { "predict" } " uses it, and so do the pictures below." }
                @else { "it does not differ significantly from 1, so " code { "predict" } " leaves probabilities as they are." }
            }
        }
        (made.plots(&["confidence", "reliability", "reliability-tempered"]))
        (made.folded("calibration"))
    }
}

fn pictures(material: &Material) -> Markup {
    let album = &material.album;
    html! {
        @if let Some(lack) = album.lack() {
            p.warning { (lack) ". With " code { "--images DIR" } " they are looked for elsewhere." }
        }
        h3 { "The most confident mistakes" }
        @if album.mistakes.is_empty() { p { "There are none: every answer is right." } }
        @else {
            p.quiet { "Wrong labels and pictures that show something else are often among them." }
            (gallery(&album.mistakes))
        }
        h3 { "The least confident right answers" }
        @if album.hits.is_empty() { p { "There are none: every answer is wrong." } } @else { (gallery(&album.hits)) }
        @if !album.pairs.is_empty() {
            h3 { "Most confused, side by side" }
            p.quiet { "Below each picture: the probability of its answer." }
            div.pairs { @for one in &album.pairs { (pair(one)) } }
        }
    }
}

fn gallery(images: &[Shown]) -> Markup {
    let card = |shown: &Shown| Card {
        picture: shown.picture.clone(),
        title: shown.truth.clone(),
        body: html! { (ranked(&shown.ranked)) p.path { (page::name(&shown.path)) } },
    };
    cards(&images.iter().map(card).collect::<Vec<_>>())
}

fn pair(pair: &Pair) -> Markup {
    let strip = |label: String, images: &[Shown]| {
        html! {
            div.strip {
                p { (page::name(&label)) }
                ul { @for shown in images { li { div.frame { (shown.picture.markup()) } span { (percent(shown.confidence)) } } } }
            }
        }
    };
    html! {
        div.pair {
            h4 { (page::name(&pair.truth)) ", taken for " (page::name(&pair.predicted)) }
            p.quiet {
                (count(pair.images)) " of " (count(pair.support)) " images; the other way round " (count(pair.reverse)) "."
            }
            div.strips {
                (strip(format!("{} answered as {}", pair.truth, pair.predicted), &pair.confused))
                @if !pair.right.is_empty() { (strip(format!("{} answered right", pair.predicted), &pair.right)) }
            }
        }
    }
}

fn origin(material: &Material, made: &Made) -> Markup {
    html! {
        (made.table("settings"))
        @if !material.commands.is_empty() {
            h3 { "Commands that make it again" }
            @let lines = material.commands.iter().map(|command| format!("# {}\n{}", command.label, command.line));
            (page::scrolled("Commands", html! { pre { code { (lines.collect::<Vec<_>>().join("\n")) } } }))
            p.quiet { "Run in an empty folder, on the same machine and from the same images, they make the same head, byte for byte." }
        }
    }
}
