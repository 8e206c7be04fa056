//! What a training adds so that its answers can be trusted: the temperature of its probabilities, and the distances of
//! held-out images from the classes. It refuses to touch the head.

use super::shelf::{Chosen, Loaded, Plan, Shelf};
use crate::augment::Variant;
use crate::dataset::Split;
use crate::head::LabelledFeatures;
use crate::head::rejection::{MahalanobisDistance, RejectionDistances};
use crate::metrics::{self, Temperature};
use crate::run::Prediction;

/// The temperature that fits the validation images best, variant `none`; it follows from the predictions alone.
pub(super) fn temperature(predictions: &[Prediction], classes: &[String]) -> Option<Temperature> {
    let is_fitted_on = |row: &&Prediction| row.split == Split::Validation && row.variant == Variant::None;
    let (truth, probabilities): (Vec<usize>, Vec<Vec<f32>>) = predictions
        .iter()
        .filter(is_fitted_on)
        .filter_map(|row| Some((classes.binary_search(&row.label).ok()?, row.probabilities.clone())))
        .unzip();
    metrics::fit_temperature(&truth, &probabilities)
}

/// How far the held-out images, variant `none`, lie from the classes of the train images.
pub(crate) fn measured(shelf: &Shelf, plan: &Plan, loaded: &Loaded) -> RejectionDistances {
    let train = loaded.examples(&measured_from(&plan.train, usize::MAX));
    let distance = distance(loaded.rows(&train), shelf.classes.len());
    let of = |part| distance.of_rows(loaded.rows(&loaded.examples(part)));
    let (validation, test) = (of(&plan.validation), of(&plan.test));
    RejectionDistances { distance, validation, test }
}

/// The train rows that distances are measured from, of more than `most` so many that are evenly spread. Images count as
/// they are; their variants only where the head was trained on nothing else.
pub(super) fn measured_from(train: &Chosen, most: usize) -> Chosen {
    let has_plain = train.keys.iter().any(|key| key.variant == Variant::None);
    let counts = |variant: Variant| !has_plain || variant == Variant::None;
    let rows = || train.keys.iter().zip(&train.targets).filter(|(key, _)| counts(key.variant));
    let every = rows().count().div_ceil(most.max(1)).max(1);
    let (keys, targets) = rows().step_by(every).unzip();
    Chosen { keys, targets }
}

/// The measure of distance that these rows give.
pub(super) fn distance(train: LabelledFeatures, classes: usize) -> MahalanobisDistance {
    MahalanobisDistance::fit(train, classes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;
    use crate::store::Key;

    #[test]
    fn images_as_they_are_count_alone_and_evenly_spread_where_there_are_many() {
        let keys = |variants: &[Variant]| -> Vec<Key> {
            let key =
                |(i, variant): (usize, &Variant)| Key { image_sha256: sha256(&[i as u8]), variant: *variant };
            variants.iter().enumerate().map(key).collect()
        };
        let chosen = |variants: &[Variant], most: usize| {
            let keys = keys(variants);
            let targets = (0..keys.len() as u32).collect();
            measured_from(&Chosen { keys, targets }, most).targets
        };
        use Variant::{Flip, None};
        assert_eq!(chosen(&[None, Flip, None, Flip, None], usize::MAX), [0, 2, 4]);
        assert_eq!(chosen(&[None, Flip, None, Flip, None], 2), [0, 4]);
        assert_eq!(chosen(&[Flip; 7], 3), [0, 3, 6]);
        assert_eq!(chosen(&[Flip; 3], 3), [0, 1, 2]);
        assert!(chosen(&[], 0).is_empty());
    }
}
