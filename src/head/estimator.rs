//! The softmax head as an estimator of `linfa`: `Fit` over its data sets, with checked parameters.

use super::class_weights::ClassWeights;
use super::classifier::SoftmaxClassifier;
use super::config::{FitConfig, FitParams};
use super::fit::{FitJob, fit};
use super::labelled_features::{Example, LabelledFeatures};
use crate::error::{Error, Kind, Result};
use crate::math::matrix::Matrix;
use crate::math::parallel;
use linfa::dataset::{AsSingleTargets, DatasetBase, Records};
use linfa::param_guard::ParamGuard;
use linfa::traits::Fit;
use ndarray::{ArrayBase, Data, Ix2};

/// Softmax regression with Adam. Its settings are checked by `fit`.
///
/// ```
/// use headstart::head::linfa::DatasetBase;
/// use headstart::head::linfa::traits::{Fit, Predict};
/// use headstart::head::ndarray::array;
/// use headstart::head::{FitConfig, SoftmaxRegression};
///
/// let features = array![[1.0f32, 0.0], [0.9, 0.2], [0.0, 1.0], [0.1, 0.8]];
/// let data = DatasetBase::new(features, array!["cat", "cat", "dog", "dog"]);
/// let mut settings = FitConfig::default();
/// (settings.lr, settings.epochs, settings.batch) = (0.1, 50, 2);
/// let classifier = SoftmaxRegression::new(settings).fit(&data)?;
/// assert_eq!(classifier.predict(&array![[0.2f32, 0.7]]), array!["dog"]);
/// # Ok::<(), headstart::error::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SoftmaxRegression(FitParams);

impl SoftmaxRegression {
    /// Creates an estimator with these settings. `fit` has no validation rows, so it runs all epochs and keeps the last;
    /// the settings of early stopping have no effect. [`FitParams::fit_until`] uses them.
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

    /// Fits to all rows for all epochs. Records are `[rows, width]` features, targets one label per row. The classes are
    /// the distinct labels, sorted.
    fn fit(&self, data: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Self::Object> {
        self.fit_rows(Training::of(data)?, None)
    }
}

impl FitParams {
    /// Fits to `train` with early stopping on `validation`, whose labels must occur in `train`. Records are
    /// `[rows, width]` features, targets one label per row.
    ///
    /// # Errors
    /// [`Kind::Input`] if the shapes do not fit together or a label of `validation` does not occur in `train`;
    /// [`Kind::Usage`] if class weights are given by name, which only a cache's classes have; [`Kind::Run`] if there are
    /// no rows or a loss is not finite.
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
        if train.records().ncols() != validation.records().ncols() {
            return Err(Error::new(Kind::Input, "train and validation rows have different widths"));
        }
        let train = Training::of(train)?;
        let validation = OwnedRows::of(validation, &train.classes)?;
        self.fit_rows(train, Some(&validation))
    }

    fn fit_rows<C>(
        &self,
        train: Training<C>,
        validation: Option<&OwnedRows>,
    ) -> Result<SoftmaxClassifier<C>> {
        let mut counts = vec![0; train.classes.len()];
        train.rows.examples.iter().for_each(|example| counts[example.target as usize] += 1);
        if let ClassWeights::Given(_) = self.settings().class_weights {
            return Err(Error::new(Kind::Usage, "`class_weights` by name need the classes of a cache")
                .help("use none or balanced"));
        }
        let class_weights = self.settings().class_weights.per_class(&[], &counts)?;
        let job = FitJob { start: None, params: self.clone(), class_weights };
        let validation = validation.map(OwnedRows::borrowed);
        let fitted = fit(job, train.rows.borrowed(), validation, parallel::thread_count(0), &mut |_, _| {})?;
        Ok(SoftmaxClassifier::new(train.classes, fitted.head))
    }
}

/// Train rows with the labels of their classes.
struct Training<C> {
    classes: Vec<C>,
    rows: OwnedRows,
}

/// Labelled rows that own their features.
struct OwnedRows {
    features: Matrix,
    examples: Vec<Example>,
}

impl<C: Ord + Clone> Training<C> {
    fn of<D, T>(data: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Self>
    where
        D: Data<Elem = f32>,
        T: AsSingleTargets<Elem = C>,
    {
        let classes = classes(data);
        let rows = OwnedRows::of(data, &classes)?;
        Ok(Self { classes, rows })
    }
}

impl OwnedRows {
    /// Copies the features, and looks up the class index of each row's label.
    fn of<C, D, T>(data: &DatasetBase<ArrayBase<D, Ix2>, T>, classes: &[C]) -> Result<Self>
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
        let unknown =
            || Error::new(Kind::Input, "a label of the validation rows does not occur in the train rows");
        let example = |(row, label): (usize, &C)| {
            let target = classes.binary_search(label).map_err(|_| unknown())? as u32;
            Ok(Example { row: row as u32, target })
        };
        let values: Vec<f32> = data.records().iter().copied().collect();
        let features = Matrix::from_rows(data.records().ncols(), &values);
        Ok(Self { features, examples: labels.iter().enumerate().map(example).collect::<Result<_>>()? })
    }

    fn borrowed(&self) -> LabelledFeatures<'_> {
        LabelledFeatures { features: &self.features, examples: &self.examples }
    }
}

/// The distinct labels, sorted.
fn classes<R: Records, C: Ord + Clone, T: AsSingleTargets<Elem = C>>(data: &DatasetBase<R, T>) -> Vec<C> {
    let mut classes = data.targets().as_single_targets().to_vec();
    classes.sort();
    classes.dedup();
    classes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Head;
    use linfa::traits::Predict;
    use ndarray::{Array1, Array2, array};

    fn data() -> DatasetBase<Array2<f32>, Array1<&'static str>> {
        let rows = array![[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [0.2, 1.1], [1.2, 0.2], [0.1, 0.7]];
        DatasetBase::new(rows, array!["z", "a", "z", "a", "z", "a"])
    }

    fn settings() -> FitConfig {
        FitConfig { lr: 0.1, batch: 3, epochs: 60, patience: 5, seed: 2, ..FitConfig::default() }
    }

    #[test]
    fn an_estimator_fits_and_predicts_labels_of_any_type() {
        let classifier = SoftmaxRegression::new(settings()).fit(&data()).unwrap();
        assert_eq!(classifier.classes(), ["a", "z"]);
        assert_eq!(classifier.predict(data().records()), *data().targets());
        let again = SoftmaxRegression::new(settings()).fit(&data()).unwrap();
        assert_eq!(again, classifier);
    }

    #[test]
    fn with_validation_rows_an_estimator_equals_the_fit_that_stops_early() {
        let params = settings().check().unwrap();
        let classifier = params.fit_until(&data(), &data()).unwrap();
        let rows = OwnedRows::of(&data(), classifier.classes()).unwrap();
        let own = rows.borrowed();
        let job = FitJob { start: Some(Head::fresh(2, 2, 2)), params, class_weights: vec![1.0; 2] };
        let fitted = fit(job, own, Some(own), 1, &mut |_, _| {}).unwrap();
        assert_eq!(*classifier.head(), fitted.head);
    }

    #[test]
    #[should_panic(expected = "as many features as the head was fitted to")]
    fn rows_of_another_width_are_not_cut_into_pieces() {
        SoftmaxRegression::new(settings()).fit(&data()).unwrap().predict(&array![[1.0f32, 0.0, 0.0, 1.0]]);
    }

    #[test]
    fn data_that_do_not_fit_together_are_an_error() {
        let bad = SoftmaxRegression::new(FitConfig { lr: -1.0, ..settings() });
        assert!(bad.fit(&data()).unwrap_err().to_string().contains("`lr`"));
        let one = DatasetBase::new(array![[1.0f32], [2.0]], array![7]);
        let error = SoftmaxRegression::new(settings()).fit(&one).unwrap_err();
        assert!(error.to_string().contains("2 rows and 1 labels"), "{error}");
        let nan = DatasetBase::new(array![[f32::NAN], [2.0]], array![0, 1]);
        assert!(
            SoftmaxRegression::new(settings()).fit(&nan).unwrap_err().to_string().contains("not a number")
        );
        let other = DatasetBase::new(data().records().clone(), array!["z", "a", "z", "a", "z", "b"]);
        assert!(settings().check().unwrap().fit_until(&data(), &other).is_err());
        let named = ClassWeights::Given([("z".to_string(), 2.0)].into());
        let named = SoftmaxRegression::new(FitConfig { class_weights: named, ..settings() });
        assert!(named.fit(&data()).unwrap_err().to_string().contains("`class_weights` by name"));
    }
}
