//! Confident learning: rows that are probably labelled wrongly.

/// A row whose label is probably wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SuspectRow {
    /// Index of the row.
    pub row: usize,
    /// Index of the class that it probably belongs to.
    pub suggested: usize,
    /// Probability of the label less the largest probability of another class, -1 to 0 (the normalised margin of Northcutt
    /// et al. 2021). The lower it is, the more likely the label is wrong.
    pub margin: f64,
}

/// Finds the rows off the diagonal of the confident joint (Northcutt, Jiang and Chuang 2021, *Confident Learning: Estimating
/// Uncertainty in Dataset Labels*, Journal of Artificial Intelligence Research 70, equations 1 and 2), sorted by normalised
/// margin as in the same work: lowest first, equal margins by row.
///
/// The threshold of a class is its mean probability over the rows labelled with it. A row counts for the most probable of
/// the classes whose threshold its probability reaches. It is an issue when that class is not its label, unless the label is
/// the most probable class of all: then the classifier agrees with it.
///
/// `labels` holds the class index of each row. `probabilities` holds one row of `[classes]` each, from a classifier that
/// was not fitted to that row.
///
/// # Panics
/// When the number of rows differs, a row is shorter than the first, or a class index is not below its length.
pub fn find_label_issues<R: AsRef<[f32]>>(
    labels: &[usize],
    probabilities: impl IntoIterator<Item = R>,
) -> Vec<SuspectRow> {
    let rows: Vec<R> = probabilities.into_iter().collect();
    assert_eq!(rows.len(), labels.len(), "one row of probabilities for each label");
    let classes = rows.first().map_or(0, |row| row.as_ref().len());
    let (mut sums, mut counts) = (vec![0.0; classes], vec![0usize; classes]);
    for (&label, row) in labels.iter().zip(&rows) {
        sums[label] += f64::from(row.as_ref()[label]);
        counts[label] += 1;
    }
    // A class without rows has the threshold NaN, which no probability reaches.
    let thresholds: Vec<f64> = sums.iter().zip(&counts).map(|(sum, &n)| sum / n as f64).collect();
    let issue = |(row, (&label, probabilities)): (usize, (&usize, &R))| {
        let at = |class: usize| f64::from(probabilities.as_ref()[class]);
        let reached = (0..classes).filter(|&class| at(class) >= thresholds[class]);
        let suggested = reached.reduce(|best, class| if at(class) > at(best) { class } else { best })?;
        let rival = (0..classes).filter(|&class| class != label).map(at).fold(f64::NEG_INFINITY, f64::max);
        let margin = at(label) - rival;
        (suggested != label && margin < 0.0).then_some(SuspectRow { row, suggested, margin })
    };
    let mut found: Vec<SuspectRow> = labels.iter().zip(&rows).enumerate().filter_map(issue).collect();
    found.sort_by(|a, b| a.margin.total_cmp(&b.margin).then(a.row.cmp(&b.row)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_an_issue_where_another_class_reaches_its_threshold() {
        // Thresholds: (0.9 + 0.7 + 0.2) / 3 = 0.6 and (0.8 + 0.4) / 2 = 0.6; the last row reaches neither.
        let rows = [[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.2, 0.8], [0.55, 0.4]];
        let found = find_label_issues(&[0, 0, 0, 1, 1], rows);
        let rounded: Vec<_> = found.iter().map(|i| (i.row, i.suggested, (i.margin * 10.0).round())).collect();
        assert_eq!(rounded, [(2, 1, -6.0)], "{found:?}");
        assert_eq!(find_label_issues::<Vec<f32>>(&[], []), []);
        // Thresholds 0.7 and 0.3: the third row reaches only the second one, yet its own label is the likelier class.
        let found = find_label_issues(&[0, 0, 0, 1], [[0.9, 0.1], [0.6, 0.4], [0.6, 0.4], [0.75, 0.25]]);
        assert_eq!(found.iter().map(|issue| issue.row).collect::<Vec<_>>(), [3], "{found:?}");
        // A class without rows is never suggested.
        assert_eq!(find_label_issues(&[0, 0], [[0.1, 0.9], [0.2, 0.8]]), []);
    }
}
