//! The state of one head while it is fitted: weights, Adam moments, loss and schedule.

use super::adam::BiasState;
use super::config::FitConfig;
use super::dropout::Dropout;
use super::kernel::WeightState;
use super::label_sets::LabelSets;
use super::layer::Layer;
use super::loss::CrossEntropy;
use super::output_state::{LayerState, OutputState};
use super::schedule::StepSchedule;
use super::softmax_head::Head;
use super::standardize::Standardizer;
use std::ops::Range;
use std::sync::Arc;

/// The state of one head while it is fitted. If features are standardized, the weights are those for the standardized
/// features.
#[derive(Debug)]
pub(super) struct HeadState {
    loss: CrossEntropy,
    pub schedule: StepSchedule,
    /// The layer that takes the features.
    first: LayerState,
    /// What follows a hidden layer; `None` where the first layer gives the logits.
    output: Option<OutputState>,
}

/// A [`HeadState`] split into slices of outputs of its first layer, so that several threads can update them.
#[derive(Debug)]
pub(super) struct SplitHead<'a> {
    pub loss: &'a CrossEntropy,
    pub schedule: &'a StepSchedule,
    pub slices: Vec<HeadSlice<'a>>,
    pub output: Option<&'a OutputState>,
}

/// Some outputs of the first layer of a head, updated by one thread.
#[derive(Debug)]
pub(super) struct HeadSlice<'a> {
    /// Index of the head among those fitted together.
    pub head: usize,
    pub outputs: Range<usize>,
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
        let FitConfig { lr, l2, weight_decay, schedule, label_smoothing, dropout, seed, .. } = *config;
        let schedule = StepSchedule { lr, l2, weight_decay, schedule, taken: 0, total: steps };
        let output = LayerState::new(head.output);
        let dropout = Dropout::new(dropout, seed);
        let (first, output) = match head.hidden {
            Some(hidden) => (LayerState::new(hidden), Some(OutputState { state: output, dropout })),
            None => (output, None),
        };
        let loss = CrossEntropy::new(class_weights, label_smoothing, label_sets, row_weights);
        Self { loss, schedule, first, output }
    }

    /// Number of outputs of the layer that takes the features: classes, or hidden units.
    pub fn first_outputs(&self) -> usize {
        self.first.layer.outputs()
    }

    /// The head as it is now, for features that are not standardized.
    pub fn head(&self, standardizer: Option<&Standardizer>) -> Head {
        let first = self.first.layer.clone();
        let head = match &self.output {
            Some(output) => Head { hidden: Some(first), output: output.state.layer.clone() },
            None => Head { hidden: None, output: first },
        };
        match standardizer {
            Some(standardizer) => standardizer.folded(&head),
            None => head,
        }
    }

    /// Replaces what follows the hidden layer by what it has become on a thread.
    pub fn set_output(&mut self, output: OutputState) {
        self.output = Some(output);
    }

    /// Splits the first layer of head number `number` into slices of outputs that end at `ends`.
    pub fn split(&mut self, number: usize, ends: &[usize]) -> SplitHead<'_> {
        let LayerState { layer, moments: [first, second] } = &mut self.first;
        let stride = layer.weight.stride();
        let mut rest = [layer, first, second].map(Layer::parts_mut);
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
                outputs: start..end,
                weights: WeightState { weight: w.0, first: m.0, second: v.0 },
                bias: BiasState { value: w.1, first: m.1, second: v.1 },
            });
            start = end;
        }
        SplitHead { loss: &self.loss, schedule: &self.schedule, slices, output: self.output.as_ref() }
    }

    /// The running means of the gradients of the weights, first layer first.
    #[cfg(test)]
    pub fn first_moments(&self) -> Vec<f32> {
        let output = self.output.iter().map(|output| &output.state);
        let states = std::iter::once(&self.first).chain(output);
        states.flat_map(|state| state.moments[0].weight()).collect()
    }
}
