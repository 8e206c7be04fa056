//! The accuracy of linear heads on the features of both backbones, over random splits of the held-out images.

use super::fidelity::{Features, HeadAccuracy};
use crate::data::dataset::{Fractions, ImageFile, Split, assign_splits, class_names};
use crate::error::Result;
use crate::head::{Example, LabelledFeatures, LbfgsConfig, LbfgsJob, Precision, fit_lbfgs};
use crate::math::matrix::Matrix;
use crate::math::parallel::thread_count;
use crate::metrics::{accuracy, corrected_resampled_t_test};
use std::collections::HashMap;

/// Number of splits.
const SPLITS: u64 = 20;
/// Share of the images of each class in the train and the test split, in percent.
const FRACTIONS: Fractions = Fractions { train: 75, validation: 0, test: 25 };
/// Images of a class without which it is left out.
const LEAST: usize = 8;
/// The penalty of the heads, on standardized features.
const L2: f64 = 0.01;

/// Fits heads to the features of `files`, which are those of the rows of `features`, and compares their accuracy. `None` where
/// fewer than two classes have enough images.
///
/// # Errors
/// Those of a fit.
pub(super) fn compare(files: &[ImageFile], features: &Features) -> Result<Option<HeadAccuracy>> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    files.iter().for_each(|file| *counts.entry(&file.label).or_default() += 1);
    let used: Vec<ImageFile> = files.iter().filter(|f| counts[f.label.as_str()] >= LEAST).cloned().collect();
    let rows: HashMap<&str, u32> =
        files.iter().zip(0..).map(|(file, row)| (file.path.as_str(), row)).collect();
    let [float, integer] =
        [&features.float, &features.rounded].map(|values| Matrix::from_rows(features.width, values));
    let mut accuracies: Vec<[f64; 2]> = Vec::new();
    let (mut classes, mut sizes) = (0, [0; 2]);
    for seed in 0..SPLITS {
        let samples = assign_splits(used.clone(), seed, FRACTIONS);
        let names = class_names(&samples);
        if names.len() < 2 {
            return Ok(None);
        }
        let of = |split: Split| -> Vec<Example> {
            let example = |file: &ImageFile| Example {
                row: rows[file.path.as_str()],
                target: names.binary_search(&file.label).unwrap_or(0) as u32,
            };
            samples.iter().filter(|s| s.split == split).map(|s| example(&s.file)).collect()
        };
        let (train, test) = (of(Split::Train), of(Split::Test));
        (classes, sizes) = (names.len(), [train.len(), test.len()]);
        accuracies.push([
            head_accuracy(&float, &train, &test, classes)?,
            head_accuracy(&integer, &train, &test, classes)?,
        ]);
    }
    let differences: Vec<f64> = accuracies.iter().map(|[float, integer]| integer - float).collect();
    let mean =
        |which: usize| accuracies.iter().map(|both| both[which]).sum::<f64>() / accuracies.len() as f64;
    let tested = corrected_resampled_t_test(&differences, sizes[1] as f64 / sizes[0] as f64);
    Ok(tested.map(|tested| HeadAccuracy {
        splits: accuracies.len(),
        classes,
        train_images: sizes[0],
        test_images: sizes[1],
        float: mean(0),
        quantized: mean(1),
        difference: tested.mean,
        interval: tested.interval,
    }))
}

/// Accuracy on `test` of a head that was fitted to `train`.
fn head_accuracy(features: &Matrix, train: &[Example], test: &[Example], classes: usize) -> Result<f64> {
    let config = LbfgsConfig { l2: L2, standardize: true, ..LbfgsConfig::default() };
    let params = config.check()?;
    let job = LbfgsJob {
        params: &params,
        class_weights: &vec![1.0; classes],
        start: None,
        precision: Precision::Scores { until: None },
        threads: thread_count(0),
    };
    let head = fit_lbfgs(job, LabelledFeatures { features, examples: train })?.fitted.head;
    let test = LabelledFeatures { features, examples: test };
    let predicted: Vec<usize> = head.probabilities_of(test).predicted().collect();
    let truth: Vec<usize> = test.targets().collect();
    Ok(accuracy(&truth, &predicted).unwrap_or(0.0))
}
