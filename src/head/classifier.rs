//! A fitted head that answers with labels: prediction for `linfa`, ranked labels, and its file.

use super::file;
use super::softmax_head::Head;
use crate::error::{Error, Kind, Result};
use crate::math::matrix::Probabilities;
use linfa::traits::PredictInplace;
use ndarray::{Array1, Array2, ArrayBase, Data, Ix2};
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

/// A fitted head with the label of each of its classes. It is what [`SoftmaxRegression`](super::SoftmaxRegression) fits,
/// and what the head of a run is read as.
///
/// ```
/// use headstart::head::linfa::{DatasetBase, traits::Fit};
/// use headstart::head::ndarray::array;
/// use headstart::head::{FitConfig, SoftmaxClassifier, SoftmaxRegression};
///
/// let features = array![[1.0f32, 0.0], [0.9, 0.2], [0.0, 1.0], [0.1, 0.8]];
/// let labels = array!["cat", "cat", "dog", "dog"].mapv(String::from);
/// let classifier = SoftmaxRegression::new(FitConfig::default()).fit(&DatasetBase::new(features, labels))?;
///
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("head.safetensors");
/// classifier.save(&path)?;
/// let opened = SoftmaxClassifier::<String>::open(&path)?;
/// let ranked = opened.ranked(&[0.2, 0.7]);
/// assert_eq!(ranked[0].label, "dog");
/// assert!(ranked[0].probability > 0.5);
/// # Ok::<(), headstart::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SoftmaxClassifier<C> {
    /// One label per class of the head.
    classes: Vec<C>,
    head: Head,
}

/// A label with its probability, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelProbability<'a, C> {
    /// The label.
    pub label: &'a C,
    /// Its probability.
    pub probability: f32,
}

impl<C> SoftmaxClassifier<C> {
    /// Joins a head with one label per class.
    pub(super) fn new(classes: Vec<C>, head: Head) -> Self {
        assert_eq!(classes.len(), head.classes(), "one label per class");
        Self { classes, head }
    }

    /// The labels, in the order of the head's classes.
    pub fn classes(&self) -> &[C] {
        &self.classes
    }

    /// The linear layer.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Computes the class probabilities of feature rows, `[rows, width]`, as `[rows, classes]` in the order of
    /// [`SoftmaxClassifier::classes`].
    ///
    /// # Panics
    /// If the rows have another width than the head.
    pub fn probabilities<D: Data<Elem = f32>>(&self, features: &ArrayBase<D, Ix2>) -> Array2<f32> {
        self.of_array(features).view().to_owned()
    }

    /// Returns all labels with their probabilities for one feature row, `[width]`, the most probable first. Equally
    /// probable labels keep the order of the classes.
    ///
    /// # Panics
    /// If the row has another width than the head.
    pub fn ranked(&self, features: &[f32]) -> Vec<LabelProbability<'_, C>> {
        assert_eq!(features.len(), self.head.width(), "as many features as the head was fitted to");
        let probabilities = self.head.probabilities(features);
        let pairs = self.classes.iter().zip(probabilities.row(0));
        let mut ranked: Vec<LabelProbability<C>> =
            pairs.map(|(label, &probability)| LabelProbability { label, probability }).collect();
        ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        ranked
    }

    fn of_array<D: Data<Elem = f32>>(&self, features: &ArrayBase<D, Ix2>) -> Probabilities {
        assert_eq!(features.ncols(), self.head.width(), "as many features as the head was fitted to");
        let features: Vec<f32> = features.iter().copied().collect();
        self.head.probabilities(&features)
    }
}

impl<C: Display> SoftmaxClassifier<C> {
    /// Writes the head and its labels as text to a `head.safetensors` file, atomically. The file names no spec of the
    /// features.
    ///
    /// # Errors
    /// [`Kind::Io`] if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let classes: Vec<String> = self.classes.iter().map(C::to_string).collect();
        file::save(path, &self.head, &classes, serde_json::Value::Null)
    }
}

impl<C: FromStr> SoftmaxClassifier<C> {
    /// Reads a `head.safetensors` file: one written by [`SoftmaxClassifier::save`], or that of a run.
    ///
    /// # Errors
    /// [`Kind::Io`] if the file cannot be read, [`Kind::Run`] if it is damaged, or a class name is not a label of type
    /// `C`.
    pub fn open(path: &Path) -> Result<Self> {
        let saved = file::load(path)?;
        if saved.is_multi_label {
            return Err(Error::new(Kind::Run, "a head of several labels a row, not of classes").at(path));
        }
        let parse = |name: &String| {
            let message = format!("the class name {name:?} is not a label of the requested type");
            name.parse().map_err(|_| Error::new(Kind::Run, message).at(path))
        };
        Ok(Self::new(saved.classes.iter().map(parse).collect::<Result<_>>()?, saved.head))
    }
}

impl<C: Clone, D: Data<Elem = f32>> PredictInplace<ArrayBase<D, Ix2>, Array1<C>> for SoftmaxClassifier<C> {
    fn predict_inplace<'a>(&'a self, x: &'a ArrayBase<D, Ix2>, y: &mut Array1<C>) {
        assert_eq!(x.nrows(), y.len(), "one target for each row");
        for (label, class) in y.iter_mut().zip(self.of_array(x).predicted()) {
            *label = self.classes[class].clone();
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<C> {
        Array1::from_elem(x.nrows(), self.classes[0].clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linfa::traits::Predict;
    use ndarray::array;

    /// The probability of label 30 grows with the first feature, that of 4 with the second.
    fn classifier() -> SoftmaxClassifier<u32> {
        let head = Head::from_parts(vec![0.0, 1.0, 0.0, 0.0, 1.0, 0.0], vec![0.0; 3]).unwrap();
        SoftmaxClassifier::new(vec![4, 7, 30], head)
    }

    #[test]
    fn labels_are_ranked_by_probability_and_equal_ones_by_class() {
        let classifier = classifier();
        let ranked = classifier.ranked(&[2.0, 0.0]);
        assert_eq!(ranked.iter().map(|r| *r.label).collect::<Vec<_>>(), [30, 4, 7]);
        assert!(ranked[0].probability > ranked[1].probability);
        assert_eq!(ranked[1].probability, ranked[2].probability);
        let rows = array![[2.0f32, 0.0], [0.0, 1.0]];
        let probabilities = classifier.probabilities(&rows);
        assert_eq!((probabilities.dim(), probabilities[[0, 2]]), ((2, 3), ranked[0].probability));
        assert_eq!(classifier.predict(&rows), array![30, 4]);
    }

    #[test]
    fn a_classifier_is_read_as_written_in_the_order_of_its_classes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head.safetensors");
        classifier().save(&path).unwrap();
        assert_eq!(SoftmaxClassifier::<u32>::open(&path).unwrap(), classifier());
        assert_eq!(SoftmaxClassifier::<String>::open(&path).unwrap().classes(), ["4", "7", "30"]);
        let error = SoftmaxClassifier::<bool>::open(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Run);
        assert!(error.to_string().contains("\"4\" is not a label"), "{error}");
    }

    #[test]
    #[should_panic(expected = "as many features as the head was fitted to")]
    fn a_row_of_another_width_is_not_ranked() {
        classifier().ranked(&[1.0, 0.0, 0.0, 1.0]);
    }
}
