//! Starting from the head of another run.

use super::split_rows::SplitRows;
use super::training_set::TrainingSet;
use crate::error::{Error, Kind, Result};
use crate::head::Head;
use crate::io::digest::Digest;
use crate::run::{StoredRun, TrainedHead};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The head of another run as a starting point, and the images that it was trained on.
#[derive(Debug, Clone)]
pub(crate) struct WarmStart {
    run: PathBuf,
    head: Head,
    /// For each class of that head, its index in the training set.
    class_indexes: Vec<usize>,
    /// Number of classes in the training set.
    classes: usize,
    images: HashSet<Digest>,
}

impl WarmStart {
    /// Reads the head of `run` for use with a training set.
    ///
    /// # Errors
    /// [`Kind::Run`] when there is no such run, or its features or one of its classes are not those of the training set.
    pub fn open(run: &Path, set: &TrainingSet) -> Result<Self> {
        let stored = StoredRun::open(run)?;
        let TrainedHead { head, classes, spec } = stored.head()?;
        let differences = spec.differences(set.spec(), "in that run", "in this cache");
        if !differences.is_empty() || head.width() != set.spec().width {
            return Err(unusable(run, format!("its features are others: {}", differences.join("; "))));
        }
        let index = |class: &String| set.classes().iter().position(|known| known == class);
        let Some(class_indexes) = classes.iter().map(index).collect() else {
            let message = format!(
                "its classes are {}, not {} or some of them",
                classes.join(", "),
                set.classes().join(", ")
            );
            return Err(unusable(run, message));
        };
        Ok(Self {
            run: run.to_path_buf(),
            head,
            class_indexes,
            classes: set.classes().len(),
            images: stored.trained_on()?,
        })
    }

    /// Checks that the head was not trained on any image that is now in validation or test.
    ///
    /// # Errors
    /// [`Kind::Run`] when it was.
    pub fn check(&self, splits: &SplitRows) -> Result<()> {
        let held_out: HashSet<Digest> = splits.validation.images().chain(splits.test.images()).collect();
        match self.images.iter().filter(|image| held_out.contains(*image)).count() {
            0 => Ok(()),
            leaked => {
                let message = format!("{leaked} of its training images are now in validation or test");
                Err(unusable(&self.run, message))
            }
        }
    }

    /// The head for all classes of the training set. Classes that it does not know get fresh weights of `seed`.
    pub fn head(&self, seed: u64) -> Head {
        let (width, units) = (self.head.width(), self.head.hidden_units());
        self.head.extended(&self.class_indexes, Head::with_hidden(width, units, self.classes, seed))
    }

    /// All images that the head was trained on, in its own run or in those that it started from.
    pub fn images(&self) -> &HashSet<Digest> {
        &self.images
    }
}

fn unusable(run: &Path, message: String) -> Error {
    Error::new(Kind::Run, message).at(run).help("choose another run for `init`, or leave it out")
}
