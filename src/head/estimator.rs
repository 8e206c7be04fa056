//! The softmax head as an estimator of `linfa`: `Fit` and `Predict` over its data sets, with checked parameters. One of
//! the two doors to `linfa`; the other is `lbfgs.rs`, whose crate speaks its types.

use super::fit::{FitConfig, FitParams, Rows, fit, fit_all_epochs};
use super::{Head, argmax};
use crate::error::{Error, Kind, Result};
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
#[derive(Debug, Clone, Copy)]
pub struct SoftmaxRegression(FitParams);

/// A fitted head that answers with labels.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftmaxClassifier<C> {
    classes: Vec<C>,
    head: Head,
}

impl SoftmaxRegression {
    /// With these settings. `patience` plays no part in `fit`, which sees no validation rows: it runs all epochs.
    pub fn new(config: FitConfig) -> Self {
        Self(FitParams::unchecked(config))
    }
}

impl ParamGuard for SoftmaxRegression {
    type Checked = FitParams;
    type Error = Error;

    fn check_ref(&self) -> Result<&FitParams> {
        self.0.settings().check().map(|_| &self.0)
    }

    fn check(self) -> Result<FitParams> {
        self.0.settings().check()
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
        let (features, targets) = rows(data, &classes)?;
        let head = Head::fresh(data.records().ncols(), classes.len(), self.settings().seed);
        let head = fit_all_epochs(head, Rows { features: &features, targets: &targets }, *self)?;
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
        let (features, targets) = rows(train, &classes)?;
        let (held_out, expected) = rows(validation, &classes)?;
        if train.records().ncols() != validation.records().ncols() {
            return Err(Error::new(Kind::Input, "train and validation rows have different widths"));
        }
        let head = Head::fresh(train.records().ncols(), classes.len(), self.settings().seed);
        let train = Rows { features: &features, targets: &targets };
        let validation = Rows { features: &held_out, targets: &expected };
        let head = fit(head, train, validation, *self, &mut |_| {})?.head;
        Ok(SoftmaxClassifier { classes, head })
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

/// Features row after row, and the index of each row's label.
fn rows<C, D, T>(data: &DatasetBase<ArrayBase<D, Ix2>, T>, classes: &[C]) -> Result<(Vec<f32>, Vec<usize>)>
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
    let index = |label: &C| classes.binary_search(label).map_err(|_| unknown());
    Ok((data.records().iter().copied().collect(), labels.iter().map(index).collect::<Result<_>>()?))
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

    const SETTINGS: FitConfig = FitConfig { lr: 0.1, batch: 3, epochs: 60, patience: 5, l2: 0.0, seed: 2 };

    #[test]
    fn it_fits_and_predicts_labels_of_any_kind() {
        let classifier = SoftmaxRegression::new(SETTINGS).fit(&data()).unwrap();
        assert_eq!(classifier.classes(), ["a", "z"]);
        assert_eq!(classifier.predict(data().records()), *data().targets());
        let again = SoftmaxRegression::new(SETTINGS).fit(&data()).unwrap();
        assert_eq!(again, classifier);
    }

    #[test]
    fn with_validation_rows_it_equals_the_fit_that_stops_early() {
        let params = SETTINGS.check().unwrap();
        let classifier = params.fit_until(&data(), &data()).unwrap();
        let (features, targets) = rows(&data(), classifier.classes()).unwrap();
        let own = Rows { features: &features, targets: &targets };
        let fitted = fit(Head::fresh(2, 2, 2), own, own, params, &mut |_| {}).unwrap();
        assert_eq!(*classifier.head(), fitted.head);
    }

    #[test]
    #[should_panic(expected = "as many features as the head was fitted to")]
    fn rows_of_another_width_are_not_cut_into_pieces() {
        SoftmaxRegression::new(SETTINGS).fit(&data()).unwrap().predict(&array![[1.0f32, 0.0, 0.0, 1.0]]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bad = SoftmaxRegression::new(FitConfig { lr: -1.0, ..SETTINGS });
        assert!(bad.fit(&data()).unwrap_err().to_string().contains("--lr"));
        let one = DatasetBase::new(array![[1.0f32], [2.0]], array![7]);
        let error = SoftmaxRegression::new(SETTINGS).fit(&one).unwrap_err();
        assert!(error.to_string().contains("2 rows and 1 labels"), "{error}");
        let nan = DatasetBase::new(array![[f32::NAN], [2.0]], array![0, 1]);
        assert!(SoftmaxRegression::new(SETTINGS).fit(&nan).unwrap_err().to_string().contains("not a number"));
        let other = DatasetBase::new(data().records().clone(), array!["z", "a", "z", "a", "z", "b"]);
        assert!(SETTINGS.check().unwrap().fit_until(&data(), &other).is_err());
    }
}
