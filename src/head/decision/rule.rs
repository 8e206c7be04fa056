//! How probabilities become an answer, as a run keeps it.

use super::costs::CostMatrix;
use super::goal::{ClassGoal, Measure};
use serde::{Deserialize, Serialize};

/// How a run answers where that is not the most probable class, with the version of this part of its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Version of the rules: [`Decision::SCHEMA`].
    pub schema: String,
    /// The rule.
    #[serde(flatten)]
    pub rule: DecisionRule,
}

/// A rule of decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DecisionRule {
    /// A threshold for each class that has a goal.
    Thresholds(Vec<ClassThreshold>),
    /// The answer of least expected cost.
    Costs(CostMatrix),
}

/// The threshold of a class, by which it reaches its goal on held-out images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassThreshold {
    /// The goal.
    #[serde(flatten)]
    pub goal: ClassGoal,
    /// A probability, 0 to 1, at the temperature of the run.
    pub threshold: f64,
    /// The images that it was chosen on.
    pub chosen_on: ThresholdEvidence,
}

/// How the answers of a class fared on the images that its threshold was chosen on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ThresholdEvidence {
    /// Which images these are.
    pub from: AnswerSource,
    /// Number of images.
    pub images: usize,
    /// Number of images of the class.
    pub of_class: usize,
    /// Number of images that are answered by the class.
    pub answered: usize,
    /// Number of those answers that are correct.
    pub correct: usize,
}

/// Images whose answers are of heads that were fitted without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AnswerSource {
    /// The validation images.
    Validation,
    /// The train images, by folds within them.
    Folds,
}

impl Decision {
    /// The version of the rules that this program writes.
    pub const SCHEMA: &'static str = "decision-v1";

    /// A rule of this version.
    pub fn new(rule: DecisionRule) -> Self {
        Self { schema: Self::SCHEMA.into(), rule }
    }

    /// Prepares the rule for `classes`, in their order. `None` where it does not fit them, or is of another version.
    pub fn decider(&self, classes: &[String]) -> Option<Decider> {
        if self.schema != Self::SCHEMA {
            return None;
        }
        match &self.rule {
            DecisionRule::Thresholds(thresholds) => {
                let limits = thresholds.iter().map(|one| (&one.goal, one.threshold));
                Decider::of_thresholds(limits, classes)
            }
            DecisionRule::Costs(matrix) => {
                let is_square = matrix.costs.len() == classes.len()
                    && matrix.costs.iter().all(|row| row.len() == classes.len());
                is_square.then(|| Decider::Costs(matrix.costs.clone()))
            }
        }
    }
}

impl ThresholdEvidence {
    /// The share that a goal is about; `None` where it is undefined.
    pub fn rate(&self, measure: Measure) -> Option<f64> {
        let of = match measure {
            Measure::Precision => self.answered,
            Measure::Recall => self.of_class,
        };
        (of > 0).then(|| self.correct as f64 / of as f64)
    }
}

/// A rule that is ready to decide.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Decider {
    /// Thresholds of each class, in class order.
    Thresholds {
        /// From here on a class is the answer even if another one is more probable; infinite without a goal of recall.
        claims: Vec<f64>,
        /// Below, a class is no answer even if it is the most probable one; 0 without a goal of precision.
        withheld_below: Vec<f64>,
    },
    /// `[classes, classes]`: rows are the true classes, columns the answers.
    Costs(Vec<Vec<f64>>),
}

impl Decider {
    /// A decider by goals with their thresholds; `None` where a class is not one of `classes`.
    pub(super) fn of_thresholds<'a>(
        thresholds: impl IntoIterator<Item = (&'a ClassGoal, f64)>,
        classes: &[String],
    ) -> Option<Self> {
        let (mut claims, mut withheld_below) = (vec![f64::INFINITY; classes.len()], vec![0.0; classes.len()]);
        for (goal, threshold) in thresholds {
            let class = classes.iter().position(|class| *class == goal.class)?;
            match goal.measure {
                Measure::Recall => claims[class] = threshold,
                Measure::Precision => withheld_below[class] = threshold,
            }
        }
        Some(Self::Thresholds { claims, withheld_below })
    }

    /// Decides by probabilities in class order. `None` withholds the answer.
    ///
    /// By thresholds: of the classes with a goal of recall that reach their thresholds, the most probable one; else the most
    /// probable class, unless it has a goal of precision and is below its threshold. A less probable class never takes the
    /// place of an answer that is withheld, so that no other class loses precision by it. By costs: the class of least
    /// expected cost. Of equals the first is taken.
    pub fn answer(&self, probabilities: &[f64]) -> Option<usize> {
        let first = |a: usize, b: usize, is_better: bool| if is_better { b } else { a };
        match self {
            Self::Thresholds { claims, withheld_below } => {
                let classes = 0..probabilities.len();
                let most = |a, b| first(a, b, probabilities[b] > probabilities[a]);
                let claimed =
                    classes.clone().filter(|&class| probabilities[class] >= claims[class]).reduce(most);
                let likely =
                    || classes.reduce(most).filter(|&class| probabilities[class] >= withheld_below[class]);
                claimed.or_else(likely)
            }
            Self::Costs(costs) => {
                let expected = |answer: usize| {
                    probabilities.iter().zip(costs).map(|(p, row)| p * row[answer]).sum::<f64>()
                };
                let expected: Vec<f64> = (0..probabilities.len()).map(expected).collect();
                (0..expected.len()).reduce(|a, b| first(a, b, expected[b] < expected[a]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Vec<String> {
        ["a", "b", "c"].map(String::from).to_vec()
    }

    fn decider(goals: &[(&str, f64)]) -> Decider {
        let goals: Vec<(ClassGoal, f64)> =
            goals.iter().map(|(goal, at)| (goal.parse().unwrap(), *at)).collect();
        Decider::of_thresholds(goals.iter().map(|(goal, at)| (goal, *at)), &classes()).unwrap()
    }

    #[test]
    fn answers_are_withheld_claimed_or_the_most_probable_class() {
        let rule = decider(&[("a=precision>=0.9", 0.7), ("b=recall>=0.9", 0.2), ("c=recall>=0.8", 0.3)]);
        for (probabilities, expected) in [
            ([0.8, 0.1, 0.1], Some(0)),
            ([0.7, 0.15, 0.15], Some(0)),
            ([0.6, 0.19, 0.21], None),
            ([0.75, 0.2, 0.05], Some(1)),
            ([0.4, 0.25, 0.35], Some(2)),
            ([0.5, 0.3, 0.2], Some(1)),
        ] {
            assert_eq!(rule.answer(&probabilities), expected, "{probabilities:?}");
        }
        assert_eq!(decider(&[]).answer(&[0.4, 0.4, 0.2]), Some(0), "of equals the first");
    }

    #[test]
    fn the_answer_of_least_expected_cost_is_given() {
        // To miss a costs ten times as much as to suspect it.
        let costs = Decider::Costs(vec![vec![0.0, 10.0, 10.0], vec![1.0, 0.0, 1.0], vec![1.0, 1.0, 0.0]]);
        assert_eq!(costs.answer(&[0.15, 0.8, 0.05]), Some(0), "0.85 against 1.55 and 2.3");
        assert_eq!(costs.answer(&[0.05, 0.9, 0.05]), Some(1), "0.95 against 0.55 and 1.4");
    }

    #[test]
    fn rules_are_stored_by_name_and_refused_where_they_do_not_fit() {
        let chosen_on = ThresholdEvidence {
            from: AnswerSource::Folds,
            images: 90,
            of_class: 30,
            answered: 20,
            correct: 19,
        };
        let threshold =
            ClassThreshold { goal: "b=precision>=0.95".parse().unwrap(), threshold: 0.5, chosen_on };
        let decision = Decision::new(DecisionRule::Thresholds(vec![threshold]));
        let text = serde_json::to_string(&decision).unwrap();
        assert!(
            text.starts_with(r#"{"schema":"decision-v1","thresholds":[{"class":"b","measure":"precision""#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
        assert!(decision.decider(&classes()).is_some() && decision.decider(&["a".into()]).is_none());
        let later = Decision { schema: "decision-v2".into(), ..decision };
        assert_eq!(later.decider(&classes()), None);
        let matrix = CostMatrix { file: "c.csv".into(), costs: vec![vec![0.0]] };
        assert_eq!(Decision::new(DecisionRule::Costs(matrix)).decider(&classes()), None);
        assert_eq!(chosen_on.rate(Measure::Precision), Some(0.95));
    }
}
