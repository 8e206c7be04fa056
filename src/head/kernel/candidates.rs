//! Pairs of short rows whose inner product is large enough. Vectors run along the rows of one side, so that sixteen pairs are
//! compared at once and no product is stored.

use super::batch::LANES;
use pulp::{Simd, WithSimd};

/// Rows of the second side that lie next to one another, value by value.
pub(crate) const PANEL: usize = 64;

/// Rows of the first side in a block of registers. Their number is a multiple of it.
const ROWS: usize = 4;

/// A bit for each lane, as floats that add up exactly.
const BITS: [f32; LANES] = {
    let mut bits = [0.0; LANES];
    let mut lane = 0;
    while lane < LANES {
        bits[lane] = (1u32 << lane) as f32;
        lane += 1;
    }
    bits
};

/// Short rows with the numbers that decide which products are large enough.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoundedRows<'a> {
    /// `[rows, width]`, or `[panels, width, PANEL]` on the second side.
    pub values: &'a [f32],
    /// What a product and the terms of both rows must reach for each row, less the row's own term.
    pub least: &'a [f32],
    /// A term of each row that is added to its products.
    pub terms: &'a [f32],
}

/// Finds the pairs whose product is at least `least[row] - terms[other]` or at least `least[other] - terms[row]`.
pub(super) struct Candidates<'a> {
    pub rows: BoundedRows<'a>,
    pub panels: BoundedRows<'a>,
    pub width: usize,
    /// Rows of the second side for each row of the first.
    pub found: &'a mut [Vec<u32>],
    /// Stops soon after this many.
    pub most: usize,
}

impl WithSimd for Candidates<'_> {
    /// Whether all pairs were compared.
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) -> bool {
        let panels = self.panels.values.len() / (self.width * PANEL).max(1);
        let mut count = 0;
        for first in (0..self.found.len()).step_by(ROWS) {
            for panel in 0..panels {
                match PANEL / S::F32_LANES {
                    4 => self.block::<S, 4>(simd, first, panel, 0),
                    vectors => {
                        (0..vectors).step_by(2).for_each(|from| self.block::<S, 2>(simd, first, panel, from));
                    }
                }
            }
            count += self.found[first..first + ROWS].iter().map(Vec::len).sum::<usize>();
            if count > self.most {
                return false;
            }
        }
        true
    }
}

impl Candidates<'_> {
    /// Compares [`ROWS`] rows with the rows of `V` vectors of a panel.
    #[inline(always)]
    fn block<S: Simd, const V: usize>(&mut self, simd: S, first: usize, panel: usize, from: usize) {
        let width = self.width;
        let rows: [&[f32]; ROWS] = std::array::from_fn(|r| &self.rows.values[(first + r) * width..][..width]);
        let columns = &self.panels.values[panel * width * PANEL..][..width * PANEL];
        let mut sums = [[simd.splat_f32s(0.0); V]; ROWS];
        for (i, column) in columns.as_chunks::<PANEL>().0.iter().enumerate() {
            let others = vectors::<S, V>(column, from);
            for r in 0..ROWS {
                let value = simd.splat_f32s(rows[r][i]);
                for v in 0..V {
                    sums[r][v] = simd.mul_add_f32s(value, others[v], sums[r][v]);
                }
            }
        }
        let [least, terms] = [self.panels.least, self.panels.terms].map(|all| {
            let all: &[f32; PANEL] = all[panel * PANEL..][..PANEL].try_into().expect("a panel");
            *vectors::<S, V>(all, from)
        });
        for r in 0..ROWS {
            let [own_least, own_term] =
                [self.rows.least, self.rows.terms].map(|all| simd.splat_f32s(all[first + r]));
            for v in 0..V {
                let [own, other] = [simd.sub_f32s(own_least, terms[v]), simd.sub_f32s(least[v], own_term)];
                let is_large = simd.less_than_or_equal_f32s(simd.min_f32s(own, other), sums[r][v]);
                if simd.first_true_m32s(is_large) < S::F32_LANES {
                    let start = panel * PANEL + (from + v) * S::F32_LANES;
                    push(&mut self.found[first + r], start, bits(simd, is_large));
                }
            }
        }
    }
}

#[inline(always)]
fn vectors<S: Simd, const V: usize>(values: &[f32; PANEL], from: usize) -> &[S::f32s; V] {
    S::as_simd_f32s(values).0[from..from + V].try_into().expect("V vectors")
}

/// A bit for each lane of a mask, the first lane lowest.
#[inline(always)]
fn bits<S: Simd>(simd: S, mask: S::m32s) -> u32 {
    let set = simd.select_f32s(mask, S::as_simd_f32s(&BITS).0[0], simd.splat_f32s(0.0));
    simd.reduce_sum_f32s(set) as u32
}

#[inline(always)]
fn push(found: &mut Vec<u32>, start: usize, mut bits: u32) {
    while bits != 0 {
        found.push(start as u32 + bits.trailing_zeros());
        bits &= bits - 1;
    }
}
