//! The settings of L-BFGS: as given, with their ranges, and checked.

use crate::error::{Error, Kind, Result};
use crate::head::class_weights::ClassWeights;
use serde::{Deserialize, Serialize};

/// Settings of L-BFGS, not checked yet.
///
/// | field | default | range |
/// |---|---|---|
/// | `l2` | none: it must be given (the `Default` of 0 fails the check) | above 0 |
/// | `iterations` | 1000 | 1 and up |
/// | `label_smoothing` | 0 | 0 up to, not including, 1 |
/// | `class_weights` | none | none, balanced, or a number of at least 0 for some classes |
/// | `standardize` | no | yes, no |
/// | `allow_unconverged` | no | yes, no |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LbfgsConfig {
    /// L2 penalty: the loss is mean cross entropy + l2/2 times the squared weights, without the bias. Without a penalty
    /// separable classes have no optimum. In scikit-learn's terms `C` is 1 / (rows l2).
    pub l2: f64,
    /// Maximum number of iterations.
    pub iterations: usize,
    /// The share of each target that is spread evenly over all classes (Szegedy et al. 2016, section 7).
    pub label_smoothing: f64,
    /// How much the rows of each class count in the loss.
    pub class_weights: ClassWeights,
    /// Whether features are scaled to mean 0 and standard deviation 1 over the train rows. The penalty is then on the
    /// weights of the scaled features. The scaling is folded into the head, which takes features as they are.
    pub standardize: bool,
    /// Whether a search that ends before the optimum gives a head, which is marked, instead of an error.
    pub allow_unconverged: bool,
}

/// Checked settings of L-BFGS.
#[derive(Debug, Clone)]
pub struct LbfgsParams(LbfgsConfig);

impl Default for LbfgsConfig {
    fn default() -> Self {
        Self {
            l2: 0.0,
            iterations: 1000,
            label_smoothing: 0.0,
            class_weights: ClassWeights::Even,
            standardize: false,
            allow_unconverged: false,
        }
    }
}

impl LbfgsConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Kind::Usage`] if a value is out of range; the message names the field.
    pub fn check(self) -> Result<LbfgsParams> {
        check_penalty(self.l2, self.iterations)?;
        match (0.0..1.0).contains(&self.label_smoothing) {
            true => self.class_weights.check().map(|()| LbfgsParams(self)),
            false => Err(Error::new(
                Kind::Usage,
                "`label_smoothing` must be a number of at least 0 and less than 1",
            )),
        }
    }
}

impl LbfgsParams {
    /// The settings.
    pub fn settings(&self) -> &LbfgsConfig {
        &self.0
    }
}

/// Checks penalty and limit of iterations, which all L-BFGS solvers have.
pub(in crate::head) fn check_penalty(l2: f64, iterations: usize) -> Result<()> {
    if !(l2 > 0.0 && l2.is_finite()) {
        return Err(Error::new(Kind::Usage, "the L-BFGS solver needs `l2` above 0").help(
            "without a penalty the weights of separable classes grow without bound; try an `l2` of 0.0001",
        ));
    }
    match iterations {
        0 => Err(Error::new(Kind::Usage, "`iterations` must be at least 1")),
        _ => Ok(()),
    }
}
