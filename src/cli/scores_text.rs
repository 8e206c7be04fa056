//! The scores of a run as text.

use super::text::{
    few, interval, p_value, percent, percent_range, percentage_points, score, signed_percent, table,
    table_with_header,
};
use super::{decision_text, rejection_text};
use crate::data::dataset::number_and_names;
use crate::error::counted;
use crate::evaluate::{EvaluateStats, NamedCurve};
use crate::metrics::ClassScore;

/// The largest number of classes whose confusion matrix is printed as text.
const MOST_CLASSES: usize = 20;

pub(super) fn summary(stats: &EvaluateStats) -> String {
    summary_of(stats.split.name(), stats, "")
}

/// The scores on the images called `name`, with what is said of images of none of the classes: below the rejection of known
/// images if that was asked for, which then comes first, else below their accuracy.
pub(super) fn summary_of(name: &str, stats: &EvaluateStats, of_unknown: &str) -> String {
    let (accuracy, reliability) = (accuracy(name, stats), reliability(stats));
    let reached = decision_text::reached(stats);
    let first = match &stats.reject {
        Some(reject) => format!(
            "{}{of_unknown}\nthe scores below are of all images of known classes, rejected or not\n{accuracy}",
            rejection_text::rejected(reject, stats.images)
        ),
        None => format!("{accuracy}{of_unknown}"),
    };
    let mut out = format!(
        "{first}{reliability}{reached}\n{}\n{}\n{}",
        class_table(&stats.classes),
        curves(stats),
        composition(stats)
    );
    if stats.classes.len() <= MOST_CLASSES {
        out.push_str(&format!("\n{}", confusion(stats)));
    }
    out
}

fn accuracy(name: &str, stats: &EvaluateStats) -> String {
    let [low, high] = stats.interval.unwrap_or([0.0, 1.0]);
    let mut out = format!(
        "{} accuracy {} of {}{} (95 % interval {} to {}{}), macro F1 {}\n\
         always answering {:?}: {}; balanced accuracy {}, Matthews correlation {}, kappa {}\n",
        name,
        percent(stats.accuracy),
        counted(stats.images, "image"),
        few(stats.images),
        percent(low),
        percent(high),
        stats.groups.map_or(String::new(), |groups| format!(", over {}", counted(groups, "group"))),
        score_with_interval(stats.macro_f1, stats.overall.macro_f1_interval),
        stats.majority_class,
        percent(stats.majority_accuracy),
        percent(stats.overall.balanced_accuracy),
        score(stats.overall.matthews_correlation),
        score(stats.overall.cohens_kappa),
    );
    if stats.converged == Some(false) {
        out.push_str("L-BFGS ended before the optimum of this head\n");
    }
    if let Some(same) = stats.same_pictures.filter(|same| *same > 0) {
        out.push_str(&format!(
            "images that are the same picture as one of another split (cosine distance 0), which raises the accuracy: \
             {same} of {}\n",
            stats.images
        ));
    }
    let top: Vec<String> =
        stats.top_k.iter().skip(1).map(|top| format!("top {} {}", top.k, percent(top.accuracy))).collect();
    if !top.is_empty() {
        out.push_str(&format!("{}\n", top.join(", ")));
    }
    let unseen: Vec<&str> =
        stats.classes.iter().filter(|class| class.support == 0).map(|class| class.name.as_str()).collect();
    if !unseen.is_empty() {
        out.push_str(&format!("classes without an image in this split: {}\n", number_and_names(&unseen)));
    }
    out
}

/// The effect of averaging over variants, and calibration.
fn reliability(stats: &EvaluateStats) -> String {
    let mut out = String::new();
    if let Some(tta) = &stats.tta {
        let [low, high] = tta.interval.unwrap_or([-1.0, 1.0]);
        out.push_str(&format!(
            "averaged over {}: {} points from {} without averaging (95 % interval {} to {}, p {})\n",
            tta.variants.join(", "),
            percentage_points(tta.difference.unwrap_or(0.0)),
            percent(tta.plain_accuracy),
            percentage_points(low),
            percentage_points(high),
            p_value(tta.p_value)
        ));
    }
    let calibration = &stats.calibration;
    let used = match (calibration.applied, &stats.tta) {
        (true, None) => "predict uses it",
        (false, None) => "not significantly different from 1, so predict does not use it",
        (true, Some(_)) => "significantly different from 1",
        (false, Some(_)) => "not significantly different from 1",
    };
    let text = match calibration.temperature {
        None => format!(
            "calibration error {}; no temperature (the validation images do not determine one, or the run is of an older version)",
            percent(calibration.split.ece_before)
        ),
        Some(temperature) => format!(
            "calibration error {}, loss {}; at temperature {temperature:.2} (from {}{}, 95 % \
             interval {}): {}, {}; {}",
            percent(calibration.split.ece_before),
            score(calibration.split.loss_before),
            counted(calibration.temperature_images.unwrap_or(0), "validation image"),
            few(calibration.temperature_images.unwrap_or(0)),
            calibration.temperature_interval.map_or("-".into(), |(low, high)| interval(low, high)),
            percent(calibration.split.ece_after),
            score(calibration.split.loss_after),
            used
        ),
    };
    out + &text + "\n" + &beside_chance(stats)
}

/// Calibration error and losses beside what chance and the frequencies of the classes give.
fn beside_chance(stats: &EvaluateStats) -> String {
    let split = &stats.calibration.split;
    let chance = split.chance.as_ref().map_or(String::new(), |chance| {
        format!(
            "calibrated probabilities would have a calibration error of {} by chance (95 % of the time up to {}; p {}); without \
             that bias it is {}\n",
            percent(chance.expected),
            percent(chance.upper),
            p_value(chance.p_value),
            percent(split.debiased_error)
        )
    });
    let brier = stats.overall.brier.map_or("-".into(), |brier| {
        format!(
            "{:.3} = reliability {:.3} - resolution {:.3} + uncertainty {:.3} + within bins {:.3}",
            brier.score, brier.reliability, brier.resolution, brier.uncertainty, brier.within_bins
        )
    });
    format!(
        "{chance}loss of the frequencies of the train images {}; Brier score {brier}\n",
        score(stats.overall.frequencies_loss)
    )
}

/// A score with its interval, `0.612 (0.550 to 0.671)`.
fn score_with_interval(value: Option<f64>, interval: Option<[f64; 2]>) -> String {
    match interval {
        Some([low, high]) => format!("{} ({low:.3} to {high:.3})", score(value)),
        None => score(value),
    }
}

/// A line for each class: its images, precision, recall and F1.
pub(super) fn class_table(classes: &[ClassScore]) -> String {
    let rows = classes.iter().map(|class| {
        [
            class.name.clone(),
            class.support.to_string(),
            class.predicted.to_string(),
            percent(class.precision),
            range(class.precision_interval),
            percent(class.recall),
            range(class.recall_interval),
            score(class.f1),
        ]
    });
    let interval = "95 % interval";
    table_with_header(["class", "images", "predicted", "precision", interval, "recall", interval, "F1"], rows)
}

/// Classes whose areas are printed as text, the worst of them where there are more.
const MOST_CURVES: usize = 20;

/// Areas under the curves of each class, or of the classes with the smallest.
fn curves(stats: &EvaluateStats) -> String {
    let curves = &stats.curves;
    let mut shown: Vec<&NamedCurve> = curves.classes.iter().collect();
    let mut which = String::new();
    if shown.len() > MOST_CURVES {
        let area =
            |named: &NamedCurve| named.curve.as_ref().map_or(f64::INFINITY, |curve| curve.average_precision);
        shown.sort_by(|a, b| area(a).total_cmp(&area(b)));
        shown.truncate(MOST_CURVES);
        which = format!("; the {MOST_CURVES} classes with the smallest average precision");
    }
    let interval = |interval: Option<[f64; 2]>| {
        interval.map_or("-".into(), |[low, high]| format!("{low:.3} to {high:.3}"))
    };
    let rows = shown.into_iter().map(|named| {
        let curve = named.curve.as_ref();
        [
            named.name.clone(),
            named.images.to_string(),
            score(curve.map(|curve| curve.average_precision)),
            interval(curve.and_then(|curve| curve.average_precision_interval)),
            score(curve.map(|curve| curve.roc_area)),
            interval(curve.and_then(|curve| curve.roc_area_interval)),
        ]
    });
    let header = ["class", "images", "average precision", "95 % interval", "ROC area", "95 % interval"];
    format!(
        "each class against all others: mean average precision {}, mean area under the ROC curve {}{which}\n{}",
        score(curves.mean_average_precision),
        score(curves.mean_roc_area),
        table_with_header(header, rows)
    )
}

/// An interval of percentages, `12.3 to 45.6`.
fn range(interval: Option<[f64; 2]>) -> String {
    interval.map_or("-".into(), percent_range)
}

fn confusion(stats: &EvaluateStats) -> String {
    let line = |(class, counts): (&ClassScore, &Vec<usize>)| {
        std::iter::once(class.name.clone()).chain(counts.iter().map(usize::to_string)).collect()
    };
    let rows: Vec<Vec<String>> = stats.classes.iter().zip(&stats.confusion).map(line).collect();
    format!("confusion (rows: truth, columns: prediction, in the same order)\n{}", table(&rows))
}

fn composition(stats: &EvaluateStats) -> String {
    let rows = stats.composition.iter().map(|class| {
        let relative = signed_percent(class.relative_difference);
        [class.name.clone(), percent(class.truth), percent(class.predicted), relative]
    });
    let table = table_with_header(["class", "images", "predictions", "relative difference"], rows);
    format!("composition of the images and of the predictions\n{table}")
}
