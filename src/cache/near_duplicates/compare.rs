//! The comparison of two tiles of rows: most pairs are ruled out by short rows, then by longer ones, and the features of the rest are
//! multiplied. The product of the features alone decides, and it has the same bits however a pair came to it.

use super::near_rows::{FoundPairs, NearRows, Wanted};
use super::short_rows::{ShortTile, TILE};
use crate::head::inner_products::{BoundedRows, FewProducts, InnerProducts};
use crate::math::matrix::Matrix;

/// Some rows of a block.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    /// The features of the block, `[rows, width]`, each row of length 1 or 0.
    pub features: &'a Matrix,
    /// First row in the block, and in all.
    pub starts: [usize; 2],
    pub rows: usize,
    /// The rows shortened, where they are.
    pub short: Option<&'a ShortTile>,
}

/// Where the short rows leave more than one in so many pairs, all of the tiles are multiplied.
const SHORT_LEAVE: usize = 4;

/// The same for the longer rows. A pair by itself costs several times what it costs among all.
const LONG_LEAVE: usize = 6;

/// Distance from which on the limit of a row rules out next to nothing.
const LOOSE: f32 = 1.0;

/// Compares tiles, given what was found before.
pub(super) struct Comparison<'a, 'w> {
    pub products: InnerProducts,
    pub wanted: Wanted<'w>,
    pub before: &'a NearRows,
}

impl<'w> Comparison<'_, 'w> {
    /// Finds what is wanted among the pairs of two tiles; of a tile with itself each pair once.
    pub fn compare(&self, [a, b]: [Tile; 2]) -> FoundPairs<'w> {
        let mut found = FoundPairs::new(self.wanted, [a.starts[1], b.starts[1]], [a.rows, b.rows]);
        let is_same = a.starts[1] == b.starts[1];
        match self.left([a, b], is_same) {
            Some(left) => self.some([a, b], &left, &mut found),
            None => self.all([a, b], is_same, &mut found),
        }
        found
    }

    /// Compares all pairs.
    fn all(&self, [a, b]: [Tile; 2], is_same: bool, found: &mut FoundPairs) {
        let rows = |tile: Tile| tile.starts[0]..tile.starts[0] + tile.rows;
        let products = self.products.all([(a.features, rows(a)), (b.features, rows(b))]);
        for (i, products) in products.chunks_exact(b.rows).enumerate() {
            let first = if is_same { i + 1 } else { 0 };
            for (j, &product) in products.iter().enumerate().skip(first) {
                found.visit([i, j], distance(product));
            }
        }
    }

    /// Compares the pairs that are left: rows of the second tile for each of the first.
    fn some(&self, [a, b]: [Tile; 2], left: &[Vec<u32>], found: &mut FoundPairs) {
        let mut few = FewProducts::default();
        for (i, left) in left.iter().enumerate().filter(|(_, left)| !left.is_empty()) {
            let rows = left.iter().map(|&j| b.starts[0] as u32 + j);
            self.products.some((a.features, a.starts[0] + i), (b.features, rows), &mut few);
            for (&j, &product) in left.iter().zip(&few.products) {
                found.visit([i, j as usize], distance(product));
            }
        }
    }

    /// The pairs that shortened rows do not rule out: rows of the second tile for each of the first. `None` where they are so many
    /// that all had better be multiplied.
    fn left(&self, tiles: [Tile; 2], is_same: bool) -> Option<Vec<Vec<u32>>> {
        let short = [tiles[0].short?, tiles[1].short?];
        let limits = tiles.map(|tile| {
            let mut limits = self.before.limits(tile.starts[1]..tile.starts[1] + tile.rows, &self.wanted);
            limits.resize(TILE, -LOOSE);
            limits
        });
        let pairs = tiles[0].rows * tiles[1].rows;
        let loose = |(tile, limits): (Tile, &Vec<f32>)| {
            limits.iter().filter(|&&limit| limit >= LOOSE).count() * SHORT_LEAVE > tile.rows
        };
        if tiles.into_iter().zip(&limits).any(loose) {
            return None;
        }
        let least = |terms: &[f32], limits: &[f32]| -> Vec<f32> {
            limits.iter().zip(terms).map(|(limit, term)| 1.0 - limit - term).collect()
        };
        let least_short = [0, 1].map(|side| least(&short[side].terms, &limits[side]));
        let mut left = vec![Vec::new(); TILE];
        let sides = [
            BoundedRows { values: &short[0].rows, least: &least_short[0], terms: &short[0].terms },
            BoundedRows { values: &short[1].panels, least: &least_short[1], terms: &short[1].terms },
        ];
        if !self.products.candidates(sides, short[0].width, &mut left, pairs / SHORT_LEAVE) {
            return None;
        }
        if is_same {
            left.iter_mut().zip(0..).for_each(|(left, i)| left.retain(|&j| j > i));
        }
        let least_long = [0, 1].map(|side| least(&short[side].long_terms, &limits[side]));
        self.leave(short, &least_long, &mut left);
        let count: usize = left.iter().map(Vec::len).sum();
        (count <= pairs / LONG_LEAVE).then_some(left)
    }

    /// Leaves the pairs that longer rows do not rule out.
    fn leave(&self, [a, b]: [&ShortTile; 2], least: &[Vec<f32>; 2], left: &mut [Vec<u32>]) {
        let mut few = FewProducts::default();
        for (i, left) in left.iter_mut().enumerate().filter(|(_, left)| !left.is_empty()) {
            self.products.some((&a.long, i), (&b.long, left.iter().copied()), &mut few);
            let mut products = few.products.iter();
            left.retain(|&j| {
                let j = j as usize;
                let needed = (least[0][i] - b.long_terms[j]).min(least[1][j] - a.long_terms[i]);
                products.next().is_some_and(|&product| product >= needed)
            });
        }
    }
}

/// Cosine distance of rows with this product.
fn distance(product: f32) -> f32 {
    (1.0 - product).max(0.0)
}
