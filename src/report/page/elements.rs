//! Parts that any page is made of: plots, key figures, scrolling regions, columns.

use crate::report::format::{END_OF_ISOLATE, ISOLATE};
use crate::report::html::{self, Markup, html};
use crate::report::plot::{Figure, InlinePlot, InlineSvg};

/// A plot with its title and summary, and its numbers as JSON for programs. Of a chart with many rows, all but the first are
/// folded.
pub fn figure(figure: &Figure) -> Markup {
    with_caption(figure, figure.inline())
}

/// A plot as [`figure`], whose first rows stand in two columns.
pub fn wide_figure(figure: &Figure) -> Markup {
    with_caption(figure, figure.inline_in_columns())
}

fn with_caption(figure: &Figure, InlinePlot { first, rest }: InlinePlot) -> Markup {
    html! {
        figure.chart data-plot=(figure.name) {
            figcaption { h3 { (sentence(&figure.title)) } p { (sentence(&figure.summary)) } }
            (fitted(&figure.title, first))
            @if let Some((label, svg)) = rest {
                details { summary { "The rest: " (label) } (svg.svg) }
            }
            script type="application/json" data-numbers=(figure.name) { (html::json(&figure.numbers)) }
        }
    }
}

/// A plot, in a scrolling region if it does not fit on a screen.
fn fitted(title: &str, InlineSvg { svg, min_width }: InlineSvg) -> Markup {
    match min_width {
        Some(least) => scrolled(
            title,
            html! {
                div style=(format!("min-width:{least:.0}px;max-width:{:.0}px", 1.3 * least)) { (svg) }
            },
        ),
        None => svg,
    }
}

/// A scrolling region that the keyboard can reach, for content that may be wider or higher than the screen.
pub fn scrolled(label: &str, body: Markup) -> Markup {
    html! { div.scroll role="region" tabindex="0" aria-label=(label) { (body) } }
}

/// Puts plots and tables side by side where there is room.
pub fn side_by_side(parts: impl IntoIterator<Item = Markup>) -> Markup {
    html! { div.charts { @for part in parts { div { (part) } } } }
}

/// The longest piece of a name that is kept on one line.
const UNBROKEN: usize = 18;

/// A name or path that may be broken over lines after underscores, hyphens, slashes and dots, but not within a number.
/// Direction marks in it do not reach the text around it.
pub fn breakable(text: &str) -> Markup {
    html! { bdi { @for part in pieces(text) { (part) wbr; } } }
}

/// A sentence in which names are isolated by [`isolated`](crate::report::format::isolated). No line of it begins with a percent
/// sign.
pub fn sentence(text: &str) -> Markup {
    let text = text.replace(" %", "\u{a0}%");
    let mut parts = text.split(ISOLATE);
    let before = parts.next().unwrap_or_default();
    let parts: Vec<(&str, &str)> =
        parts.map(|part| part.split_once(END_OF_ISOLATE).unwrap_or((part, ""))).collect();
    html! { (before) @for (name, after) in parts { bdi { (name) } (after) } }
}

/// A name as [`breakable`], shortened in the middle where it is longer than `most` letters; its whole is the title.
pub fn short(text: &str, most: usize) -> Markup {
    match shortened(text, most) {
        Some(short) => html! { span title=(text) { (breakable(&short)) } },
        None => breakable(text),
    }
}

/// The text shortened in the middle to `most` letters; `None` where it has no more.
pub(super) fn shortened(text: &str, most: usize) -> Option<String> {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= most {
        return None;
    }
    let kept = most.saturating_sub(1);
    let (start, end) = (kept.div_ceil(2), letters.len() - kept / 2);
    let part = |letters: &[char]| letters.iter().collect::<String>();
    Some(format!("{}…{}", part(&letters[..start]).trim_end(), part(&letters[end..]).trim_start()))
}

/// Splits a text where a line may end.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut length) = (0, 0);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        length += 1;
        let Some(&(next_at, next)) = chars.peek() else { break };
        let before_is_digit = text[..at].ends_with(|c: char| c.is_ascii_digit());
        // Not within 0.001 or 1e-5, nor before the number of -5.
        let is_in_number = matches!(c, '.' | '-') && next.is_ascii_digit() && (before_is_digit || c == '-');
        let ends = matches!(c, '_' | '-' | '/' | '.') && !is_in_number || c == ' ';
        if ends || length >= UNBROKEN {
            pieces.push(&text[start..next_at]);
            (start, length) = (next_at, 0);
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// A key figure.
#[derive(Debug, Clone)]
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// The value, formatted.
    pub value: String,
    /// What the value means.
    pub note: String,
}

impl Fact {
    /// Creates a key figure.
    pub fn new(name: &'static str, value: String, note: impl Into<String>) -> Self {
        Self { name, value, note: note.into() }
    }
}

/// A row of key figures.
pub fn facts(facts: &[Fact]) -> Markup {
    html! {
        dl.facts {
            @for fact in facts {
                div { dt { (fact.name) } dd.value { (fact.value) } dd.note { (sentence(&fact.note)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_sentences_are_elements_of_their_own() {
        let text = format!("from {} (9) to {}.", crate::report::format::isolated("<b>"), "c");
        assert_eq!(sentence(&text).into_string(), "from <bdi>&lt;b&gt;</bdi> (9) to c.");
        assert_eq!(sentence("\u{2068}open").into_string(), "<bdi>open</bdi>");
        assert_eq!(sentence("95 % of").into_string(), "95\u{a0}% of");
    }

    #[test]
    fn long_names_are_shortened_in_the_middle_and_stay_whole_in_the_title() {
        let [one, two] = ["a_name_that_goes_on_0001", "a_name_that_goes_on_0002"]
            .map(|name| short(name, 12).into_string());
        assert!(
            one != two && one.contains("title=\"a_name_that_goes_on_0001\"") && one.contains('…'),
            "{one}"
        );
        assert_eq!(short("a_b", 12).into_string(), breakable("a_b").into_string());
    }

    #[test]
    fn names_are_not_broken_within_numbers() {
        assert_eq!(pieces("adam_lr_0.001_l2_1e-5"), ["adam_", "lr_", "0.001_", "l2_", "1e-5"]);
        assert_eq!(pieces("runs/a.b-c"), ["runs/", "a.", "b-", "c"]);
        assert_eq!(pieces("abcdefghijklmnopqrstu"), ["abcdefghijklmnopqr", "stu"]);
        assert_eq!(pieces(""), [""]);
    }
}
