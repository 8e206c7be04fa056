//! Extracts the features of a folder of images, trains a classifier on them and scores it.
//!
//! ```text
//! cargo run --release --example extract_and_train -- photos work
//! ```
//!
//! `photos` holds one folder per class; the cache and the run are written into `work`. A third argument names another
//! backbone, or an ONNX file. What is missing (ONNX Runtime, the backbone) is downloaded and installed.

use headstart::error::{Error, Kind, Result};
use headstart::evaluate::EvaluateStats;
use headstart::prelude::*;
use std::path::Path;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (images, work, backbone) = match args.as_slice() {
        [images, work] => (images, work, BackboneChoice::default()),
        [images, work, backbone] => (images, work, BackboneChoice::new(backbone)),
        _ => return Err(Error::new(Kind::Usage, "usage: extract_and_train IMAGES WORK [BACKBONE]")),
    };
    // Reports to stderr, and agrees to every installation.
    let monitor = Agreeing(LogMonitor::to_writer(std::io::stderr()));
    let scores = extract_and_train(images.as_ref(), work.as_ref(), backbone, &monitor)?;
    println!("{} test images, accuracy {:?}", scores.images, scores.accuracy);
    for class in &scores.classes {
        println!("{}: precision {:?}, recall {:?}", class.name, class.precision, class.recall);
    }
    Ok(())
}

/// Writes `cache` and `run` into `work`. A second call computes no features.
pub(crate) fn extract_and_train(
    images: &Path,
    work: &Path,
    backbone: BackboneChoice,
    monitor: &dyn Monitor,
) -> Result<EvaluateStats> {
    let (cache, run) = (work.join("cache"), work.join("run"));

    let mut config = ExtractConfig::new(images, &cache);
    config.backbone = backbone;
    config.augment = vec![Augmentation::Flip];
    let extracted = extract(&config, monitor)?;
    println!("{} feature rows, {} of them computed now", extracted.rows, extracted.computed);

    let mut settings = FitConfig::default();
    settings.lr = 0.003;
    let mut config = TrainConfig::new(&cache, &run);
    config.solver = SolverConfig::Adam(settings);
    let trained = train(&config, monitor)?;
    let loss = trained.validation.map_or(f64::NAN, |score| score.loss);
    println!("{} epochs, validation loss {loss:.3}", trained.epochs);

    evaluate(&EvaluateConfig::new(&run))
}
