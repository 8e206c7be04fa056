//! Colours and fill patterns of all plots. The colours of series can be distinguished with any kind of colour blindness
//! (Okabe and Ito 2008, *Color Universal Design*). Colour is never the only sign: fills have patterns, lines have dashes
//! and markers.

use crate::report::html::{Markup, html};

/// Style rules for `.plot`. All colours are CSS custom properties, listed in [`LIGHT`] and [`DARK`].
pub const CSS: &str = include_str!("plot.css");

/// Custom properties on a white background, (name, colour): text and lines, series `s0` to `s5`, steps of a heat map `h0`
/// to `h5`, and text `t0` to `t5` on those steps.
pub const LIGHT: [(&str, &str); 22] = [
    ("ink", "#1b1f24"),
    ("soft", "#57606a"),
    ("faint", "#d8dee4"),
    ("paper", "#ffffff"),
    ("s0", "#0b62a8"),
    ("s1", "#c2500c"),
    ("s2", "#0a7d5a"),
    ("s3", "#9a3f86"),
    ("s4", "#7a6200"),
    ("s5", "#57606a"),
    ("h0", "#edf3f9"),
    ("h1", "#d5e5f4"),
    ("h2", "#a9cbe8"),
    ("h3", "#6ea6d7"),
    ("h4", "#2a72b2"),
    ("h5", "#0b4f8a"),
    ("t0", "#1b1f24"),
    ("t1", "#1b1f24"),
    ("t2", "#1b1f24"),
    ("t3", "#1b1f24"),
    ("t4", "#ffffff"),
    ("t5", "#ffffff"),
];

/// The same custom properties on a dark background.
pub const DARK: [(&str, &str); 22] = [
    ("ink", "#e6edf3"),
    ("soft", "#9aa7b4"),
    ("faint", "#2b3440"),
    ("paper", "#12171d"),
    ("s0", "#6cb6ff"),
    ("s1", "#ff9f5a"),
    ("s2", "#4fd0a5"),
    ("s3", "#e39bd3"),
    ("s4", "#e3c75a"),
    ("s5", "#9aa7b4"),
    ("h0", "#1a2531"),
    ("h1", "#1b3650"),
    ("h2", "#1f4d77"),
    ("h3", "#2768a0"),
    ("h4", "#5ba3e6"),
    ("h5", "#a8d3ff"),
    ("t0", "#e6edf3"),
    ("t1", "#e6edf3"),
    ("t2", "#e6edf3"),
    ("t3", "#f4f8fb"),
    ("t4", "#0b1117"),
    ("t5", "#0b1117"),
];

/// Number of distinct styles of series. Further series start again with the first.
pub(super) const SERIES: usize = 6;

/// Number of colours in a heat map.
pub(super) const HEAT_STEPS: usize = 6;

/// [`CSS`] with the light colours filled in, for SVG readers without custom properties.
pub(super) fn light_css() -> String {
    LIGHT.iter().fold(CSS.to_string(), |css, (name, colour)| css.replace(&format!("var(--{name})"), colour))
}

/// Definitions of the fill patterns of a plot. Their ids start with the name of the plot.
pub(super) fn pattern_defs(plot: &str) -> Markup {
    let tile = |i: usize, d: &str| {
        html! {
            pattern id=(format!("{plot}-f{i}")) width="6" height="6" patternUnits="userSpaceOnUse" {
                rect.{ "w" (i) } width="6" height="6" {}
                path.{ "p" (i) } d=(d) {}
            }
        }
    };
    html! {
        defs {
            (tile(1, "M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2"))
            (tile(2, "M0,1.5 h6 M0,4.5 h6"))
            (tile(3, "M-1,-1 l8,8 M-1,5 l2,2 M5,-1 l2,2"))
            (tile(4, "M1.5,0 v6 M4.5,0 v6"))
            (tile(5, "M0,3 h6 M3,0 v6"))
        }
    }
}

/// Inline style with the fill pattern of series `i`; `None` for a solid fill, which the element's class sets.
pub(super) fn fill_style(plot: &str, i: usize) -> Option<String> {
    match i % SERIES {
        0 => None,
        other => Some(format!("fill:url(#{plot}-f{other})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of two colours (Web Content Accessibility Guidelines 2.2, definitions of contrast ratio and relative luminance).
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |colour: &str| {
            let channel = |at: usize| f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
            0.2126 * linear(channel(1)) + 0.7152 * linear(channel(3)) + 0.0722 * linear(channel(5))
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_lines_have_enough_contrast() {
        for colours in [LIGHT, DARK] {
            let of = |name: &str| colours.iter().find(|(known, _)| *known == name).unwrap().1;
            for text in ["ink", "soft"] {
                assert!(contrast(of(text), of("paper")) >= 4.5, "{text}");
            }
            for at in 0..SERIES {
                let name = format!("s{at}");
                assert!(
                    contrast(of(&name), of("paper")) >= 4.5,
                    "{name} {}",
                    contrast(of(&name), of("paper"))
                );
            }
            for at in 0..HEAT_STEPS {
                let (heat, text) = (of(&format!("h{at}")), of(&format!("t{at}")));
                assert!(contrast(heat, text) >= 4.5, "step {at}: {}", contrast(heat, text));
            }
        }
    }

    #[test]
    fn css_for_files_has_no_custom_properties() {
        assert!(!light_css().contains("var("), "{}", light_css());
    }
}
