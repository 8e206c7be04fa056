//! All pairs of feature rows that point in nearly the same direction. Blocks of rows are read in turn and compared with one another,
//! so memory does not grow with their number.

use super::compare::{Comparison, Tile};
use super::near_rows::{NearRows, Wanted};
use super::short_rows::{Axes, ShortTile, Shortening, TILE};
use crate::error::{Error, Kind, Result};
use crate::head::inner_products::InnerProducts;
use crate::math::matrix::Matrix;
use crate::math::parallel::in_parallel;
use crate::monitor::{Monitor, Task, Unit};

/// Pairs of tiles that are compared with what was found before them.
const TILES_AT_ONCE: usize = 64;

/// Rows that are compared, a block at a time.
pub(super) struct Blocks<'a> {
    /// First row of each block, and the number of all rows at the end.
    pub starts: Vec<usize>,
    /// Blocks that are in memory at a time, besides the one that they are compared with.
    pub held: usize,
    /// Reads a block, `[rows, width]`.
    pub read: &'a dyn Fn(usize) -> Result<Matrix>,
    pub shortening: Shortening,
    pub threads: usize,
}

/// A block in memory.
struct Block {
    /// First row.
    start: usize,
    /// `[rows, width]`, each row of length 1 or 0.
    features: Matrix,
    /// The tiles, where rows are shortened.
    short: Vec<ShortTile>,
}

impl Block {
    fn tiles(&self) -> impl Iterator<Item = Tile<'_>> {
        let rows = self.features.rows();
        (0..rows).step_by(TILE).enumerate().map(move |(number, start)| Tile {
            features: &self.features,
            starts: [start, self.start + start],
            rows: TILE.min(rows - start),
            short: self.short.get(number),
        })
    }
}

/// A comparison of all rows, on its way.
struct Search<'a> {
    blocks: &'a Blocks<'a>,
    wanted: Wanted<'a>,
    monitor: &'a dyn Monitor,
    products: InnerProducts,
    axes: Option<Axes>,
    found: NearRows,
    progress: Progress<'a>,
}

/// Compares all rows with one another: cosine distances, in float32.
///
/// # Errors
/// Those of reading; [`Kind::Interrupted`] when the monitor was interrupted.
pub(super) fn near_rows(blocks: &Blocks, wanted: Wanted, monitor: &dyn Monitor) -> Result<NearRows> {
    let rows = blocks.starts.last().copied().unwrap_or(0);
    let count = blocks.starts.len().saturating_sub(1);
    let mut search = Search {
        blocks,
        wanted,
        monitor,
        products: InnerProducts::new(),
        axes: None,
        found: NearRows::new(rows, &wanted),
        progress: Progress::new(rows, monitor),
    };
    for first in (0..count).step_by(blocks.held) {
        let next = (first + blocks.held).min(count);
        let held = (first..next).map(|number| search.read(number)).collect::<Result<Vec<Block>>>()?;
        let tiles: Vec<Tile> = held.iter().flat_map(Block::tiles).collect();
        search.compare(&pairs_within(&tiles), tiles.len())?;
        for number in next..count {
            let block = search.read(number)?;
            let others: Vec<Tile> = block.tiles().collect();
            search.compare(&pairs_between(&tiles, &others), others.len())?;
        }
    }
    Ok(search.found)
}

impl Search<'_> {
    /// Reads a block, and shortens its rows. The first one decides along which axes, and whether.
    fn read(&mut self, number: usize) -> Result<Block> {
        let Blocks { starts, read, shortening, threads, .. } = self.blocks;
        let features = read(number)?.normalized_on(*threads)?;
        if number == 0 && self.axes.is_none() {
            self.axes = Axes::of(&features, self.found.nearest.len(), *shortening, *threads)?;
        }
        let short = match &self.axes {
            Some(axes) => axes.shorten(&features, *threads)?,
            None => Vec::new(),
        };
        Ok(Block { start: starts[number], features, short })
    }

    /// Compares pairs of tiles. The first `fresh` of them have each row that may be new, so that what they find rules out others.
    fn compare(&mut self, pairs: &[[Tile; 2]], fresh: usize) -> Result<()> {
        let (fresh, others) = pairs.split_at(fresh.min(pairs.len()));
        for pairs in fresh.chunks(TILES_AT_ONCE).chain(others.chunks(TILES_AT_ONCE)) {
            if self.monitor.is_interrupted() {
                return Err(Error::new(Kind::Interrupted, "interrupted while images were compared"));
            }
            let comparison = Comparison { products: self.products, wanted: self.wanted, before: &self.found };
            let found = in_parallel(self.blocks.threads, pairs, |pair| Ok(comparison.compare(*pair)))?;
            found.into_iter().for_each(|found| self.found.add(found));
            self.progress.advance(pairs);
        }
        Ok(())
    }
}

/// All pairs of tiles, each once: each with itself, then each with the next one, and so on.
fn pairs_within<'a>(tiles: &[Tile<'a>]) -> Vec<[Tile<'a>; 2]> {
    let count = tiles.len();
    let all = (0..=count / 2).flat_map(|apart| (0..count).map(move |first| (first, apart)));
    let is_once = |(first, apart): &(usize, usize)| 2 * apart != count || first < apart || *apart == 0;
    let pair = |(first, apart): (usize, usize)| {
        let second = (first + apart) % count;
        [tiles[first.min(second)], tiles[first.max(second)]]
    };
    all.filter(is_once).map(pair).collect()
}

/// All pairs of a tile and another one: each of the others with one, then with the next one, and so on.
fn pairs_between<'a>(tiles: &[Tile<'a>], others: &[Tile<'a>]) -> Vec<[Tile<'a>; 2]> {
    let all = (0..tiles.len()).flat_map(|apart| (0..others.len()).map(move |other| (apart, other)));
    all.map(|(apart, other)| [tiles[(other + apart) % tiles.len()], others[other]]).collect()
}

/// Progress over all pairs, shown as rows.
struct Progress<'a> {
    task: Box<dyn Task + 'a>,
    rows: u64,
    pairs: u128,
    shown: u64,
}

impl<'a> Progress<'a> {
    fn new(rows: usize, monitor: &'a dyn Monitor) -> Self {
        let rows = rows as u64;
        let task = monitor.task("comparing images", Some(rows), Unit::Images);
        Self { task, rows, pairs: 0, shown: 0 }
    }

    fn advance(&mut self, pairs: &[[Tile; 2]]) {
        let compared = |[a, b]: &[Tile; 2]| match a.starts[1] == b.starts[1] {
            true => (a.rows * (a.rows + 1) / 2) as u128,
            false => (a.rows * b.rows) as u128,
        };
        self.pairs += pairs.iter().map(compared).sum::<u128>();
        let all = u128::from(self.rows) * (u128::from(self.rows) + 1) / 2;
        let shown = (self.pairs * u128::from(self.rows) / all.max(1)) as u64;
        self.task.advance(shown - self.shown);
        self.shown = shown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::near_duplicates::near_rows::PairAcross;
    use crate::cache::near_images::cosine_distance;
    use crate::math::random::Rng;
    use crate::monitor::Silent;

    const DISTANCES: [f64; 5] = [0.001, 0.01, 0.05, 0.2, 1.0];

    /// Shortens the few rows of the tests, along few axes.
    const SHORTENING: Shortening = Shortening { short: [4, 8, 16], long: 32, least_rows: 1, sample: 100 };

    /// Multiplies all pairs.
    const NONE: Shortening = Shortening { least_rows: usize::MAX, ..SHORTENING };

    fn noise(rng: &mut Rng, width: usize) -> Vec<f32> {
        (0..width).map(|_| rng.normal()).collect()
    }

    /// Rows in clusters: each is one of 40 directions with a little noise; the last has no direction.
    fn clustered(count: usize, width: usize) -> Vec<Vec<f32>> {
        let mut rng = Rng::new(3, 0);
        let centres: Vec<Vec<f32>> = (0..40).map(|_| noise(&mut rng, width)).collect();
        let mut near = |i: usize| centres[i * i % 40].iter().map(|x| x + 0.05 * rng.normal()).collect();
        (0..count - 1).map(&mut near).chain([vec![0.0; width]]).collect()
    }

    /// Rows whose variance decays, around a mean, as those of a network do. Every fifth is nearly the one before, every eleventh the
    /// one before, and some have no direction.
    fn decaying(count: usize, width: usize) -> Vec<Vec<f32>> {
        let mut rng = Rng::new(4, 0);
        let mut rows: Vec<Vec<f32>> = Vec::new();
        for i in 0..count {
            let row = match i {
                0..=2 => (0..width).map(|j| 2.0 + 3.0 * rng.normal() / (1 + j) as f32).collect(),
                _ if i % 11 == 0 => rows[i - 1].clone(),
                _ if i % 5 == 0 => rows[i - 1].iter().map(|x| x + 0.02 * rng.normal()).collect(),
                _ if i % 97 == 0 => vec![0.0; width],
                _ => (0..width).map(|j| 2.0 + 3.0 * rng.normal() / (1 + j) as f32).collect(),
            };
            rows.push(row);
        }
        rows
    }

    struct Settings {
        block: usize,
        held: usize,
        threads: usize,
        threshold: f32,
        shortening: Shortening,
    }

    const WHOLE: Settings =
        Settings { block: 10_000, held: 1, threads: 1, threshold: 0.01, shortening: NONE };

    fn found(rows: &[Vec<f32>], settings: &Settings) -> NearRows {
        let Settings { block, held, threads, threshold, shortening } = *settings;
        let read = |number: usize| {
            let own = &rows[number * block..rows.len().min((number + 1) * block)];
            Ok(Matrix::from_rows(rows[0].len(), &own.concat()))
        };
        let starts = (0..rows.len()).step_by(block).chain([rows.len()]).collect();
        let parts: Vec<u8> = (0..rows.len()).map(|row| (row % 3) as u8).collect();
        let wanted = Wanted { threshold, distances: &DISTANCES, parts: Some(&parts), most_across: 9 };
        let blocks = Blocks { starts, held, read: &read, shortening, threads };
        near_rows(&blocks, wanted, &Silent).unwrap()
    }

    fn sets(found: &NearRows) -> Vec<usize> {
        (0..found.nearest.len()).map(|row| found.clone().set_of(row)).collect()
    }

    /// Number of rows whose nearest other row is within each distance.
    fn within(nearest: &[f32]) -> [usize; 5] {
        DISTANCES.map(|distance| nearest.iter().filter(|&&nearest| f64::from(nearest) <= distance).count())
    }

    /// Everything that is reported of a comparison.
    fn reported(
        found: &NearRows,
        threshold: f32,
    ) -> (u64, Vec<usize>, [usize; 5], Vec<bool>, Vec<PairAcross>) {
        let is_near = found.nearest_across.iter().map(|&nearest| nearest <= threshold).collect();
        (found.pairs, sets(found), within(&found.nearest), is_near, found.pairs_across.clone())
    }

    #[test]
    fn blocks_find_what_a_comparison_of_each_pair_finds_whatever_their_size_and_the_threads() {
        let rows = clustered(700, 33);
        let wanted = Wanted { threshold: 0.01, distances: &DISTANCES, parts: None, most_across: 0 };
        let mut expected = NearRows::new(700, &wanted);
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
        let whole = found(&rows, &WHOLE);
        for (block, held, threads) in [(700, 1, 3), (300, 1, 2), (300, 2, 2), (64, 3, 1)] {
            let blocks = found(&rows, &Settings { block, held, threads, ..WHOLE });
            assert_eq!(reported(&blocks, 0.01), reported(&whole, 0.01));
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

    #[test]
    fn short_rows_rule_out_no_pair_that_is_wanted_whatever_the_rows_the_threshold_and_the_threads() {
        let mut rng = Rng::new(6, 0);
        let random: Vec<Vec<f32>> = (0..500).map(|_| noise(&mut rng, 96)).collect();
        let same = vec![noise(&mut rng, 70); 300];
        let none = vec![vec![0.0; 64]; 300];
        let narrow = clustered(400, 20);
        for rows in [decaying(900, 100), clustered(600, 90), random, same, none, narrow] {
            let distances: Vec<f64> = (0..rows.len())
                .flat_map(|i| (0..i).map(move |j| (i, j)))
                .map(|(i, j)| cosine_distance(&rows[i], &rows[j]))
                .collect();
            for threshold in [0.0, 0.001, 0.02, 0.3, 2.0] {
                let all = found(&rows, &Settings { threshold, ..WHOLE });
                // The float64 distances agree but for pairs at the threshold itself.
                let count =
                    |by: f64| distances.iter().filter(|&&d| d <= f64::from(threshold) + by).count() as u64;
                assert!((count(-2e-6)..=count(2e-6)).contains(&all.pairs), "{threshold}");
                for (block, held, threads) in [(10_000, 1, 2), (256, 2, 3), (130, 1, 1)] {
                    let settings = Settings { block, held, threads, threshold, shortening: SHORTENING };
                    let short = found(&rows, &settings);
                    assert_eq!(reported(&short, threshold), reported(&all, threshold), "{threshold} {block}");
                }
            }
        }
    }

    #[test]
    fn each_pair_of_tiles_is_compared_once() {
        let features = Matrix::zeros(1, 1);
        let tiles = |from: usize, count: usize| -> Vec<Tile> {
            (from..from + count)
                .map(|start| Tile { features: &features, starts: [0, start], rows: 1, short: None })
                .collect()
        };
        let numbers = |pairs: Vec<[Tile; 2]>| {
            let mut numbers: Vec<[usize; 2]> =
                pairs.iter().map(|pair| pair.map(|tile| tile.starts[1])).collect();
            numbers.sort();
            numbers
        };
        for count in 0..8 {
            let expected = (0..count).flat_map(|a| (a..count).map(move |b| [a, b]));
            assert!(expected.eq(numbers(pairs_within(&tiles(0, count)))), "{count}");
            for others in 1..5 {
                let expected = (0..count).flat_map(|a| (count..count + others).map(move |b| [a, b]));
                assert!(expected.eq(numbers(pairs_between(&tiles(0, count), &tiles(count, others)))));
            }
        }
    }
}
