//! What a comparison of rows is to find, and what it has found: the sets of near rows, how near the nearest ones are, and the nearest
//! pairs of different parts.

/// What is to be found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Largest cosine distance of near rows.
    pub threshold: f32,
    /// Distances for which is found whether each row has another one within, ascending.
    pub distances: &'a [f64],
    /// The part that each row belongs to, such as its split: the nearest rows of other parts are then found as well.
    pub parts: Option<&'a [u8]>,
    /// Number of nearest pairs of different parts to keep.
    pub most_across: usize,
}

/// Distances from one another, and sets of rows that are near.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NearRows {
    /// For each row a cosine distance that lies within the same ones of the wanted distances as that of the nearest other row.
    pub nearest: Vec<f32>,
    /// Number of pairs within the threshold.
    pub pairs: u64,
    /// Cosine distance of each row from the nearest one of another part, where it is within the threshold; else it may be larger.
    pub nearest_across: Vec<f32>,
    /// The nearest pairs of rows of different parts, the nearest first.
    pub pairs_across: Vec<PairAcross>,
    /// The largest distance that would change what is known of each row.
    limits: Vec<f32>,
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

/// What the comparison of some rows with some others found.
#[derive(Debug)]
pub(super) struct FoundPairs<'a> {
    wanted: Wanted<'a>,
    /// The first row of either.
    starts: [usize; 2],
    /// Pairs within the threshold.
    near: Vec<[usize; 2]>,
    /// The distance of the nearest of the others, for each row of both.
    nearest: [Vec<f32>; 2],
    /// The same, among rows of other parts.
    nearest_across: [Vec<f32>; 2],
    /// The nearest pairs of rows of different parts.
    pairs_across: Vec<PairAcross>,
    /// Pairs of different parts that are further apart are not among the nearest.
    worst: f32,
}

/// No two rows are further apart, whatever is rounded.
const FURTHEST: f32 = 4.0;

impl NearRows {
    /// Nothing is known of any row yet.
    pub fn new(rows: usize, wanted: &Wanted) -> Self {
        let none = || vec![f32::INFINITY; rows];
        let limits = vec![limit(f32::INFINITY, wanted); rows];
        let (nearest, nearest_across, parents) = (none(), none(), (0..rows).collect());
        Self { nearest, pairs: 0, nearest_across, pairs_across: Vec::new(), limits, parents }
    }

    /// The largest distance from another row that may still change what is known, for each of some rows.
    pub fn limits(&self, rows: std::ops::Range<usize>, wanted: &Wanted) -> Vec<f32> {
        let across = match wanted.most_across {
            0 => wanted.threshold,
            most if self.pairs_across.len() < most => FURTHEST,
            _ => self.pairs_across.last().map_or(FURTHEST, |pair| pair.distance),
        };
        self.limits[rows].iter().map(|limit| limit.max(across)).collect()
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

    /// Adds what a comparison found.
    pub fn add(&mut self, found: FoundPairs) {
        for (start, distances) in found.starts.iter().zip(&found.nearest) {
            for (row, &distance) in (*start..).zip(distances) {
                if distance < self.nearest[row] {
                    self.nearest[row] = distance;
                    self.limits[row] = limit(distance, &found.wanted);
                }
            }
        }
        for (start, distances) in found.starts.iter().zip(&found.nearest_across) {
            for (row, &distance) in (*start..).zip(distances) {
                self.nearest_across[row] = self.nearest_across[row].min(distance);
            }
        }
        self.pairs_across.extend(&found.pairs_across);
        keep_nearest(&mut self.pairs_across, found.wanted.most_across);
        self.pairs += found.near.len() as u64;
        found.near.iter().for_each(|&[a, b]| self.join(a, b));
    }
}

/// The largest distance that matters to a row whose nearest is at `nearest`: the threshold, or the next smaller one of the distances.
fn limit(nearest: f32, wanted: &Wanted) -> f32 {
    let smaller = wanted.distances.iter().rev().find(|&&distance| distance < f64::from(nearest));
    // Rounded up, so that no distance within it is beyond it as float32.
    smaller.map_or(wanted.threshold, |&distance| (distance as f32).next_up().max(wanted.threshold))
}

impl<'a> FoundPairs<'a> {
    /// Nothing found yet among rows from `starts` on, and so many of either.
    pub fn new(wanted: Wanted<'a>, starts: [usize; 2], rows: [usize; 2]) -> Self {
        let none = |has_values: bool| {
            rows.map(|rows| if has_values { vec![f32::INFINITY; rows] } else { Vec::new() })
        };
        let (nearest, nearest_across) = (none(true), none(wanted.parts.is_some()));
        let (near, pairs_across) = (Vec::new(), Vec::new());
        Self { wanted, starts, near, nearest, nearest_across, pairs_across, worst: f32::INFINITY }
    }

    /// Takes the distance of row `i` of the first from row `j` of the others.
    #[inline]
    pub fn visit(&mut self, [i, j]: [usize; 2], distance: f32) {
        let [first, second] = &mut self.nearest;
        first[i] = first[i].min(distance);
        second[j] = second[j].min(distance);
        if distance <= self.wanted.threshold {
            self.near.push([self.starts[0] + i, self.starts[1] + j]);
        }
        if let Some(parts) = self.wanted.parts {
            self.visit_parts(parts, [i, j], distance);
        }
    }

    fn visit_parts(&mut self, parts: &[u8], [i, j]: [usize; 2], distance: f32) {
        let rows = [self.starts[0] + i, self.starts[1] + j];
        if parts[rows[0]] == parts[rows[1]] {
            return;
        }
        let [first, second] = &mut self.nearest_across;
        first[i] = first[i].min(distance);
        second[j] = second[j].min(distance);
        if distance <= self.worst && self.wanted.most_across > 0 {
            let rows = [rows[0].min(rows[1]), rows[0].max(rows[1])];
            self.pairs_across.push(PairAcross { distance, rows });
            if self.pairs_across.len() > 4 * self.wanted.most_across {
                keep_nearest(&mut self.pairs_across, self.wanted.most_across);
                self.worst = self.pairs_across.last().map_or(self.worst, |pair| pair.distance);
            }
        }
    }
}

/// Sorts pairs by distance, then by rows, and keeps the first ones.
fn keep_nearest(pairs: &mut Vec<PairAcross>, most: usize) {
    pairs.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.rows.cmp(&b.rows)));
    pairs.truncate(most);
}
