//! What an interval over heads rests on, in words: how many there are, and what varies among them.

use crate::error::counted;
use crate::metrics::{AccuracyInterval, IntervalOver};

/// A note on an interval of an accuracy over heads.
pub(super) fn interval_note(of: &AccuracyInterval) -> String {
    let AccuracyInterval { images, heads, splits, .. } = *of;
    let answered = match heads {
        1 => "this one head".to_string(),
        _ => format!("the mean of these {heads} heads"),
    };
    match of.over {
        IntervalOver::NewImages => {
            let varied = if heads == 1 { "" } else { "; only their first weights vary, on one split" };
            format!(
                "interval: for new images and {answered}, from {} (Wilson, clustered by image){varied}; it does \
                 not speak of other train images\n",
                counted(images, "test image")
            )
        }
        IntervalOver::NewImagesOfFolds => format!(
            "accuracy: of all {splits} folds together, {images} images; interval: for new images and {answered}, one or more for \
             each fold (Wilson, clustered by image)\n"
        ),
        IntervalOver::NewSplits => format!(
            "interval: for new splits, from {splits} splits drawn anew with {heads} heads, seeds averaged (corrected resampled \
             t-test){}\n",
            if splits < FEW_SPLITS { "; so few splits tell little of how much a split matters" } else { "" }
        ),
    }
}

/// With fewer splits the estimate of what varies among them is largely chance.
const FEW_SPLITS: usize = 5;
