//! Chooses thresholds by which classes reach their goals on held-out images.

use super::goal::{ClassGoal, Measure};
use super::rule::{AnswerSource, ClassThreshold, Decider, ThresholdEvidence};
use crate::error::{Error, Kind, Result};

/// A held-out image.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledProbabilities {
    /// Index of its class.
    pub truth: usize,
    /// Probabilities in class order.
    pub probabilities: Vec<f64>,
}

/// Validation images of a class that are enough to choose its threshold by, where the goal needs no more.
pub const ENOUGH_TO_CHOOSE: usize = 20;

/// Goals below 0.9 need as many images as 0.9 does.
const MIN_ROWS: usize = 10;

/// Rounding of shares.
const TINY: f64 = 1e-9;

/// The smallest number of answers by which a share of `at_least` can be told from 1: one error among them is allowed.
pub fn rows_needed(at_least: f64) -> usize {
    ((1.0 / (1.0 - at_least) - TINY).ceil() as usize).max(MIN_ROWS)
}

/// Chooses the threshold of each goal: for recall the largest one that reaches it, for precision the one that reaches it with
/// the most answers. Thresholds lie half-way between two images. Goals of recall are chosen first, since their classes take
/// answers from others.
///
/// # Errors
/// [`Kind::Input`] when a class has too few images or answers for its goal, or no threshold reaches it.
///
/// # Panics
/// When a class is not one of `classes`.
pub fn choose_thresholds(
    goals: &[ClassGoal],
    classes: &[String],
    rows: &[LabelledProbabilities],
    from: AnswerSource,
) -> Result<Vec<ClassThreshold>> {
    let index = |goal: &ClassGoal| {
        classes.iter().position(|class| *class == goal.class).expect("the classes of goals were checked")
    };
    let mut chosen: Vec<(&ClassGoal, f64)> = Vec::new();
    for measure in [Measure::Recall, Measure::Precision] {
        let before = Decider::of_thresholds(chosen.clone(), classes).expect("known classes");
        let answers: Vec<Option<usize>> = rows.iter().map(|row| before.answer(&row.probabilities)).collect();
        for goal in goals.iter().filter(|goal| goal.measure == measure) {
            let images = Images { goal, class: index(goal), rows, answers: &answers };
            let threshold = match measure {
                Measure::Recall => images.of_recall(),
                Measure::Precision => images.of_precision(),
            };
            chosen.push((goal, threshold?));
        }
    }
    let rule = Decider::of_thresholds(chosen.clone(), classes).expect("known classes");
    let answers: Vec<Option<usize>> = rows.iter().map(|row| rule.answer(&row.probabilities)).collect();
    let threshold = |goal: &ClassGoal| {
        let (_, threshold) = chosen.iter().find(|(of, _)| *of == goal)?;
        let images = Images { goal, class: index(goal), rows, answers: &answers };
        Some(ClassThreshold { goal: goal.clone(), threshold: *threshold, chosen_on: images.evidence(from) })
    };
    Ok(goals.iter().filter_map(threshold).collect())
}

/// The images that a threshold is chosen on, with their answers so far.
struct Images<'a> {
    goal: &'a ClassGoal,
    class: usize,
    rows: &'a [LabelledProbabilities],
    answers: &'a [Option<usize>],
}

impl Images<'_> {
    /// The probabilities of the class for some images, the largest first, each with whether the image is of the class.
    fn sorted(&self, is_wanted: impl Fn(&LabelledProbabilities, Option<usize>) -> bool) -> Vec<(f64, bool)> {
        let wanted = self.rows.iter().zip(self.answers).filter(|(row, answer)| is_wanted(row, **answer));
        let mut scores: Vec<(f64, bool)> =
            wanted.map(|(row, _)| (row.probabilities[self.class], row.truth == self.class)).collect();
        scores.sort_by(|a, b| b.0.total_cmp(&a.0));
        scores
    }

    fn evidence(&self, from: AnswerSource) -> ThresholdEvidence {
        let count = |is_counted: &dyn Fn(bool, bool) -> bool| {
            let pairs = self.rows.iter().zip(self.answers);
            let is = |(row, answer): &(&LabelledProbabilities, &Option<usize>)| {
                is_counted(row.truth == self.class, **answer == Some(self.class))
            };
            pairs.filter(is).count()
        };
        ThresholdEvidence {
            from,
            images: self.rows.len(),
            of_class: count(&|is_class, _| is_class),
            answered: count(&|_, is_answer| is_answer),
            correct: count(&|is_class, is_answer| is_class && is_answer),
        }
    }

    fn of_recall(&self) -> Result<f64> {
        let of_class = self.rows.iter().filter(|row| row.truth == self.class).count();
        self.require(of_class, "images of this class")?;
        let found = self.sorted(|row, answer| row.truth == self.class && answer == Some(self.class)).len();
        let missed = self.sorted(|row, answer| row.truth == self.class && answer != Some(self.class));
        let wanted = (self.goal.at_least * of_class as f64 - TINY).ceil() as usize;
        let Some(more) = wanted.checked_sub(found).filter(|more| *more > 0) else {
            // The most probable class reaches the goal as it is.
            return Ok(1.0);
        };
        let last = missed[more - 1].0;
        let below = self.sorted(|_, _| true).into_iter().map(|(score, _)| score).find(|score| *score < last);
        Ok(0.5 * (last + below.unwrap_or(0.0)))
    }

    fn of_precision(&self) -> Result<f64> {
        let answered = self.sorted(|_, answer| answer == Some(self.class));
        self.require(answered.len(), "answers of this class")?;
        let mut correct = 0;
        // Number of answers and precision at each possible threshold.
        let mut points: Vec<(usize, f64)> = Vec::new();
        for (i, (score, is_correct)) in answered.iter().enumerate() {
            correct += usize::from(*is_correct);
            let ends_tie = answered.get(i + 1).is_none_or(|next| next.0 < *score);
            if ends_tie && i + 1 >= rows_needed(self.goal.at_least) {
                points.push((i + 1, correct as f64 / (i + 1) as f64));
            }
        }
        match points.iter().rev().find(|(_, precision)| *precision >= self.goal.at_least - TINY) {
            Some(&(most, _)) if most == answered.len() => Ok(0.0),
            Some(&(most, _)) => Ok(0.5 * (answered[most - 1].0 + answered[most].0)),
            None => Err(self.out_of_reach(&points)),
        }
    }

    fn require(&self, rows: usize, what: &str) -> Result<()> {
        let needed = rows_needed(self.goal.at_least);
        if rows >= needed {
            return Ok(());
        }
        let message = format!(
            "too few images to know whether {} is reached: it needs {needed} {what}, and there are {rows}",
            self.goal
        );
        Err(Error::new(Kind::Input, message)
            .help("set a lower goal as `threshold`, or add images of the class"))
    }

    fn out_of_reach(&self, points: &[(usize, f64)]) -> Error {
        let best = points.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
        let (answers, precision) = best.unwrap_or((0, 0.0));
        let message = format!(
            "no threshold reaches {} on the held-out images: the best precision is {precision:.3}, of {answers} answers",
            self.goal
        );
        Error::new(Kind::Input, message).help("set a lower goal as `threshold`, or train a better head")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of two classes with the probability of the first one.
    fn rows(of: &[(usize, f64)]) -> Vec<LabelledProbabilities> {
        of.iter()
            .map(|&(truth, p)| LabelledProbabilities { truth, probabilities: vec![p, 1.0 - p] })
            .collect()
    }

    fn choose(goals: &[&str], rows: &[LabelledProbabilities]) -> Result<Vec<ClassThreshold>> {
        let goals: Vec<ClassGoal> = goals.iter().map(|goal| goal.parse().unwrap()).collect();
        choose_thresholds(&goals, &["a".into(), "b".into()], rows, AnswerSource::Validation)
    }

    /// 40 images of a, from 0.99 downwards, of which every fourth one from 0.8 on is of b.
    fn mixed() -> Vec<LabelledProbabilities> {
        let row = |i: usize| (usize::from(i >= 20 && i.is_multiple_of(4)), 0.99 - 0.01 * i as f64);
        rows(&(0..40).map(row).collect::<Vec<_>>())
    }

    #[test]
    fn precision_is_reached_with_as_many_answers_as_possible() {
        let chosen = choose(&["a=precision>=0.95"], &mixed()).unwrap();
        // 24 answers hold one error, 0.958; the 25th is wrong: 0.92.
        let ThresholdEvidence { images, of_class, answered, correct, .. } = chosen[0].chosen_on;
        assert_eq!((images, of_class, answered, correct), (40, 35, 24, 23));
        assert!((chosen[0].threshold - (0.99 - 0.235)).abs() < 1e-9, "half-way: {chosen:?}");
        let all = choose(&["a=precision>=0.8"], &mixed()).unwrap();
        assert_eq!((all[0].threshold, all[0].chosen_on.answered), (0.0, 40));
    }

    #[test]
    fn recall_is_reached_by_claiming_as_little_as_possible() {
        // Ten of 20 images of a are less probable than b.
        let row = |i: usize| (0, 0.95 - 0.05 * i as f64 * 0.9);
        let mut images = rows(&(0..20).map(row).collect::<Vec<_>>());
        images.extend(rows(&(0..20).map(|i| (1, 0.30 - 0.01 * i as f64)).collect::<Vec<_>>()));
        let chosen = choose(&["a=recall>=0.8"], &images).unwrap();
        assert_eq!(chosen[0].chosen_on.correct, 16);
        let sixteenth = 0.95 - 0.05 * 15.0 * 0.9;
        assert!(chosen[0].threshold < sixteenth && chosen[0].threshold > sixteenth - 0.01, "{chosen:?}");
        let easy = choose(&["a=recall>=0.5"], &images).unwrap();
        assert_eq!(easy[0].threshold, 1.0, "the most probable class reaches it");
    }

    #[test]
    fn goals_out_of_reach_and_too_few_images_are_said() {
        let error =
            |goal: &str, rows: &[LabelledProbabilities]| choose(&[goal], rows).unwrap_err().to_string();
        let never = rows(&(0..40).map(|i| (i % 2, 0.9 - 0.001 * i as f64)).collect::<Vec<_>>());
        let text = error("a=precision>=0.9", &never);
        assert!(text.contains("the best precision is 0.545, of 11 answers"), "{text}");
        assert!(
            error("a=precision>=0.99", &mixed())
                .contains("needs 100 answers of this class, and there are 40")
        );
        assert!(error("b=recall>=0.9", &mixed()).contains("needs 10 images of this class, and there are 5"));
        assert_eq!([0.5, 0.9, 0.95, 0.99].map(rows_needed), [10, 10, 20, 100]);
    }

    #[test]
    fn precision_counts_what_recall_takes_away() {
        let mut images = mixed();
        images.extend(rows(&(0..20).map(|i| (1, 0.9 - 0.0001 * i as f64)).collect::<Vec<_>>()));
        let chosen = choose(&["a=precision>=0.9", "b=recall>=0.9"], &images).unwrap();
        let (precision, recall) = (&chosen[0].chosen_on, &chosen[1].chosen_on);
        assert!(recall.rate(Measure::Recall) >= Some(0.9), "{chosen:?}");
        assert!(precision.rate(Measure::Precision) >= Some(0.9), "{chosen:?}");
    }
}
