//! `headstart train --auto`: its options, and the table of what it tried.

use super::text::{percent, seconds, table_with_header};
use crate::error::{Error, Kind, Result, counted, did_you_mean};
use crate::metrics::ResampledMean;
use crate::run::{Candidate, LeftOut, LeftOutReason, Selection};
use crate::train::TrainStats;
use std::str::FromStr;

/// Seconds for a search, or no limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Budget(pub Option<f64>);

impl FromStr for Budget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let unit = match text[digits..].trim() {
            "" | "s" => Some(1.0),
            "m" | "min" => Some(60.0),
            "h" => Some(3600.0),
            _ => None,
        };
        let number: Option<f64> = text[..digits].parse().ok();
        match (text, number.zip(unit)) {
            ("none", _) => Ok(Self(None)),
            (_, Some((number, unit))) => Ok(Self(Some(number * unit))),
            (_, None) => Err(Error::new(Kind::Usage, format!("{text:?} is not a time")).help(format!(
                "{}give seconds or minutes, such as 60s or 5m, or none for no limit",
                did_you_mean(text, ["none"])
            ))),
        }
    }
}

/// What was tried, a line for each feature set, and how the choice does on images that had no part in it.
pub(super) fn summary(selection: &Selection, stats: &TrainStats) -> String {
    let Selection { tried, chosen, folds, repeats, images, .. } = selection;
    let mut paths: Vec<&[Candidate]> = tried.chunk_by(|a, b| a.features == b.features).collect();
    let is_chosen = |path: &[Candidate]| path.iter().any(|one| std::ptr::eq(one, &tried[*chosen]));
    paths.sort_by_key(|path| !is_chosen(path));
    let rows = paths.into_iter().map(|path| row(path, is_chosen(path).then_some(&tried[*chosen])));
    let names =
        ["use", "layer", "standardize", "smoothing", "l2 tried", "l2", "loss", "accuracy", "more loss"];
    let times = if *repeats == 1 { String::new() } else { format!(", {repeats} times") };
    format!(
        "{} in {}, each fitted in {folds} folds within {images} train images{times}\n\n{}\n\
         each line: the l2 of least loss, at the temperature that predictions use; first line: chosen, the first of those tried whose loss \
         is within one standard error of the least\n{}{}\n",
        counted(tried.len(), "candidate"),
        seconds(selection.seconds),
        table_with_header(names, rows),
        left_out(selection),
        estimate(selection, stats)
    )
}

/// One feature set: its chosen candidate, or the one of least loss.
fn row(path: &[Candidate], chosen: Option<&Candidate>) -> [String; 9] {
    let loss = |candidate: &Candidate| candidate.loss.unwrap_or(f64::INFINITY);
    let best = path.iter().min_by(|a, b| loss(a).total_cmp(&loss(b)));
    let shown = chosen.or(best).expect("a path has a candidate");
    let features = &shown.features;
    let more = shown.difference.zip(shown.standard_error).filter(|_| chosen.is_none());
    [
        features.variants.clone(),
        features.layer.clone(),
        String::from(if features.standardize { "yes" } else { "no" }),
        features.label_smoothing.to_string(),
        format!("{} to {}", path[0].l2, path[path.len() - 1].l2),
        shown.l2.to_string(),
        shown.loss.map_or("failed".into(), |loss| format!("{loss:.4}")),
        percent(shown.accuracy),
        more.map_or("-".into(), |(mean, error)| format!("{mean:+.4} +- {error:.4}")),
    ]
}

fn left_out(selection: &Selection) -> String {
    let line = |reason, why: &str| {
        let of = |left: &&LeftOut| left.reason == reason;
        let name = |left: &LeftOut| {
            let features = &left.features;
            let scaling = if features.standardize { ", standardized" } else { "" };
            let smoothing = match features.label_smoothing {
                0.0 => String::new(),
                share => format!(", labels smoothed by {share}"),
            };
            format!("{} of {}{scaling}{smoothing}", features.variants, features.layer)
        };
        let names: Vec<String> = selection.left_out.iter().filter(of).map(name).collect();
        if names.is_empty() { String::new() } else { format!("left out, {why}: {}\n", names.join("; ")) }
    };
    line(LeftOutReason::Budget, "because the time of --budget was over")
        + &line(LeftOutReason::Worse, "because clearly worse with fewer variants")
}

fn estimate(selection: &Selection, stats: &TrainStats) -> String {
    let test = match stats.test_accuracy {
        Some(accuracy) => {
            format!("test accuracy {} of {}", percent(accuracy), counted(stats.test_images, "image"))
        }
        None => "there are no test images".into(),
    };
    match &selection.nested {
        Some(nested) => {
            format!("{}; {test}", nested_accuracy(nested))
        }
        None => format!("too few folds to estimate how the choice does on other images; {test}"),
    }
}

/// How a choice does on folds that had no part in it.
pub(super) fn nested_accuracy(nested: &ResampledMean) -> String {
    let [low, high] = nested.interval.map(|end| percent(end.clamp(0.0, 1.0)));
    format!(
        "accuracy of such a choice on folds that had no part in it {} (95 % interval {low} to {high}, from {} folds)",
        percent(nested.mean),
        nested.n
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_times_or_none() {
        for (text, seconds) in [
            ("60s", Some(60.0)),
            ("0", Some(0.0)),
            ("1.5m", Some(90.0)),
            ("2 min", Some(120.0)),
            ("1h", Some(3600.0)),
            ("none", None),
        ] {
            assert_eq!(text.parse::<Budget>().unwrap(), Budget(seconds));
        }
        for bad in ["", "-1", "s", "1d", "many"] {
            assert!(bad.parse::<Budget>().is_err(), "{bad}");
        }
    }
}
