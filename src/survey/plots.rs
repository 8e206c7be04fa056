//! The plots of a folder of images.

use super::SurveyStats;
use crate::data::ClassSummary;
use crate::dataset::Split;
use crate::plot::{Axis, BarChart, Chart, Figure, ScatterChart, ScatterPoint, Series, Unit};
use crate::words::{count, percent};
use serde_json::json;

/// Classes in a plot at most.
pub(super) const MOST_CLASSES: usize = 40;

/// Every plot that the folder gives.
pub(super) fn all(stats: &SurveyStats) -> Vec<Figure> {
    let composition = (stats.summary.images > 0).then(|| composition(stats));
    let sizes = (stats.sizes.pairs.len() > 1).then(|| sizes(stats));
    [composition, splits(stats), sizes].into_iter().flatten().collect()
}

fn composition(stats: &SurveyStats) -> Figure {
    let shown = &stats.summary.classes[..stats.summary.classes.len().min(MOST_CLASSES)];
    let (first, last) = (&shown[0], &shown[shown.len() - 1]);
    let told =
        |class: &ClassSummary| format!("{} ({}, {})", class.name, count(class.images), percent(class.share));
    Figure {
        name: "composition".into(),
        title: "Images of each class".into(),
        summary: format!("From {} down to {}.", told(first), told(last)),
        chart: Chart::Bar(BarChart {
            categories: shown.iter().map(|class| class.name.clone()).collect(),
            series: vec![Series {
                name: "images".into(),
                values: shown.iter().map(|class| Some(class.images as f64)).collect(),
            }],
            values: Axis { label: "images".into(), unit: Unit::Count, range: None },
        }),
        numbers: json!({"classes": shown}),
    }
}

fn splits(stats: &SurveyStats) -> Option<Figure> {
    let all = stats.splits.as_ref()?;
    let shown = &all[..all.len().min(MOST_CLASSES)];
    let series = Split::ALL.map(|split| Series {
        name: split.name().into(),
        values: shown.iter().map(|class| Some(class.of(split) as f64)).collect(),
    });
    Some(Figure {
        name: "splits".into(),
        title: "Images of each class and split".into(),
        summary: "As the cache has divided them: the split belongs to the image and follows from its bytes."
            .into(),
        chart: Chart::Bar(BarChart {
            categories: shown.iter().map(|class| class.name.clone()).collect(),
            series: series.into(),
            values: Axis { label: "images".into(), unit: Unit::Count, range: None },
        }),
        numbers: json!({"splits": shown}),
    })
}

fn sizes(stats: &SurveyStats) -> Figure {
    let pairs = &stats.sizes.pairs;
    let range = |get: fn(&super::Size) -> u32| {
        let (low, high) =
            pairs.iter().map(get).fold((u32::MAX, 0), |(low, high), v| (low.min(v), high.max(v)));
        format!("{} to {}", count(low as usize), count(high as usize))
    };
    let axis = |label: &str| Axis { label: label.into(), unit: Unit::Count, range: None };
    Figure {
        name: "sizes".into(),
        title: "Widths and heights".into(),
        summary: format!(
            "{} pixels wide, {} high. Larger dots are more images; on the dashed line are squares.",
            range(|size| size.width),
            range(|size| size.height)
        ),
        chart: Chart::Scatter(ScatterChart {
            x: axis("width in pixels"),
            y: axis("height in pixels"),
            points: pairs
                .iter()
                .map(|size| ScatterPoint {
                    x: f64::from(size.width),
                    y: f64::from(size.height),
                    count: size.images,
                })
                .collect(),
            diagonal: true,
        }),
        numbers: json!({"sizes": stats.sizes}),
    }
}
