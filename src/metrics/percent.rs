//! Percentages as text.

/// The most decimals of a percentage.
const MOST_DECIMALS: usize = 4;

/// Formats a fraction as a percentage with one decimal and no unit, `12.3`. It has more decimals, up to four, where fewer would
/// show 0 for something or 100 for less than all: 2,999 of 3,000 is `99.97`.
pub fn percent_number(fraction: f64) -> String {
    let with = |decimals: usize| percent_with(fraction, decimals);
    let hides = |text: &str| {
        let shown: f64 = text.parse().unwrap_or(f64::NAN);
        (shown == 0.0 && fraction > 0.0) || (shown == 100.0 && fraction < 1.0)
    };
    // Beyond the most decimals it is a rounding error of a sum.
    (1..=MOST_DECIMALS).map(with).find(|text| !hides(text)).unwrap_or_else(|| with(1))
}

/// Formats a fraction as a percentage with `decimals` decimals, half rounded away from zero as on paper. What a sum is off by in
/// binary does not matter: 0.8875 reads 88.8 however it was computed.
fn percent_with(fraction: f64, decimals: usize) -> String {
    let scale = 10f64.powi(decimals as i32);
    let units = (100.0 * fraction.abs() * scale + 0.5 + 1e-9).floor();
    without_minus_zero(format!("{:.decimals$}", units.copysign(fraction) / scale))
}

/// Formats a difference of fractions as signed percentage points with one decimal, `+1.2`; zero as `0.0`.
pub fn point_number(difference: f64) -> String {
    let number = percent_with(difference, 1);
    let is_positive = !number.starts_with('-') && number.parse() != Ok(0.0) && difference > 0.0;
    if is_positive { format!("+{number}") } else { number }
}

/// Removes the sign of a number that was rounded to zero.
pub fn without_minus_zero(text: String) -> String {
    match text.strip_prefix(['-', '+']) {
        Some(digits) if digits.parse() == Ok(0.0) => digits.into(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_not_shown_as_nothing_or_all() {
        let shown = [2999.0 / 3000.0, 1.0 / 3000.0, 1.0, 0.0, 0.123_45, -0.0].map(percent_number);
        assert_eq!(shown.join(" "), "99.97 0.03 100.0 0.0 12.3 0.0");
        assert_eq!(without_minus_zero("-0.0".into()), "0.0");
    }
}
