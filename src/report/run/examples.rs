//! Example images of a report: the most confident errors, the least confident correct answers, and the most confused
//! classes. A file that is not the image that was predicted is never shown.

use super::confused_pairs::{ConfusedPair, confused_pairs};
use crate::cache::Samples;
use crate::data::augment::Variant;
use crate::data::dataset::Sample;
use crate::data::decode::Reason;
use crate::error::Result;
use crate::evaluate::EvaluateStats;
use crate::head::argmax;
use crate::io::digest::Digest;
use crate::math::parallel;
use crate::metrics::{Temperature, apply_temperature};
use crate::report::page::{Picture, RankedClass, Thumbnail};
use crate::report::plot::Figure;
use crate::run::{Prediction, Record};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Errors, and correct answers, at most.
const MOST_EXAMPLES: usize = 12;
/// Confused pairs at most.
const MOST_PAIRS: usize = 6;
/// Images on each side of a confused pair at most.
const PER_SIDE: usize = 3;
/// Classes listed below an image at most, besides the true one.
const MOST_CLASSES: usize = 3;

/// A held-out image with its prediction.
#[derive(Debug, Clone)]
pub(super) struct Example {
    /// Relative to the folder of images.
    pub path: String,
    pub truth: String,
    pub predicted: String,
    /// Probability of the predicted class as `predict` gives it, 0 to 1.
    pub confidence: f64,
    /// The most probable classes, and the true one.
    pub ranking: Vec<RankedClass>,
    pub picture: Picture,
    /// Digest of the file's bytes.
    pub image_sha256: Digest,
}

/// Images of one class that were classified as another, beside images of that other class.
#[derive(Debug, Clone)]
pub(super) struct PairExamples {
    pub truth: String,
    pub predicted: String,
    pub counts: ConfusedPair,
    pub confused: Vec<Example>,
    /// Correctly classified images of the predicted class.
    pub correct: Vec<Example>,
}

/// All examples of a report.
#[derive(Debug)]
pub(super) struct Examples {
    /// Errors, the most confident first.
    pub errors: Vec<Example>,
    /// Correct answers, the least confident first.
    pub correct: Vec<Example>,
    /// The most frequent confusion first.
    pub pairs: Vec<PairExamples>,
    /// Where the network looked in errors, where that was asked for.
    pub explained: Vec<Figure>,
    /// The folder of images, and where each image in it is now.
    pub files: ImageFiles,
    /// Number of pictures that are shown.
    pub shown: usize,
    /// Pictures that cannot be shown: reasons by path.
    pub missing: BTreeMap<String, String>,
}

impl Examples {
    /// Selects examples among the predictions of one split and loads their pictures from `files`.
    pub fn load(
        predictions: &[Prediction],
        record: &Record,
        stats: &EvaluateStats,
        files: ImageFiles,
    ) -> Result<Self> {
        let temperature = Temperature::effective(record.temperature);
        let held_out =
            predictions.iter().filter(|row| row.split == stats.split && row.variant == Variant::None);
        let answers: Vec<Answer> = held_out.map(|row| Answer::new(row, temperature)).collect();
        let selection = Selection::of(&answers, stats);
        let pictures = Pictures::load(&selection.rows(), &files)?;
        let examples = |answers: &[&Answer]| -> Vec<Example> {
            answers.iter().map(|answer| answer.example(record, temperature, &pictures)).collect()
        };
        let pairs = selection.pairs.iter().map(|pair| PairExamples {
            truth: stats.classes[pair.counts.truth].name.clone(),
            predicted: stats.classes[pair.counts.predicted].name.clone(),
            counts: pair.counts,
            confused: examples(&pair.confused),
            correct: examples(&pair.correct),
        });
        Ok(Self {
            errors: examples(&selection.errors),
            correct: examples(&selection.correct),
            pairs: pairs.collect(),
            explained: Vec::new(),
            files,
            shown: pictures.found.len(),
            missing: pictures.missing,
        })
    }

    /// Why pictures are missing, in one line; `None` if all are shown.
    pub fn reason_of_missing(&self) -> Option<String> {
        let (path, reason) = self.missing.first_key_value()?;
        let missing = self.missing.len();
        Some(match &self.files.root {
            None => "no pictures: the folder of images is unknown, because the cache cannot be read".into(),
            Some(root) => format!(
                "{missing} of {} pictures cannot be shown from {}, such as {path:?}: {reason}",
                self.shown + missing,
                root.display()
            ),
        })
    }
}

/// The prediction of a held-out image, with its confidence.
struct Answer<'a> {
    row: &'a Prediction,
    confidence: f64,
}

impl<'a> Answer<'a> {
    fn new(row: &'a Prediction, temperature: f64) -> Self {
        let confidence = apply_temperature(&row.probabilities, temperature)[argmax(&row.probabilities)];
        Self { row, confidence }
    }

    fn is_correct(&self) -> bool {
        self.row.label == self.row.predicted
    }

    fn example(&self, record: &Record, temperature: f64, pictures: &Pictures) -> Example {
        let Prediction { path, label, predicted, probabilities, .. } = self.row;
        let probabilities = apply_temperature(probabilities, temperature);
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
        let is_truth = |class: &usize| record.classes[*class].name == *label;
        let first = order.iter().take(MOST_CLASSES);
        let truth = order.iter().skip(MOST_CLASSES).filter(|class| is_truth(class));
        let ranking = first.chain(truth).map(|class| RankedClass {
            label: record.classes[*class].name.clone(),
            probability: probabilities[*class],
            mark: is_truth(class).then_some("truth"),
        });
        Example {
            path: path.clone(),
            truth: label.clone(),
            predicted: predicted.clone(),
            image_sha256: self.row.image_sha256,
            confidence: self.confidence,
            ranking: ranking.collect(),
            picture: Picture {
                thumbnail: pictures.found.get(path.as_str()).cloned(),
                alt: format!("{path}, an image of {label}"),
            },
        }
    }
}

/// The answers that are shown.
struct Selection<'a> {
    errors: Vec<&'a Answer<'a>>,
    correct: Vec<&'a Answer<'a>>,
    pairs: Vec<SelectedPair<'a>>,
}

struct SelectedPair<'a> {
    counts: ConfusedPair,
    confused: Vec<&'a Answer<'a>>,
    correct: Vec<&'a Answer<'a>>,
}

/// Which answers come first.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    MostConfident,
    LeastConfident,
}

/// The first `most` of the answers for which `wanted` holds; ties in order of path.
fn first<'a>(
    answers: &'a [Answer<'a>],
    wanted: impl Fn(&Answer) -> bool,
    order: Order,
    most: usize,
) -> Vec<&'a Answer<'a>> {
    let mut found: Vec<&Answer> = answers.iter().filter(|answer| wanted(answer)).collect();
    found.sort_by(|a, b| {
        let rising = a.confidence.total_cmp(&b.confidence);
        let by_confidence = if order == Order::MostConfident { rising.reverse() } else { rising };
        by_confidence.then_with(|| a.row.path.cmp(&b.row.path))
    });
    found.truncate(most);
    found
}

impl<'a> Selection<'a> {
    fn of(answers: &'a [Answer<'a>], stats: &EvaluateStats) -> Self {
        let pairs = confused_pairs(stats).into_iter().take(MOST_PAIRS).map(|counts| {
            let [truth, predicted] =
                [counts.truth, counts.predicted].map(|class| stats.classes[class].name.as_str());
            let is =
                |answer: &Answer, label: &str| answer.row.label == label && answer.row.predicted == predicted;
            SelectedPair {
                counts,
                confused: first(answers, |answer| is(answer, truth), Order::MostConfident, PER_SIDE),
                correct: first(answers, |answer| is(answer, predicted), Order::MostConfident, PER_SIDE),
            }
        });
        Self {
            errors: first(answers, |answer| !answer.is_correct(), Order::MostConfident, MOST_EXAMPLES),
            correct: first(answers, |answer| answer.is_correct(), Order::LeastConfident, MOST_EXAMPLES),
            pairs: pairs.collect(),
        }
    }

    /// The selected predictions, each once.
    fn rows(&self) -> Vec<&'a Prediction> {
        let pairs = self.pairs.iter().flat_map(|pair| pair.confused.iter().chain(&pair.correct));
        let all = self.errors.iter().chain(&self.correct).chain(pairs);
        let by_path: BTreeMap<&str, &Prediction> =
            all.map(|answer| (answer.row.path.as_str(), answer.row)).collect();
        by_path.into_values().collect()
    }
}

/// Pictures by path, or the reasons why they cannot be shown.
struct Pictures {
    found: HashMap<String, Thumbnail>,
    missing: BTreeMap<String, String>,
}

impl Pictures {
    fn load(rows: &[&Prediction], files: &ImageFiles) -> Result<Self> {
        let load = |row: &&Prediction| Ok((row.path.clone(), files.picture(row)));
        let loaded = parallel::in_parallel(parallel::thread_count(0), rows, load)?;
        let (mut found, mut missing) = (HashMap::new(), BTreeMap::new());
        for (path, picture) in loaded {
            match picture {
                Ok(thumbnail) => drop(found.insert(path, thumbnail)),
                Err(reason) => drop(missing.insert(path, reason)),
            }
        }
        Ok(Self { found, missing })
    }
}

/// The folder of images, and where each image in it is now.
#[derive(Debug)]
pub(super) struct ImageFiles {
    root: Option<PathBuf>,
    /// Paths by content, relative to the root, for images that the cache knows.
    paths: HashMap<Digest, String>,
}

impl ImageFiles {
    pub fn new(root: Option<PathBuf>, samples: Option<&Samples>) -> Self {
        let by_digest = samples.map(Samples::by_digest).unwrap_or_default();
        let path = |(image, sample): (Digest, &Sample)| (image, sample.file.path.clone());
        Self { root, paths: by_digest.into_iter().map(path).collect() }
    }

    /// The picture of a prediction.
    fn picture(&self, row: &Prediction) -> std::result::Result<Thumbnail, String> {
        self.read(&row.path, row.image_sha256, |path| Thumbnail::read(path, row.image_sha256))
    }

    /// Reads an image with `read`: at its path in the cache, which follows a file that was renamed, or at `path`, its own.
    pub fn read<T>(
        &self,
        path: &str,
        digest: Digest,
        read: impl Fn(&Path) -> std::result::Result<T, Reason>,
    ) -> std::result::Result<T, String> {
        let root = self.root.as_ref().ok_or("the folder of images is unknown")?;
        let known = self.paths.get(&digest).filter(|known| *known != path);
        let found = known.and_then(|known| read(&root.join(known)).ok());
        found.map_or_else(|| read(&root.join(path)).map_err(|reason| reason.to_string()), Ok)
    }
}
