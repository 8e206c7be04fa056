//! The images of a calibration and those that are held out, in an order that follows from their content.

use crate::data::dataset::{ImageFile, LabelConflicts, Refused, separate_conflicts};
use crate::data::decode;
use crate::data::preprocess::Preprocessing;
use crate::data::scan::{ScanDepth, ScanOptions, no_images, scan};
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use crate::monitor::{Monitor, Unit};
use std::path::{Path, PathBuf};

/// Images without which ranges and fidelity would be a matter of chance.
const LEAST: usize = 16;
/// Held-out images at most.
const MOST_HELD_OUT: usize = 2000;
/// Images that are embedded together.
const BATCH: usize = 8;

/// Images, each once.
#[derive(Debug)]
pub(super) struct ChosenImages {
    pub root: PathBuf,
    /// Images to calibrate on.
    pub calibration: Vec<ImageFile>,
    /// Images to measure fidelity on.
    pub held_out: Vec<ImageFile>,
    pub refused: Vec<Refused>,
}

impl ChosenImages {
    /// Chooses `samples` of the images in the folder `root`, half of them at most, by their digests.
    ///
    /// # Errors
    /// Those of [`scan`]; [`Kind::Input`] when there are too few images.
    pub fn of(root: &Path, samples: usize, monitor: &dyn Monitor) -> Result<Self> {
        let scanned = scan(root, &ScanOptions::new(ScanDepth::Pixels), monitor)?;
        if scanned.files.is_empty() {
            return Err(no_images(root, scanned.unlabelled.len(), &scanned.refused));
        }
        let LabelConflicts { kept: mut files, refused, .. } = separate_conflicts(scanned.files);
        files.sort_by(|a, b| (a.image_sha256, &a.path).cmp(&(b.image_sha256, &b.path)));
        files.dedup_by_key(|file| file.image_sha256);
        if files.len() < LEAST {
            let message = format!("there are {} different images, and {LEAST} are needed", files.len());
            return Err(Error::new(Kind::Input, message).at(root).help(
                "name a folder of images such as those that the backbone is for; some hundreds are good",
            ));
        }
        let mut held_out = files.split_off(samples.min(files.len() / 2));
        held_out.truncate(MOST_HELD_OUT);
        let refused = scanned.refused.into_iter().chain(refused).collect();
        Ok(Self { root: scanned.root, calibration: files, held_out, refused })
    }

    /// Digest of the digests of the images to calibrate on.
    pub fn calibration_sha256(&self) -> Digest {
        let lines = self.calibration.iter().map(|file| format!("{}\n", file.image_sha256));
        sha256(lines.collect::<String>().as_bytes())
    }

    /// Writes the input of the network for `file` to `pixels`.
    fn read(&self, file: &ImageFile, steps: &Preprocessing, pixels: &mut [u8]) -> Result<()> {
        let path = self.root.join(&file.path);
        let refused = |reason: decode::Reason| {
            Error::new(Kind::Input, format!("the image cannot be used any more: {reason}")).at(&path)
        };
        let bytes = decode::read(&path).map_err(refused)?;
        if sha256(&bytes) != file.image_sha256 {
            return Err(refused(decode::Reason::ChangedDuringRun));
        }
        let image = decode::decode_stretched(&bytes, steps.stretch_16bit).map_err(refused)?;
        steps.planes(&image.pixels, pixels);
        Ok(())
    }
}

/// Reads `files` in batches and hands the inputs of each to `run`.
///
/// # Errors
/// [`Kind::Input`] for a file that changed, [`Kind::Interrupted`], errors of `run`.
pub(super) fn embed(
    images: &ChosenImages,
    files: &[ImageFile],
    label: &str,
    steps: &Preprocessing,
    monitor: &dyn Monitor,
    run: &mut dyn FnMut(&[u8], usize) -> Result<()>,
) -> Result<()> {
    let task = monitor.task(label, Some(files.len() as u64), Unit::Images);
    let one = steps.input_bytes();
    for batch in files.chunks(BATCH) {
        if monitor.is_interrupted() {
            return Err(Error::new(Kind::Interrupted, "interrupted before the backbone was written"));
        }
        let mut pixels = vec![0; one * batch.len()];
        for (file, pixels) in batch.iter().zip(pixels.chunks_exact_mut(one)) {
            images.read(file, steps, pixels)?;
        }
        run(&pixels, batch.len())?;
        task.advance(batch.len() as u64);
    }
    Ok(())
}
