//! Text and numbers in a plot: their approximate width, and how they are shortened.

/// Formats a number with at most two decimals.
pub(super) fn decimal(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// Estimates the width of `text` at font size `size`, in units of the drawing.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let width = |c: char| match c {
        // Most scripts from Hangul on are as wide as they are high.
        '\u{1100}'.. => 1.0,
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ' ' | '\'' | '|' => 0.34,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.9,
        'A'..='Z' => 0.68,
        _ => 0.6,
    };
    text.chars().map(width).sum::<f64>() * size
}

/// Cuts `text` to about `room` units at font size `size`; an ellipsis shows that it was cut.
pub(super) fn truncate(text: &str, room: f64, size: f64) -> String {
    let text = replace_non_xml(text);
    if text_width(&text, size) <= room {
        return text;
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if text_width(&kept, size) + 0.8 * size > room {
            kept.pop();
            break;
        }
    }
    format!("{}…", kept.trim_end())
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
        assert!(cut.ends_with('…') && text_width(&cut, 11.0) <= 66.0, "{cut}");
        assert_eq!(truncate("a\u{1}b", 100.0, 11.0), "a?b");
    }
}
