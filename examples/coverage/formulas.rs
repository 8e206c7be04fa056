//! Intervals of one sample, drawn from distributions that are known.

use super::Coverage;
use headstart::math::random::Rng;
use headstart::metrics::{
    self, ConformalCalibration, LabelledPrediction, PairedCounts, class_scores, confusion, fit_temperature,
    macro_f1, macro_f1_interval, mean_with_interval, paired_difference_interval, paired_macro_f1_difference,
    roc_area, wilson_interval,
};

/// How often labels of three classes, the last one small, are predicted as each of them: `[truth][predicted]`.
const CONFUSION: [[f64; 3]; 3] = [[0.40, 0.08, 0.02], [0.06, 0.26, 0.03], [0.02, 0.05, 0.08]];

/// Simulates every formula with `data_sets` samples each.
pub(crate) fn simulate(data_sets: usize, seed: u64) -> Vec<Coverage> {
    let mut rng = Rng::new(seed, 0);
    let mut all = Vec::new();
    for (images, share) in [(30, 0.6), (30, 0.95), (68, 0.9), (361, 0.64), (361, 0.99)] {
        all.push(accuracy(&mut rng, data_sets, images, share));
    }
    for (images, alike) in [(100, 0.5), (361, 0.9)] {
        all.push(difference(&mut rng, data_sets, images, alike));
    }
    for images in [60, 361] {
        all.extend(scores(&mut rng, data_sets, images));
    }
    for (images, confidence) in [(68, 0.9), (200, 0.95)] {
        all.extend(rejection(&mut rng, data_sets, images, confidence));
    }
    all.push(separation(&mut rng, data_sets, 100, 30, 0.5));
    all.push(separation(&mut rng, data_sets, 361, 50, 2.5));
    all.push(mean_of_five(&mut rng, data_sets));
    all.push(temperature(&mut rng, data_sets.div_ceil(10), 68));
    all.push(temperature(&mut rng, data_sets.div_ceil(10), 361));
    all
}

fn draw(rng: &mut Rng) -> f64 {
    f64::from(rng.uniform(0.0, 1.0))
}

fn accuracy(rng: &mut Rng, data_sets: usize, images: usize, share: f64) -> Coverage {
    let mut coverage = Coverage::new(format!("accuracy {share}, {images} images (Wilson)"));
    for _ in 0..data_sets {
        let correct = (0..images).filter(|_| draw(rng) < share).count();
        coverage.add(wilson_interval(correct, images), share);
    }
    coverage
}

/// Two classifiers of accuracies 0.7 and 0.6, which are both right as often as `alike` says.
fn difference(rng: &mut Rng, data_sets: usize, images: usize, alike: f64) -> Coverage {
    let name = format!("difference of accuracies, {images} images (Newcombe, method 10)");
    let mut coverage = Coverage::new(name);
    let both = 0.6 * (0.7 + 0.3 * alike);
    for _ in 0..data_sets {
        let pairs: Vec<(bool, bool)> = (0..images)
            .map(|_| match draw(rng) {
                u if u < both => (true, true),
                u if u < 0.7 => (true, false),
                u if u < 0.7 + 0.6 - both => (false, true),
                _ => (false, false),
            })
            .collect();
        let counts = PairedCounts::count(pairs.iter().map(|pair| pair.0), pairs.iter().map(|pair| pair.1));
        coverage.add(paired_difference_interval(&counts), 0.1);
    }
    coverage
}

/// Macro F1, its paired difference, and recall and precision of the smallest class.
fn scores(rng: &mut Rng, data_sets: usize, images: usize) -> Vec<Coverage> {
    let names: Vec<String> = ["a", "b", "c"].map(String::from).into();
    let millions = CONFUSION.map(|row| row.map(|share| (1e6 * share).round() as usize).to_vec());
    let population = class_scores(&names, &millions);
    let truth = macro_f1(&population).expect("the classes occur");
    // The other classifier answers as this one, but the last class for one image in ten.
    let other: Vec<Vec<usize>> = millions.iter().map(|row| with_last(row)).collect();
    let difference = truth - macro_f1(&class_scores(&names, &other)).expect("the classes occur");
    let of = |what: &str| Coverage::new(format!("{what}, {images} images"));
    let mut all = [
        of("macro F1 (delta method)"),
        of("difference of macro F1 (delta method)"),
        of("recall of a class of 15 % (Wilson)"),
        of("precision of that class (Wilson)"),
    ];
    for _ in 0..data_sets {
        let rows: Vec<LabelledPrediction> = (0..images).map(|_| labelled(rng)).collect();
        let others: Vec<LabelledPrediction> = rows
            .iter()
            .map(|row| if draw(rng) < 0.1 { LabelledPrediction { predicted: 2, ..*row } } else { *row })
            .collect();
        let truths: Vec<usize> = rows.iter().map(|row| row.truth).collect();
        let predicted: Vec<usize> = rows.iter().map(|row| row.predicted).collect();
        let last = &class_scores(&names, &confusion(&truths, &predicted, 3))[2];
        all[0].add(macro_f1_interval(&rows, 3), truth);
        all[1].add(paired_macro_f1_difference(&rows, &others, 3).map(|pair| pair.1), difference);
        all[2].add(last.recall_interval, population[2].recall.expect("the class occurs"));
        all[3].add(last.precision_interval, population[2].precision.expect("the class is predicted"));
    }
    all.into()
}

fn with_last(row: &[usize]) -> Vec<usize> {
    let moved: usize = row[..2].iter().map(|n| n / 10).sum();
    vec![row[0] - row[0] / 10, row[1] - row[1] / 10, row[2] + moved]
}

fn labelled(rng: &mut Rng) -> LabelledPrediction {
    let mut left = draw(rng);
    for (truth, row) in CONFUSION.iter().enumerate() {
        for (predicted, share) in row.iter().enumerate() {
            left -= share;
            if left < 0.0 {
                return LabelledPrediction { truth, predicted };
            }
        }
    }
    LabelledPrediction { truth: 2, predicted: 2 }
}

/// Rejection of 5 % of known images: of uniform scores the share 1 - t is beyond t.
fn rejection(rng: &mut Rng, data_sets: usize, images: usize, confidence: f64) -> Vec<Coverage> {
    let of = |what: &str| Coverage::new(format!("{what}, {images} validation images"));
    let mut bound = of("bound of the rejected share without a confidence");
    let mut confident = of(&format!("rejection of 0.05 with a confidence of {confidence}"));
    confident.promised = confidence;
    for _ in 0..data_sets {
        let known = ConformalCalibration::new((0..images).map(|_| rng.uniform(0.0, 1.0)).collect());
        let beyond = |threshold: f32| 1.0 - f64::from(threshold);
        if let Some(threshold) = known.threshold(0.05) {
            bound.add(Some([0.0, known.rejection_bound(threshold, 0.95)]), beyond(threshold));
        }
        if let Some(threshold) = known.confident_threshold(0.05, confidence) {
            confident.add(Some([0.0, 0.05]), beyond(threshold));
        }
    }
    vec![bound, confident]
}

/// Area under the ROC curve of normal scores, `shift` deviations apart.
fn separation(rng: &mut Rng, data_sets: usize, known: usize, strangers: usize, shift: f32) -> Coverage {
    let mut coverage = Coverage::new(format!(
        "ROC area, {known} known images and {strangers} strangers (Newcombe, method 5)"
    ));
    let truth = normal_cdf(f64::from(shift) / 2f64.sqrt());
    for _ in 0..data_sets {
        let of_known: Vec<f32> = (0..known).map(|_| rng.normal()).collect();
        let of_strangers: Vec<f32> = (0..strangers).map(|_| shift + rng.normal()).collect();
        coverage.add(roc_area(&of_known, &of_strangers).map(|roc| roc.interval), truth);
    }
    coverage
}

/// The standard normal distribution, by Simpson's rule.
fn normal_cdf(x: f64) -> f64 {
    let density = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let (steps, h) = (2000, x / 2000.0);
    let weight = |i: usize| if i.is_multiple_of(steps) { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
    0.5 + (0..=steps).map(|i| weight(i) * density(i as f64 * h)).sum::<f64>() * h / 3.0
}

fn mean_of_five(rng: &mut Rng, data_sets: usize) -> Coverage {
    let mut coverage = Coverage::new("mean over 5 seeds (Student)");
    for _ in 0..data_sets {
        let values: Vec<f64> = (0..5).map(|_| f64::from(rng.normal())).collect();
        coverage.add(mean_with_interval(&values).and_then(|mean| mean.interval), 0.0);
    }
    coverage
}

/// Temperature of probabilities that are right as they are.
fn temperature(rng: &mut Rng, data_sets: usize, images: usize) -> Coverage {
    let mut coverage = Coverage::new(format!("temperature, {images} validation images (profile likelihood)"));
    for _ in 0..data_sets {
        let (truth, probabilities): (Vec<usize>, Vec<Vec<f32>>) = (0..images)
            .map(|_| {
                let logits: Vec<f32> = (0..4).map(|_| (2.0 * rng.normal()).exp()).collect();
                let sum: f32 = logits.iter().sum();
                let row: Vec<f32> = logits.iter().map(|logit| logit / sum).collect();
                let mut left = rng.uniform(0.0, 1.0);
                let drawn = row.iter().position(|p| {
                    left -= p;
                    left < 0.0
                });
                (drawn.unwrap_or(3), row)
            })
            .unzip();
        let fitted: Option<metrics::Temperature> = fit_temperature(&truth, &probabilities);
        // An interval without an upper end ends nowhere.
        coverage.add(fitted.map(|t| [t.low, t.high.unwrap_or(f64::MAX)]), 1.0);
    }
    coverage
}
