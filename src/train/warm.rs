//! The start from the head of another run. It refuses one of other features, one whose classes are gone, and one that
//! has seen images that are now held out.

use super::shelf::{Plan, Shelf};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::head::Head;
use crate::run::{self, TrainedHead};
use std::collections::HashSet;
use std::path::Path;

/// A head to start from, for classes that are numbered as its run numbers them.
#[derive(Debug, Clone)]
pub(crate) struct Warm {
    head: Head,
    classes: Vec<String>,
    /// All images that it has seen.
    pub seen: HashSet<Digest>,
}

impl Warm {
    /// Reads the head of the run `init` for use on a shelf.
    ///
    /// # Errors
    /// [`Kind::Run`] when there is none, its features are others, or one of its classes is not there.
    pub fn read(init: &Path, shelf: &Shelf) -> Result<Self> {
        let TrainedHead { head, classes, spec } = run::read_head(init)?;
        let differences = spec.differences(shelf.spec(), "in that run", "in this cache");
        if !differences.is_empty() || head.width() != shelf.spec().width {
            return Err(refused(init, format!("its features are others: {}", differences.join("; "))));
        }
        if classes.iter().any(|class| !shelf.classes.contains(class)) {
            let message = format!(
                "its classes are {}, not {} or some of them",
                classes.join(", "),
                shelf.classes.join(", ")
            );
            return Err(refused(init, message));
        }
        Ok(Self { head, classes, seen: run::read_trained_on(init)? })
    }

    /// Checks that it has seen no image that `plan` holds out.
    ///
    /// # Errors
    /// [`Kind::Run`] when it has.
    pub fn check(&self, init: &Path, plan: &Plan) -> Result<()> {
        let held_out: HashSet<Digest> =
            [&plan.validation, &plan.test].iter().flat_map(|part| part.images()).collect();
        match self.seen.iter().filter(|hash| held_out.contains(*hash)).count() {
            0 => Ok(()),
            leaked => {
                Err(refused(init, format!("{leaked} of its training images are now in validation or test")))
            }
        }
    }

    /// The head for all of `classes`: those that it does not know get fresh rows of `seed`.
    pub fn head(&self, classes: &[String], seed: u64) -> Head {
        let place =
            |class: &String| classes.iter().position(|known| known == class).expect("checked when read");
        let places: Vec<usize> = self.classes.iter().map(place).collect();
        self.head.extended(&places, Head::fresh(self.head.width(), classes.len(), seed))
    }
}

fn refused(init: &Path, message: String) -> Error {
    Error::new(Kind::Run, message).at(init).help("choose another --init, or none")
}
