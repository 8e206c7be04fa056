//! Scores on images with several labels as text.

use super::text::{percent, score, table_with_header};
use crate::error::counted;
use crate::evaluate::MultiLabelStats;

/// The scores of all labels together, and of each.
pub(super) fn summary(stats: &MultiLabelStats) -> String {
    let [low, high] = stats.exact_match_interval.unwrap_or([0.0, 1.0]);
    let over = stats.groups.map_or(String::new(), |groups| {
        format!(" over {groups} groups; the intervals of average precisions take no account of groups")
    });
    format!(
        "{}: {} on {}: mean average precision {}, micro F1 {} (precision {}, recall {}), macro F1 {}\n\
         all labels right: {} of the images (95 % interval {} to {}{over}); wrong answers: {} of all pairs of an image and a label\n\n{}",
        stats.split,
        counted(stats.labels.len(), "label"),
        counted(stats.images, "image"),
        score(stats.mean_average_precision),
        score(stats.micro.f1),
        percent(stats.micro.precision),
        percent(stats.micro.recall),
        score(stats.macro_f1),
        percent(stats.exact_match),
        percent(low),
        percent(high),
        percent(stats.hamming_loss),
        labels(stats)
    )
}

/// The scores of each label.
fn labels(stats: &MultiLabelStats) -> String {
    let rows = stats.labels.iter().map(|label| {
        let curve = label.curve.as_ref();
        let interval = curve.and_then(|curve| curve.average_precision_interval);
        [
            label.name.clone(),
            label.support.to_string(),
            label.predicted.to_string(),
            format!("{:.3}", label.threshold),
            percent(label.score.precision),
            percent(label.score.recall),
            score(label.score.f1),
            score(curve.map(|curve| curve.average_precision)),
            interval.map_or("-".into(), |[low, high]| format!("{low:.3} to {high:.3}")),
            score(curve.map(|curve| curve.roc_area)),
        ]
    });
    let heading = [
        "label",
        "images",
        "answered",
        "threshold",
        "precision",
        "recall",
        "F1",
        "average precision",
        "95 % interval",
        "ROC area",
    ];
    table_with_header(heading, rows)
}
