//! Plots of the confidence of a run and of its calibration.

use super::plots::{axis, series};
use crate::evaluate::EvaluateStats;
use crate::metrics::{CalibrationBin, ChanceCalibration};
use crate::report::format::{count, percent};
use crate::report::plot::{Chart, Figure, HistogramChart, PointSeries, Unit};
use serde_json::{Value, json};

/// Confidence of the answers, and reliability before and after temperature scaling.
pub(super) fn all(stats: &EvaluateStats) -> Vec<Figure> {
    let (calibration, split) = (&stats.calibration, &stats.calibration.split);
    let mut figures = vec![confidence(&split.bins_before)];
    figures.push(reliability(
        "reliability",
        "Reliability",
        format!(
            "Expected calibration error {}{}. Perfectly calibrated probabilities reach the dashed line; by chance, 95 % of the time, they end within the vertical lines.",
            percent(split.ece_before),
            split.chance.as_ref().map_or(String::new(), |chance| format!("; {} of calibrated probabilities, by chance", percent(chance.expected)))
        ),
        &split.bins_before,
        split.chance.as_ref(),
        json!({ "calibration": { "ece_before": split.ece_before, "bins_before": split.bins_before } }),
    ));
    figures.extend(calibration.temperature.map(|temperature| {
        let numbers = json!({ "temperature": temperature, "ece_after": split.ece_after, "bins": split.bins });
        reliability(
            "reliability-tempered",
            &format!("Reliability at temperature {temperature:.2}"),
            format!(
                "The same predictions at the temperature that fits the validation images best: expected calibration error {}.",
                percent(split.ece_after)
            ),
            &split.bins,
            None,
            json!({ "calibration": numbers }),
        )
    }));
    figures
}

fn edges(bins: &[CalibrationBin]) -> Vec<f64> {
    bins.first().map(|bin| bin.low).into_iter().chain(bins.iter().map(|bin| bin.high)).collect()
}

fn reliability(
    name: &str,
    title: &str,
    summary: String,
    bins: &[CalibrationBin],
    chance: Option<&ChanceCalibration>,
    numbers: Value,
) -> Figure {
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
            ranges: chance.map(|chance| chance.bars.clone()).unwrap_or_default(),
            points: Some(PointSeries { name: "at the mean confidence".into(), points }),
        }),
        numbers,
    }
}

fn confidence(bins: &[CalibrationBin]) -> Figure {
    let wrong = |bin: &CalibrationBin| bin.images - bin.correct;
    let sum = |of: &dyn Fn(&CalibrationBin) -> usize| bins.iter().map(of).sum::<usize>();
    let (correct, errors) = (sum(&|bin| bin.correct), sum(&wrong));
    let top = bins.last().map_or(String::new(), |bin| {
        format!(
            " Above {} are {} of {} correct answers and {} of {} wrong ones.",
            percent(bin.low),
            count(bin.correct),
            count(correct),
            count(wrong(bin)),
            count(errors)
        )
    });
    let counts = |of: &dyn Fn(&CalibrationBin) -> usize| {
        bins.iter().map(|bin| Some(of(bin) as f64)).collect::<Vec<_>>()
    };
    Figure {
        name: "confidence".into(),
        title: "Confidence of correct and wrong answers".into(),
        summary: format!("Answers by the probability that the head gives them.{top}"),
        chart: Chart::Histogram(HistogramChart {
            edges: edges(bins),
            series: vec![
                series("correct", counts(&|bin| bin.correct).into_iter()),
                series("wrong", counts(&wrong).into_iter()),
            ],
            x: axis("confidence", Unit::Percent, Some((0.0, 1.0))),
            y: axis("images", Unit::Count, None),
            diagonal: false,
            ranges: Vec::new(),
            points: None,
        }),
        numbers: json!({ "calibration": { "bins_before": bins } }),
    }
}
