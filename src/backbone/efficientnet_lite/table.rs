//! The stages of EfficientNet-Lite, from `efficientnet_lite_builder.py` of TensorFlow's `tpu` repository, and how a size scales
//! them.

/// A stage of inverted bottleneck blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    /// Number of blocks, before scaling.
    pub blocks: usize,
    /// Side of the depthwise kernel.
    pub kernel: usize,
    /// Stride of the first block.
    pub stride: usize,
    /// Factor on the channels inside a block.
    pub expansion: usize,
    /// Channels that a block returns, before scaling.
    pub filters: usize,
}

const fn stage(blocks: usize, kernel: usize, stride: usize, expansion: usize, filters: usize) -> Stage {
    Stage { blocks, kernel, stride, expansion, filters }
}

/// The stages between stem and head.
pub(super) const STAGES: [Stage; 7] = [
    stage(1, 3, 1, 1, 16),
    stage(2, 3, 2, 6, 24),
    stage(2, 5, 2, 6, 40),
    stage(3, 3, 2, 6, 80),
    stage(3, 5, 1, 6, 112),
    stage(4, 5, 2, 6, 192),
    stage(1, 3, 1, 6, 320),
];

/// Filters of the stem, at every size.
pub(super) const STEM_FILTERS: usize = 32;
/// Filters of the head, at every size: the width of the features.
pub(super) const HEAD_FILTERS: usize = 1280;
/// Classes of ImageNet.
pub(super) const CLASSES: usize = 1000;
/// Added to the variance in batch norm.
pub(super) const EPSILON: f64 = 1e-3;

/// Channels are multiples of this number.
const DIVISOR: usize = 8;

/// Scales a number of channels, rounded to a multiple of 8 that is at least nine tenths of the product.
pub(super) fn scaled_filters(filters: usize, width: f64) -> usize {
    let wanted = filters as f64 * width;
    let rounded = ((wanted + DIVISOR as f64 / 2.0) as usize / DIVISOR * DIVISOR).max(DIVISOR);
    if (rounded as f64) < 0.9 * wanted { rounded + DIVISOR } else { rounded }
}

/// Scales the blocks of each stage. First and last stage keep theirs.
pub(super) fn scaled_blocks(stage: usize, depth: f64) -> usize {
    let blocks = STAGES[stage].blocks;
    match stage == 0 || stage + 1 == STAGES.len() {
        true => blocks,
        false => (blocks as f64 * depth).ceil() as usize,
    }
}
