//! Answers of a head for held-out rows, and what is measured of features, with rows read block by block.

use super::blocks::{BlockReader, PartRows};
use super::budget::MemoryBudget;
use crate::data::dataset::Split;
use crate::error::Result;
use crate::head::Head;
use crate::head::rejection::RejectionDistances;
use crate::io::digest::Digest;
use crate::run::{Prediction, SamePictures};
use crate::train::feature_table::FeatureTable;
use crate::train::held_out;
use crate::train::rejection;
use crate::train::same_pictures::FeatureHashes;
use crate::train::single_fit::FitInputs;
use crate::train::split_rows::HeldOutRows;

/// Answers for all held-out rows.
pub(super) struct HeldOutResult {
    pub predictions: Vec<Prediction>,
    pub measured: RejectionDistances,
    pub same_pictures: SamePictures,
}

/// Predicts all held-out rows and measures their distances from the classes.
pub(super) fn predict(
    inputs: FitInputs,
    head: &Head,
    validation: FeatureTable,
    budget: &MemoryBudget,
) -> Result<HeldOutResult> {
    let FitInputs { set, splits, .. } = inputs;
    // As many rows as the two blocks had, in whose memory they are held.
    let reference = rejection::reference_rows(&splits.train, 2 * budget.block_rows);
    let table = set.load_rows(&reference, budget.readers)?;
    let distance = rejection::fit_distance(table.select(&reference).rows(), set.classes().len());
    drop(table);
    let rows = validation.select(&splits.validation);
    let part = HeldOutRows { split: Split::Validation, rows: &splits.validation };
    let mut predictions = held_out::predict(head, set, part, rows.rows());
    let of_validation = distance.of_rows(rows.rows());
    let mut hashes = hash_train(inputs, budget)?;
    hashes.add(Split::Validation, &splits.validation, rows.rows());
    drop(rows);
    drop(validation);
    let mut of_test: Vec<(Digest, f32)> = Vec::new();
    for part in splits.held_out() {
        if std::ptr::eq(part.rows, &splits.validation) {
            continue;
        }
        let parts = PartRows::of(set, part.rows);
        BlockReader::new(set, parts, budget.block_rows, 0, budget.readers).in_order(
            &mut |rows, features| {
                predictions.extend(held_out::predict(head, set, HeldOutRows { rows, ..part }, features));
                if std::ptr::eq(part.rows, &splits.test) {
                    of_test.extend(rows.images().zip(distance.of_rows(features)));
                    hashes.add(Split::Test, rows, features);
                }
            },
        )?;
    }
    // The distances are stored in the order of the digests.
    of_test.sort_unstable_by_key(|(image, _)| *image);
    let test = of_test.into_iter().map(|(_, distance)| distance).collect();
    let measured = RejectionDistances { distance, validation: of_validation, test };
    let predictions = held_out::sorted(predictions);
    Ok(HeldOutResult { predictions, measured, same_pictures: hashes.count() })
}

/// Hashes the features of the train images as they are: one reading of their parts.
fn hash_train(inputs: FitInputs, budget: &MemoryBudget) -> Result<FeatureHashes> {
    let FitInputs { set, splits, .. } = inputs;
    let mut hashes = FeatureHashes::default();
    let parts = PartRows::of(set, &splits.train.plain());
    BlockReader::new(set, parts, budget.block_rows, 0, budget.readers)
        .in_order(&mut |rows, features| hashes.add(Split::Train, rows, features))?;
    Ok(hashes)
}
