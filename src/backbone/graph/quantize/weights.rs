//! The weights and the bias of a convolution as integers.

use super::compensation::Compensation;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Steps tried below the largest weight, as shares of the highest level: more levels than that cut the largest weights off,
/// fewer leave levels unused. A filter whose weights already lie on a grid has a share that hits it.
const SHARES: std::ops::RangeInclusive<f64> = 0.5..=1.5;
/// Limit on the levels of a bias, well inside 32 bits, so that sums stay inside too.
const MOST_BIAS: f64 = (1u32 << 30) as f64;

/// The weights of a convolution, `[filters, channels of a group, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kernel {
    pub dims: Vec<usize>,
    pub values: Vec<f32>,
}

impl Kernel {
    /// Whether a convolution with these weights and `groups` groups sees one position, and all channels of its input.
    pub fn is_pointwise(&self, groups: usize) -> bool {
        groups == 1 && matches!(self.dims[..], [_, _, 1, 1])
    }
}

/// A convolution in integers: weight `w` of filter `f` is `weights * scales[f]`, its bias `bias[f] * input scale * scales[f]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct QuantizedConv {
    pub weights: Vec<i8>,
    pub scales: Vec<f32>,
    pub bias: Vec<i32>,
    /// Scale of the bias of each filter.
    pub bias_scales: Vec<f32>,
}

/// What enters a convolution.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConvInput<'a> {
    /// Scale of the levels of its input.
    pub scale: f32,
    /// The mean of each channel of its input.
    pub channel_means: &'a [f64],
    /// Number of groups of channels.
    pub groups: usize,
    /// How the channels of its input vary together; only pointwise convolutions make use of it.
    pub compensation: Option<&'a Compensation>,
}

/// The weights of convolutions as integers, each computed once.
pub(super) struct RoundedWeights {
    /// Weights of so many bits.
    bits: u32,
    /// By the output of the convolution and the bits of the scale of its input.
    done: RefCell<HashMap<(String, u32), Rc<QuantizedConv>>>,
}

impl RoundedWeights {
    pub fn new(bits: u32) -> Self {
        Self { bits, done: RefCell::default() }
    }

    /// The bits of each weight.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// The weights of the convolution that gives `output`.
    pub fn of(&self, output: &str, kernel: &Kernel, bias: &[f32], input: ConvInput) -> Rc<QuantizedConv> {
        let key = (output.to_string(), input.scale.to_bits());
        let top = (1 << (self.bits - 1)) - 1;
        let mut done = self.done.borrow_mut();
        done.entry(key).or_insert_with(|| Rc::new(quantize_conv(kernel, bias, input, top))).clone()
    }
}

/// Rounds the weights of each filter to levels from `-top` to `top`, where there is a compensation so that their errors make up
/// for each other, and moves the mean error that is left into the bias (Nagel et al. 2019, section 4.2).
pub(super) fn quantize_conv(kernel: &Kernel, bias: &[f32], input: ConvInput, top: i32) -> QuantizedConv {
    let (filters, channels) = (kernel.dims[0], kernel.dims[1]);
    let (taps, size) = (kernel.dims[2..].iter().product::<usize>(), kernel.values.len() / filters.max(1));
    let mut out = QuantizedConv {
        weights: Vec::with_capacity(kernel.values.len()),
        scales: Vec::with_capacity(filters),
        bias: Vec::with_capacity(filters),
        bias_scales: Vec::with_capacity(filters),
    };
    let compensation = input.compensation.filter(|_| kernel.is_pointwise(input.groups));
    for (filter, values) in kernel.values.chunks_exact(size).enumerate() {
        let bias = f64::from(bias.get(filter).copied().unwrap_or(0.0));
        // A filter of tiny weights would need more levels for its bias than there are.
        let least = bias.abs() / (f64::from(input.scale) * MOST_BIAS);
        let scale = best_scale(values, top, least);
        let level = |value: f32| level(value, scale, top);
        let levels: Vec<i8> = match compensation {
            Some(compensation) => compensation.levels(values, scale, level),
            None => values.iter().map(|value| level(*value)).collect(),
        };
        let first = filter / (filters / input.groups) * channels;
        let mean_error = |channel: usize| {
            let range = channel * taps..(channel + 1) * taps;
            let error =
                |(level, value): (&i8, &f32)| f64::from(*level) * f64::from(scale) - f64::from(*value);
            let errors: f64 = levels[range.clone()].iter().zip(&values[range]).map(error).sum();
            errors * input.channel_means[first + channel]
        };
        let corrected = bias - (0..channels).map(mean_error).sum::<f64>();
        let bias_scale = input.scale * scale;
        let bias_level = (corrected / f64::from(bias_scale)).round_ties_even();
        out.bias.push(bias_level.clamp(-2.0 * MOST_BIAS, 2.0 * MOST_BIAS - 1.0) as i32);
        out.weights.extend(levels);
        out.scales.push(scale);
        out.bias_scales.push(bias_scale);
    }
    out
}

/// Returns the scale of the least squared error, at least `least`.
fn best_scale(values: &[f32], top: i32, least: f64) -> f32 {
    let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    if largest == 0.0 {
        return least.max(1.0) as f32;
    }
    let bounds = [SHARES.start(), SHARES.end()].map(|share| (f64::from(top) * share).round() as i32);
    let scales =
        (bounds[0]..=bounds[1]).map(|levels| (f64::from(largest) / f64::from(levels)).max(least) as f32);
    let error = |scale: f32| -> f64 {
        let off = |value: &f32| f64::from(level(*value, scale, top)) * f64::from(scale) - f64::from(*value);
        values.iter().map(|value| off(value).powi(2)).sum()
    };
    let best = scales.map(|scale| (scale, error(scale)));
    best.fold((1.0, f64::INFINITY), |best, one| if one.1 < best.1 { one } else { best }).0
}

fn level(value: f32, scale: f32, top: i32) -> i8 {
    let top = f64::from(top);
    (f64::from(value) / f64::from(scale)).round_ties_even().clamp(-top, top) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(channel_means: &[f64]) -> ConvInput<'_> {
        ConvInput { scale: 0.5, channel_means, groups: 1, compensation: None }
    }

    #[test]
    fn weights_on_a_grid_are_kept_exactly() {
        let weights: Vec<f32> = (-50..50).map(|i| i as f32 * 0.25).collect();
        let kernel = Kernel { dims: vec![2, 50, 1, 1], values: weights.clone() };
        let found = quantize_conv(&kernel, &[1.0, -3.0], input(&[7.0; 50]), 127);
        for (filter, scale) in found.scales.iter().enumerate() {
            let back = found.weights[filter * 50..][..50].iter().map(|w| f32::from(*w) * scale);
            let off = back.zip(&weights[filter * 50..][..50]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-5, "{off}");
            let bias = found.bias[filter] as f32 * found.bias_scales[filter];
            assert!((bias - [1.0, -3.0][filter]).abs() < 0.1, "{bias}");
        }
    }

    #[test]
    fn the_bias_takes_the_mean_error_of_the_rounded_weights() {
        let kernel = Kernel { dims: vec![1, 2, 1, 1], values: vec![1.0, 0.3] };
        let means = [10.0, 20.0];
        let found = quantize_conv(&kernel, &[0.5], input(&means), 3);
        let of = |weights: [f64; 2], bias: f64| weights[0] * means[0] + weights[1] * means[1] + bias;
        let weights = [0, 1].map(|i| f64::from(found.weights[i]) * f64::from(found.scales[0]));
        let bias = f64::from(found.bias[0]) * f64::from(found.bias_scales[0]);
        assert!((weights[1] - 0.3).abs() > 0.01, "{weights:?} must be rounded for this to say something");
        assert!(
            (of(weights, bias) - of([1.0, 0.3], 0.5)).abs() <= f64::from(found.bias_scales[0]) / 2.0 + 1e-9
        );
    }

    #[test]
    fn groups_take_their_own_channels_and_dead_filters_keep_their_bias() {
        let kernel = Kernel { dims: vec![2, 1, 1, 1], values: vec![0.0, 1e-12] };
        let grouped = ConvInput { scale: 0.01, channel_means: &[1.0, 2.0], groups: 2, compensation: None };
        let found = quantize_conv(&kernel, &[0.25, 5.0], grouped, 127);
        for (filter, expected) in [0.25f32, 5.0].into_iter().enumerate() {
            let bias = found.bias[filter] as f32 * found.bias_scales[filter];
            assert!((bias - expected).abs() < 0.006, "{bias}");
        }
    }
}
