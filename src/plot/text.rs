//! Words and numbers inside a plot: how wide they are, roughly, and how they are cut.

/// A coordinate with at most two decimals.
pub(super) fn n(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// About how wide `text` is in letters of `size`: what is narrow and what is wide even out in names.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let of = |c: char| match c {
        // From Hangul on most scripts are as wide as high.
        '\u{1100}'.. => 1.0,
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ' ' | '\'' | '|' => 0.34,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.9,
        'A'..='Z' => 0.68,
        _ => 0.6,
    };
    text.chars().map(of).sum::<f64>() * size
}

/// `text`, or as much of its start as fits with a mark that the rest is missing.
pub(super) fn shorten(text: &str, room: f64, size: f64) -> String {
    let text = xml(text);
    if width(&text, size) <= room {
        return text;
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if width(&kept, size) + 0.8 * size > room {
            kept.pop();
            break;
        }
    }
    format!("{}…", kept.trim_end())
}

/// The same without the characters that XML cannot hold (XML 1.0, section 2.2).
pub(super) fn xml(text: &str) -> String {
    let is_kept = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if is_kept(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short() {
        assert_eq!([n(1.0), n(0.126), n(-0.001), n(10.5), n(100.0)].join(" "), "1 0.13 0 10.5 100");
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(shorten("short", 100.0, 11.0), "short");
        let cut = shorten("a name that goes on and on", 60.0, 11.0);
        assert!(cut.ends_with('…') && width(&cut, 11.0) <= 66.0, "{cut}");
        assert_eq!(shorten("a\u{1}b", 100.0, 11.0), "a?b");
    }
}
