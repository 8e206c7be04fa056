//! The search against the documented loss in float64, against linfa's search, and with every setting.

use super::test_data::{blobs, correlated, network_like};
use super::*;
use crate::head::linfa_lbfgs::{LinfaConfig, fit as fit_linfa};
use crate::head::{ClassWeights, Example, Standardizer};
use crate::math::matrix::Matrix;

type Rows = (Matrix, Vec<Example>);

fn of((features, examples): &Rows) -> LabelledFeatures<'_> {
    LabelledFeatures { features, examples }
}

fn config(l2: f64) -> LbfgsConfig {
    LbfgsConfig { l2, ..LbfgsConfig::default() }
}

fn fit_with(rows: &Rows, config: LbfgsConfig, class_weights: &[f32], threads: usize) -> Result<LbfgsResult> {
    let params = config.check().unwrap();
    fit(
        LbfgsJob { params: &params, class_weights, start: None, precision: Precision::Optimum, threads },
        of(rows),
    )
}

/// The gradient of the documented loss at a head, `[classes, width + 1]`, in float64 and without any of the code under test.
/// With `scales` the penalty is on the weights of standardized features.
fn gradient(head: &Head, rows: &Rows, config: &LbfgsConfig, weights: &[f32], scales: &[f64]) -> Vec<f64> {
    let (classes, width) = (head.classes(), head.width());
    let mut gradient = vec![0.0; classes * (width + 1)];
    for e in &rows.1 {
        let x: Vec<f64> = rows.0.row(e.row as usize).iter().map(|&x| f64::from(x)).collect();
        let z = |k: usize| {
            let products = head.output.weight.row(k).iter().zip(&x).map(|(&w, x)| f64::from(w) * x);
            products.sum::<f64>() + f64::from(head.output.bias[k])
        };
        let z: Vec<f64> = (0..classes).map(z).collect();
        let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = z.iter().map(|z| (z - largest).exp()).sum();
        for k in 0..classes {
            let hot = f64::from(u8::from(k == e.target as usize));
            let smooth = (1.0 - config.label_smoothing) * hot + config.label_smoothing / classes as f64;
            let delta = f64::from(weights[e.target as usize]) / rows.1.len() as f64
                * ((z[k] - largest).exp() / total - smooth);
            for (j, x) in x.iter().enumerate() {
                gradient[k * (width + 1) + j] += delta * x;
            }
            gradient[k * (width + 1) + width] += delta;
        }
    }
    for k in 0..classes {
        for j in 0..width {
            gradient[k * (width + 1) + j] +=
                config.l2 * scales[j].powi(2) * f64::from(head.output.weight.row(k)[j]);
        }
    }
    gradient
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[test]
fn the_gradient_is_zero_at_the_optimum_of_every_loss() {
    let rows = network_like(150, 40, 5);
    let even = [1.0; 5];
    let uneven = [2.0, 0.5, 1.0, 1.0, 0.1];
    for (l2, label_smoothing, weights, standardize) in [
        (0.01, 0.0, even, false),
        (1e-4, 0.0, even, false),
        (1e-3, 0.1, uneven, false),
        (0.01, 0.1, uneven, true),
    ] {
        let config = LbfgsConfig { label_smoothing, standardize, ..config(l2) };
        let found = fit_with(&rows, config.clone(), &weights, 2).unwrap();
        assert!(found.convergence.is_optimum(), "{:?}", found.convergence);
        let head = &found.fitted.head;
        let scales: Vec<f64> = match standardize {
            true => {
                let ones = Head::from_parts(vec![1.0; 40], vec![0.0]).unwrap();
                let scaled = Standardizer::fit(of(&rows)).unfolded(&ones);
                scaled.output().weight().iter().map(|&w| f64::from(w)).collect()
            }
            false => vec![1.0; 40],
        };
        let left = norm(&gradient(head, &rows, &config, &weights, &scales));
        let at_zero = norm(&gradient(
            &Head::from_parts(vec![0.0; 200], vec![0.0; 5]).unwrap(),
            &rows,
            &config,
            &weights,
            &scales,
        ));
        assert!(left < 1e-4 * at_zero, "{l2} {label_smoothing} {standardize}: {left} of {at_zero}");
    }
}

#[test]
fn the_weights_agree_with_those_of_another_search_in_float64() {
    for (rows, l2) in [(network_like(200, 30, 4), 0.01), (network_like(60, 100, 3), 0.001)] {
        let classes = rows.1.iter().map(|e| e.target).max().unwrap() as usize + 1;
        let ours = fit_with(&rows, config(l2), &vec![1.0; classes], 1).unwrap().fitted.head;
        let params = LinfaConfig { l2, iterations: 5000, allow_unconverged: true }.check().unwrap();
        let theirs = fit_linfa(classes, of(&rows), params).unwrap().fitted.head;
        let pairs = || {
            ours.output()
                .weight()
                .into_iter()
                .zip(theirs.output().weight())
                .map(|(a, b)| (f64::from(a), f64::from(b)))
        };
        let off = pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let size = pairs().map(|(_, b)| b * b).sum::<f64>().sqrt();
        assert!(off < 2e-3 * size, "{off} of {size}");
    }
}

#[test]
fn threads_and_blocks_change_nothing_that_matters() {
    struct Halves<'a>(LabelledFeatures<'a>);
    impl FeatureBlocks for Halves<'_> {
        fn visit(&mut self, visit: &mut dyn FnMut(LabelledFeatures)) -> Result<()> {
            let (first, second) = self.0.examples.split_at(256);
            visit(LabelledFeatures { examples: first, ..self.0 });
            visit(LabelledFeatures { examples: second, ..self.0 });
            Ok(())
        }
    }
    let rows = network_like(700, 130, 6);
    let weights = [1.0; 6];
    let alone = fit_with(&rows, config(1e-3), &weights, 1).unwrap();
    for threads in [2, 3, 7] {
        let other = fit_with(&rows, config(1e-3), &weights, threads).unwrap();
        assert_eq!((other.fitted.head, other.convergence), (alone.fitted.head.clone(), alone.convergence));
    }
    let params = config(1e-3).check().unwrap();
    let job = LbfgsJob {
        params: &params,
        class_weights: &weights,
        start: None,
        precision: Precision::Optimum,
        threads: 2,
    };
    let halves = fit_blocks(job, 130, &mut Halves(of(&rows))).unwrap();
    assert_eq!(halves.fitted.head, alone.fitted.head, "blocks of whole chunks give the same bits");
}

#[test]
fn a_dense_preconditioner_shortens_long_searches_and_leads_to_the_same_head() {
    struct Tight<'a>(InMemoryBlocks<'a>);
    impl FeatureBlocks for Tight<'_> {
        fn visit(&mut self, visit: &mut dyn FnMut(LabelledFeatures)) -> Result<()> {
            self.0.visit(visit)
        }
        fn spare_memory(&self) -> usize {
            0
        }
    }
    let (classes, width) = (12, 60);
    let rows = correlated(150, width, classes);
    let weights = vec![1.0; classes];
    for (l2, standardize) in [(1e-2, false), (1e-2, true)] {
        let params = LbfgsConfig { standardize, ..config(l2) }.check().unwrap();
        let job = |threads| LbfgsJob {
            params: &params,
            class_weights: &weights,
            start: None,
            precision: Precision::Optimum,
            threads,
        };
        let dense = fit(job(1), of(&rows)).unwrap();
        let other = fit(job(3), of(&rows)).unwrap();
        assert_eq!((other.fitted.head, other.convergence), (dense.fitted.head.clone(), dense.convergence));
        let diagonal = fit_blocks(job(1), width, &mut Tight(InMemoryBlocks::new(of(&rows)))).unwrap();
        let iterations = [&dense, &diagonal].map(|found| found.convergence.iterations.unwrap());
        assert!(10 * iterations[0] < 9 * iterations[1], "{iterations:?}");
        let (a, b) = (dense.fitted.head.output.weight(), diagonal.fitted.head.output.weight());
        let off = a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
        let size = b.iter().map(|&b| f64::from(b).powi(2)).sum::<f64>().sqrt();
        assert!(off < 2e-4 * size, "{off} of {size}");
    }
}

#[test]
fn a_start_near_the_optimum_shortens_the_search_and_leads_to_the_same_head() {
    let rows = network_like(300, 60, 5);
    let weights = [1.0; 5];
    for standardize in [false, true] {
        let config = |l2| LbfgsConfig { standardize, ..config(l2) };
        let near = fit_with(&rows, config(1e-3), &weights, 1).unwrap();
        let cold = fit_with(&rows, config(8e-4), &weights, 1).unwrap();
        let params = config(8e-4).check().unwrap();
        let start = Some(&near.fitted.head);
        let warm = fit(
            LbfgsJob {
                params: &params,
                class_weights: &weights,
                start,
                precision: Precision::Optimum,
                threads: 1,
            },
            of(&rows),
        );
        let warm = warm.unwrap();
        assert!(warm.convergence.iterations < cold.convergence.iterations, "{:?}", warm.convergence);
        let (a, b) = (warm.fitted.head.output().weight(), cold.fitted.head.output().weight());
        let off = a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
        let size = b.iter().map(|&b| f64::from(b).powi(2)).sum::<f64>().sqrt();
        assert!(off < 2e-3 * size, "{off} of {size}");
    }
}

#[test]
fn a_search_for_scores_is_shorter_and_ends_near_the_optimum() {
    for (rows, l2) in [
        (network_like(300, 60, 5), 1e-2),
        (network_like(300, 60, 5), 1e-5),
        (correlated(150, 60, 12), 1e-2),
        (correlated(150, 60, 12), 1e-4),
    ] {
        let classes = rows.1.iter().map(|e| e.target).max().unwrap() as usize + 1;
        let weights = vec![1.0; classes];
        let find = |l2: f64, start: Option<&Head>, precision: Precision| {
            let params = config(l2).check().unwrap();
            let job = LbfgsJob { params: &params, class_weights: &weights, start, precision, threads: 1 };
            fit(job, of(&rows)).unwrap()
        };
        let scores = Precision::Scores { until: None };
        let optimum = find(l2, None, Precision::Optimum);
        let before = find(3.0 * l2, None, scores);
        for start in [None, Some(&before.fitted.head)] {
            let near = find(l2, start, scores);
            let [near_iterations, iterations] = [&near, &optimum].map(|f| f.convergence.iterations.unwrap());
            assert!(3 * near_iterations < 2 * iterations, "{l2}: {near_iterations} of {iterations}");
            let objective = |found: &LbfgsResult| {
                let weight = found.fitted.head.output.weight();
                let squares: f64 = weight.iter().map(|&w| f64::from(w).powi(2)).sum();
                found.fitted.history[0].train_loss + 0.5 * l2 * squares
            };
            let [above, least] = [&near, &optimum].map(objective);
            assert!(above < 1.01 * least, "{l2}: {above}, not {least}");
        }
    }
}

#[test]
fn an_unfinished_search_is_an_error_unless_it_is_allowed() {
    let short = |allow_unconverged| LbfgsConfig { iterations: 1, allow_unconverged, ..config(1e-6) };
    let error = fit_with(&blobs(), short(false), &[1.0; 3], 1).unwrap_err().to_string();
    assert!(error.contains("ended before the optimum after 1 iterations"), "{error}");
    let allowed = fit_with(&blobs(), short(true), &[1.0; 3], 1).unwrap();
    assert!(!allowed.convergence.is_optimum() && allowed.convergence.iterations == Some(1));
}

#[test]
fn a_class_without_rows_and_bad_settings_are_refused() {
    let error = fit_with(&blobs(), config(0.1), &[1.0; 4], 1).unwrap_err().to_string();
    assert!(error.contains("class 3 has no train rows"), "{error}");
    for l2 in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(config(l2).check().unwrap_err().to_string().contains("`l2` above 0"));
    }
    assert!(LbfgsConfig { iterations: 0, ..config(1.0) }.check().is_err());
    assert!(LbfgsConfig { label_smoothing: 1.0, ..config(1.0) }.check().is_err());
    let given = ClassWeights::Given([("a".into(), -1.0)].into());
    assert!(LbfgsConfig { class_weights: given, ..config(1.0) }.check().is_err());
    let (mut x, y) = blobs();
    x.row_mut(4)[1] = f32::NAN;
    let error = fit_with(&(x, y), config(0.1), &[1.0; 3], 1).unwrap_err().to_string();
    assert!(error.contains("not finite"), "{error}");
}

#[test]
fn features_that_say_nothing_give_the_shares_of_the_classes() {
    let x = Matrix::from_rows(2, &[3.0, 3.0].repeat(8));
    let y = (0..8).map(|row| Example { row, target: u32::from(row >= 6) }).collect();
    let found = fit_with(&(x, y), config(0.1), &[1.0; 2], 1).unwrap();
    let p = found.fitted.head.probabilities(&[3.0, 3.0]);
    assert!((p.row(0)[0] - 0.75).abs() < 1e-4, "{p:?} {:?}", found.convergence);
}
