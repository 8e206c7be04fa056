//! Plots of the page of a data set.

use super::examine::DatasetStats;
use super::sizes::SizeCount;
use crate::data::ClassSummary;
use crate::data::dataset::Split;
use crate::report::format::{count, isolated, percent};
use crate::report::plot::{Axis, BarChart, Chart, Figure, ScatterChart, ScatterPoint, Series, Unit};
use serde_json::json;

/// All plots for which there are data.
pub(super) fn all(stats: &DatasetStats) -> Vec<Figure> {
    let composition = (stats.summary.images > 0).then(|| composition(stats));
    let sizes = (stats.sizes.pairs.len() > 1).then(|| sizes(stats));
    [composition, splits(stats), sizes].into_iter().flatten().collect()
}

fn composition(stats: &DatasetStats) -> Figure {
    let shown = &stats.summary.classes[..];
    let (first, last) = (&shown[0], &shown[shown.len() - 1]);
    let word = stats.summary.class_word();
    let description = |class: &ClassSummary| {
        format!("{} ({}, {})", isolated(&class.name), count(class.images), percent(class.share))
    };
    let summary = match first.images == last.images {
        true => format!("{} of each {word}, {} of all.", count(first.images), percent(first.share)),
        false => format!("From {} down to {}.", description(first), description(last)),
    };
    Figure {
        name: "composition".into(),
        title: format!("Images of each {word}"),
        summary,
        chart: Chart::Bar(BarChart {
            categories: shown.iter().map(|class| class.name.clone()).collect(),
            series: vec![Series {
                name: "images".into(),
                values: shown.iter().map(|class| Some(class.images as f64)).collect(),
            }],
            values: Axis { label: "images".into(), unit: Unit::Count, range: None },
            notes: Vec::new(),
            remarks: None,
        }),
        numbers: json!({"classes": shown}),
    }
}

fn splits(stats: &DatasetStats) -> Option<Figure> {
    let all = stats.splits.as_ref()?;
    let shown = all;
    let series = Split::ALL.map(|split| Series {
        name: split.name().into(),
        values: shown.iter().map(|class| Some(class.files(split) as f64)).collect(),
    });
    Some(Figure {
        name: "splits".into(),
        title: format!("Images of each {} and split", stats.summary.class_word()),
        summary: "The splits of the cache. The split of an image depends on its bytes and the seed.".into(),
        chart: Chart::Bar(BarChart {
            categories: shown.iter().map(|class| class.name.clone()).collect(),
            series: series.into(),
            values: Axis { label: "images".into(), unit: Unit::Count, range: None },
            notes: Vec::new(),
            remarks: None,
        }),
        numbers: json!({"splits": shown}),
    })
}

fn sizes(stats: &DatasetStats) -> Figure {
    let pairs = &stats.sizes.pairs;
    let range = |get: fn(&SizeCount) -> u32| {
        let (low, high) =
            pairs.iter().map(get).fold((u32::MAX, 0), |(low, high), v| (low.min(v), high.max(v)));
        format!("{} to {}", count(low as usize), count(high as usize))
    };
    let axis = |label: &str| Axis { label: label.into(), unit: Unit::Count, range: None };
    Figure {
        name: "sizes".into(),
        title: "Widths and heights".into(),
        summary: format!(
            "{} pixels wide, {} high. The larger a dot, the more images; square images are on the dashed line.",
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
