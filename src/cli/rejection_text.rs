//! Rejection as text: how many images of known classes and of others are called unknown.

use super::text::{few, percent};
use crate::error::counted;
use crate::evaluate::{RejectionStats, StrangersStats};
use crate::score::UnknownClass;

/// How many of `images` are rejected, the accuracy of the others, and what is guaranteed.
pub(super) fn rejected(reject: &RejectionStats, images: usize) -> String {
    let [low, high] = reject.interval.unwrap_or([0.0, 1.0]);
    format!(
        "rejected as unknown: {} of {}, {} (95 % interval {} to {}); accuracy of the other {}: {}\n{}",
        reject.unknown,
        counted(images, "image"),
        percent(reject.rate),
        percent(low),
        percent(high),
        images - reject.unknown,
        percent(reject.answered_accuracy),
        guaranteed(reject)
    )
}

fn guaranteed(reject: &RejectionStats) -> String {
    let alpha = percent(reject.alpha);
    let calibrated = format!(
        "--reject {}, calibrated on {}{}",
        reject.alpha,
        counted(reject.calibration_images, "validation image"),
        few(reject.calibration_images)
    );
    let Some(confidence) = reject.confidence else {
        let bound = percent(reject.bound);
        let more = match reject.rate.is_some_and(|rate| rate > reject.bound) {
            true => "; it was more here, by chance or because these images are unlike the validation images",
            false => "",
        };
        return format!(
            "{calibrated}: at most {alpha} of known images on average over choices of the validation images, at most {bound} in \
             19 choices of 20{more}\n"
        );
    };
    format!("{calibrated}: at most {alpha} of known images, with a confidence of {}\n", percent(confidence))
}

/// How well strangers are distinguished from test images.
pub(super) fn strangers(strangers: &StrangersStats) -> String {
    let [low, high] = strangers.interval.unwrap_or([0.0, 1.0]);
    let area = strangers.roc.map_or("no test images to compare with".into(), |roc| {
        format!(
            "area under the ROC curve of their distance and that of {} {:.3} (95 % interval {:.3} to {:.3}; 0.5 is chance)",
            counted(strangers.known_images, "test image"),
            roc.area,
            roc.interval[0],
            roc.interval[1]
        )
    });
    format!(
        "strangers: {} of {} rejected, {} (95 % interval {} to {}); {area}\n",
        strangers.unknown,
        strangers.images,
        percent(strangers.rate),
        percent(low),
        percent(high)
    )
}

/// The classes that a run does not know.
pub(super) fn unknown_classes(classes: &[UnknownClass]) -> String {
    let class = |class: &UnknownClass| {
        let unknown =
            class.called_unknown.map_or(String::new(), |unknown| format!(", {unknown} called unknown"));
        format!("  {}: {}{unknown}\n", class.name, counted(class.images, "image"))
    };
    match classes.is_empty() {
        true => String::new(),
        false => format!(
            "classes that the run does not know, which are not in the scores\n{}",
            classes.iter().map(class).collect::<String>()
        ),
    }
}
