//! P values as text.

/// Formats a p value with four decimals, `0.0123`; a smaller one as `< 0.0001`.
pub fn format_p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".into() } else { format!("{p:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_p_values_are_bounded() {
        assert_eq!([format_p_value(0.012_34), format_p_value(0.000_099)].join(" "), "0.0123 < 0.0001");
    }
}
