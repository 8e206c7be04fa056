//! Numbers and tables for people. The only door to `unicode-width`.

use crate::dataset::Split;
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// A fraction as a percentage with one decimal; `-` where it is undefined.
pub(super) fn percent(fraction: impl Into<Option<f64>>) -> String {
    fraction.into().map_or("-".into(), |f| format!("{:.1} %", 100.0 * f))
}

/// A difference of fractions in percentage points, with its sign.
pub(super) fn points(difference: f64) -> String {
    format!("{:+.1}", 100.0 * difference)
}

/// A p value with what comes before it.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.0001 { "p < 0.0001".into() } else { format!("p {p:.4}") }
}

/// The ends of an interval of temperatures; the upper one may be infinite.
pub(super) fn temperatures((low, high): (f64, Option<f64>)) -> String {
    format!("{low:.2} to {}", high.map_or("infinity".into(), |high| format!("{high:.2}")))
}

/// A score from 0 to 1 with three decimals; `-` where it is undefined.
pub(super) fn score(score: Option<f64>) -> String {
    score.map_or("-".into(), |score| format!("{score:.3}"))
}

/// Files in each split, in a few words.
pub(super) fn splits(counts: &BTreeMap<&'static str, usize>) -> String {
    let count = |split: Split| format!("{} {split}", counts.get(split.name()).copied().unwrap_or(0));
    Split::ALL.map(count).join(", ")
}

/// Seconds with a sensible number of digits.
pub(super) fn seconds(s: f64) -> String {
    match s {
        s if s < 0.001 => format!("{:.0} us", 1e6 * s),
        s if s < 1.0 => format!("{:.1} ms", 1e3 * s),
        s if s < 120.0 => format!("{s:.1} s"),
        s => format!("{:.0} min {:02.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

/// Names may hold anything, also what moves a terminal's cursor: control characters become `?`.
pub(super) fn printable(text: &str) -> String {
    text.replace(char::is_control, "?")
}

/// A table below a line of names.
pub(super) fn headed<const N: usize>(
    names: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let rows = rows.into_iter().map(Vec::from);
    table(&std::iter::once(names.map(String::from).to_vec()).chain(rows).collect::<Vec<_>>())
}

/// Columns of equal width on a terminal: the first left-aligned, the others right-aligned.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|s| s.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(i, (cell, width))| {
            let space = " ".repeat(width - cell.width());
            if i == 0 { format!("{cell}{space}") } else { format!("{space}{cell}") }
        });
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(percent(0.12345), "12.3 %");
        assert_eq!(percent(None), "-");
        assert_eq!(
            [seconds(2e-5), seconds(0.0123), seconds(3.25), seconds(185.0)].join(", "),
            "20 us, 12.3 ms, 3.2 s, 3 min 05 s"
        );
        assert_eq!(
            table(&[vec!["é".into(), "1".into()], vec!["bb".into(), "10".into()]]),
            "é    1\nbb  10\n"
        );
        assert_eq!(points(-0.0123), "-1.2");
        assert_eq!(
            table(&[vec!["猫".into(), "1".into()], vec!["abc\u{1b}[2J".into(), "2".into()]]),
            "猫       1\nabc?[2J  2\n"
        );
    }
}
