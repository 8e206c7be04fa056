//! The pictures of a report: the answers that teach the most. It refuses to show a file that is not the image that was
//! predicted.

use crate::augment::Variant;
use crate::digest::sha256;
use crate::error::Result;
use crate::evaluate::EvaluateStats;
use crate::head::argmax;
use crate::image_io;
use crate::metrics::{Temperature, apply_temperature};
use crate::monitor::Monitor;
use crate::page::{Picture, Ranked, Thumbnail};
use crate::run::{Prediction, Record};
use crate::threads;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Most confident mistakes, and least confident hits.
const EACH: usize = 12;
/// Pairs of classes that are shown side by side.
const PAIRS: usize = 6;
/// Pictures on each side of a pair.
const SIDE: usize = 3;
/// Answers below a picture.
const ANSWERS: usize = 3;

/// One held-out image and what was answered.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// Relative to the folder of images.
    pub path: String,
    pub truth: String,
    pub predicted: String,
    /// Of the answer, as `predict` tells it, 0 to 1.
    pub confidence: f64,
    /// The most probable classes, and the truth.
    pub ranked: Vec<Ranked>,
    pub picture: Picture,
}

/// Images of one class taken for another, beside images of that other.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub truth: String,
    pub predicted: String,
    /// Images of the truth that were answered so, all of them, and the other way round.
    pub images: usize,
    pub support: usize,
    pub reverse: usize,
    pub confused: Vec<Shown>,
    pub right: Vec<Shown>,
}

/// All pictures of a report.
#[derive(Debug)]
pub(super) struct Album {
    /// Wrong answers, most confident first.
    pub mistakes: Vec<Shown>,
    /// Right answers, least confident first.
    pub hits: Vec<Shown>,
    /// Most frequent confusions first.
    pub pairs: Vec<Pair>,
    /// Where pictures were looked for.
    pub root: Option<PathBuf>,
    /// Reasons of pictures that cannot be shown, by path; nothing for a folder that nobody knows.
    missing: BTreeMap<String, String>,
    shown: usize,
}

/// A prediction with its numbers.
struct Answer<'a> {
    row: &'a Prediction,
    confidence: f64,
}

impl Album {
    pub fn open(
        predictions: &[Prediction],
        record: &Record,
        stats: &EvaluateStats,
        root: Option<PathBuf>,
    ) -> Result<Self> {
        let temperature = Temperature::effective(record.temperature);
        let held_out =
            predictions.iter().filter(|row| row.split == stats.split && row.variant == Variant::None);
        let answers: Vec<Answer> = held_out.map(|row| Answer::of(row, temperature)).collect();
        let picks = Picks::of(&answers, stats);
        let pictures = Pictures::load(&picks.rows(), root.as_deref())?;
        let show = |answers: &[&Answer]| -> Vec<Shown> {
            answers.iter().map(|answer| answer.shown(record, temperature, &pictures)).collect()
        };
        let pairs = picks.pairs.iter().map(|pick| Pair {
            truth: pick.truth.clone(),
            predicted: pick.predicted.clone(),
            images: pick.images,
            support: pick.support,
            reverse: pick.reverse,
            confused: show(&pick.confused),
            right: show(&pick.right),
        });
        Ok(Self {
            mistakes: show(&picks.mistakes),
            hits: show(&picks.hits),
            pairs: pairs.collect(),
            root,
            shown: pictures.found.len(),
            missing: pictures.missing,
        })
    }

    /// Pictures that are shown, and that are missing.
    pub fn counts(&self) -> (usize, usize) {
        (self.shown, self.missing.len())
    }

    /// Why pictures are missing, in a line.
    pub fn lack(&self) -> Option<String> {
        let (path, reason) = self.missing.first_key_value()?;
        let (shown, missing) = self.counts();
        Some(match &self.root {
            None => "no pictures: the cache that knew their folder cannot be read".into(),
            Some(root) => format!(
                "{missing} of {} pictures cannot be shown from {}, such as {path:?}: {reason}",
                shown + missing,
                root.display()
            ),
        })
    }

    pub fn warn(&self, monitor: &dyn Monitor) {
        if let Some(lack) = self.lack() {
            monitor.warn(&format!("{lack}; where they are elsewhere, say --images DIR"));
        }
    }
}

impl<'a> Answer<'a> {
    fn of(row: &'a Prediction, temperature: f64) -> Self {
        let confidence = apply_temperature(&row.probabilities, temperature)[argmax(&row.probabilities)];
        Self { row, confidence }
    }

    fn is_right(&self) -> bool {
        self.row.label == self.row.predicted
    }

    fn shown(&self, record: &Record, temperature: f64, pictures: &Pictures) -> Shown {
        let Prediction { path, label, predicted, probabilities, .. } = self.row;
        let probabilities = apply_temperature(probabilities, temperature);
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
        let is_truth = |class: &usize| record.classes[*class].name == *label;
        let first = order.iter().take(ANSWERS);
        let truth = order.iter().skip(ANSWERS).filter(|class| is_truth(class));
        let ranked = first.chain(truth).map(|class| Ranked {
            label: record.classes[*class].name.clone(),
            probability: probabilities[*class],
            mark: is_truth(class).then_some("truth"),
        });
        Shown {
            path: path.clone(),
            truth: label.clone(),
            predicted: predicted.clone(),
            confidence: self.confidence,
            ranked: ranked.collect(),
            picture: Picture {
                thumbnail: pictures.found.get(path.as_str()).cloned(),
                alt: format!("{path}, an image of {label}"),
            },
        }
    }
}

/// Which answers are shown.
struct Picks<'a> {
    mistakes: Vec<&'a Answer<'a>>,
    hits: Vec<&'a Answer<'a>>,
    pairs: Vec<PairPick<'a>>,
}

struct PairPick<'a> {
    truth: String,
    predicted: String,
    images: usize,
    support: usize,
    reverse: usize,
    confused: Vec<&'a Answer<'a>>,
    right: Vec<&'a Answer<'a>>,
}

/// The `most` answers that `wanted` holds for, from the most confident or from the least; equal ones by path.
fn top<'a>(
    answers: &'a [Answer<'a>],
    wanted: impl Fn(&Answer) -> bool,
    falling: bool,
    most: usize,
) -> Vec<&'a Answer<'a>> {
    let mut found: Vec<&Answer> = answers.iter().filter(|answer| wanted(answer)).collect();
    found.sort_by(|a, b| {
        let order = a.confidence.total_cmp(&b.confidence);
        let order = if falling { order.reverse() } else { order };
        order.then_with(|| a.row.path.cmp(&b.row.path))
    });
    found.truncate(most);
    found
}

impl<'a> Picks<'a> {
    fn of(answers: &'a [Answer<'a>], stats: &EvaluateStats) -> Self {
        let pairs = super::tables::confusions(stats).into_iter().take(PAIRS).map(|(truth, predicted)| {
            let [t, p] = [truth, predicted].map(|class| stats.classes[class].name.clone());
            let is = |answer: &Answer, truth: &str, predicted: &str| {
                answer.row.label == truth && answer.row.predicted == predicted
            };
            PairPick {
                images: stats.confusion[truth][predicted],
                support: stats.classes[truth].support,
                reverse: stats.confusion[predicted][truth],
                confused: top(answers, |answer| is(answer, &t, &p), true, SIDE),
                right: top(answers, |answer| is(answer, &p, &p), true, SIDE),
                truth: t,
                predicted: p,
            }
        });
        Self {
            mistakes: top(answers, |answer| !answer.is_right(), true, EACH),
            hits: top(answers, |answer| answer.is_right(), false, EACH),
            pairs: pairs.collect(),
        }
    }

    /// Each picture once.
    fn rows(&self) -> Vec<&'a Prediction> {
        let pairs = self.pairs.iter().flat_map(|pair| pair.confused.iter().chain(&pair.right));
        let all = self.mistakes.iter().chain(&self.hits).chain(pairs);
        let by_path: BTreeMap<&str, &Prediction> =
            all.map(|answer| (answer.row.path.as_str(), answer.row)).collect();
        by_path.into_values().collect()
    }
}

/// Pictures by path, or why there are none.
struct Pictures {
    found: HashMap<String, Thumbnail>,
    missing: BTreeMap<String, String>,
}

impl Pictures {
    fn load(rows: &[&Prediction], root: Option<&Path>) -> Result<Self> {
        let load = |row: &&Prediction| Ok((row.path.clone(), picture(row, root)));
        let loaded = threads::in_parallel(threads::number(0), rows, load)?;
        let (mut found, mut missing) = (HashMap::new(), BTreeMap::new());
        for (path, picture) in loaded {
            match picture {
                Ok(small) => drop(found.insert(path, small)),
                Err(reason) => drop(missing.insert(path, reason)),
            }
        }
        Ok(Self { found, missing })
    }
}

fn picture(row: &Prediction, root: Option<&Path>) -> std::result::Result<Thumbnail, String> {
    let root = root.ok_or("nobody knows its folder")?;
    let bytes = image_io::read(&root.join(&row.path))?;
    if sha256(&bytes) != row.image_sha256 {
        return Err("another picture than the one that was predicted".into());
    }
    Ok(Thumbnail::of(&image_io::decode(&bytes)?))
}
