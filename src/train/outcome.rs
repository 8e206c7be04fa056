//! A fitted head on its way to disk: the record of how it came about, its predictions, the images that it has seen, how
//! far it can be trusted.

use super::shelf::{Chosen, Plan, Shelf};
use super::trust;
use crate::dataset::Split;
use crate::digest::Digest;
use crate::error::Result;
use crate::head::rejection::RejectionDistances;
use crate::head::{FitResult, Head, LabelledFeatures, SolverConfig, argmax};
use crate::run::{self, ClassCount, Finished, Prediction, Record, Snapshots};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

/// What a run tells of itself beside the fit.
#[derive(Debug, Clone)]
pub(crate) struct Origin<'a> {
    pub config: SolverConfig,
    pub init: Option<&'a PathBuf>,
    /// Images that the head was started from have seen.
    pub seen: &'a HashSet<Digest>,
    /// Bytes for features, where they were limited.
    pub memory: Option<u64>,
    pub time: u64,
    pub seconds: f64,
}

/// Writes the run; returns its record.
///
/// # Errors
/// When the run cannot be written there.
pub(crate) fn write(
    path: &Path,
    shelf: &Shelf,
    plan: &Plan,
    fitted: &FitResult,
    (predictions, measured, snapshots): (&[Prediction], &RejectionDistances, &Snapshots),
    origin: Origin,
) -> Result<Record> {
    // A head has seen its own images and those of every run it was started from.
    let trained_on: BTreeSet<Digest> = plan.train.images().chain(origin.seen.iter().copied()).collect();
    let trained_on: Vec<Digest> = trained_on.into_iter().collect();
    let temperature = trust::temperature(predictions, &shelf.classes);
    let record = Record { temperature, ..record(shelf, plan, fitted, origin) };
    let (head, trained_on) = (&fitted.head, &trained_on[..]);
    run::write(
        path,
        &RunContents { record: &record, head, predictions, trained_on, measured, histograms: snapshots },
    )?;
    Ok(record)
}

fn record(shelf: &Shelf, plan: &Plan, fitted: &FitResult, origin: Origin) -> Record {
    let counts = [&plan.train, &plan.validation, &plan.test].map(|part| images(part, shelf.classes.len()));
    let classes = shelf.classes.iter().enumerate().map(|(i, name)| ClassCount {
        name: name.clone(),
        train: counts[0][i],
        validation: counts[1][i],
        test: counts[2][i],
    });
    Record {
        schema: run::SCHEMA.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        time: origin.time,
        cache: std::path::absolute(&shelf.path).unwrap_or_else(|_| shelf.path.clone()).display().to_string(),
        spec: shelf.spec().clone(),
        classes: classes.collect(),
        config: origin.config,
        division: plan.division,
        memory: origin.memory,
        variants: plan.variants.iter().map(ToString::to_string).collect(),
        train_rows: plan.train.keys.len(),
        init: origin.init.map(|init| init.display().to_string()),
        history: fitted.history.clone(),
        best_epoch: fitted.best_epoch,
        seconds: origin.seconds,
        temperature: None,
    }
}

/// Distinct images of each class; the keys are sorted.
fn images(part: &Chosen, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    let mut last = None;
    for (key, &target) in part.keys.iter().zip(&part.targets) {
        counts[target as usize] += usize::from(last != Some(key.image_sha256));
        last = Some(key.image_sha256);
    }
    counts
}

/// What the head answers for the rows of a split, `rows` being those of `part` in its order.
pub(crate) fn predict(
    head: &Head,
    shelf: &Shelf,
    part: &Chosen,
    rows: LabelledFeatures,
    split: Split,
) -> Vec<Prediction> {
    let probabilities = head.probabilities_of(rows);
    let answers = part.keys.iter().zip(&part.targets).zip(&probabilities);
    let prediction = |((key, &target), probabilities): ((&crate::store::Key, &u32), &[f32])| Prediction {
        path: shelf.path_of(&key.image_sha256).to_string(),
        image_sha256: key.image_sha256,
        variant: key.variant,
        split,
        label: shelf.classes[target as usize].clone(),
        predicted: shelf.classes[argmax(probabilities)].clone(),
        probabilities: probabilities.to_vec(),
    };
    answers.map(prediction).collect()
}

/// Brings predictions into the order of the file: by image, then variant.
pub(crate) fn sorted(mut predictions: Vec<Prediction>) -> Vec<Prediction> {
    predictions.sort_by_key(|row| (row.image_sha256, row.variant));
    predictions
}
