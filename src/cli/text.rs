//! Numbers and tables for people.

/// A fraction as a percentage with one decimal; `-` where it is undefined.
pub(super) fn percent(fraction: impl Into<Option<f64>>) -> String {
    fraction.into().map_or("-".into(), |f| format!("{:.1} %", 100.0 * f))
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

/// Columns of equal width: the first left-aligned, the others right-aligned.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(i, (cell, width))| match i {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
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
    }
}
