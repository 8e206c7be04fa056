//! Named arrays of floats, as every reader of a weights file returns them.

use crate::error::{Error, Kind, Result};
use std::collections::BTreeMap;

/// Values in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Dimensions, whose product is the number of values.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Vec<f32>,
}

/// The content of a weights file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tensors {
    floats: BTreeMap<String, Tensor>,
    /// Names of tensors of another type, and what that is.
    others: BTreeMap<String, String>,
}

impl Tensors {
    /// Adds a tensor.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when its shape is not that of its values, or a tensor of this name is there.
    pub fn insert(&mut self, name: String, shape: Vec<usize>, values: Vec<f32>) -> Result<()> {
        if count(&shape) != Some(values.len()) {
            return Err(fail(format!("{name} has the shape {shape:?} but {} values", values.len())));
        }
        if self.contains(&name) {
            return Err(fail(format!("it holds {name} twice")));
        }
        self.floats.insert(name, Tensor { shape, values });
        Ok(())
    }

    /// Notes that the tensor `name` is stored as `kind`, which is not a 32-bit float.
    pub fn insert_other(&mut self, name: String, kind: impl Into<String>) {
        self.others.insert(name, kind.into());
    }

    /// Whether a tensor is called `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.floats.contains_key(name) || self.others.contains_key(name)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.others.is_empty()
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.floats.keys().chain(self.others.keys()).map(String::as_str)
    }

    /// Removes the tensor `name` and returns its values.
    ///
    /// # Errors
    /// [`Kind::Backbone`], naming the tensor, when it is missing, is of another type or shape, or holds a value that is no
    /// number.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        if let Some(kind) = self.others.get(name) {
            return Err(fail(format!("{name} is stored as {kind}, not as 32-bit floats")));
        }
        let tensor = self.floats.remove(name).ok_or_else(|| fail(format!("it holds no {name}")))?;
        if tensor.shape != shape {
            return Err(fail(format!("{name} has the shape {:?}, not {shape:?}", tensor.shape)));
        }
        if !tensor.values.iter().all(|value| value.is_finite()) {
            return Err(fail(format!("{name} holds values that are no numbers")));
        }
        Ok(tensor.values)
    }

    /// Renames each tensor; `None` leaves it out.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when two get the same name.
    pub fn renamed(self, rename: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut renamed = Self::default();
        for (name, tensor) in self.floats {
            if let Some(name) = rename(&name) {
                renamed.insert(name, tensor.shape, tensor.values)?;
            }
        }
        for (name, kind) in self.others {
            if let Some(name) = rename(&name) {
                renamed.insert_other(name, kind);
            }
        }
        Ok(renamed)
    }
}

/// The number of values of a shape; `None` when it is beyond all numbers.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side))
}

/// Decodes little-endian floats.
pub(super) fn from_le_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// A file that cannot be used, and why.
pub(super) fn fail(why: impl Into<String>) -> Error {
    Error::new(Kind::Backbone, format!("not usable weights: {}", why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_misshapen_or_no_number_is_refused_by_name() {
        let mut tensors = Tensors::default();
        tensors.insert("a".into(), vec![2, 1], vec![1.0, 2.0]).unwrap();
        tensors.insert("nan".into(), vec![1], vec![f32::NAN]).unwrap();
        tensors.insert_other("half".into(), "float16");
        let message = |result: Result<Vec<f32>>| result.unwrap_err().to_string();
        assert!(message(tensors.take("b", &[1])).contains("it holds no b"));
        assert!(message(tensors.take("nan", &[1])).contains("nan holds values"));
        assert!(message(tensors.take("half", &[1])).contains("half is stored as float16"));
        assert!(message(tensors.clone().take("a", &[2])).contains("a has the shape [2, 1], not [2]"));
        assert!(tensors.insert("a".into(), vec![1], vec![1.0]).is_err());
        assert!(tensors.insert("c".into(), vec![usize::MAX, 2], vec![]).is_err());
        assert_eq!(tensors.take("a", &[2, 1]).unwrap(), [1.0, 2.0]);
    }
}
