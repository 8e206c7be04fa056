//! Plots of the page of a run. Their numbers have the names that they have in [`EvaluateStats`] and in `run.json`.

use super::confused_pairs::confused_pairs;
use super::curve_plots;
use super::run_data::RunData;
use crate::evaluate::EvaluateStats;
use crate::head::Epoch;
use crate::metrics::{ClassScore, ClassShare};
use crate::report::format::{count, isolated, percent, score, signed_percent};
use crate::report::plot::{
    Axis, BarChart, Chart, Curve, Figure, HeatMap, LineChart, Mark, Remarks, Series, Unit,
};
use crate::run::Record;
use serde_json::json;

/// All plots but those of calibration, in the order of the page.
pub(super) fn all(data: &RunData) -> Vec<Figure> {
    let stats = &data.stats;
    let mut figures = training(&data.record);
    figures.extend(worst_confusion(stats));
    figures.extend([confusion(stats), class_scores(stats)]);
    figures.extend(curve_plots::all(stats));
    figures.push(composition(stats));
    figures
}

pub(super) fn axis(label: &str, unit: Unit, range: Option<(f64, f64)>) -> Axis {
    Axis { label: label.into(), unit, range }
}

/// Loss and accuracy by epoch; none for a single epoch.
pub(in crate::report) fn training(record: &Record) -> Vec<Figure> {
    let (history, best) = (&record.history, record.best_epoch);
    let Some(kept) = history.get(best - 1).filter(|_| history.len() > 1) else { return Vec::new() };
    let curve = |name: &str, get: fn(&Epoch) -> f64| Curve {
        name: name.into(),
        points: history.iter().map(|epoch| (epoch.epoch as f64, get(epoch))).collect(),
    };
    let lines = |label: &str, unit: Unit, curves: Vec<Curve>| {
        Chart::Line(LineChart {
            x: axis("epoch", Unit::Count, None),
            y: axis(label, unit, None),
            curves,
            context: Vec::new(),
            has_legend: true,
            marks: vec![Mark { x: best as f64, label: format!("best epoch {best}") }],
            points: Vec::new(),
        })
    };
    let (loss, accuracy) = match record.multi_label {
        None => ("Mean cross entropy", ""),
        Some(_) => (
            "Binary cross entropy, summed over the labels of an image,",
            "Share of the images whose labels are all right. ",
        ),
    };
    let numbers = json!({ "history": history, "best_epoch": best });
    let losses = vec![curve("train", |e| e.train_loss), curve("validation", |e| e.validation_loss)];
    let accuracies =
        vec![curve("train", |e| e.train_accuracy), curve("validation", |e| e.validation_accuracy)];
    vec![
        Figure {
            name: "training-loss".into(),
            title: "Loss by epoch".into(),
            summary: format!(
                "{loss} over {} epochs. In the best epoch, {best}, it is {:.3} on the train rows and {:.3} on the validation images.",
                history.len(),
                kept.train_loss,
                kept.validation_loss
            ),
            chart: lines("loss", Unit::Plain(3), losses),
            numbers: numbers.clone(),
        },
        Figure {
            name: "training-accuracy".into(),
            title: "Accuracy by epoch".into(),
            summary: format!(
                "{accuracy}In epoch {best} it is {} on the train rows and {} on the validation images.",
                percent(kept.train_accuracy),
                percent(kept.validation_accuracy)
            ),
            chart: lines("accuracy", Unit::Percent, accuracies),
            numbers,
        },
    ]
}

fn names(stats: &EvaluateStats) -> Vec<String> {
    stats.classes.iter().map(|class| class.name.clone()).collect()
}

pub(super) fn series(name: &str, values: impl Iterator<Item = Option<f64>>) -> Series {
    Series { name: name.into(), values: values.collect() }
}

fn confusion(stats: &EvaluateStats) -> Figure {
    let pairs = confused_pairs(stats);
    let most = pairs.first().map_or("Every answer is correct.".into(), |pair| {
        let [truth, predicted] = [pair.truth, pair.predicted].map(|class| &stats.classes[class].name);
        format!(
            "Most often confused: {}, classified as {} {} times.",
            isolated(truth),
            isolated(predicted),
            count(pair.images)
        )
    });
    Figure {
        name: "confusion".into(),
        title: "Confusion matrix".into(),
        summary: format!(
            "Number of images by true class (row) and predicted class (column). Framed cells are correct answers; the stronger the colour, the larger the share of the row. {most}"
        ),
        chart: Chart::HeatMap(HeatMap {
            names: names(stats),
            counts: stats.confusion.clone(),
            rows: "truth".into(),
            columns: "prediction".into(),
        }),
        numbers: json!({ "classes": stats.classes, "confusion": stats.confusion }),
    }
}

/// Matrices of more classes are preceded by that of the classes with the most errors.
const MANY: usize = 30;
/// Number of those classes.
const WORST: usize = 20;

/// The block of the classes that take part in the most errors, the worst first; `None` where all classes fit.
fn worst_confusion(stats: &EvaluateStats) -> Option<Figure> {
    let classes = stats.classes.len();
    let confusion = &stats.confusion;
    let errors = |class: usize| -> usize {
        let others = (0..classes).filter(|&other| other != class);
        others.map(|other| confusion[class][other] + confusion[other][class]).sum()
    };
    let mut order: Vec<usize> = (0..classes).filter(|&class| errors(class) > 0).collect();
    if classes <= MANY || order.is_empty() {
        return None;
    }
    order.sort_by_key(|&class| (std::cmp::Reverse(errors(class)), class));
    order.truncate(WORST);
    let names: Vec<String> = order.iter().map(|&class| stats.classes[class].name.clone()).collect();
    let counts: Vec<Vec<usize>> =
        order.iter().map(|&row| order.iter().map(|&column| confusion[row][column]).collect()).collect();
    Some(Figure {
        name: "confusion-worst".into(),
        title: format!("The {} classes with the most errors", order.len()),
        summary: format!(
            "The part of the confusion matrix about the classes that are mistaken, or that others are mistaken for, most often; {} first.",
            isolated(&names[0])
        ),
        numbers: json!({ "names": names, "counts": counts }),
        chart: Chart::HeatMap(HeatMap { names, counts, rows: "truth".into(), columns: "prediction".into() }),
    })
}

/// Charts of more classes are sorted, the worst first.
const SORTED: usize = 20;

/// The classes in the order of a chart: as they are, or of many the ones with the lowest `key` first, undefined ones last.
fn order_by(stats: &EvaluateStats, key: impl Fn(usize) -> Option<f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..stats.classes.len()).collect();
    if order.len() > SORTED {
        let key = |class: &usize| key(*class).unwrap_or(f64::INFINITY);
        order.sort_by(|a, b| key(a).total_cmp(&key(b)));
    }
    order
}

/// The classes as they are, or of many the ones with the lowest F1 first.
pub(super) fn worst_first(stats: &EvaluateStats) -> Vec<usize> {
    order_by(stats, |class| stats.classes[class].f1)
}

/// Says in what order the classes are, where they are sorted.
fn sorted_note(stats: &EvaluateStats, by: &str) -> String {
    if stats.classes.len() > SORTED { format!(" {by} first.") } else { String::new() }
}

fn class_scores(stats: &EvaluateStats) -> Figure {
    let order = worst_first(stats);
    let scored = || stats.classes.iter().filter_map(|class| Some((class.f1?, &class.name)));
    let best = scored().max_by(|a, b| a.0.total_cmp(&b.0));
    let worst = scored().min_by(|a, b| a.0.total_cmp(&b.0));
    let range = best.zip(worst).map_or(String::new(), |((high, best), (low, worst))| {
        match [high, low].map(|f1| score(Some(f1))) {
            [high, low] if high == low => format!("F1 of every class is {high}."),
            [high, low] => format!(
                "F1 is highest for {} ({high}) and lowest for {} ({low}).",
                isolated(best),
                isolated(worst)
            ),
        }
    });
    Figure {
        name: "class-scores".into(),
        title: "Precision and recall of each class".into(),
        summary: format!(
            "Precision: fraction of the predictions of a class that are correct. Recall: fraction of the images of a class that are found. {range}{}",
            sorted_note(stats, "The lowest F1")
        ),
        chart: Chart::Bar(BarChart {
            categories: named(stats, &order),
            series: vec![
                series("precision", order.iter().map(|&class| stats.classes[class].precision)),
                series("recall", order.iter().map(|&class| stats.classes[class].recall)),
            ],
            values: axis("share", Unit::Percent, None),
            notes: Vec::new(),
            remarks: None,
        }),
        numbers: json!({ "classes": stats.classes, "macro_f1": stats.macro_f1 }),
    }
}

fn named(stats: &EvaluateStats, order: &[usize]) -> Vec<String> {
    order.iter().map(|&class| stats.classes[class].name.clone()).collect()
}

/// The article's three readings of one comparison: frequencies as bars, composition as shares beside them, and the relative
/// difference.
fn composition(stats: &EvaluateStats) -> Figure {
    let difference = |class: usize| stats.composition[class].relative_difference;
    let order = order_by(stats, |class| difference(class).map(|difference| -difference.abs()));
    let counts = |get: fn(&ClassScore) -> usize| {
        order.iter().map(|&class| Some(get(&stats.classes[class]) as f64)).collect::<Vec<_>>()
    };
    let shares = |get: fn(&ClassShare) -> f64| {
        order.iter().map(|&class| percent(get(&stats.composition[class]))).collect()
    };
    let remarks = Remarks {
        title: "difference".into(),
        texts: order.iter().map(|&class| signed_percent(difference(class))).collect(),
    };
    Figure {
        name: "composition".into(),
        title: "Images and predictions of each class".into(),
        summary: format!(
            "Of {} {} images, how many are of each class and how many are predicted as it, with their shares, and on the right the difference relative to the images.{}",
            count(stats.images),
            stats.split,
            sorted_note(stats, "The largest difference")
        ),
        chart: Chart::Bar(BarChart {
            categories: named(stats, &order),
            series: vec![
                series("images", counts(|class| class.support).into_iter()),
                series("predictions", counts(|class| class.predicted).into_iter()),
            ],
            values: axis("images", Unit::Count, None),
            notes: vec![shares(|class| class.truth), shares(|class| class.predicted)],
            remarks: Some(remarks),
        }),
        numbers: json!({ "classes": stats.classes, "images": stats.images, "composition": stats.composition }),
    }
}
