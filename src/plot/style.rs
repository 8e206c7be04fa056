//! Colours, patterns and letters of all plots. Blue, orange and the others are told apart with any kind of colour
//! blindness (Okabe and Ito 2008, *Color Universal Design*), and never by colour alone: fills have patterns, lines have
//! dashes and markers.

use crate::markup::{Markup, html};

/// The rules for `.plot`; all colours are custom properties.
pub const CSS: &str = include_str!("plot.css");

/// Colours on white paper: custom properties with their values.
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

/// Colours on dark paper.
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

/// Series that look different; further ones begin anew.
pub(super) const SERIES: usize = 6;

/// Steps of colour in a heat map.
pub(super) const STEPS: usize = 6;

/// The rules with the light colours written into them, for readers of SVG that know no custom properties.
pub(super) fn fixed() -> String {
    LIGHT.iter().fold(CSS.to_string(), |css, (name, colour)| css.replace(&format!("var(--{name})"), colour))
}

/// The fill patterns of a plot, under ids of its own.
pub(super) fn patterns(plot: &str) -> Markup {
    let tile = |at: usize, marks: Markup| {
        html! {
            pattern id=(format!("{plot}-f{at}")) width="6" height="6" patternUnits="userSpaceOnUse" {
                rect.{ "w" (at) } width="6" height="6" {}
                (marks)
            }
        }
    };
    let path = |at: usize, d: &str| html! { path.{ "p" (at) } d=(d) {} };
    html! {
        defs {
            (tile(1, path(1, "M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2")))
            (tile(2, path(2, "M0,1.5 h6 M0,4.5 h6")))
            (tile(3, path(3, "M-1,-1 l8,8 M-1,5 l2,2 M5,-1 l2,2")))
            (tile(4, path(4, "M1.5,0 v6 M4.5,0 v6")))
            (tile(5, path(5, "M0,3 h6 M3,0 v6")))
        }
    }
}

/// The pattern that an area of series `at` is filled with; the first is solid, by its class.
pub(super) fn fill(plot: &str, at: usize) -> Option<String> {
    match at % SERIES {
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
    fn letters_and_lines_stand_out() {
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
            for at in 0..STEPS {
                let (heat, text) = (of(&format!("h{at}")), of(&format!("t{at}")));
                assert!(contrast(heat, text) >= 4.5, "step {at}: {}", contrast(heat, text));
            }
        }
    }

    #[test]
    fn a_file_names_no_property() {
        assert!(!fixed().contains("var("), "{}", fixed());
    }
}
