//! Five-fold cross-validation of a softmax head over the features in a cache.
//!
//! ```text
//! cargo run --release --example k_fold -- cache/photos
//! ```

use headstart::error::{Error, Kind, Result};
use headstart::head::linfa::DatasetBase;
use headstart::head::linfa::traits::Predict;
use headstart::metrics;
use headstart::prelude::*;
use std::path::Path;

fn main() -> Result<()> {
    let Some(cache) = std::env::args_os().nth(1) else {
        return Err(Error::new(Kind::Usage, "usage: k_fold CACHE"));
    };
    let accuracies = k_fold(cache.as_ref(), 5)?;
    println!("accuracy of each fold: {accuracies:.3?}");
    println!("mean: {:.3}", accuracies.iter().sum::<f64>() / accuracies.len() as f64);
    Ok(())
}

/// Returns the test accuracy of each fold, 0 to 1. Each image is tested once, by a head that has not seen it.
pub(crate) fn k_fold(cache: &Path, folds: usize) -> Result<Vec<f64>> {
    let set = TrainingSet::open(cache)?;
    // Every image has the variant `none`. Flips and shifts may be there for the train images of the cache alone.
    let variants = ["none".to_string()];
    let settings = FitConfig::default().check()?;
    let mut accuracies = Vec::new();
    for fold in Resplit::folds(folds, 0)? {
        let rows = |split| set.rows_with(split, Some(&variants), Some(fold));
        let (train, validation, test) = (rows(Split::Train)?, rows(Split::Validation)?, rows(Split::Test)?);
        let train = DatasetBase::new(train.features, train.targets);
        let validation = DatasetBase::new(validation.features, validation.targets);
        let classifier = settings.fit_until(&train, &validation)?;
        let predicted = classifier.predict(&test.features);
        let accuracy = metrics::accuracy(&test.targets.to_vec(), &predicted.to_vec());
        accuracies.push(accuracy.expect("a fold of a cache that can be trained on has images"));
    }
    Ok(accuracies)
}
