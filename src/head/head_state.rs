//! The state of one head while it is fitted: weights, Adam moments, loss and schedule.

use super::adam::BiasState;
use super::config::FitConfig;
use super::kernel::WeightState;
use super::label_sets::LabelSets;
use super::linear::Head;
use super::loss::CrossEntropy;
use super::schedule::StepSchedule;
use super::standardize::Standardizer;
use std::ops::Range;
use std::sync::Arc;

/// The state of one head while it is fitted. If features are standardized, the weights are those for the standardized
/// features.
#[derive(Debug)]
pub(super) struct HeadState {
    loss: CrossEntropy,
    pub schedule: StepSchedule,
    head: Head,
    /// First and second moments of weight and bias.
    moments: [Head; 2],
}

/// A [`HeadState`] split into slices of classes, so that several threads can update them.
#[derive(Debug)]
pub(super) struct SplitHead<'a> {
    pub loss: &'a CrossEntropy,
    pub schedule: &'a StepSchedule,
    pub slices: Vec<HeadSlice<'a>>,
}

/// Some classes of a head, updated by one thread.
#[derive(Debug)]
pub(super) struct HeadSlice<'a> {
    /// Index of the head among those fitted together.
    pub head: usize,
    pub classes: Range<usize>,
    pub weights: WeightState<'a>,
    pub bias: BiasState<'a>,
}

impl HeadState {
    /// Starts from `head`, with one weight per class in the loss, for a fit of `steps` steps at most.
    pub fn new(
        head: Head,
        config: &FitConfig,
        class_weights: Vec<f32>,
        (label_sets, row_weights): (Option<LabelSets>, Option<Arc<[f32]>>),
        steps: usize,
    ) -> Self {
        assert_eq!(class_weights.len(), head.classes(), "one weight per class");
        let moments = [(); 2].map(|()| Head::zeros(head.width(), head.classes()));
        let FitConfig { lr, l2, schedule, label_smoothing, .. } = *config;
        let schedule = StepSchedule { lr, l2, schedule, taken: 0, total: steps };
        Self {
            loss: CrossEntropy::new(class_weights, label_smoothing, label_sets, row_weights),
            schedule,
            head,
            moments,
        }
    }

    pub fn classes(&self) -> usize {
        self.head.classes()
    }

    /// The head as it is now, for features that are not standardized.
    pub fn head(&self, standardizer: Option<&Standardizer>) -> Head {
        standardizer.map_or_else(|| self.head.clone(), |standardizer| standardizer.folded(&self.head))
    }

    /// Splits head number `number` into slices of classes that end at `ends`.
    pub fn split(&mut self, number: usize, ends: &[usize]) -> SplitHead<'_> {
        let [first, second] = &mut self.moments;
        let classes = self.head.classes();
        let stride = self.head.weight.stride();
        let mut rest = [&mut self.head, first, second]
            .map(|head| (head.weight.padded_mut(0..classes), head.bias.as_mut_slice()));
        let mut slices = Vec::new();
        let mut start = 0;
        for &end in ends {
            let [w, m, v] = rest.each_mut().map(|(weight, bias)| {
                let (own_weight, other_weight) = std::mem::take(weight).split_at_mut((end - start) * stride);
                let (own_bias, other_bias) = std::mem::take(bias).split_at_mut(end - start);
                (*weight, *bias) = (other_weight, other_bias);
                (own_weight, own_bias)
            });
            slices.push(HeadSlice {
                head: number,
                classes: start..end,
                weights: WeightState { weight: w.0, first: m.0, second: v.0 },
                bias: BiasState { value: w.1, first: m.1, second: v.1 },
            });
            start = end;
        }
        SplitHead { loss: &self.loss, schedule: &self.schedule, slices }
    }

    /// The running mean of the gradients of the weight.
    #[cfg(test)]
    pub fn first_moment(&self) -> &crate::math::matrix::Matrix {
        &self.moments[0].weight
    }
}
