//! The page of a run, section by section.

use super::class_sections;
use super::examples::{Example, PairExamples};
use super::explained;
use super::origin;
use super::run_data::RunData;
use crate::data::dataset::{Split, number_and_names};
use crate::evaluate::EvaluateStats;
use crate::head::SolverConfig;
use crate::metrics::is_few;
use crate::report::format::{count, interval, isolated, p_value, percent, percent_number, score};
use crate::report::html::{Markup, html};
use crate::report::map;
use crate::report::page::{self, Card, Fact, Page, Parts, Section, Table, cards, class_ranking, facts};
use crate::report::plot::Figure;
use crate::run::Record;

/// The page, made of these plots and tables.
pub(super) fn page(data: &RunData, figures: &[Figure], tables: &[Table]) -> Page {
    let (stats, parts) = (&data.stats, Parts { figures, tables });
    let name = data.run.file_name().unwrap_or(data.run.as_os_str()).to_string_lossy();
    let mut sections = vec![
        Section::new("summary", "Summary", summary(stats)),
        Section::new("training", "Training", training(data, parts)),
        Section::new("confusion", "Confusion", confusion(data, parts)),
        Section::new("classes", "Classes", class_sections::classes(stats, parts)),
        Section::new("composition", "Images against predictions", composition(parts)),
        Section::new("confidence", "Confidence", confidence(stats, parts)),
        Section::new("pictures", "Errors and near misses", pictures(data, parts)),
        Section::new(
            "origin",
            "How it was made",
            origin::markup(parts, &data.commands, data.samples.is_some()),
        ),
    ];
    if let Some(map) = &data.map {
        sections.insert(sections.len() - 1, Section::new("map", "Map", map::markup(map)));
    }
    Page { title: format!("Report on {name}"), lead: lead(data), sections }
}

fn lead(data: &RunData) -> Markup {
    let record = &data.record;
    html! {
        "A head for " (count(record.classes.len())) " classes on features of " (record.spec.backbone.name)
        @if let Some(trained) = data.trained() { ", trained on " (trained) }
        ", measured on " (count(data.stats.images)) " "
        @match &data.new_images {
            Some(folder) => { "new images in " (page::breakable(&folder.display().to_string())) }
            None => { (data.stats.split) " images that it was not trained on" }
        }
        @if data.stats.split == Split::Validation {
            "; they selected its "
            @if matches!(record.config, SolverConfig::Adam(_)) { "epoch and its " }
            "temperature, so only the test split gives an unbiased measure"
        }
        "."
    }
}

fn summary(stats: &EvaluateStats) -> Markup {
    let correct: usize = (0..stats.classes.len()).map(|class| stats.confusion[class][class]).sum();
    let unseen: Vec<&str> =
        stats.classes.iter().filter(|class| class.support == 0).map(|class| class.name.as_str()).collect();
    html! {
        (facts(&key_figures(stats)))
        p {
            (count(correct)) " of " (count(stats.images)) " " (stats.split) " images are classified correctly"
            @if let Some((ours, majority)) = stats.accuracy.zip(stats.majority_accuracy) {
                ", " (percent_number((ours - majority).abs())) " percentage points "
                (if ours < majority { "fewer" } else { "more" })
                " than by always answering " bdi { (stats.majority_class) } ", the most frequent class of the train images"
            }
            "."
        }
        @if let Some(same) = stats.same_pictures.filter(|same| *same > 0) {
            p.warning {
                (count(same)) " of these images are the same picture as one of another split (cosine distance 0), which \
                raises the accuracy."
            }
        }
        @if !unseen.is_empty() {
            p.warning { "Classes without an image in this split: " bdi { (number_and_names(&unseen)) } "." }
        }
        @if is_few(stats.images) { p.warning { "So few images say little: look at the intervals." } }
    }
}

fn key_figures(stats: &EvaluateStats) -> Vec<Fact> {
    let [low, high] = stats.interval.unwrap_or([0.0, 1.0]);
    let (calibration, split) = (&stats.calibration, &stats.calibration.split);
    let chance = split.chance.as_ref().map_or(String::new(), |chance| {
        format!("{} by chance if calibrated (p {})", percent(chance.expected), p_value(chance.p_value))
    });
    let calibrated = match calibration.temperature.filter(|_| calibration.applied) {
        Some(temperature) => {
            format!("{chance}; {} at temperature {temperature:.2}", percent(split.ece_after))
        }
        None => chance,
    };
    let macro_f1 =
        stats.overall.macro_f1_interval.map_or("mean over classes of equal weight".into(), |[low, high]| {
            format!("mean over classes of equal weight, 95 % interval {low:.3} to {high:.3}")
        });
    let interval = format!("95 % interval {} to {}", percent(low), percent(high));
    let baseline = format!("always answering {}", isolated(&stats.majority_class));
    let mut all = vec![
        Fact::new("Accuracy", percent(stats.accuracy), interval),
        Fact::new("Majority-class baseline", percent(stats.majority_accuracy), baseline),
        Fact::new("Macro F1", score(stats.macro_f1), macro_f1),
        Fact::new("Calibration error", percent(split.ece_before), calibrated),
    ];
    let top = stats.top_k.last().filter(|top| top.k > 1);
    all.extend(top.map(|top| {
        let note = format!("truth among the {} most probable classes", top.k);
        Fact::new("Top-k accuracy", percent(top.accuracy), note)
    }));
    all
}

fn training(data: &RunData, parts: Parts) -> Markup {
    let record = &data.record;
    html! {
        @if !matches!(record.config, SolverConfig::Adam(_)) { (search(record)) }
        @else if record.history.len() > 1 {
            (parts.figures(&["training-loss", "training-accuracy"]))
            (parts.folded_table("training"))
        }
        @else { p { "A single epoch has no curves. " (final_scores(record)) } }
    }
}

/// What a search by L-BFGS did, which has no epochs.
fn search(record: &Record) -> Markup {
    let after = |iterations: Option<usize>| {
        iterations.map_or(String::new(), |n| format!(" after {} iterations", count(n)))
    };
    html! {
        @match record.convergence {
            Some(found) if found.is_optimum() => p {
                "L-BFGS converged" (after(found.iterations)) ": the norm of the gradient is " (format!("{:.1e}", found.gradient))
                ", so the weights are at most " (percent(found.distance)) " from the optimum. "
                (final_scores(record))
            },
            Some(found) => {
                p.warning {
                    "L-BFGS ended before the optimum" (after(found.iterations)) ": the weights " (found.distance_text())
                    " (norm of the gradient " (format!("{:.1e}", found.gradient)) ")."
                }
                p { (final_scores(record)) }
            }
            None => p { "Fitted by L-BFGS; the run does not say how near the optimum. " (final_scores(record)) },
        }
    }
}

/// Loss and accuracy of the head on the validation images, or on folds within the train images.
fn final_scores(record: &Record) -> Markup {
    html! {
        @if let Some(score) = record.inner_folds {
            "Loss over " (score.folds) " folds within the train images " (format!("{:.4}", score.loss))
            ", accuracy " (percent(score.accuracy)) "."
        } @else if let Some(last) = record.history.last() {
            "Loss on the validation images " (format!("{:.4}", last.validation_loss))
            ", accuracy " (percent(last.validation_accuracy)) "."
        }
    }
}

/// A confusion matrix of more classes takes the whole width.
const MOST_CLASSES_BESIDE: usize = 12;
/// A confusion matrix of more classes is not shown as a table.
const MOST_CLASSES_IN_TABLE: usize = 40;

fn confusion(data: &RunData, parts: Parts) -> Markup {
    let classes = data.stats.classes.len();
    let pairs = html! {
        @if !data.examples.pairs.is_empty() {
            h3 { "Most confused pairs" }
            (parts.table("confused-pairs"))
        }
    };
    html! {
        @if classes <= MOST_CLASSES_BESIDE { (parts.figure_beside("confusion", pairs)) }
        @else if parts.has("confusion-worst") {
            (parts.figure_beside("confusion-worst", pairs))
            (parts.figures(&["confusion"]))
        }
        @else { (parts.figures(&["confusion"])) (pairs) }
        @if classes <= MOST_CLASSES_IN_TABLE { (parts.folded_table("confusion")) }
    }
}

fn composition(parts: Parts) -> Markup {
    html! {
        p {
            "Is a class predicted more often than it occurs? An uncertain head may fall back on the class that is most frequent in training."
        }
        (parts.wide_figure("composition"))
        (parts.folded_table("composition"))
    }
}

fn confidence(stats: &EvaluateStats, parts: Parts) -> Markup {
    let calibration = &stats.calibration;
    html! {
        @if let Some((temperature, (low, high))) = calibration.temperature.zip(calibration.temperature_interval) {
            p {
                "Temperature " (format!("{temperature:.2}")) ", 95 % interval " (interval(low, high)) ", from "
                (count(calibration.temperature_images.unwrap_or(0))) " validation images"
                @if is_few(calibration.temperature_images.unwrap_or(0)) { ", which are few" } ": "
                @if calibration.applied { "significantly different from 1, so " code { "predict" } " applies it, and so do the confidences below." }
                @else { "not significantly different from 1, so " code { "predict" } " does not apply it." }
            }
        }
        (parts.figures(&["confidence", "reliability", "reliability-tempered"]))
        (parts.folded_table("calibration"))
    }
}

fn pictures(data: &RunData, parts: Parts) -> Markup {
    let examples = &data.examples;
    html! {
        @if let Some(reason) = examples.reason_of_missing() {
            p.warning { (reason) ". Another folder of images can be named when the report is written again." }
        }
        h3 { "The most confident errors" }
        @if examples.errors.is_empty() { p { "There are none: every answer is correct." } }
        @else {
            p.quiet { "Wrong labels and pictures that show something else are often among them. The truth is bold, and its bar blue." }
            (example_cards(&examples.errors))
            (explained::markup(examples, parts))
        }
        h3 { "The least confident correct answers" }
        @if examples.correct.is_empty() { p { "There are none: every answer is wrong." } }
        @else { (example_cards(&examples.correct)) }
        @if !examples.pairs.is_empty() {
            h3 { "The most confused pairs, side by side" }
            p.quiet { "Below each picture: the probability of the predicted class." }
            div.pairs { @for pair in &examples.pairs { (pair_element(pair)) } }
        }
    }
}

fn example_cards(examples: &[Example]) -> Markup {
    let card = |example: &Example| Card {
        picture: example.picture.clone(),
        title: example.truth.clone(),
        body: html! { (class_ranking(&example.ranking)) p.path { (page::breakable(&example.path)) } },
    };
    cards(&examples.iter().map(card).collect::<Vec<_>>())
}

fn pair_element(pair: &PairExamples) -> Markup {
    let strip = |title: Markup, examples: &[Example]| {
        html! {
            div.strip {
                p { (title) }
                ul { @for example in examples { li { div.frame { (example.picture.markup()) } span { (percent(example.confidence)) } } } }
            }
        }
    };
    let counts = pair.counts;
    html! {
        div.pair {
            h4 { (page::breakable(&pair.truth)) ", classified as " (page::breakable(&pair.predicted)) }
            p.quiet {
                (count(counts.images)) " of " (count(counts.support)) " images; the other way round " (count(counts.reverse)) "."
            }
            div.strips {
                (strip(html! { (page::breakable(&pair.truth)) " classified as " (page::breakable(&pair.predicted)) }, &pair.confused))
                @if !pair.correct.is_empty() { (strip(html! { (page::breakable(&pair.predicted)) " classified correctly" }, &pair.correct)) }
            }
        }
    }
}
