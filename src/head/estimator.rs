//! The softmax head as an estimator of `linfa`: `Fit` and `Predict` over its data sets, with checked parameters. One of
//! the two doors to `linfa`; the other is `lbfgs.rs`, whose crate speaks its types.

use super::config::{FitConfig, FitParams};
use super::fit::{Job, Rows, fit};
use super::kernel::Example;
use super::{Head, argmax};
use crate::error::{Error, Kind, Result};
use crate::matrix::Matrix;
use linfa::dataset::{AsSingleTargets, DatasetBase};
use linfa::param_guard::ParamGuard;
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, ArrayBase, Data, Ix2};

/// Softmax regression with Adam, its settings not checked yet: `fit` checks them first.
///
/// ```
/// use headstart::head::{FitConfig, SoftmaxRegression};
/// use linfa::DatasetBase;
/// use linfa::traits::{Fit, Predict};
/// use ndarray::array;
///
/// let features = array![[1.0f32, 0.0], [0.9, 0.2], [0.0, 1.0], [0.1, 0.8]];
/// let data = DatasetBase::new(features, array!["cat", "cat", "dog", "dog"]);
/// let settings = FitConfig { epochs: 50, batch: 2, lr: 0.1, ..FitConfig::default() };
/// let classifier = SoftmaxRegression::new(settings).fit(&data)?;
/// assert_eq!(classifier.predict(&array![[0.2f32, 0.7]]), array!["dog"]);
/// # Ok::<(), headstart::error::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SoftmaxRegression(FitParams);

/// A fitted head that answers with labels.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftmaxClassifier<C> {
    classes: Vec<C>,
    head: Head,
}

impl SoftmaxRegression {
    /// With these settings. What is about stopping plays no part in `fit`, which sees no validation rows: it runs all
    /// epochs and keeps the last.
    pub fn new(config: FitConfig) -> Self {
        Self(FitParams::unchecked(config))
    }
}

impl ParamGuard for SoftmaxRegression {
    type Checked = FitParams;
    type Error = Error;

    fn check_ref(&self) -> Result<&FitParams> {
        self.0.settings().clone().check().map(|_| &self.0)
    }

    fn check(self) -> Result<FitParams> {
        self.0.settings().clone().check()
    }
}

impl From<linfa::Error> for Error {
    fn from(error: linfa::Error) -> Self {
        Self::new(Kind::Input, "linfa failed").because(error)
    }
}

impl<C, D, T> Fit<ArrayBase<D, Ix2>, T, Error> for FitParams
where
    C: Ord + Clone,
    D: Data<Elem = f32>,
    T: AsSingleTargets<Elem = C>,
{
    type Object = SoftmaxClassifier<C>;

    /// Fits to all rows for all epochs. Records are `[rows, width]`, targets one label a row; the classes are the
    /// distinct labels in their order.
    fn fit(&self, data: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Self::Object> {
        let classes = classes(data);
        let (features, examples) = rows(data, &classes)?;
        let train = Rows { features: &features, examples: &examples };
        let head =
            fit(self.job(classes.len(), &examples)?, train, None, crate::threads::number(0), &mut |_, _| {})?
                .head;
        Ok(SoftmaxClassifier { classes, head })
    }
}

impl FitParams {
    /// Fits to `train` and stops early on the loss of `validation`, whose labels must occur in `train`.
    ///
    /// # Errors
    /// [`Kind::Input`] for shapes that do not fit or unknown labels, [`Kind::Run`] when a loss is not a number.
    pub fn fit_until<C, D, T>(
        &self,
        train: &DatasetBase<ArrayBase<D, Ix2>, T>,
        validation: &DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<SoftmaxClassifier<C>>
    where
        C: Ord + Clone,
        D: Data<Elem = f32>,
        T: AsSingleTargets<Elem = C>,
    {
        let classes = classes(train);
        let (features, examples) = rows(train, &classes)?;
        let (held_out, expected) = rows(validation, &classes)?;
        if train.records().ncols() != validation.records().ncols() {
            return Err(Error::new(Kind::Input, "train and validation rows have different widths"));
        }
        let train = Rows { features: &features, examples: &examples };
        let validation = Rows { features: &held_out, examples: &expected };
        let job = self.job(classes.len(), &examples)?;
        let head = fit(job, train, Some(validation), crate::threads::number(0), &mut |_, _| {})?.head;
        Ok(SoftmaxClassifier { classes, head })
    }

    /// A fresh head of `classes` classes for these rows. Weights of classes by name have no meaning here, where classes
    /// are of any type.
    fn job(&self, classes: usize, examples: &[Example]) -> Result<Job> {
        let mut counts = vec![0; classes];
        examples.iter().for_each(|example| counts[example.target as usize] += 1);
        let factors = self.settings().class_weights.factors(&[], &counts)?;
        Ok(Job { start: None, params: self.clone(), factors })
    }
}

fn classes<R, C: Ord + Clone, T: AsSingleTargets<Elem = C>>(data: &DatasetBase<R, T>) -> Vec<C>
where
    R: linfa::dataset::Records,
{
    let mut classes = data.targets().as_single_targets().to_vec();
    classes.sort();
    classes.dedup();
    classes
}

/// The features, and the index of each row's label.
fn rows<C, D, T>(data: &DatasetBase<ArrayBase<D, Ix2>, T>, classes: &[C]) -> Result<(Matrix, Vec<Example>)>
where
    C: Ord + Clone,
    D: Data<Elem = f32>,
    T: AsSingleTargets<Elem = C>,
{
    let labels = data.targets().as_single_targets();
    let (rows, targets) = (data.records().nrows(), labels.len());
    if rows != targets {
        return Err(Error::new(Kind::Input, format!("there are {rows} rows and {targets} labels")));
    }
    let unknown = || Error::new(Kind::Input, "a label of the validation rows is none of the train rows");
    let example = |(row, label): (usize, &C)| {
        let target = classes.binary_search(label).map_err(|_| unknown())? as u32;
        Ok(Example { row: row as u32, target })
    };
    let values: Vec<f32> = data.records().iter().copied().collect();
    let features = Matrix::from_rows(data.records().ncols(), &values);
    Ok((features, labels.iter().enumerate().map(example).collect::<Result<_>>()?))
}

impl<C> SoftmaxClassifier<C> {
    /// The labels, in the order of the head's classes.
    pub fn classes(&self) -> &[C] {
        &self.classes
    }

    /// The linear layer.
    pub fn head(&self) -> &Head {
        &self.head
    }
}

impl<C: Clone, D: Data<Elem = f32>> PredictInplace<ArrayBase<D, Ix2>, Array1<C>> for SoftmaxClassifier<C> {
    fn predict_inplace<'a>(&'a self, x: &'a ArrayBase<D, Ix2>, y: &mut Array1<C>) {
        assert_eq!(x.ncols(), self.head.width(), "as many features as the head was fitted to");
        assert_eq!(x.nrows(), y.len(), "one target for each row");
        let features: Vec<f32> = x.iter().copied().collect();
        for (label, row) in y.iter_mut().zip(self.head.probabilities(&features)) {
            *label = self.classes[argmax(&row)].clone();
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
    use ndarray::{Array2, array};

    fn data() -> DatasetBase<Array2<f32>, Array1<&'static str>> {
        let rows = array![[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [0.2, 1.1], [1.2, 0.2], [0.1, 0.7]];
        DatasetBase::new(rows, array!["z", "a", "z", "a", "z", "a"])
    }

    fn settings() -> FitConfig {
        FitConfig { lr: 0.1, batch: 3, epochs: 60, patience: 5, seed: 2, ..FitConfig::default() }
    }

    #[test]
    fn it_fits_and_predicts_labels_of_any_kind() {
        let classifier = SoftmaxRegression::new(settings()).fit(&data()).unwrap();
        assert_eq!(classifier.classes(), ["a", "z"]);
        assert_eq!(classifier.predict(data().records()), *data().targets());
        let again = SoftmaxRegression::new(settings()).fit(&data()).unwrap();
        assert_eq!(again, classifier);
    }

    #[test]
    fn with_validation_rows_it_equals_the_fit_that_stops_early() {
        let params = settings().check().unwrap();
        let classifier = params.fit_until(&data(), &data()).unwrap();
        let (features, examples) = rows(&data(), classifier.classes()).unwrap();
        let own = Rows { features: &features, examples: &examples };
        let job = Job { start: Some(Head::fresh(2, 2, 2)), params, factors: vec![1.0; 2] };
        let fitted = fit(job, own, Some(own), 1, &mut |_, _| {}).unwrap();
        assert_eq!(*classifier.head(), fitted.head);
    }

    #[test]
    #[should_panic(expected = "as many features as the head was fitted to")]
    fn rows_of_another_width_are_not_cut_into_pieces() {
        SoftmaxRegression::new(settings()).fit(&data()).unwrap().predict(&array![[1.0f32, 0.0, 0.0, 1.0]]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bad = SoftmaxRegression::new(FitConfig { lr: -1.0, ..settings() });
        assert!(bad.fit(&data()).unwrap_err().to_string().contains("--lr"));
        let one = DatasetBase::new(array![[1.0f32], [2.0]], array![7]);
        let error = SoftmaxRegression::new(settings()).fit(&one).unwrap_err();
        assert!(error.to_string().contains("2 rows and 1 labels"), "{error}");
        let nan = DatasetBase::new(array![[f32::NAN], [2.0]], array![0, 1]);
        assert!(
            SoftmaxRegression::new(settings()).fit(&nan).unwrap_err().to_string().contains("not a number")
        );
        let other = DatasetBase::new(data().records().clone(), array!["z", "a", "z", "a", "z", "b"]);
        assert!(settings().check().unwrap().fit_until(&data(), &other).is_err());
    }
}
