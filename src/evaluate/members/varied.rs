//! What varies among the repeats of a setting: seeds and splits.

use super::member::Member;
use crate::data::dataset::Resplit;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// What varies among the runs of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Varied {
    /// Number of runs.
    pub heads: usize,
    /// Number of splits.
    pub splits: usize,
    /// Number of seeds of the first weights; 1 for L-BFGS.
    pub seeds: usize,
    /// Whether the splits are the folds of one cross-validation.
    pub are_folds: bool,
}

impl Varied {
    /// Of runs whose splits are `splits`.
    pub(super) fn of(splits: &[Option<Resplit>], members: &[&Member]) -> Self {
        let seeds: BTreeSet<Option<u64>> = members.iter().map(|member| member.seed).collect();
        Self {
            heads: members.len(),
            splits: splits.len(),
            seeds: seeds.len(),
            are_folds: Resplit::are_all_folds(splits),
        }
    }
}

impl fmt::Display for Varied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.are_folds { "folds" } else { "splits" };
        match (self.splits, self.seeds) {
            (1, 1) if self.heads == 1 => f.write_str("one head"),
            (1, 1) => write!(f, "{} heads alike", self.heads),
            (1, seeds) => write!(f, "{seeds} seeds"),
            (splits, 1) => write!(f, "{splits} {kind}"),
            (splits, seeds) => write!(f, "{splits} {kind}, {seeds} seeds"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_said() {
        let said = |heads, splits, seeds, are_folds| Varied { heads, splits, seeds, are_folds }.to_string();
        assert_eq!(
            [said(1, 1, 1, false), said(3, 1, 3, false), said(5, 5, 1, true), said(6, 2, 3, false)]
                .join("; "),
            "one head; 3 seeds; 5 folds; 2 splits, 3 seeds"
        );
    }
}
