//! The map as SVG with a choice of colours.

use super::feature_map::{FeatureMap, MapPoint};
use crate::data::dataset::Split;
use crate::report::format::count;
use crate::report::html::{Markup, html};

/// Side of the area of points, in units of the drawing.
const AREA: f32 = 460.0;
/// Room around it.
const MARGIN: f32 = 12.0;
/// Width of the place for the picture.
const PANEL: f32 = 180.0;
/// Classes in the legend at most.
const MOST_NAMES: usize = 24;

/// The map with its legend.
pub fn markup(map: &FeatureMap) -> Markup {
    let has_answers = map.points.iter().any(|point| point.correct.is_some());
    let frame = Frame::of(map);
    html! {
        figure.map {
            figcaption {
                h3 { "Map of the features" }
                p {
                    "The first two principal components of the features of " (count(map.points.len()))
                    @if map.points.len() < map.images { " of the " (count(map.images)) }
                    " images. Near points are images that the network finds similar; two dimensions show a part of the differences only. "
                    "A circle is a train image, a square validation, a triangle test"
                    @if has_answers { "; a ring marks a wrong answer" }
                    ". Point at an image, or move to it with the tabulator key, to see it."
                }
            }
            fieldset {
                legend { "Colour by" }
                label { input type="radio" name="map-colour" value="class" checked; " class" }
                label { input type="radio" name="map-colour" value="split"; " split" }
                @if has_answers { label { input type="radio" name="map-colour" value="answer"; " answer" } }
            }
            (drawing(map, &frame))
            (legend(map, has_answers))
        }
    }
}

/// Where positions are in the drawing.
struct Frame {
    low: [f32; 2],
    scale: [f32; 2],
}

impl Frame {
    fn of(map: &FeatureMap) -> Self {
        let range = |axis: usize| {
            let values = || map.points.iter().map(|point| point.position[axis]);
            let (low, high) =
                (values().fold(f32::INFINITY, f32::min), values().fold(f32::NEG_INFINITY, f32::max));
            (low, AREA / (high - low).max(f32::MIN_POSITIVE))
        };
        let ((low_x, scale_x), (low_y, scale_y)) = (range(0), range(1));
        Self { low: [low_x, low_y], scale: [scale_x, scale_y] }
    }

    /// The place of a point; the second component points up.
    fn place(&self, point: &MapPoint) -> [f32; 2] {
        let at = |axis: usize| (point.position[axis] - self.low[axis]) * self.scale[axis];
        [MARGIN + at(0), MARGIN + AREA - at(1)]
    }
}

fn drawing(map: &FeatureMap, frame: &Frame) -> Markup {
    let (width, height) = (AREA + 3.0 * MARGIN + PANEL, AREA + 2.0 * MARGIN);
    html! {
        svg.plot viewBox=(format!("0 0 {width} {height}")) role="group" aria-label="Map of the features" {
            @for point in &map.points { (dot(map, point, frame.place(point))) }
        }
    }
}

/// A point with its mark, its description and, where it has one, its picture in the panel.
fn dot(map: &FeatureMap, point: &MapPoint, [x, y]: [f32; 2]) -> Markup {
    let description = description(map, point);
    let (left, middle) = (AREA + 2.0 * MARGIN, AREA + 2.0 * MARGIN + PANEL / 2.0);
    let answer = match point.correct {
        Some(true) => "right",
        Some(false) => "wrong",
        None => "unknown",
    };
    html! {
        g.point.{ (point.split.name()) }.{ (answer) } style=(format!("--k:{}", colour(point.class, map.classes.len())))
            tabindex=[point.picture.as_ref().map(|_| "0")] role="img" aria-label=(description) {
            @if point.correct == Some(false) { circle.ring cx=(number(x)) cy=(number(y)) r="5.5" {} }
            @match point.split {
                Split::Train => circle.mark cx=(number(x)) cy=(number(y)) r="3" {},
                Split::Validation => rect.mark x=(number(x - 2.8)) y=(number(y - 2.8)) width="5.6" height="5.6" {},
                _ => path.mark d=(format!("M{},{} l3.6,6.2 h-7.2 z", number(x), number(y - 4.0))) {},
            }
            @if let Some(picture) = &point.picture {
                g.peek {
                    image href=(picture) x=(number(left)) y="40" width=(number(PANEL)) height=(number(PANEL)) {}
                    text.small x=(number(middle)) y="240" text-anchor="middle" { (map.classes[point.class]) }
                    text.small x=(number(middle)) y="256" text-anchor="middle" { (point.split.name()) @if point.correct == Some(false) { ", wrong" } }
                }
            }
            title { (description) }
        }
    }
}

fn description(map: &FeatureMap, point: &MapPoint) -> String {
    let answer = match point.correct {
        Some(true) => ", answered right",
        Some(false) => ", answered wrong",
        None => "",
    };
    format!("{}: {}, {}{answer}", point.path, map.classes[point.class], point.split.name())
}

/// A colour for a class: hues evenly around the circle, of middle lightness for both schemes.
fn colour(class: usize, classes: usize) -> String {
    format!("hsl({:.0} 65% 48%)", 360.0 * class as f64 / classes.max(1) as f64)
}

fn legend(map: &FeatureMap, has_answers: bool) -> Markup {
    let rest = map.classes.len().saturating_sub(MOST_NAMES);
    html! {
        ul.keys.by-class {
            @for (class, name) in map.classes.iter().enumerate().take(MOST_NAMES) {
                li { span.swatch aria-hidden="true" style=(format!("background:{}", colour(class, map.classes.len()))) {} (name) }
            }
            @if rest > 0 { li { "and " (count(rest)) " more" } }
        }
        ul.keys.by-split {
            @for split in Split::ALL { li { span.swatch.{ (split.name()) } aria-hidden="true" {} (split.name()) } }
        }
        @if has_answers {
            ul.keys.by-answer {
                @for answer in ["right", "wrong", "unknown"] { li { span.swatch.{ (answer) } aria-hidden="true" {} (answer) } }
            }
        }
    }
}

fn number(value: f32) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_is_drawn_once_inside_the_area_and_names_are_escaped() {
        let point = |i: usize| MapPoint {
            position: [i as f32, -(i as f32)],
            path: format!("a/<{i}>.png"),
            class: i % 2,
            split: Split::ALL[i % 3],
            correct: [None, Some(true), Some(false)][i % 3],
            picture: (i == 0).then(|| "data:image/jpeg;base64,AAAA".into()),
        };
        let map = FeatureMap {
            images: 40,
            classes: vec!["a".into(), "b".into()],
            points: (0..7).map(point).collect(),
        };
        let text = markup(&map).into_string();
        assert_eq!(text.matches("role=\"img\"").count(), 7);
        assert_eq!((text.matches("<image").count(), text.matches("class=\"ring\"").count()), (1, 2));
        assert!(text.contains("of the 40") && text.contains("a/&lt;0&gt;.png") && !text.contains("<0>"));
        let frame = Frame::of(&map);
        assert_eq!(
            [frame.place(&map.points[0]), frame.place(&map.points[6])],
            [[12.0, 12.0], [472.0, 472.0]]
        );
    }
}
