//! Classifies images that are in memory, as a server would: the run and the network are opened once.
//!
//! ```text
//! cargo run --release --example classify_from_memory -- runs/first cat.jpg dog.jpg
//! ```

use headstart::data::decode;
use headstart::error::{Error, Kind, Result};
use headstart::prelude::*;
use std::path::Path;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [run, files @ ..] = args.as_slice() else {
        return Err(Error::new(Kind::Usage, "usage: classify_from_memory RUN IMAGE..."));
    };
    let monitor = LogMonitor::to_writer(std::io::stderr());
    let mut classifier = Classifier::open(run.as_ref(), &monitor)?;
    for file in files {
        let bytes = std::fs::read(file).map_err(|e| Error::io("read", file.as_ref(), e))?;
        let (label, probability) = classifier.classify(&bytes)?;
        println!("{file}: {label} ({:.1} %)", 100.0 * probability);
    }
    Ok(())
}

/// Answers requests with one open [`Predictor`].
pub(crate) struct Classifier<'m>(Predictor<'m>);

impl<'m> Classifier<'m> {
    /// Opens a run and its network, so that the first request is as fast as the others.
    pub(crate) fn open(run: &Path, monitor: &'m dyn Monitor) -> Result<Self> {
        let mut config = PredictorConfig::new(run);
        config.neighbours = 0;
        let mut predictor = Predictor::open(&config, monitor)?;
        predictor.open_backbone()?;
        Ok(Self(predictor))
    }

    /// Returns the most probable class of an encoded image (JPEG, PNG, WebP ...) and its probability, 0 to 1.
    pub(crate) fn classify(&mut self, bytes: &[u8]) -> Result<(String, f64)> {
        let image = decode::decode(bytes).map_err(|reason| Error::new(Kind::Input, reason))?;
        let predictions = self.0.predict_images(&[image])?;
        let best = &predictions[0].predictions[0];
        Ok((best.label.clone(), best.probability))
    }
}
