//! Text for the terminal: aligned tables and short phrases. The only door to `unicode-width`.

pub(super) use crate::report::format::{
    escape_direction, interval, p_value, percent, percent_number, percent_range, percentage_points, score,
    seconds, signed_percent,
};

use crate::data::dataset::Split;
use crate::metrics::is_few;
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// The number of files in each split, such as `70 train, 5 validation, 25 test`.
pub(super) fn splits(counts: &BTreeMap<&'static str, usize>) -> String {
    let count = |split: Split| format!("{} {split}", counts.get(split.name()).copied().unwrap_or(0));
    Split::ALL.map(count).join(", ")
}

/// A remark for a number that rests on few images, else nothing.
pub(super) fn few(images: usize) -> &'static str {
    if is_few(images) { " (few: largely chance)" } else { "" }
}

/// Replaces control characters, which could move the cursor of a terminal, by `?`, and escapes direction marks.
pub(super) fn printable(text: &str) -> String {
    escape_direction(&text.replace(char::is_control, "?"))
}

/// A table below a line of column names; the first column is left-aligned, the others right-aligned.
pub(super) fn table_with_header<const N: usize>(
    names: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let rows = rows.into_iter().map(Vec::from);
    table(&std::iter::once(names.map(String::from).to_vec()).chain(rows).collect::<Vec<_>>())
}

/// A table whose first column is left-aligned, the others right-aligned.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    aligned(rows, |column| column == 0)
}

/// A table whose columns are all left-aligned.
pub(super) fn left_aligned_table(rows: &[Vec<String>]) -> String {
    aligned(rows, |_| true)
}

fn aligned(rows: &[Vec<String>], is_left: impl Fn(usize) -> bool) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|s| s.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(i, (cell, width))| {
            let space = " ".repeat(width - cell.width());
            if is_left(i) { format!("{cell}{space}") } else { format!("{space}{cell}") }
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
    fn direction_marks_are_shown_and_letters_of_any_direction_stay() {
        assert_eq!(printable("a\u{202e}gpj.b\t"), "a\\u{202e}gpj.b?");
    }

    #[test]
    fn columns_line_up() {
        assert_eq!(
            table(&[vec!["é".into(), "1".into()], vec!["bb".into(), "10".into()]]),
            "é    1\nbb  10\n"
        );
        assert_eq!(
            table(&[vec!["猫".into(), "1".into()], vec!["abc\u{1b}[2J".into(), "2".into()]]),
            "猫       1\nabc?[2J  2\n"
        );
    }
}
