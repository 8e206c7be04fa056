//! The overview above many predictions: how many images have which answer, and which answers are the least sure.

use super::tables;
use crate::evaluate::predict::{FilePrediction, UNKNOWN};
use crate::report::format::count;
use crate::report::html::{Markup, html};
use crate::report::page::{Cell, Column, Table};
use std::collections::BTreeMap;

/// Images that are listed as the least sure ones at most.
const LEAST_SURE: usize = 20;

pub(super) fn markup(used: &[&FilePrediction]) -> Markup {
    html! {
        (counts(used).markup())
        (least_sure(used).markup())
    }
}

/// Number of images of each answer, the most frequent first, those that are unknown last.
fn counts(used: &[&FilePrediction]) -> Table {
    let mut images: BTreeMap<&str, usize> = BTreeMap::new();
    let is_unknown =
        |file: &FilePrediction| file.prediction.open_set.as_ref().is_some_and(|score| score.unknown);
    let unknown = used.iter().filter(|file| is_unknown(file)).count();
    for label in used.iter().filter(|file| !is_unknown(file)).filter_map(|file| file.prediction.answer()) {
        *images.entry(label).or_default() += 1;
    }
    let mut images: Vec<(&str, usize)> = images.into_iter().collect();
    images.sort_by_key(|(_, images)| std::cmp::Reverse(*images));
    images.extend((unknown > 0).then_some((UNKNOWN, unknown)));
    let columns =
        [Column::new("Answer", "answer"), Column::new("Images", "images"), Column::new("Share", "share")];
    let rows = images.into_iter().map(|(label, images)| {
        [Cell::text(label), Cell::count(images), Cell::percent(images as f64 / used.len() as f64)]
    });
    Table::new("counts", format!("Answers for {} images", count(used.len())), columns, rows)
}

/// The images whose answer has the smallest probability, the smallest first.
fn least_sure(used: &[&FilePrediction]) -> Table {
    let probability =
        |file: &FilePrediction| file.prediction.predictions.first().map_or(0.0, |class| class.probability);
    let mut sorted = used.to_vec();
    sorted.sort_by(|a, b| probability(a).total_cmp(&probability(b)));
    sorted.truncate(LEAST_SURE);
    tables::answers("least-sure", "The least sure answers first", &sorted)
}
