//! Reads the features in a cache, as rows with their images and as arrays for another estimator.
//!
//! ```text
//! cargo run --release --example read_a_cache -- cache/photos
//! ```

use headstart::data::augment::Variant;
use headstart::error::{Error, Kind, Result};
use headstart::head::ndarray::{Array1, Axis};
use headstart::prelude::*;
use std::path::Path;

fn main() -> Result<()> {
    let Some(cache) = std::env::args_os().nth(1) else {
        return Err(Error::new(Kind::Usage, "usage: read_a_cache CACHE"));
    };
    print_images(cache.as_ref())?;
    for (class, center) in class_centers(cache.as_ref())? {
        println!("{class}: the mean of its features has length {:.3}", center.dot(&center).sqrt());
    }
    Ok(())
}

/// Prints each image with the length of its features. Returns the number of images.
pub(crate) fn print_images(path: &Path) -> Result<usize> {
    let cache = FeatureCache::open(path)?;
    println!("{} features per row, of layer {}", cache.spec().width, cache.spec().layer);
    // The unchanged images; the digest of every part that is read is checked.
    let rows = cache.rows(|key| key.variant == Variant::None)?;
    let samples = cache.samples()?;
    for (key, features) in rows.keys.iter().zip(rows.embeddings.chunks_exact(rows.width)) {
        let length = features.iter().map(|f| f * f).sum::<f32>().sqrt();
        // Several files with the same bytes share one row.
        for sample in samples.rows.iter().filter(|sample| sample.file.image_sha256 == key.image_sha256) {
            println!("{} ({}, {}): {length:.3}", sample.file.path, sample.file.label, sample.split);
        }
    }
    Ok(rows.keys.len())
}

/// The mean of the features of each class over the train rows, `[width]`.
pub(crate) fn class_centers(path: &Path) -> Result<Vec<(String, Array1<f32>)>> {
    let set = TrainingSet::open(path)?;
    let train = set.rows(Split::Train)?;
    let center = |class: usize| {
        let rows: Vec<usize> = (0..train.targets.len()).filter(|&row| train.targets[row] == class).collect();
        train.features.select(Axis(0), &rows).mean_axis(Axis(0))
    };
    let classes = set.classes().iter().enumerate();
    Ok(classes.filter_map(|(class, name)| Some((name.clone(), center(class)?))).collect())
}
