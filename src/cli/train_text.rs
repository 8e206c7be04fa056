//! The result of `headstart train` as text.

use super::decision_text;
use super::text::{few, interval, percent, seconds};
use crate::error::counted;
use crate::train::TrainStats;
use std::path::Path;

/// What was trained on, how long it took, and the scores on held-out images.
pub(super) fn summary(stats: &TrainStats, run: &Path) -> String {
    let (how, which) = match stats.converged {
        Some(converged) => {
            let which = if converged { "the optimum" } else { "where it ended" };
            let iterations = stats.convergence.and_then(|convergence| convergence.iterations);
            let after = iterations.map_or(String::new(), |n| format!(", {}", counted(n, "iteration")));
            (format!("L-BFGS in {}{after}", seconds(stats.seconds)), which.to_string())
        }
        None => (
            format!(
                "{} in {}, {} each",
                counted(stats.epochs, "epoch"),
                seconds(stats.seconds),
                seconds(stats.seconds_per_epoch)
            ),
            match stats.best_is_near_the_limit {
                true => format!(
                    "best epoch {}, one of the last (more --epochs, or --epochs auto, may help)",
                    stats.best_epoch
                ),
                false => format!("best epoch {}", stats.best_epoch),
            },
        ),
    };
    format!(
        "features of {}\n\
         trained on {} ({}) of {}: {how}; features read in {}\n\
         {which}: {}\n{}{}{}{}\n",
        stats.backbone,
        counted(stats.train_rows, "row"),
        stats.variants.join(", "),
        counted(stats.classes, if stats.multi_label.is_some() { "label" } else { "class" }),
        seconds(stats.read_seconds),
        score(stats),
        same_pictures(stats),
        temperature(stats),
        stats.decision.as_ref().map_or(String::new(), decision_text::chosen),
        run.display()
    )
}

/// Score on the validation images, or over the folds that stand in for them.
fn score(stats: &TrainStats) -> String {
    match (stats.validation, stats.inner_folds) {
        (Some(score), _) => format!(
            "validation loss {:.4}, accuracy {} of {}{}",
            score.loss,
            percent(score.accuracy),
            counted(stats.validation_images, "image"),
            few(stats.validation_images)
        ),
        (None, Some(score)) => format!(
            "over {} folds within the train images: loss {:.4}, accuracy {} of {}{}",
            score.folds,
            score.loss,
            percent(score.accuracy),
            counted(score.images, "image"),
            few(score.images)
        ),
        (None, None) => "there are no validation images".into(),
    }
}

fn same_pictures(stats: &TrainStats) -> String {
    stats.same_pictures.remark("").map_or(String::new(), |remark| format!("{remark}\n"))
}

fn temperature(stats: &TrainStats) -> String {
    if stats.multi_label.is_some() {
        return "the threshold of each label is that of largest F1 on the validation images\n".into();
    }
    match stats.temperature {
        Some(t) => format!(
            "temperature {:.2} (95 % interval {}){}\n",
            t.value,
            interval(t.low, t.high),
            if t.differs_from_one() {
                ""
            } else {
                ": not significantly different from 1, so probabilities stay as they are"
            }
        ),
        None => "no temperature: the images do not determine one\n".into(),
    }
}
