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
    /// The part that each row belongs to, such as its split: the nearest rows of other parts are then found as well.
    pub parts: Option<&'a [u8]>,
    /// Number of nearest pairs of different parts to keep.
    pub most_across: usize,
    /// Reads a block, `[rows, width]`.
    pub read: &'a dyn Fn(usize) -> Result<Matrix>,
    pub threads: usize,
}

/// What is found among rows of different parts.
#[derive(Debug, Clone, Copy)]
struct Across<'a> {
    /// The part of each row, where rows have parts.
    parts: Option<&'a [u8]>,
    /// Number of nearest pairs to keep.
    most: usize,
}

impl<'a> Blocks<'a> {
    fn across(&self) -> Across<'a> {
        Across { parts: self.parts, most: self.most_across }
    }
}

/// Distances from one another, and sets of rows that are near.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NearRows {
    /// Cosine distance of each row from the nearest other one.
    pub nearest: Vec<f32>,
    /// Number of pairs within the threshold.
    pub pairs: u64,
    /// Cosine distance of each row from the nearest one of another part.
    pub nearest_across: Vec<f32>,
    /// The nearest pairs of rows of different parts, the nearest first.
    pub pairs_across: Vec<PairAcross>,
    /// A row of the same set for each row, or itself.
    parents: Vec<usize>,
}

/// A pair of rows of different parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PairAcross {
    /// Cosine distance.
    pub distance: f32,
    /// The rows, in their order.
    pub rows: [usize; 2],
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
    /// The same, among rows of other parts.
    nearest_across: [Vec<f32>; 2],
    /// The nearest pairs of rows of different parts.
    pairs_across: Vec<PairAcross>,
}

impl NearRows {
    fn new(rows: usize) -> Self {
        let none = || vec![f32::INFINITY; rows];
        let (nearest, nearest_across, parents) = (none(), none(), (0..rows).collect());
        Self { nearest, pairs: 0, nearest_across, pairs_across: Vec::new(), parents }
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

    fn add(&mut self, found: &TilePairs, starts: [usize; 2], most_across: usize) {
        let kinds = [(&mut self.nearest, &found.nearest), (&mut self.nearest_across, &found.nearest_across)];
        for (all, found_nearest) in kinds {
            for ((start, tile), distances) in starts.iter().zip(&found.tiles).zip(found_nearest) {
                let rows = start + tile.start..;
                for (row, &distance) in rows.zip(distances) {
                    all[row] = all[row].min(distance);
                }
            }
        }
        self.pairs_across.extend(&found.pairs_across);
        keep_nearest(&mut self.pairs_across, most_across);
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
    let across = blocks.across();
    for i in 0..count {
        let first = (blocks.read)(i)?.normalized();
        for j in i..count {
            let second = if j == i { None } else { Some((blocks.read)(j)?.normalized()) };
            let pair = [&first, second.as_ref().unwrap_or(&first)];
            let starts = [blocks.starts[i], blocks.starts[j]];
            for tiles in tiles(pair, i == j).chunks(TILES_AT_ONCE) {
                if monitor.is_interrupted() {
                    return Err(Error::new(Kind::Interrupted, "interrupted while images were compared"));
                }
                let compare = |tiles: &[Tile; 2]| {
                    let mut compared = compare(pair, *tiles, i == j, threshold);
                    compared.compare_parts(across, starts);
                    Ok(compared.found)
                };
                let compared = in_parallel(blocks.threads, tiles, compare)?;
                compared.iter().for_each(|tile| found.add(tile, starts, across.most));
            }
        }
        task.advance(first.rows() as u64);
    }
    Ok(found)
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

/// Sorts pairs by distance, then by rows, and keeps the first ones.
fn keep_nearest(pairs: &mut Vec<PairAcross>, most: usize) {
    pairs.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.rows.cmp(&b.rows)));
    pairs.truncate(most);
}

/// Two tiles that were compared.
struct ComparedTiles {
    found: TilePairs,
    /// `[rows of the first tile, rows of the second]`.
    distances: Vec<f32>,
    is_same: bool,
}

impl ComparedTiles {
    /// Finds the nearest rows of different parts, where rows have parts.
    fn compare_parts(&mut self, across: Across, starts: [usize; 2]) {
        let (Some(parts), [first, second]) = (across.parts, self.found.tiles) else { return };
        let mut worst = f32::INFINITY;
        for (i, row) in self.distances.chunks_exact(second.rows).enumerate() {
            for (j, &distance) in row.iter().enumerate() {
                let rows = [starts[0] + first.start + i, starts[1] + second.start + j];
                if parts[rows[0]] == parts[rows[1]] || (self.is_same && rows[0] >= rows[1]) {
                    continue;
                }
                let [of_first, of_second] = &mut self.found.nearest_across;
                of_first[i] = of_first[i].min(distance);
                of_second[j] = of_second[j].min(distance);
                if distance <= worst && across.most > 0 {
                    let rows = [rows[0].min(rows[1]), rows[0].max(rows[1])];
                    self.found.pairs_across.push(PairAcross { distance, rows });
                    if self.found.pairs_across.len() > 4 * across.most {
                        keep_nearest(&mut self.found.pairs_across, across.most);
                        worst = self.found.pairs_across.last().map_or(worst, |pair| pair.distance);
                    }
                }
            }
        }
        keep_nearest(&mut self.found.pairs_across, across.most);
    }
}

fn compare(blocks: [&Matrix; 2], tiles: [Tile; 2], is_same: bool, threshold: f32) -> ComparedTiles {
    let range = |tile: Tile| tile.start..tile.start + tile.rows;
    let mut distances = products([(blocks[0], range(tiles[0])), (blocks[1], range(tiles[1]))]);
    distances.iter_mut().for_each(|value| *value = (1.0 - *value).max(0.0));
    let mut near = Vec::new();
    let mut nearest = tiles.map(|tile| vec![f32::INFINITY; tile.rows]);
    for (i, row) in distances.chunks_exact(tiles[1].rows).enumerate() {
        for (j, &distance) in row.iter().enumerate() {
            let (a, b) = (tiles[0].start + i, tiles[1].start + j);
            if is_same && a >= b {
                continue;
            }
            nearest[0][i] = nearest[0][i].min(distance);
            nearest[1][j] = nearest[1][j].min(distance);
            if distance <= threshold {
                near.push((a, b));
            }
        }
    }
    let nearest_across = tiles.map(|tile| vec![f32::INFINITY; tile.rows]);
    let found = TilePairs { tiles, near, nearest, nearest_across, pairs_across: Vec::new() };
    ComparedTiles { found, distances, is_same }
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
        let parts: Vec<u8> = (0..rows.len()).map(|row| (row % 3) as u8).collect();
        let blocks = Blocks { starts, parts: Some(&parts), most_across: 9, read: &read, threads };
        near_rows(&blocks, 0.01, &Silent).unwrap()
    }

    #[test]
    fn blocks_find_what_a_comparison_of_each_pair_finds_whatever_their_size_and_the_threads() {
        let rows = rows(700, 33);
        let mut expected = NearRows::new(700);
        let mut across: Vec<(f32, [usize; 2])> = Vec::new();
        for (i, a) in rows.iter().enumerate() {
            for (j, b) in rows.iter().enumerate().skip(i + 1) {
                let distance = cosine_distance(a, b) as f32;
                for row in [i, j] {
                    expected.nearest[row] = expected.nearest[row].min(distance);
                }
                if i % 3 != j % 3 {
                    across.push((distance, [i, j]));
                    for row in [i, j] {
                        expected.nearest_across[row] = expected.nearest_across[row].min(distance);
                    }
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
            assert_eq!(found(&rows, block, threads).pairs_across, whole.pairs_across);
            assert_eq!(sets(&found(&rows, block, threads)), sets(&expected));
        }
        assert_eq!((whole.pairs, sets(&whole)), (expected.pairs, sets(&expected)));
        let most = |found: &[f32], expected: &[f32]| {
            found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        assert!(most(&whole.nearest, &expected.nearest) < 2e-6);
        assert!(most(&whole.nearest_across, &expected.nearest_across) < 2e-6);
        across.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (pair, (distance, _)) in whole.pairs_across.iter().zip(&across) {
            assert!((pair.distance - distance).abs() < 2e-6);
            assert_ne!(pair.rows[0] % 3, pair.rows[1] % 3);
        }
        assert_eq!(whole.pairs_across.len(), 9);
    }
}
