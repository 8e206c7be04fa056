//! One temperature for all probabilities: found by maximum likelihood, with how sure it is. Pure.

use serde::{Deserialize, Serialize};

/// A temperature T that was fitted: softmax(logits / T), which is p^(1/T) normalised, fits the labels best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Temperature {
    /// T. Above 1 the probabilities were too sure, below 1 too cautious.
    pub value: f64,
    /// Lower end of its 95 % likelihood-ratio interval.
    pub low: f64,
    /// Upper end; `None` where it is infinite, as even equal probabilities for all classes are not ruled out.
    pub high: Option<f64>,
    /// Images that it was fitted on.
    pub images: usize,
}

impl Temperature {
    /// Whether the images tell it from 1, which the interval then leaves out. Where they do not, probabilities are better
    /// left as they are: on few images the best temperature is mostly chance.
    pub fn is_told_from_one(&self) -> bool {
        self.low > 1.0 || self.high.is_some_and(|high| high < 1.0)
    }

    /// The temperature at which probabilities are told to people: T where it is told from 1, else 1.
    pub fn applied(fitted: Option<Self>) -> f64 {
        fitted.filter(Self::is_told_from_one).map_or(1.0, |fitted| fitted.value)
    }
}

/// The 95 % quantile of the chi-squared distribution with one degree of freedom.
const CHI95: f64 = 3.841_458_820_694_124;

/// 1/T beyond which no optimum is looked for.
const STEEPEST: f64 = 1e6;

/// What a probability counts as that was rounded to zero: the smallest positive float32.
const SMALLEST: f32 = f32::from_bits(1);

fn ln(p: f32) -> f64 {
    f64::from(p.max(SMALLEST)).ln()
}

/// One row of probabilities (of all classes, from 0 to 1) at temperature `t`: p^(1/t), normalised, which equals
/// softmax(logits / t). The order of the classes stays.
pub fn tempered(probabilities: &[f32], t: f64) -> Vec<f64> {
    let scaled: Vec<f64> = probabilities.iter().map(|&p| ln(p) / t).collect();
    let largest = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scaled.iter().map(|s| (s - largest).exp()).sum();
    scaled.iter().map(|s| (s - largest).exp() / total).collect()
}

/// Mean cross entropy of the labels `truth` under rows of probabilities, in nats; `None` for no rows.
pub fn log_loss(truth: &[usize], probabilities: &[Vec<f64>]) -> Option<f64> {
    let surprise = |(&t, row): (&usize, &Vec<f64>)| -row[t].max(f64::MIN_POSITIVE).ln();
    (!truth.is_empty())
        .then(|| truth.iter().zip(probabilities).map(surprise).sum::<f64>() / truth.len() as f64)
}

/// The temperature of largest likelihood (Guo et al. 2017, ICML, section 4.2) for rows of probabilities with labels
/// `truth`, with its likelihood-ratio interval (Wilks 1938).
///
/// The negative log-likelihood is convex in 1/T, so its slope has at most one zero. That is looked for by Newton's
/// method inside a bracket, which falls back on halving the bracket wherever a step would leave it or gain too little.
///
/// `None` where there is no best temperature: without rows; where all answers are right, so that ever smaller T fit
/// ever better; and where the probabilities say nothing of the labels, so that ever larger T do.
pub fn fit_temperature(truth: &[usize], probabilities: &[Vec<f32>]) -> Option<Temperature> {
    let likelihood = Likelihood::of(truth, probabilities);
    let slope = |steepness: f64| {
        let at = likelihood.at(steepness);
        (at.slope, at.curvature)
    };
    let high = doubled_until(1.0, |steepness| slope(steepness).0 > 0.0)?;
    let best = (slope(0.0).0 < 0.0).then(|| root(0.0, high, slope))?;
    let worst_accepted = likelihood.at(best).loss + CHI95 / 2.0;
    let excess = |steepness: f64| {
        let at = likelihood.at(steepness);
        (at.loss - worst_accepted, at.slope)
    };
    let steep = root(best, doubled_until(2.0 * best, |steepness| excess(steepness).0 > 0.0)?, excess);
    let flat = (excess(0.0).0 > 0.0).then(|| root(0.0, best, excess));
    let high = flat.map(|steepness| 1.0 / steepness);
    Some(Temperature { value: 1.0 / best, low: 1.0 / steep, high, images: truth.len() })
}

/// Logits, up to a constant in each row, less that of the row's truth.
struct Likelihood(Vec<Vec<f64>>);

/// The summed negative log-likelihood and its derivatives by the steepness 1/T.
#[derive(Default)]
struct At {
    loss: f64,
    slope: f64,
    curvature: f64,
}

impl Likelihood {
    fn of(truth: &[usize], probabilities: &[Vec<f32>]) -> Self {
        let margins = |(&t, row): (&usize, &Vec<f32>)| row.iter().map(|&p| ln(p) - ln(row[t])).collect();
        Self(truth.iter().zip(probabilities).map(margins).collect())
    }

    /// Loss: ln of the sum of exp(margin / T). Slope and curvature: mean and variance of the margins under the
    /// probabilities at T.
    fn at(&self, steepness: f64) -> At {
        let mut sum = At::default();
        for margins in &self.0 {
            let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights = margins.iter().map(|m| (steepness * (m - largest)).exp());
            let (mut total, mut first, mut second) = (0.0, 0.0, 0.0);
            for (weight, m) in weights.zip(margins) {
                total += weight;
                first += weight * m;
                second += weight * m * m;
            }
            let mean = first / total;
            sum.loss += total.ln() + steepness * largest;
            sum.slope += mean;
            sum.curvature += second / total - mean * mean;
        }
        sum
    }
}

/// The first of `from`, 2 `from`, 4 `from`, ... that is `enough`.
fn doubled_until(from: f64, enough: impl Fn(f64) -> bool) -> Option<f64> {
    let mut tries = std::iter::successors(Some(from), |x| Some(2.0 * x)).take_while(|x| *x < STEEPEST);
    tries.find(|x| enough(*x))
}

/// The zero between `low` and `high`, where `f` (value and slope) has opposite signs: Newton's method, safeguarded by
/// bisection (Press et al. 2007, *Numerical Recipes*, section 9.4).
fn root(mut low: f64, mut high: f64, f: impl Fn(f64) -> (f64, f64)) -> f64 {
    let rises = f(high).0 > 0.0;
    let mut x = 0.5 * (low + high);
    let mut step = high - low;
    for _ in 0..200 {
        let (value, slope) = f(x);
        match (value > 0.0) == rises {
            true => high = x,
            false => low = x,
        }
        let newton = x - value / slope;
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

    /// `n` rows of two classes that say 0.9, of which `right` are right.
    fn overconfident(n: usize, right: usize) -> (Vec<usize>, Vec<Vec<f32>>) {
        ((0..n).map(|i| usize::from(i >= right)).collect(), vec![vec![0.9, 0.1]; n])
    }

    #[test]
    fn the_temperature_by_hand() {
        // The best probability is the share of right answers: 0.75 = sigmoid(ln 9 / T), so T = ln 9 / ln 3 = 2.
        let (truth, rows) = overconfident(40, 30);
        let fitted = fit_temperature(&truth, &rows).unwrap();
        assert!((fitted.value - 2.0).abs() < 1e-6, "{fitted:?}");
        assert!((tempered(&rows[0], fitted.value)[0] - 0.75).abs() < 1e-6);
        assert!(fitted.low < 2.0 && fitted.high.unwrap() > 2.0 && fitted.images == 40);
        let [few, many] = [(8, 6), (4000, 3000)].map(|(n, right)| {
            let (truth, rows) = overconfident(n, right);
            fit_temperature(&truth, &rows).unwrap()
        });
        assert_eq!(few.high, None, "3 in 4 of 8 images may be chance");
        assert!(many.high.unwrap() < 2.2 && many.low > 1.8, "{many:?}");
        assert_eq!([None, Some(few), Some(many)].map(Temperature::applied), [1.0, 1.0, many.value]);
    }

    #[test]
    fn where_no_temperature_is_best_there_is_none() {
        for (n, right) in [(20, 20), (20, 10), (20, 2), (0, 0)] {
            let (truth, rows) = overconfident(n, right);
            assert_eq!(fit_temperature(&truth, &rows), None, "{right} of {n}");
        }
    }

    #[test]
    fn probabilities_of_nought_and_one_are_no_trouble() {
        let rows = [vec![1.0, 0.0, 0.0], vec![1.0, 0.0, 0.0], vec![0.0, 0.0, 1.0], vec![0.0, 1.0, 0.0]];
        let fitted = fit_temperature(&[0, 0, 2, 0], &rows).unwrap();
        assert!(fitted.value > 10.0 && fitted.value.is_finite(), "{fitted:?}");
        let row = tempered(&rows[0], fitted.value);
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12 && row[0] > row[1]);
        assert!(log_loss(&[1], &[tempered(&rows[0], 1.0)]).unwrap() > 100.0);
        assert_eq!(log_loss(&[], &[]), None);
    }
}
