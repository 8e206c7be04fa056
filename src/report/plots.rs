//! The plots of a report. Their numbers are those of `evaluate --json` and of `run.json`, under the same names.

use super::Material;
use crate::evaluate::EvaluateStats;
use crate::head::Epoch;
use crate::metrics::CalibrationBin;
use crate::plot::{
    Axis, BarChart, Chart, Curve, Figure, HeatMap, HistogramChart, LineChart, Mark, PointSeries, Series, Unit,
};
use crate::words::{count, percent, score};
use serde_json::{Value, json};

/// All plots, in the order of the page.
pub(super) fn all(material: &Material) -> Vec<Figure> {
    let stats = &material.stats;
    let mut figures = training(material);
    figures.extend([confusion(stats), class_scores(stats)]);
    figures.extend([frequencies(stats), composition(stats), relative_difference(stats)]);
    figures.extend(trust(stats));
    figures
}

fn axis(label: &str, unit: Unit, range: Option<(f64, f64)>) -> Axis {
    Axis { label: label.into(), unit, range }
}

/// Loss and accuracy by epoch; nothing where there was but one step.
fn training(material: &Material) -> Vec<Figure> {
    let record = &material.record;
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
            marks: vec![Mark { x: best as f64, label: format!("best epoch {best}") }],
        })
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
                "Mean cross entropy over {} epochs. In the best one, epoch {best}, it is {:.3} on the train rows and {:.3} on the validation images.",
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
                "In epoch {best} it is {} on the train rows and {} on the validation images.",
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

fn series(name: &str, values: impl Iterator<Item = Option<f64>>) -> Series {
    Series { name: name.into(), values: values.collect() }
}

fn confusion(stats: &EvaluateStats) -> Figure {
    let wrong = super::tables::confusions(stats);
    let most = wrong.first().map_or("Every answer is right.".into(), |&(t, p)| {
        let (truth, predicted) = (&stats.classes[t].name, &stats.classes[p].name);
        format!("Most often confused: {truth}, taken for {predicted} {} times.", count(stats.confusion[t][p]))
    });
    Figure {
        name: "confusion".into(),
        title: "Confusion matrix".into(),
        summary: format!(
            "How many images of each class, by row, got which answer, by column. Framed cells are right answers; the stronger a cell's colour, the larger its share of the row. {most}"
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

fn class_scores(stats: &EvaluateStats) -> Figure {
    let best = stats
        .classes
        .iter()
        .filter(|c| c.f1.is_some())
        .max_by(|a, b| a.f1.unwrap_or(0.0).total_cmp(&b.f1.unwrap_or(0.0)));
    let worst = stats
        .classes
        .iter()
        .filter(|c| c.f1.is_some())
        .min_by(|a, b| a.f1.unwrap_or(0.0).total_cmp(&b.f1.unwrap_or(0.0)));
    let told = best.zip(worst).map_or(String::new(), |(best, worst)| {
        format!(
            "F1 is highest for {} ({}) and lowest for {} ({}).",
            best.name,
            score(best.f1),
            worst.name,
            score(worst.f1)
        )
    });
    Figure {
        name: "class-scores".into(),
        title: "Precision and recall of each class".into(),
        summary: format!(
            "Precision: of the answers, how many are right. Recall: of the images, how many are found. {told}"
        ),
        chart: Chart::Bar(BarChart {
            categories: names(stats),
            series: vec![
                series("precision", stats.classes.iter().map(|class| class.precision)),
                series("recall", stats.classes.iter().map(|class| class.recall)),
            ],
            values: axis("share", Unit::Percent, None),
        }),
        numbers: json!({ "classes": stats.classes, "macro_f1": stats.macro_f1 }),
    }
}

fn frequencies(stats: &EvaluateStats) -> Figure {
    let count_of = |n: usize| Some(n as f64);
    Figure {
        name: "frequencies".into(),
        title: "Frequencies".into(),
        summary: format!(
            "Of {} {} images, how many are of each class, and how many were given it as the answer.",
            count(stats.images),
            stats.split
        ),
        chart: Chart::Bar(BarChart {
            categories: names(stats),
            series: vec![
                series("images", stats.classes.iter().map(|class| count_of(class.support))),
                series("predictions", stats.classes.iter().map(|class| count_of(class.predicted))),
            ],
            values: axis("images", Unit::Count, None),
        }),
        numbers: json!({ "classes": stats.classes, "images": stats.images }),
    }
}

fn composition(stats: &EvaluateStats) -> Figure {
    Figure {
        name: "composition".into(),
        title: "Composition".into(),
        summary: "The share of each class in the images and in the predictions.".into(),
        chart: Chart::Bar(BarChart {
            categories: names(stats),
            series: vec![
                series("images", stats.composition.iter().map(|class| Some(class.truth))),
                series("predictions", stats.composition.iter().map(|class| Some(class.predicted))),
            ],
            values: axis("share", Unit::Percent, None),
        }),
        numbers: json!({ "composition": stats.composition }),
    }
}

fn relative_difference(stats: &EvaluateStats) -> Figure {
    Figure {
        name: "relative-difference".into(),
        title: "Relative difference of prediction and image counts".into(),
        summary: "Left of zero a class was answered less often than it has images, right of zero more often."
            .into(),
        chart: Chart::Bar(BarChart {
            categories: names(stats),
            series: vec![series(
                "relative difference",
                stats.composition.iter().map(|class| class.relative_difference),
            )],
            values: axis("(predictions - images) / images", Unit::SignedPercent, None),
        }),
        numbers: json!({ "composition": stats.composition }),
    }
}

/// How far the probabilities can be taken at their word.
fn trust(stats: &EvaluateStats) -> Vec<Figure> {
    let (calibration, split) = (&stats.calibration, &stats.calibration.split);
    let mut figures = vec![confidence(&split.bins_before)];
    figures.push(reliability(
        "reliability",
        "Reliability",
        format!(
            "Calibration error {}. Columns as high as the dashed line would be probabilities to take at their word.",
            percent(split.ece_before)
        ),
        &split.bins_before,
        json!({ "calibration": { "ece_before": split.ece_before, "bins_before": split.bins_before } }),
    ));
    figures.extend(calibration.temperature.map(|temperature| {
        let numbers = json!({ "temperature": temperature, "ece_after": split.ece_after, "bins": split.bins });
        reliability(
            "reliability-tempered",
            &format!("Reliability at temperature {temperature:.2}"),
            format!(
                "The same answers with the temperature that fits the validation images best: calibration error {}.",
                percent(split.ece_after)
            ),
            &split.bins,
            json!({ "calibration": numbers }),
        )
    }));
    figures
}

fn edges(bins: &[CalibrationBin]) -> Vec<f64> {
    bins.first().map(|bin| bin.low).into_iter().chain(bins.iter().map(|bin| bin.high)).collect()
}

fn reliability(name: &str, title: &str, summary: String, bins: &[CalibrationBin], numbers: Value) -> Figure {
    let points = bins.iter().filter_map(|bin| bin.confidence.zip(bin.accuracy)).collect();
    Figure {
        name: name.into(),
        title: title.into(),
        summary,
        chart: Chart::Histogram(HistogramChart {
            edges: edges(bins),
            series: vec![series("accuracy", bins.iter().map(|bin| bin.accuracy))],
            x: axis("confidence", Unit::Percent, Some((0.0, 1.0))),
            y: axis("accuracy", Unit::Percent, Some((0.0, 1.0))),
            diagonal: true,
            points: Some(PointSeries { name: "at the mean confidence".into(), points }),
        }),
        numbers,
    }
}

fn confidence(bins: &[CalibrationBin]) -> Figure {
    let wrong = |bin: &CalibrationBin| bin.images - bin.correct;
    let all = |of: &dyn Fn(&CalibrationBin) -> usize| bins.iter().map(of).sum::<usize>();
    let (right, mistakes) = (all(&|bin| bin.correct), all(&wrong));
    let top = bins.last().map_or(String::new(), |bin| {
        format!(
            " Above {} are {} of {} right answers and {} of {} wrong ones.",
            percent(bin.low),
            count(bin.correct),
            count(right),
            count(wrong(bin)),
            count(mistakes)
        )
    });
    let counts = |of: &dyn Fn(&CalibrationBin) -> usize| {
        bins.iter().map(|bin| Some(of(bin) as f64)).collect::<Vec<_>>()
    };
    Figure {
        name: "confidence".into(),
        title: "Confidence of right and wrong answers".into(),
        summary: format!("Answers by their probability, as the head gives it.{top}"),
        chart: Chart::Histogram(HistogramChart {
            edges: edges(bins),
            series: vec![
                series("right", counts(&|bin| bin.correct).into_iter()),
                series("wrong", counts(&wrong).into_iter()),
            ],
            x: axis("confidence", Unit::Percent, Some((0.0, 1.0))),
            y: axis("images", Unit::Count, None),
            diagonal: false,
            points: None,
        }),
        numbers: json!({ "calibration": { "bins_before": bins } }),
    }
}
