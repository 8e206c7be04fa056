//! All pairs of feature rows that point in nearly the same direction. Blocks of rows are read in turn and compared with one another,
//! so memory does not grow with their number.

use crate::error::{Error, Kind, Result};
use crate::math::matrix::{Matrix, products};
use crate::math::parallel::in_parallel;
use crate::monitor::{Monitor, Unit};

/// Rows of a tile. The products of two tiles are computed by one thread at a time.
const TILE: usize = 256;

/// Tiles whose pairs are in memory at the same time.
const TILES_AT_ONCE: usize = 64;

/// Rows that are compared, a block at a time.
pub(super) struct Blocks<'a> {
    /// First row of each block, and the number of all rows at the end.
    pub starts: Vec<usize>,
    /// Reads a block, `[rows, width]`.
    pub read: &'a dyn Fn(usize) -> Result<Matrix>,
    pub threads: usize,
}

/// Distances from one another, and sets of rows that are near.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NearRows {
    /// Cosine distance of each row from the nearest other one.
    pub nearest: Vec<f32>,
    /// Number of pairs within the threshold.
    pub pairs: u64,
    /// A row of the same set for each row, or itself.
    parents: Vec<usize>,
}

/// A tile of a block: its first row there, and its rows.
#[derive(Debug, Clone, Copy)]
struct Tile {
    start: usize,
    rows: usize,
}

/// What the comparison of two tiles found.
struct TilePairs {
    tiles: [Tile; 2],
    /// Pairs within the threshold, by row of their block.
    near: Vec<(usize, usize)>,
    /// The distance of the nearest row of the other tile, for each row of both.
    nearest: [Vec<f32>; 2],
}

impl NearRows {
    fn new(rows: usize) -> Self {
        Self { nearest: vec![f32::INFINITY; rows], pairs: 0, parents: (0..rows).collect() }
    }

    /// The row that stands for the set of `row`.
    pub fn set_of(&mut self, mut row: usize) -> usize {
        while self.parents[row] != row {
            self.parents[row] = self.parents[self.parents[row]];
            row = self.parents[row];
        }
        row
    }

    /// Joins the sets of two rows.
    pub fn join(&mut self, a: usize, b: usize) {
        let [a, b] = [a, b].map(|row| self.set_of(row));
        self.parents[a.max(b)] = a.min(b);
    }

    fn add(&mut self, found: &TilePairs, starts: [usize; 2]) {
        for ((start, tile), distances) in starts.iter().zip(&found.tiles).zip(&found.nearest) {
            let rows = start + tile.start..;
            for (row, &distance) in rows.zip(distances) {
                self.nearest[row] = self.nearest[row].min(distance);
            }
        }
        self.pairs += found.near.len() as u64;
        found.near.iter().for_each(|(a, b)| self.join(starts[0] + a, starts[1] + b));
    }
}

/// Compares all rows with one another: cosine distances, in float32.
///
/// # Errors
/// Those of reading; [`Kind::Interrupted`] when the monitor was interrupted.
pub(super) fn near_rows(blocks: &Blocks, threshold: f32, monitor: &dyn Monitor) -> Result<NearRows> {
    let rows = blocks.starts.last().copied().unwrap_or(0);
    let count = blocks.starts.len().saturating_sub(1);
    let mut found = NearRows::new(rows);
    let task = monitor.task("comparing images", Some(rows as u64), Unit::Images);
    for i in 0..count {
        let first = normalized((blocks.read)(i)?);
        for j in i..count {
            let second = if j == i { None } else { Some(normalized((blocks.read)(j)?)) };
            let pair = [&first, second.as_ref().unwrap_or(&first)];
            let starts = [blocks.starts[i], blocks.starts[j]];
            for tiles in tiles(pair, i == j).chunks(TILES_AT_ONCE) {
                if monitor.is_interrupted() {
                    return Err(Error::new(Kind::Interrupted, "interrupted while images were compared"));
                }
                let compare = |tiles: &[Tile; 2]| Ok(compare(pair, *tiles, i == j, threshold));
                in_parallel(blocks.threads, tiles, compare)?.iter().for_each(|tile| found.add(tile, starts));
            }
        }
        task.advance(first.rows() as u64);
    }
    Ok(found)
}

/// Scales each row to length 1. A row without a direction becomes zeros, at distance 1 from all others.
fn normalized(mut rows: Matrix) -> Matrix {
    for row in 0..rows.rows() {
        let values = rows.row_mut(row);
        let norm = values.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt();
        let scale = if norm > 0.0 && norm.is_finite() { 1.0 / norm } else { 0.0 };
        values.iter_mut().for_each(|value| {
            *value = if scale > 0.0 { (f64::from(*value) * scale) as f32 } else { 0.0 };
        });
    }
    rows
}

/// All pairs of tiles of two blocks; of one block with itself each pair once.
fn tiles([a, b]: [&Matrix; 2], is_same: bool) -> Vec<[Tile; 2]> {
    let of = |block: &Matrix| -> Vec<Tile> {
        let tile = |start: usize| Tile { start, rows: TILE.min(block.rows() - start) };
        (0..block.rows()).step_by(TILE).map(tile).collect()
    };
    let (a, b) = (of(a), of(b));
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| [*a, *b]));
    pairs.filter(|[a, b]| !is_same || a.start <= b.start).collect()
}

fn compare(blocks: [&Matrix; 2], tiles: [Tile; 2], is_same: bool, threshold: f32) -> TilePairs {
    let range = |tile: Tile| tile.start..tile.start + tile.rows;
    let cosines = products([(blocks[0], range(tiles[0])), (blocks[1], range(tiles[1]))]);
    let mut near = Vec::new();
    let mut nearest = tiles.map(|tile| vec![f32::INFINITY; tile.rows]);
    for (i, row) in cosines.chunks_exact(tiles[1].rows).enumerate() {
        for (j, cosine) in row.iter().enumerate() {
            let (a, b) = (tiles[0].start + i, tiles[1].start + j);
            if is_same && a >= b {
                continue;
            }
            let distance = (1.0 - cosine).max(0.0);
            nearest[0][i] = nearest[0][i].min(distance);
            nearest[1][j] = nearest[1][j].min(distance);
            if distance <= threshold {
                near.push((a, b));
            }
        }
    }
    TilePairs { tiles, near, nearest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::near_images::cosine_distance;
    use crate::math::random::Rng;
    use crate::monitor::Silent;

    /// Rows in clusters: each is one of 40 directions with a little noise; the last has no direction.
    fn rows(count: usize, width: usize) -> Vec<Vec<f32>> {
        let mut rng = Rng::new(3, 0);
        let row = |rng: &mut Rng| (0..width).map(|_| rng.normal()).collect::<Vec<f32>>();
        let centres: Vec<Vec<f32>> = (0..40).map(|_| row(&mut rng)).collect();
        let mut near = |i: usize| centres[i * i % 40].iter().map(|x| x + 0.05 * rng.normal()).collect();
        (0..count - 1).map(&mut near).chain([vec![0.0; width]]).collect()
    }

    fn found(rows: &[Vec<f32>], block: usize, threads: usize) -> NearRows {
        let read = |number: usize| {
            let own = &rows[number * block..rows.len().min((number + 1) * block)];
            Ok(Matrix::from_rows(rows[0].len(), &own.concat()))
        };
        let starts = (0..rows.len()).step_by(block).chain([rows.len()]).collect();
        near_rows(&Blocks { starts, read: &read, threads }, 0.01, &Silent).unwrap()
    }

    #[test]
    fn blocks_find_what_a_comparison_of_each_pair_finds_whatever_their_size_and_the_threads() {
        let rows = rows(700, 33);
        let mut expected = NearRows::new(700);
        for (i, a) in rows.iter().enumerate() {
            for (j, b) in rows.iter().enumerate().skip(i + 1) {
                let distance = cosine_distance(a, b) as f32;
                for row in [i, j] {
                    expected.nearest[row] = expected.nearest[row].min(distance);
                }
                if distance <= 0.01 {
                    expected.pairs += 1;
                    expected.join(i, j);
                }
            }
        }
        assert!(expected.pairs > 1_000, "{}", expected.pairs);
        let sets = |found: &NearRows| (0..700).map(|row| found.clone().set_of(row)).collect::<Vec<_>>();
        let whole = found(&rows, 700, 1);
        for (block, threads) in [(700, 3), (300, 2), (64, 1)] {
            assert_eq!(found(&rows, block, threads).nearest, whole.nearest);
            assert_eq!(sets(&found(&rows, block, threads)), sets(&expected));
        }
        assert_eq!((whole.pairs, sets(&whole)), (expected.pairs, sets(&expected)));
        let most = whole.nearest.iter().zip(&expected.nearest).map(|(a, b)| (a - b).abs());
        assert!(most.fold(0.0, f32::max) < 2e-6);
    }
}
