//! Numbers and times as text for people. The only user of `chrono`.

pub use crate::metrics::{
    format_p_value as p_value, percent_number, point_number as percentage_points, without_minus_zero,
};

/// Escapes characters that change the direction of text, such as `\u{202e}`: after one in a name, the rest of the line
/// would be shown backwards.
pub fn escape_direction(text: &str) -> String {
    text.chars()
        .flat_map(|c| if is_direction_mark(c) { c.escape_unicode().collect() } else { vec![c] })
        .collect()
}

/// A name for a sentence: between the marks of an isolate, so that one that is written from right to left does not reorder the
/// numbers around it (Unicode Standard Annex 9). Marks of its own are escaped.
pub fn isolated(name: &str) -> String {
    format!("{ISOLATE}{}{END_OF_ISOLATE}", escape_direction(name))
}

/// A sentence without the marks of [`isolated`], for where nothing shows them.
pub fn without_isolates(sentence: &str) -> String {
    sentence.replace([ISOLATE, END_OF_ISOLATE], "")
}

/// Begins an isolate, in the direction of its first letter.
pub const ISOLATE: char = '\u{2068}';
/// Ends an isolate.
pub const END_OF_ISOLATE: char = '\u{2069}';

/// Whether a character changes the direction of the text around it (Unicode Standard Annex 9).
pub fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Formats a fraction as a percentage with one decimal, `12.3 %`; an undefined one as `-`. It has more decimals, up to four,
/// where fewer would show 0 for something or 100 for less than all: 2,999 of 3,000 is `99.97 %`.
pub fn percent(fraction: impl Into<Option<f64>>) -> String {
    fraction.into().map_or("-".into(), |f| format!("{} %", percent_number(f)))
}

/// Formats an interval of fractions as percentages without their unit, `58.6 to 68.5`.
pub fn percent_range([low, high]: [f64; 2]) -> String {
    format!("{} to {}", percent_number(low), percent_number(high))
}

/// Formats a difference of fractions as a signed percentage, `+1.2 %`; an undefined one as `-`.
pub fn signed_percent(fraction: impl Into<Option<f64>>) -> String {
    fraction.into().map_or("-".into(), |f| format!("{} %", percentage_points(f)))
}

/// Formats an interval with two decimals, `0.85 to 1.20`. Without an upper end it extends to infinity.
pub fn interval(low: f64, high: Option<f64>) -> String {
    format!("{low:.2} to {}", high.map_or("infinity".into(), |high| format!("{high:.2}")))
}

/// Formats a score from 0 to 1 with three decimals; an undefined one as `-`.
pub fn score(score: Option<f64>) -> String {
    score.map_or("-".into(), |score| format!("{score:.3}"))
}

/// Formats a duration, given in seconds, in the unit that fits: `20 us`, `12.3 ms`, `3.2 s`, `3 min 05 s`.
pub fn seconds(s: f64) -> String {
    match s {
        s if s < 0.001 => format!("{:.0} us", 1e6 * s),
        s if s < 1.0 => format!("{:.1} ms", 1e3 * s),
        s if s < 120.0 => format!("{s:.1} s"),
        s => {
            let s = s.round() as u64;
            format!("{} min {:02} s", s / 60, s % 60)
        }
    }
}

/// Formats a whole number with thousands separators, `1,234,567`.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let begins_group = |i: usize| i > 0 && (digits.len() - i).is_multiple_of(3);
    digits
        .chars()
        .enumerate()
        .flat_map(|(i, c)| begins_group(i).then_some(',').into_iter().chain([c]))
        .collect()
}

/// Formats a Unix time, in seconds, as date and minute in UTC, `2024-02-29 23:59 UTC`.
pub fn date_time(unix_time: u64) -> String {
    format_utc(unix_time, "%Y-%m-%d %H:%M UTC")
}

/// Formats a Unix time, in seconds, in UTC by a `strftime` format. A time beyond the calendar is written as its number.
pub fn format_utc(unix_time: u64, format: &str) -> String {
    let time = i64::try_from(unix_time).ok().and_then(|time| chrono::DateTime::from_timestamp(time, 0));
    time.map_or(unix_time.to_string(), |time| time.format(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direction_marks_are_escaped_and_letters_are_not() {
        assert_eq!(escape_direction("\u{200f}\u{2067}x\ny"), "\\u{200f}\\u{2067}x\ny");
        assert_eq!(escape_direction("שלום, مرحبا"), "שלום, مرحبا");
    }

    #[test]
    fn names_in_sentences_are_isolated_and_their_own_marks_escaped() {
        let sentence = format!("{} (9)", isolated("a\u{2069}b"));
        assert_eq!(sentence, "\u{2068}a\\u{2069}b\u{2069} (9)");
        assert_eq!(without_isolates(&sentence), "a\\u{2069}b (9)");
    }

    #[test]
    fn numbers_are_formatted() {
        assert_eq!(percent(0.12345), "12.3 %");
        assert_eq!(percent(None), "-");
        assert_eq!(
            [2999.0 / 3000.0, 1.0 / 3000.0, 1.0, 0.0, 0.9995, 1e-9, -0.0].map(percent).join(", "),
            "99.97 %, 0.03 %, 100.0 %, 0.0 %, 99.95 %, 0.0 %, 0.0 %"
        );
        assert_eq!([percentage_points(-0.0001), percentage_points(0.0)].join(" "), "0.0 0.0");
        assert_eq!(
            [seconds(2e-5), seconds(0.0123), seconds(3.25), seconds(185.0)].join(", "),
            "20 us, 12.3 ms, 3.2 s, 3 min 05 s"
        );
        assert_eq!(percentage_points(-0.0123), "-1.2");
        assert_eq!(
            [interval(0.5, Some(2.0)), interval(1.0, None)].join(", "),
            "0.50 to 2.00, 1.00 to infinity"
        );
        assert_eq!([count(0), count(999), count(1000), count(1_234_567)].join(" "), "0 999 1,000 1,234,567");
    }

    #[test]
    fn times_agree_with_date() {
        // date -u -d @SECONDS '+%F %R UTC'
        assert_eq!(date_time(951_827_696), "2000-02-29 12:34 UTC");
        assert_eq!(date_time(1_709_251_199), "2024-02-29 23:59 UTC");
        assert_eq!(date_time(u64::MAX), "18446744073709551615");
    }
}
