//! Weights of classes in the loss.

use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;

/// How much the rows of each class count in the loss: a factor on their cross entropy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ClassWeights {
    /// Every class has the weight 1.
    #[default]
    #[serde(rename = "none")]
    Even,
    /// Each class has the weight `rows / (classes * rows of the class)`, so that every class has the same total weight
    /// (King and Zeng 2001; `balanced` in scikit-learn).
    #[serde(rename = "balanced")]
    Balanced,
    /// The weights of the named classes, 0 and up; all other classes have the weight 1.
    #[serde(rename = "given")]
    Given(BTreeMap<String, f64>),
}

impl ClassWeights {
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Given(weights) if !weights.values().all(|w| *w >= 0.0 && w.is_finite()) => {
                Err(Error::new(Kind::Usage, "`class_weights` must be numbers of at least 0"))
            }
            _ => Ok(()),
        }
    }

    /// Computes the weight of each of `classes`, in their order. `counts` holds the train rows of each class and decides
    /// how many weights there are.
    ///
    /// # Errors
    /// [`Kind::Usage`] if a weight is given for a class that is not among `classes`.
    pub fn per_class(&self, classes: &[String], counts: &[usize]) -> Result<Vec<f32>> {
        match self {
            Self::Even => Ok(vec![1.0; counts.len()]),
            Self::Balanced => {
                let total: usize = counts.iter().sum();
                let weight = |&n: &usize| total as f64 / (counts.len() * n.max(1)) as f64;
                Ok(counts.iter().map(|n| weight(n) as f32).collect())
            }
            Self::Given(weights) => match weights.keys().find(|name| !classes.contains(name)) {
                None => Ok(classes.iter().map(|name| weights.get(name).map_or(1.0, |w| *w as f32)).collect()),
                Some(name) => {
                    let message = format!("`class_weights` names {name:?}, which is not a class");
                    Err(Error::new(Kind::Usage, message)
                        .help(format!("the classes are {}", classes.join(", "))))
                }
            },
        }
    }
}

impl FromStr for ClassWeights {
    type Err = Error;

    /// Parses `none`, `balanced`, or weights such as `ant=2,bee=0.5`.
    fn from_str(text: &str) -> Result<Self> {
        let one = |pair: &str| {
            let (name, weight) = pair.rsplit_once('=')?;
            Some((name.to_string(), weight.parse().ok()?))
        };
        match text {
            "none" => Ok(Self::Even),
            "balanced" => Ok(Self::Balanced),
            _ => text.split(',').map(one).collect::<Option<_>>().map(Self::Given).ok_or_else(|| {
                Error::new(Kind::Usage, format!("{text:?} is not a list of class weights"))
                    .help("use none, balanced, or numbers such as ant=2,bee=0.5")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_classes_have_the_same_total_weight() {
        let names = ["a".to_string(), "b".into(), "c".into()];
        let counts = [10, 20, 70];
        let weights = ClassWeights::Balanced.per_class(&names, &counts).unwrap();
        for (weight, count) in weights.iter().zip(counts) {
            assert!((f64::from(*weight) * count as f64 - 100.0 / 3.0).abs() < 1e-4);
        }
        let given: ClassWeights = "b=2,c=0.5".parse().unwrap();
        assert_eq!(given.per_class(&names, &counts).unwrap(), [1.0, 2.0, 0.5]);
        let wrong: ClassWeights = "x=y=2".parse().unwrap();
        assert!(wrong.per_class(&names, &counts).unwrap_err().to_string().contains("\"x=y\""));
        assert!("heavy".parse::<ClassWeights>().is_err());
    }
}
