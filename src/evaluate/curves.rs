//! Precision-recall and ROC curves of each class.

use super::held_out::HeldOutPrediction;
use crate::metrics::{self, ClassCurve, apply_temperature};
use serde::Serialize;

/// The curves of one class against all others.
#[derive(Debug, Clone, Serialize)]
pub struct NamedCurve {
    /// The class.
    pub name: String,
    /// Number of images of the class.
    pub images: usize,
    /// Its curves; `None` where there are no images of the class, or of others.
    #[serde(flatten)]
    pub curve: Option<ClassCurve>,
}

/// Curves of all classes, and the means of their areas.
#[derive(Debug, Clone, Serialize)]
pub struct Curves {
    /// Mean of the average precisions, over the classes that have a curve.
    pub mean_average_precision: Option<f64>,
    /// Mean of the areas under the ROC curves, over the same classes.
    pub mean_roc_area: Option<f64>,
    /// In class order.
    pub classes: Vec<NamedCurve>,
}

/// The probabilities of each image in class order, as `predict` gives them at `temperature`.
pub(super) fn at_temperature(images: &[HeldOutPrediction], temperature: f64) -> Vec<Vec<f64>> {
    images.iter().map(|image| apply_temperature(&image.probabilities, temperature)).collect()
}

impl Curves {
    /// Measures the curves of classes called `names`.
    pub(super) fn measure(truth: &[usize], probabilities: &[Vec<f64>], names: &[String]) -> Self {
        let mut images = vec![0; names.len()];
        truth.iter().for_each(|&class| images[class] += 1);
        let curves = metrics::class_curves(truth, probabilities, names.len());
        let mean = |area: fn(&ClassCurve) -> f64| {
            let areas: Vec<f64> = curves.iter().flatten().map(area).collect();
            (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
        };
        let (mean_average_precision, mean_roc_area) =
            (mean(|curve| curve.average_precision), mean(|curve| curve.roc_area));
        let named = names.iter().zip(images).zip(curves);
        let classes =
            named.map(|((name, images), curve)| NamedCurve { name: name.clone(), images, curve }).collect();
        Self { mean_average_precision, mean_roc_area, classes }
    }
}
