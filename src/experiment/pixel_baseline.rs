//! A baseline that sees pixels and no features: logistic regression on principal components of small grey images. This is
//! the one place behind the cache that opens an image.

use super::answers::correct;
use super::plan::PixelSettings;
use crate::data::decode::{self, Reason};
use crate::data::pixels::Pixels;
use crate::data::preprocess::{centre_crop, resize_bilinear};
use crate::error::{Error, Kind, Result};
use crate::head::{self, Example, LabelledFeatures, LbfgsConfig, LbfgsJob, Precision, principal_components};
use crate::io::digest::{Digest, sha256};
use crate::math::matrix::Matrix;
use crate::math::parallel::in_parallel;
use crate::train::TrainingSet;
use crate::train::split_rows::{RowSelection, SplitRows};
use std::collections::HashMap;
use std::path::Path;

/// Small grey images of all distinct images.
#[derive(Debug)]
pub(super) struct GreyImages {
    settings: PixelSettings,
    /// `[images, width * height]`, values from 0 to 1.
    values: Matrix,
    row_of: HashMap<Digest, u32>,
    /// Number of classes.
    classes: usize,
}

impl GreyImages {
    /// Reads every image of a split from the folder `images`.
    ///
    /// # Errors
    /// [`Kind::Input`] when an image cannot be read, or has changed since its features were extracted.
    pub fn read(
        set: &TrainingSet,
        splits: &SplitRows,
        images: &Path,
        settings: PixelSettings,
        threads: usize,
    ) -> Result<Self> {
        let parts = [&splits.train, &splits.validation, &splits.test];
        let digests: Vec<Digest> = parts.iter().flat_map(|rows| rows.images()).collect();
        let rows = in_parallel(threads, &digests, |digest| {
            let path = images.join(set.path_of(digest));
            let refused = |reason: Reason| Error::new(Kind::Input, reason).at(&path);
            let bytes = decode::read(&path).map_err(refused)?;
            if sha256(&bytes) != *digest {
                return Err(refused("it has changed since its features were extracted".into())
                    .help("run the same command again"));
            }
            decode::decode(&bytes).map_err(refused).map(|image| grey(&image, settings))
        })?;
        Ok(Self {
            settings,
            values: Matrix::from_rows(settings.size[0] * settings.size[1], &rows.concat()),
            row_of: digests.into_iter().zip(0..).collect(),
            classes: set.classes().len(),
        })
    }

    /// Fits the baseline to the train images of `splits`. Returns for each test image whether it is answered correctly, in
    /// the order of keys.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there are fewer train images or pixels than components, [`Kind::Run`] when a search fails.
    pub fn correct_on_test(&self, splits: &SplitRows) -> Result<Vec<bool>> {
        let [train, test] = [&splits.train, &splits.test].map(|rows| self.examples(rows));
        let features = LabelledFeatures { features: &self.values, examples: &train };
        let projected: Matrix = principal_components(features, self.settings.components, 1)?;
        let rows = |examples| LabelledFeatures { features: &projected, examples };
        let params = LbfgsConfig { l2: self.settings.l2, ..LbfgsConfig::default() }.check()?;
        let class_weights = vec![1.0; self.classes];
        let job = LbfgsJob {
            params: &params,
            class_weights: &class_weights,
            start: None,
            precision: Precision::Optimum,
            threads: 1,
        };
        let found = head::fit_lbfgs(job, rows(&train))?;
        Ok(correct(&found.fitted.head, rows(&test)))
    }

    fn examples(&self, selection: &RowSelection) -> Vec<Example> {
        let rows = selection.keys.iter().zip(&selection.targets);
        rows.map(|(key, &target)| Example { row: self.row_of[&key.image_sha256], target }).collect()
    }
}

/// The centre crop of an image, resized, as grey values from 0 to 1 (the luma of ITU-R BT.601).
fn grey(image: &Pixels, settings: PixelSettings) -> Vec<f32> {
    let [width, height] = settings.size;
    let resized = resize_bilinear(&centre_crop(image, settings.crop), width, height);
    let luma = |pixel: &[u8]| {
        let [red, green, blue] = [0, 1, 2].map(|channel| f32::from(pixel[channel]));
        (0.299 * red + 0.587 * green + 0.114 * blue) / 255.0
    };
    resized.data().chunks_exact(3).map(luma).collect()
}
