//! Temperature scaling of probabilities, fitted by maximum likelihood, with a confidence interval.

use serde::{Deserialize, Serialize};

/// A fitted temperature T: softmax(logits / T), which is p^(1/T) normalised, fits the labels best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Temperature {
    /// T. Above 1 the probabilities were overconfident, below 1 underconfident.
    pub value: f64,
    /// Lower end of the 95 % likelihood-ratio interval.
    pub low: f64,
    /// Upper end of the interval; `None` where it is infinite, because equal probabilities for all classes are not ruled
    /// out.
    pub high: Option<f64>,
    /// Number of images it was fitted on.
    pub images: usize,
}

impl Temperature {
    /// Whether T differs significantly from 1: the interval excludes 1. Otherwise probabilities are better left unchanged,
    /// because on few images the best temperature is mostly chance.
    pub fn differs_from_one(&self) -> bool {
        self.low > 1.0 || self.high.is_some_and(|high| high < 1.0)
    }

    /// The temperature that predictions use: T where it differs significantly from 1, else 1.
    pub fn effective(fitted: Option<Self>) -> f64 {
        fitted.filter(Self::differs_from_one).map_or(1.0, |fitted| fitted.value)
    }
}

/// The 95 % quantile of the chi-squared distribution with one degree of freedom.
const CHI95: f64 = 3.841_458_820_694_124;

/// Upper limit on 1/T in the search.
const MAX_INVERSE: f64 = 1e6;

/// Stands for probabilities that were rounded to zero: the smallest positive float32.
const SMALLEST: f32 = f32::from_bits(1);

fn ln(p: f32) -> f64 {
    f64::from(p.max(SMALLEST)).ln()
}

/// Scales one row of probabilities, `[classes]`, to temperature `t`: p^(1/t) normalised, which equals softmax(logits / t).
/// The ranking of the classes does not change.
pub fn apply_temperature(probabilities: &[f32], t: f64) -> Vec<f64> {
    let scaled: Vec<f64> = probabilities.iter().map(|&p| ln(p) / t).collect();
    let largest = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scaled.iter().map(|s| (s - largest).exp()).sum();
    scaled.iter().map(|s| (s - largest).exp() / total).collect()
}

/// Computes the mean cross entropy of labels under rows of probabilities, in nats. Returns `None` without rows.
///
/// `truth` holds the class index of each row, `probabilities` one row of `[classes]` each.
///
/// # Panics
/// When the number of rows differs, or a class index is not below the length of its row.
pub fn log_loss<R: AsRef<[f64]>>(truth: &[usize], probabilities: impl IntoIterator<Item = R>) -> Option<f64> {
    let rows: Vec<R> = probabilities.into_iter().collect();
    assert_eq!(rows.len(), truth.len(), "one row of probabilities for each label");
    let loss = |(&class, row): (&usize, &R)| -row.as_ref()[class].max(f64::MIN_POSITIVE).ln();
    (!truth.is_empty()).then(|| truth.iter().zip(&rows).map(loss).sum::<f64>() / truth.len() as f64)
}

/// Fits the temperature of maximum likelihood (Guo et al. 2017, ICML, section 4.2), with its likelihood-ratio interval (Wilks
/// 1938).
///
/// `truth` holds the class index of each row, `probabilities` one row of `[classes]` each, 0 to 1.
///
/// The negative log-likelihood is convex in 1/T, so its derivative has at most one root. Newton's method finds it inside a
/// bracket; where a step would leave the bracket or gain too little, the bracket is halved instead.
///
/// Returns `None` where no temperature is best: without rows; where all predictions are correct, so that the fit improves
/// as T falls; and where the probabilities carry no information about the labels, so that it improves as T grows.
///
/// # Panics
/// When the number of rows differs, or a class index is not below the length of its row.
pub fn fit_temperature<R: AsRef<[f32]>>(
    truth: &[usize],
    probabilities: impl IntoIterator<Item = R>,
) -> Option<Temperature> {
    let likelihood = Likelihood::of(truth, probabilities);
    let gradient = |inverse: f64| {
        let at = likelihood.at(inverse);
        Evaluation { value: at.first, derivative: at.second }
    };
    let high = double_until(1.0, |inverse| gradient(inverse).value > 0.0)?;
    let best = (gradient(0.0).value < 0.0).then(|| root(0.0, high, gradient))?;
    // A gain below the rounding of the sums is no information.
    let flat = likelihood.at(0.0).loss;
    if flat - likelihood.at(best).loss <= flat * RELATIVE_ROUNDING {
        return None;
    }
    let accepted = likelihood.at(best).loss + CHI95 / 2.0;
    let excess = |inverse: f64| {
        let at = likelihood.at(inverse);
        Evaluation { value: at.loss - accepted, derivative: at.first }
    };
    let largest = root(best, double_until(2.0 * best, |inverse| excess(inverse).value > 0.0)?, excess);
    let smallest = (excess(0.0).value > 0.0).then(|| root(0.0, best, excess));
    let high = smallest.map(|inverse| 1.0 / inverse);
    Some(Temperature { value: 1.0 / best, low: 1.0 / largest, high, images: truth.len() })
}

/// Relative rounding of a loss that is summed over many rows from probabilities of 24 bits.
const RELATIVE_ROUNDING: f64 = 1e-12;

/// The likelihood of the labels as a function of 1/T. Holds the margin of each class and row: its logit less that of the
/// label, `[rows][classes]`.
struct Likelihood(Vec<Vec<f64>>);

/// The summed negative log-likelihood with its first and second derivative by 1/T.
#[derive(Default)]
struct LossAt {
    loss: f64,
    first: f64,
    second: f64,
}

impl Likelihood {
    fn of<R: AsRef<[f32]>>(truth: &[usize], probabilities: impl IntoIterator<Item = R>) -> Self {
        let margins = |(&class, row): (&usize, &R)| {
            let row = row.as_ref();
            row.iter().map(|&p| ln(p) - ln(row[class])).collect()
        };
        let rows: Vec<R> = probabilities.into_iter().collect();
        assert_eq!(rows.len(), truth.len(), "one row of probabilities for each label");
        Self(truth.iter().zip(&rows).map(margins).collect())
    }

    /// Evaluates at 1/T = `inverse`. The loss of a row is ln of the sum of exp(margin / T); its derivatives are mean and
    /// variance of the margins under the probabilities at T.
    fn at(&self, inverse: f64) -> LossAt {
        let mut sum = LossAt::default();
        for margins in &self.0 {
            let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights = margins.iter().map(|m| (inverse * (m - largest)).exp());
            let (mut total, mut first, mut second) = (0.0, 0.0, 0.0);
            for (weight, m) in weights.zip(margins) {
                total += weight;
                first += weight * m;
                second += weight * m * m;
            }
            let mean = first / total;
            sum.loss += total.ln() + inverse * largest;
            sum.first += mean;
            sum.second += second / total - mean * mean;
        }
        sum
    }
}

/// Returns the first of `from`, 2 `from`, 4 `from`, ... that is `enough`, below [`MAX_INVERSE`].
fn double_until(from: f64, enough: impl Fn(f64) -> bool) -> Option<f64> {
    let mut tries = std::iter::successors(Some(from), |x| Some(2.0 * x)).take_while(|x| *x < MAX_INVERSE);
    tries.find(|x| enough(*x))
}

/// Value and derivative of a function at one point.
struct Evaluation {
    value: f64,
    derivative: f64,
}

/// Finds the root of `f` between `low` and `high`, where it has opposite signs, by Newton's method safeguarded by bisection
/// (Press et al. 2007, *Numerical Recipes*, section 9.4).
fn root(mut low: f64, mut high: f64, f: impl Fn(f64) -> Evaluation) -> f64 {
    let rises = f(high).value > 0.0;
    let mut x = 0.5 * (low + high);
    let mut step = high - low;
    for _ in 0..200 {
        let Evaluation { value, derivative } = f(x);
        match (value > 0.0) == rises {
            true => high = x,
            false => low = x,
        }
        let newton = x - value / derivative;
        let is_good = low < newton && newton < high && (newton - x).abs() < 0.5 * step.abs();
        let next = if is_good { newton } else { 0.5 * (low + high) };
        step = next - x;
        x = next;
        if step.abs() <= 1e-14 * x {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels and `n` rows of two classes with a confidence of 0.9, of which `correct` are correct.
    fn overconfident(n: usize, correct: usize) -> (Vec<usize>, Vec<[f32; 2]>) {
        ((0..n).map(|i| usize::from(i >= correct)).collect(), vec![[0.9, 0.1]; n])
    }

    #[test]
    fn the_temperature_by_hand() {
        // The best probability is the share of correct predictions: 0.75 = sigmoid(ln 9 / T), so T = ln 9 / ln 3 = 2.
        let (truth, rows) = overconfident(40, 30);
        let fitted = fit_temperature(&truth, &rows).unwrap();
        assert!((fitted.value - 2.0).abs() < 1e-6, "{fitted:?}");
        assert!((apply_temperature(&rows[0], fitted.value)[0] - 0.75).abs() < 1e-6);
        assert!(fitted.low < 2.0 && fitted.high.unwrap() > 2.0 && fitted.images == 40);
        let [few, many] = [(8, 6), (4000, 3000)].map(|(n, correct)| {
            let (truth, rows) = overconfident(n, correct);
            fit_temperature(&truth, &rows).unwrap()
        });
        assert_eq!(few.high, None, "8 images are too few for an upper end");
        assert!(many.high.unwrap() < 2.2 && many.low > 1.8, "{many:?}");
        assert_eq!([None, Some(few), Some(many)].map(Temperature::effective), [1.0, 1.0, many.value]);
    }

    #[test]
    fn no_temperature_is_returned_where_none_is_best() {
        for (n, correct) in [(20, 20), (20, 10), (20, 2), (0, 0)] {
            let (truth, rows) = overconfident(n, correct);
            assert_eq!(fit_temperature(&truth, &rows), None, "{correct} of {n}");
        }
    }

    #[test]
    fn rounding_is_no_information() {
        // Equal rows, each class the label of one of them: whatever is gained at any temperature is rounding.
        for i in 1..60 {
            let row = [i as f32 / 100.0, 0.37, 0.63 - i as f32 / 100.0];
            let fitted = fit_temperature(&[0, 1, 2], [row; 3]);
            assert_eq!(fitted, None, "{row:?}");
        }
    }

    #[test]
    fn probabilities_of_zero_and_one_are_accepted() {
        let rows = [vec![1.0, 0.0, 0.0], vec![1.0, 0.0, 0.0], vec![0.0, 0.0, 1.0], vec![0.0, 1.0, 0.0]];
        let fitted = fit_temperature(&[0, 0, 2, 0], &rows).unwrap();
        assert!(fitted.value > 10.0 && fitted.value.is_finite(), "{fitted:?}");
        let row = apply_temperature(&rows[0], fitted.value);
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12 && row[0] > row[1]);
        assert!(log_loss(&[1], [apply_temperature(&rows[0], 1.0)]).unwrap() > 100.0);
        assert_eq!(log_loss::<Vec<f64>>(&[], []), None);
    }
}
