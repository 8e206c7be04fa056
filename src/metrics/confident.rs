//! Labels that a classifier doubts, from probabilities that it gave rows it was not fitted to.

/// A row whose label is in doubt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Doubt {
    /// Its number.
    pub row: usize,
    /// The class that it is counted for.
    pub suggested: usize,
    /// The probability of its label less that of the suggested class: the lower, the more doubtful.
    pub margin: f64,
}

/// The rows off the diagonal of the confident joint (Northcutt, Jiang and Chuang 2021, *Confident Learning: Estimating
/// Uncertainty in Dataset Labels*, Journal of Artificial Intelligence Research 70, equations 1 and 2), the most doubtful
/// first; of equals in the order of rows.
///
/// A class's threshold is the mean probability of the class over the rows that are labelled so. A row is counted for the
/// class that is the most probable of those whose threshold its probability reaches; where that is not its label, the
/// label is in doubt. Rows are ordered by normalised margin, as in the same work. `targets` holds the label of each row
/// of `probabilities`, all of which have one value for each class.
pub fn doubts(targets: &[usize], probabilities: &[Vec<f32>]) -> Vec<Doubt> {
    let classes = probabilities.first().map_or(0, Vec::len);
    let (mut sums, mut counts) = (vec![0.0; classes], vec![0usize; classes]);
    for (&target, row) in targets.iter().zip(probabilities) {
        sums[target] += f64::from(row[target]);
        counts[target] += 1;
    }
    let thresholds: Vec<f64> = sums.iter().zip(&counts).map(|(sum, &n)| sum / n as f64).collect();
    let of_row = |(row, (&target, probabilities)): (usize, (&usize, &Vec<f32>))| {
        let at = |class: usize| f64::from(probabilities[class]);
        // A class without rows has no number for a threshold, which nothing reaches.
        let reached = (0..classes).filter(|&class| at(class) >= thresholds[class]);
        let suggested = reached.reduce(|best, class| if at(class) > at(best) { class } else { best })?;
        (suggested != target).then(|| Doubt { row, suggested, margin: at(target) - at(suggested) })
    };
    let mut found: Vec<Doubt> = targets.iter().zip(probabilities).enumerate().filter_map(of_row).collect();
    found.sort_by(|a, b| a.margin.total_cmp(&b.margin).then(a.row.cmp(&b.row)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_doubted_where_another_class_is_above_its_threshold() {
        // Thresholds: (0.9 + 0.7 + 0.2) / 3 = 0.6 and (0.8 + 0.4) / 2 = 0.6; the last row reaches neither.
        let rows = [[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.2, 0.8], [0.55, 0.4]].map(|row| row.to_vec());
        let found = doubts(&[0, 0, 0, 1, 1], &rows);
        let told: Vec<_> = found.iter().map(|d| (d.row, d.suggested, (d.margin * 10.0).round())).collect();
        assert_eq!(told, [(2, 1, -6.0)], "{found:?}");
        assert_eq!(doubts(&[], &[]), []);
        // A class without rows is never suggested.
        assert_eq!(doubts(&[0, 0], &[vec![0.1, 0.9], vec![0.2, 0.8]]), []);
    }
}
