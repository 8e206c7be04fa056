//! Text and numbers in a plot: how they are written and shortened.

/// Formats a number with at most two decimals.
pub(super) fn decimal(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

pub(super) use super::font::text_width;

/// Shortens `text` in the middle to `room` units at font size `size`; an ellipsis shows where. Names that differ at
/// their ends only stay different.
pub(super) fn truncate(text: &str, room: f64, size: f64) -> String {
    let text = replace_non_xml(text);
    if text_width(&text, size) <= room {
        return text;
    }
    let chars: Vec<char> = text.chars().collect();
    let shortened = |kept: usize| {
        let (start, end) = (kept.div_ceil(2), chars.len() - kept / 2);
        let part = |chars: &[char]| chars.iter().collect::<String>();
        format!("{}…{}", part(&chars[..start]).trim_end(), part(&chars[end..]).trim_start())
    };
    let fits = |kept: &usize| text_width(&shortened(*kept), size) <= room;
    shortened((0..chars.len()).rev().find(fits).unwrap_or(0))
}

/// Replaces characters that XML cannot hold (XML 1.0, section 2.2) by `?`.
pub(super) fn replace_non_xml(text: &str) -> String {
    let is_allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if is_allowed(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_short() {
        assert_eq!([1.0, 0.126, -0.001, 10.5, 100.0].map(decimal).join(" "), "1 0.13 0 10.5 100");
    }

    #[test]
    fn long_names_are_truncated() {
        assert_eq!(truncate("short", 100.0, 11.0), "short");
        let cut = truncate("a name that goes on and on", 60.0, 11.0);
        assert!(cut.starts_with("a ") && cut.ends_with('n') && cut.contains('…'), "{cut}");
        assert!(text_width(&cut, 11.0) <= 60.0, "{cut}");
        let [one, two] = ["one_long_name_0001", "one_long_name_0002"].map(|name| truncate(name, 60.0, 11.0));
        assert_ne!(one, two);
        assert_eq!(truncate("a\u{1}b", 100.0, 11.0), "a?b");
    }
}
