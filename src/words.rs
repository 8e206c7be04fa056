//! Numbers as people read them. Pure. The only door to `chrono`.

/// A fraction as a percentage with one decimal; `-` where it is undefined.
pub fn percent(fraction: impl Into<Option<f64>>) -> String {
    fraction.into().map_or("-".into(), |f| format!("{:.1} %", 100.0 * f))
}

/// A difference of fractions as a percentage with its sign; `-` where it is undefined.
pub fn signed_percent(fraction: impl Into<Option<f64>>) -> String {
    fraction.into().map_or("-".into(), |f| format!("{:+.1} %", 100.0 * f))
}

/// A difference of fractions in percentage points, with its sign.
pub fn points(difference: f64) -> String {
    format!("{:+.1}", 100.0 * difference)
}

/// A p value with four decimals; `< 0.0001` below that.
pub fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".into() } else { format!("{p:.4}") }
}

/// The ends of an interval of temperatures; the upper one may be infinite.
pub fn temperatures((low, high): (f64, Option<f64>)) -> String {
    format!("{low:.2} to {}", high.map_or("infinity".into(), |high| format!("{high:.2}")))
}

/// A score from 0 to 1 with three decimals; `-` where it is undefined.
pub fn score(score: Option<f64>) -> String {
    score.map_or("-".into(), |score| format!("{score:.3}"))
}

/// Seconds with a sensible number of digits.
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

/// A whole number with a comma before each three digits.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let begins_group = |i: usize| i > 0 && (digits.len() - i).is_multiple_of(3);
    digits
        .chars()
        .enumerate()
        .flat_map(|(i, c)| begins_group(i).then_some(',').into_iter().chain([c]))
        .collect()
}

/// The day and minute of seconds since 1970, in UTC; the number itself where no calendar reaches.
pub fn moment(seconds: u64) -> String {
    date(seconds, "%Y-%m-%d %H:%M UTC")
}

/// Seconds since 1970 in UTC as `strftime` would write them; the number itself where no calendar reaches.
pub fn date(seconds: u64, format: &str) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
    time.map_or(seconds.to_string(), |time| time.format(format).to_string())
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
        assert_eq!(points(-0.0123), "-1.2");
        assert_eq!([p_value(0.012_34), p_value(1e-5)].join(", "), "0.0123, < 0.0001");
        assert_eq!([count(0), count(999), count(1000), count(1_234_567)].join(" "), "0 999 1,000 1,234,567");
    }

    #[test]
    fn moments_as_date_tells_them() {
        // date -u -d @SECONDS '+%F %R UTC'
        assert_eq!(moment(951_827_696), "2000-02-29 12:34 UTC");
        assert_eq!(moment(1_709_251_199), "2024-02-29 23:59 UTC");
        assert_eq!(moment(u64::MAX), "18446744073709551615");
    }
}
