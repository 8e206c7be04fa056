//! Mean test accuracy of several heads: small data sets are drawn, heads are fitted to their splits as `sweep` does, and the
//! interval is held against the accuracy of the same heads on many new images.

use super::Coverage;
use headstart::head::{Example, FitConfig, FitJob, Head, LabelledFeatures, argmax, fit};
use headstart::math::matrix::Matrix;
use headstart::math::random::Rng;
use headstart::metrics::{SplitAnswers, SplitDesign, accuracy_over_heads};

const CLASSES: usize = 4;
const WIDTH: usize = 8;
const NEW_IMAGES: usize = 4000;

/// Splits and seeds over which heads are fitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Design {
    pub name: &'static str,
    pub splits: Splits,
    pub seeds: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Splits {
    /// So many, each 65 % train, 10 % validation and 25 % test.
    Random(u64),
    Folds(usize),
}

pub(crate) const DESIGNS: [Design; 6] = [
    Design { name: "one head", splits: Splits::Random(1), seeds: 1 },
    Design { name: "sweep --seeds 20", splits: Splits::Random(1), seeds: 20 },
    Design { name: "sweep --resplit 1..10", splits: Splits::Random(10), seeds: 1 },
    Design { name: "sweep --resplit 1..5 --seeds 4", splits: Splits::Random(5), seeds: 4 },
    Design { name: "sweep --folds 5 --seeds 5", splits: Splits::Folds(5), seeds: 5 },
    Design { name: "train --folds 5", splits: Splits::Folds(5), seeds: 1 },
];

/// Labelled images as features.
struct Images {
    features: Matrix,
    examples: Vec<Example>,
}

/// Rows of train, validation and test images.
type Split = [Vec<Example>; 3];

/// Simulates every design on the same data sets of `images` images, on two threads.
pub(crate) fn simulate(designs: &[Design], images: usize, data_sets: usize, seed: u64) -> Vec<Coverage> {
    let part = |numbers: std::ops::Range<usize>| {
        let mut all: Vec<Coverage> = designs.iter().map(|design| Coverage::new(design.name)).collect();
        for number in numbers {
            let mut rng = Rng::new(seed, number as u64 + 1);
            let centers: Vec<f32> = (0..CLASSES * WIDTH).map(|_| 0.55 * rng.normal()).collect();
            let (known, new) = (draw(&mut rng, &centers, images), draw(&mut rng, &centers, NEW_IMAGES));
            for (design, coverage) in designs.iter().zip(&mut all) {
                one(*design, &known, &new, coverage);
            }
        }
        all
    };
    let half = data_sets / 2;
    let (mut first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(|| part(half..data_sets));
        (part(0..half), other.join().expect("the other half ends"))
    });
    first.iter_mut().zip(&second).for_each(|(all, other)| all.join(other));
    first
}

fn draw(rng: &mut Rng, centers: &[f32], images: usize) -> Images {
    let mut features = Matrix::zeros(images, WIDTH);
    let mut examples = Vec::new();
    for row in 0..images {
        let target = row % CLASSES;
        let center = &centers[target * WIDTH..][..WIDTH];
        features
            .row_mut(row)
            .iter_mut()
            .zip(center)
            .for_each(|(value, center)| *value = center + rng.normal());
        examples.push(Example { row: row as u32, target: target as u32 });
    }
    Images { features, examples }
}

/// Fits the heads of one design and counts whether the interval holds their mean accuracy on new images.
fn one(design: Design, known: &Images, new: &Images, coverage: &mut Coverage) {
    let splits: Vec<Split> = match design.splits {
        Splits::Random(number) => (1..=number).map(|seed| shuffled_split(known, seed)).collect(),
        Splits::Folds(number) => folds(known, number),
    };
    let (mut answers, mut truth): (Vec<Vec<Vec<bool>>>, Vec<f64>) = (Vec::new(), Vec::new());
    for [train, validation, test] in &splits {
        let mut of_split = Vec::new();
        for seed in 0..design.seeds {
            let head = fitted(&known.features, train, validation, seed);
            of_split.push(correct(&head, &known.features, test));
            let on_new = correct(&head, &new.features, &new.examples);
            truth.push(on_new.iter().filter(|correct| **correct).count() as f64 / NEW_IMAGES as f64);
        }
        answers.push(of_split);
    }
    let answers: Vec<SplitAnswers> = splits
        .iter()
        .zip(&answers)
        .map(|([train, _, _], heads)| SplitAnswers {
            correct: heads.iter().map(Vec::as_slice).collect(),
            train_images: train.len(),
            images: known.examples.len(),
        })
        .collect();
    let how = match design.splits {
        Splits::Random(_) => SplitDesign::Random,
        Splits::Folds(_) => SplitDesign::Folds,
    };
    let interval = accuracy_over_heads(&answers, how).map(|of| of.interval);
    coverage.add(interval, truth.iter().sum::<f64>() / truth.len() as f64);
}

/// Examples by class, shuffled.
fn by_class(images: &Images, seed: u64) -> Vec<Vec<Example>> {
    let mut rng = Rng::new(seed, 7);
    let of = |class| images.examples.iter().copied().filter(|e| e.target == class).collect::<Vec<Example>>();
    let mut classes: Vec<Vec<Example>> = (0..CLASSES as u32).map(of).collect();
    classes.iter_mut().for_each(|class| rng.shuffle(class));
    classes
}

fn shuffled_split(images: &Images, seed: u64) -> Split {
    let mut split = Split::default();
    for class in by_class(images, seed) {
        let (test, validation) = (class.len() / 4, class.len() / 10);
        split[2].extend(&class[..test]);
        split[1].extend(&class[test..test + validation]);
        split[0].extend(&class[test + validation..]);
    }
    split
}

/// Stratified folds; of the other images of each, one in ten validates.
fn folds(images: &Images, number: usize) -> Vec<Split> {
    let classes = by_class(images, 0);
    let fold = |fold| {
        let mut split = Split::default();
        for class in &classes {
            let (test, others): (Vec<_>, Vec<_>) =
                class.iter().enumerate().partition(|(i, _)| i % number == fold);
            split[2].extend(test.into_iter().map(|(_, example)| *example));
            let others: Vec<Example> = others.into_iter().map(|(_, example)| *example).collect();
            let validation = class.len() / 10;
            split[1].extend(&others[..validation]);
            split[0].extend(&others[validation..]);
        }
        split
    };
    (0..number).map(fold).collect()
}

/// A head of `sweep`: its seed varies the first weights, and all heads of a split share the order of rows.
fn fitted(features: &Matrix, train: &[Example], validation: &[Example], seed: u64) -> Head {
    let mut config = FitConfig::default();
    (config.seed, config.shuffle_seed) = (seed, Some(0));
    let params = config.check().expect("the settings are in range");
    let job = FitJob { start: None, params, class_weights: vec![1.0; CLASSES] };
    let rows = |examples| LabelledFeatures { features, examples };
    fit(job, rows(train), Some(rows(validation)), 1, &mut |_, _| {}).expect("the fit ends").head
}

fn correct(head: &Head, features: &Matrix, examples: &[Example]) -> Vec<bool> {
    let probabilities = head.probabilities_of(LabelledFeatures { features, examples });
    let answers = probabilities.iter().zip(examples);
    answers.map(|(row, example)| argmax(row) == example.target as usize).collect()
}
