//! Weights of classes in the loss.

use crate::data::dataset::which_classes;
use crate::error::{Error, Kind, Result, did_you_mean};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
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
    /// [`Kind::Usage`] if a weight is given for a class that is not among `classes`, or all weights are zero.
    pub fn per_class(&self, classes: &[String], counts: &[usize]) -> Result<Vec<f32>> {
        match self {
            Self::Even => Ok(vec![1.0; counts.len()]),
            Self::Balanced => {
                let total: usize = counts.iter().sum();
                let weight = |&n: &usize| total as f64 / (counts.len() * n.max(1)) as f64;
                Ok(counts.iter().map(|n| weight(n) as f32).collect())
            }
            Self::Given(weights) => match weights.keys().find(|name| !classes.contains(name)) {
                None => not_all_zero(
                    classes.iter().map(|name| weights.get(name).map_or(1.0, |w| *w as f32)).collect(),
                ),
                Some(name) => {
                    let message = format!("`class_weights` names {name:?}, which is not a class");
                    Err(Error::new(Kind::Usage, message).help(which_classes(name, classes)))
                }
            },
        }
    }
}

impl FromStr for ClassWeights {
    type Err = Error;

    /// Parses `none`, `balanced`, or weights such as `ant=2,bee=0.5`. A name with a comma is quoted, `"a, b"=2`, and a
    /// quotation mark in such a name is doubled.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => return Ok(Self::Even),
            "balanced" => return Ok(Self::Balanced),
            _ => {}
        }
        let (mut weights, mut rest) = (BTreeMap::new(), text);
        loop {
            let (name, weight, after) = first_weight(rest).ok_or_else(|| {
                let meant = did_you_mean(text, ["none", "balanced"]);
                Error::new(Kind::Usage, format!("{text:?} is not a list of class weights"))
                    .help(format!("{meant}use none, balanced, or numbers such as ant=2,bee=0.5; a name with a comma in quotation marks"))
            })?;
            if let Some(before) = weights.insert(name.clone(), weight) {
                let message = format!("{name:?} is named twice, with {before} and {weight}");
                return Err(Error::new(Kind::Usage, message).help("name each class once"));
            }
            match after {
                Some(after) => rest = after,
                None => return Ok(Self::Given(weights)),
            }
        }
    }
}

impl fmt::Display for ClassWeights {
    /// Writes what [`ClassWeights::from_str`] reads back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &str| match name.contains(',') || name.starts_with('"') {
            true => format!("\"{}\"", name.replace('"', "\"\"")),
            false => name.to_string(),
        };
        match self {
            Self::Even => f.write_str("none"),
            Self::Balanced => f.write_str("balanced"),
            Self::Given(weights) => {
                let each = weights.iter().map(|(name, weight)| format!("{}={weight}", quoted(name)));
                f.write_str(&each.collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// Splits the first name and weight off a list, and the list after the comma, if there is one.
fn first_weight(text: &str) -> Option<(String, f64, Option<&str>)> {
    let (name, rest) = match text.strip_prefix('"') {
        Some(quoted) => {
            // A doubled quotation mark is part of the name.
            let mut from = 0;
            let end = loop {
                let at = from + quoted[from..].find('"')?;
                match quoted[at + 1..].starts_with('"') {
                    true => from = at + 2,
                    false => break at,
                }
            };
            (quoted[..end].replace("\"\"", "\""), quoted[end + 1..].strip_prefix('=')?)
        }
        None => {
            let pair = text.split(',').next()?;
            let (name, weight) = pair.rsplit_once('=')?;
            (name.to_string(), &text[pair.len() - weight.len()..])
        }
    };
    let (weight, after) = rest.split_once(',').map_or((rest, None), |(weight, after)| (weight, Some(after)));
    Some((name, weight.parse().ok()?, after))
}

/// Refuses weights with which no row counts.
fn not_all_zero(weights: Vec<f32>) -> Result<Vec<f32>> {
    match weights.iter().any(|weight| *weight > 0.0) {
        true => Ok(weights),
        false => {
            Err(Error::new(Kind::Usage, "`class_weights` are zero for every class, so no image would count")
                .help("give one class or more a weight above 0"))
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

    #[test]
    fn any_class_can_be_named_and_each_once() {
        let names = ["a, b", "c=d", "\"e\"", "é", "none", "f\"g,\"", ""];
        let weights = (1..).zip(names).map(|(i, name)| (name.to_string(), f64::from(i)));
        let given = ClassWeights::Given(weights.collect());
        assert_eq!(given.to_string().parse::<ClassWeights>().unwrap(), given);
        let two: ClassWeights = "\"a, b\"=2,c=3".parse().unwrap();
        assert_eq!(two, ClassWeights::Given([("a, b".into(), 2.0), ("c".into(), 3.0)].into()));
        for bad in ["a=1,", "\"a=1", "\"a\"b=1", "\"a\"1", "=", ",a=1"] {
            assert!(bad.parse::<ClassWeights>().is_err(), "{bad}");
        }
        let twice = "a=1,b=2,a=3".parse::<ClassWeights>().unwrap_err();
        assert!(twice.to_string().contains("\"a\" is named twice"), "{twice}");
    }

    #[test]
    fn weights_that_are_all_zero_are_refused() {
        let names = ["a".to_string(), "b".into()];
        let some: ClassWeights = "a=0".parse().unwrap();
        assert_eq!(some.per_class(&names, &[1, 1]).unwrap(), [0.0, 1.0]);
        let none: ClassWeights = "a=0,b=0".parse().unwrap();
        assert!(none.per_class(&names, &[1, 1]).unwrap_err().to_string().contains("zero for every class"));
    }
}
