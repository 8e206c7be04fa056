//! Plots of where in a picture the evidence for a class lies.

use crate::data::pixels::Pixels;
use crate::data::thumbnail;
use crate::evaluate::explain::Explanation;
use crate::report::html::{Markup, html};
use crate::report::plot::{Chart, DivergingKey, Figure, Panel, PictureChart, diverging};
use serde_json::json;

/// Longer side of the pictures in a plot, in pixels.
const SIDE: usize = 528;

/// The range of the grey picture below the colours, of 255: neither black nor white, which would hide them.
const DARKEST: f64 = 40.0;
const BRIGHTEST: f64 = 215.0;
/// Share of the contrast that is left of what did not enter the network.
const OUTSIDE: f64 = 0.3;

/// Plots a picture beside what speaks for and against classes of it, each with what the class is. All have one scale.
pub fn figure(name: &str, path: &str, picture: &Pixels, explained: &[(&str, &Explanation)]) -> Figure {
    let all = explained.iter().flat_map(|(_, explanation)| &explanation.values);
    let largest = all.fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let small = thumbnail::fit(picture, SIDE);
    let shrink = small.width() as f64 / picture.width() as f64;
    let overlay = |(role, explanation): &(&str, &Explanation)| Panel {
        role: role.to_string(),
        name: explanation.label.clone(),
        picture: overlay(&small, shrink, explanation, largest),
    };
    let first = Panel { role: "picture".into(), name: String::new(), picture: small.clone() };
    let panels = std::iter::once(first).chain(explained.iter().map(overlay)).collect();
    let key = DivergingKey { low: format!("-{largest:.2} against"), high: format!("for +{largest:.2}") };
    let summary: Vec<String> = explained.iter().map(|(_, explanation)| in_words(explanation)).collect();
    Figure {
        name: name.into(),
        title: path.into(),
        summary: summary.join(" "),
        chart: Chart::Pictures(PictureChart { panels, key }),
        numbers: json!({
            "path": path,
            "explanations": explained.iter().map(|(_, explanation)| explanation).collect::<Vec<_>>(),
        }),
    }
}

/// How to read the plots, as the end of a sentence.
pub fn about() -> Markup {
    html! {
        "what its positions add to the logit of a class before softmax, orange for the class and blue against it (class activation "
        "maps, Zhou et al. 2016). The features are the mean of a map of positions and the head is linear, so the logit is exactly the "
        "bias plus the sum over the positions. A position of the last map sees a large part of the picture, not just what lies below it: "
        "the colours say roughly where, not what. What was cropped away is pale."
    }
}

/// The logit with its parts, and where the most evidence for the class is.
pub fn in_words(explanation: &Explanation) -> String {
    let Explanation { label, logit, bias, height, width, values, .. } = explanation;
    let positions: f64 = values.iter().sum();
    let sign = if positions < 0.0 { '-' } else { '+' };
    format!(
        "{label}: logit {logit:.2} = bias {bias:.2} {sign} {:.2} of {height} x {width} positions, the most {}.",
        positions.abs(),
        place(values, *height, *width)
    )
}

/// Where the largest value is, in words.
fn place(values: &[f64], height: usize, width: usize) -> String {
    let at = (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0);
    let third = |position: usize, of: usize| (3 * position + 1).min(3 * of - 1) / of.max(1);
    let row = ["at the top", "in the middle", "at the bottom"][third(at / width, height).min(2)];
    match third(at % width, width).min(2) {
        0 => format!("{row} on the left"),
        1 => row.into(),
        _ => format!("{row} on the right"),
    }
}

/// The picture in grey, coloured where it speaks for the class or against it; `largest` has the full colour. `shrink` is the
/// scale of `picture` to the picture that was explained.
fn overlay(picture: &Pixels, shrink: f64, explanation: &Explanation, largest: f64) -> Pixels {
    let [left, top, width, height] = explanation.area.map(|length| length * shrink);
    let mut data = Vec::with_capacity(picture.data().len());
    for (i, pixel) in picture.data().chunks_exact(3).enumerate() {
        // Weights of ITU-R BT.601.
        let luma = 0.299 * f64::from(pixel[0]) + 0.587 * f64::from(pixel[1]) + 0.114 * f64::from(pixel[2]);
        let grey = DARKEST + luma / 255.0 * (BRIGHTEST - DARKEST);
        let [x, y] = [(i % picture.width()) as f64 + 0.5 - left, (i / picture.width()) as f64 + 0.5 - top];
        let is_inside = (0.0..=width).contains(&x) && (0.0..=height).contains(&y);
        data.extend(match is_inside {
            true => {
                diverging(grey, between(explanation, x / width, y / height) / largest.max(f64::MIN_POSITIVE))
            }
            false => diverging(127.5 + (grey - 127.5) * OUTSIDE, 0.0),
        });
    }
    Pixels::new(picture.width(), picture.height(), data)
}

/// The value at a point of the map, `x` and `y` from 0 to 1, linear between the centres of positions.
fn between(explanation: &Explanation, x: f64, y: f64) -> f64 {
    let along = |at: f64, positions: usize| {
        let at = (at * positions as f64 - 0.5).clamp(0.0, positions as f64 - 1.0);
        let low = (at as usize).min(positions.saturating_sub(2));
        (low, (low + 1).min(positions - 1), at - low as f64)
    };
    let ((x0, x1, right), (y0, y1, down)) = (along(x, explanation.width), along(y, explanation.height));
    let value = |row: usize, column: usize| explanation.values[row * explanation.width + column];
    let of_row = |row: usize| value(row, x0) * (1.0 - right) + value(row, x1) * right;
    of_row(y0) * (1.0 - down) + of_row(y1) * down
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation(area: [f64; 4]) -> Explanation {
        Explanation {
            label: "ant".into(),
            logit: 1.75,
            bias: 0.25,
            height: 2,
            width: 2,
            values: vec![2.0, 0.0, 0.5, -1.0],
            area,
        }
    }

    #[test]
    fn colour_lies_where_the_evidence_is_and_nowhere_outside_of_what_the_network_saw() {
        let picture = Pixels::new(40, 20, vec![100; 40 * 20 * 3]);
        let painted = overlay(&picture, 1.0, &explanation([10.0, 0.0, 20.0, 20.0]), 2.0);
        let at = |x: usize, y: usize| {
            let pixel = &painted.row(y)[3 * x..][..3];
            i32::from(pixel[0]) - i32::from(pixel[2])
        };
        assert!(at(11, 1) > 150, "for the class: {}", at(11, 1));
        assert!(at(29, 19) < -40, "against it: {}", at(29, 19));
        assert_eq!([at(9, 1), at(31, 10)], [0, 0], "outside");
        assert!(at(11, 1) > at(15, 1) && at(15, 1) > at(20, 1), "linear between positions");
    }

    #[test]
    fn a_plot_says_in_words_and_numbers_what_it_shows() {
        let picture = Pixels::new(30, 60, vec![100; 30 * 60 * 3]);
        let one = explanation([0.0, 0.0, 30.0, 60.0]);
        let figure = figure("explained-1", "a.png", &picture, &[("predicted", &one)]);
        assert_eq!(
            figure.summary,
            "ant: logit 1.75 = bias 0.25 + 1.50 of 2 x 2 positions, the most at the top on the left."
        );
        assert_eq!(figure.numbers["explanations"][0]["values"], json!([2.0, 0.0, 0.5, -1.0]));
        let svg = figure.svg();
        assert!(svg.contains("-2.00 against") && svg.contains("for +2.00"), "{svg}");
        let png = crate::data::decode::decode(&figure.png()).unwrap();
        let coloured = |pixel: &&[u8]| pixel[0] > 100 && pixel[0] - 100 > pixel[2];
        assert!(png.data().chunks(3).filter(coloured).count() > 500, "the overlay is in the PNG");
    }
}
