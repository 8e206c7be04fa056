//! The map as SVG with a choice of colours.

use super::feature_map::{FeatureMap, MapPoint};
use crate::data::dataset::Split;
use crate::report::format::count;
use crate::report::html::{Markup, html};
use crate::report::page::short;

/// Side of the area of points, in units of the drawing.
const AREA: f32 = 460.0;
/// Room around it.
const MARGIN: f32 = 26.0;
/// Room between the points and the frame of the area.
const PADDING: f32 = 8.0;
/// Side of the place for the picture, which the style sheet moves beside or below the drawing.
const PANEL: f32 = 180.0;
/// Classes with a colour of their own at most, where not all have one: more hues are hard to tell apart.
const MOST_COLOURS: usize = 10;
/// Up to this many classes all have a colour.
const ALL_COLOURED: usize = 12;
/// Letters of a name in the legend at most.
const LONGEST: usize = 30;

/// The map with its legend.
pub fn markup(map: &FeatureMap) -> Markup {
    let has_answers = map.points.iter().any(|point| point.correct.is_some());
    let has_pictures = map.points.iter().any(|point| point.picture.is_some());
    let coloured = Coloured::of(map);
    html! {
        figure.map {
            figcaption {
                p {
                    "The first two principal components of the features of " (count(map.points.len()))
                    @if map.points.len() < map.images { " of the " (count(map.images)) }
                    " images. Near points are images that the network finds similar; two dimensions show a part of the differences only. "
                    "A circle is a train image, a square validation, a triangle test"
                    @if has_answers { "; a ring marks a wrong answer" }
                    "."
                    @if has_pictures { " Point at an image, or move to it with the tabulator key, to see it." }
                }
                @if has_pictures { a.past href="#after-map" { "Skip the images of the map" } }
                fieldset {
                    legend { "Colour by" }
                    label { input type="radio" name="map-colour" value="class" checked; " class" }
                    label { input type="radio" name="map-colour" value="split"; " split" }
                    @if has_answers { label { input type="radio" name="map-colour" value="answer"; " answer" } }
                }
                (legend(map, &coloured, has_answers))
            }
            (drawing(map, &coloured, has_pictures))
            @if has_pictures { span.unseen id="after-map" tabindex="-1" { "End of the map" } }
        }
    }
}

/// The classes that have a colour of their own: all, or of many those of most points.
struct Coloured {
    classes: Vec<usize>,
}

impl Coloured {
    fn of(map: &FeatureMap) -> Self {
        let mut classes: Vec<usize> = (0..map.classes.len()).collect();
        if classes.len() > ALL_COLOURED {
            let mut points = vec![0usize; classes.len()];
            map.points.iter().for_each(|point| points[point.class] += 1);
            classes.sort_by_key(|&class| (std::cmp::Reverse(points[class]), class));
            classes.truncate(MOST_COLOURS);
        }
        Self { classes }
    }

    /// Hues evenly around the circle, of middle lightness for both schemes; `None` for the classes that are grey.
    fn colour(&self, class: usize) -> Option<String> {
        let at = self.classes.iter().position(|own| *own == class)?;
        Some(format!("hsl({:.0} 65% 48%)", 360.0 * at as f64 / self.classes.len() as f64))
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

fn drawing(map: &FeatureMap, coloured: &Coloured, has_pictures: bool) -> Markup {
    let (side, frame) = (AREA + 2.0 * MARGIN, Frame::of(map));
    let (edge, inner) = (number(MARGIN - PADDING), number(AREA + 2.0 * PADDING));
    // Points in grey lie below the others.
    let is_grey = |point: &&MapPoint| !coloured.classes.contains(&point.class);
    let (grey, bright): (Vec<&MapPoint>, Vec<&MapPoint>) = map.points.iter().partition(is_grey);
    html! {
        svg.plot.with-panel[has_pictures] viewBox=(format!("0 0 {side} {side}")) role="group" aria-label="Map of the features" {
            rect.area x=(edge) y=(edge) width=(inner) height=(inner) {}
            text.small.middle x=(number(side / 2.0)) y=(number(side - 4.0)) { "first component" }
            text.small.middle transform=(format!("translate(14 {}) rotate(-90)", number(side / 2.0))) { "second component" }
            @if has_pictures { rect.place width=(number(PANEL)) height=(number(PANEL)) rx="3" {} }
            @for point in grey.into_iter().chain(bright) { (dot(map, point, frame.place(point), coloured)) }
        }
    }
}

/// A point with its mark, its description and, where it has one, its picture in the panel.
fn dot(map: &FeatureMap, point: &MapPoint, [x, y]: [f32; 2], coloured: &Coloured) -> Markup {
    let description = description(map, point);
    let answer = match point.correct {
        Some(true) => "right",
        Some(false) => "wrong",
        None => "unknown",
    };
    let colour = coloured.colour(point.class);
    html! {
        g.point.{ (point.split.name()) }.{ (answer) }.rest[colour.is_none()] style=[colour.map(|colour| format!("--k:{colour}"))]
            tabindex=[point.picture.as_ref().map(|_| "0")] role="img" aria-label=(description) {
            @if point.correct == Some(false) { circle.ring cx=(number(x)) cy=(number(y)) r="5.5" {} }
            @match point.split {
                Split::Train => circle.mark cx=(number(x)) cy=(number(y)) r="3" {},
                Split::Validation => rect.mark x=(number(x - 2.8)) y=(number(y - 2.8)) width="5.6" height="5.6" {},
                _ => path.mark d=(format!("M{},{} l3.6,6.2 h-7.2 z", number(x), number(y - 4.0))) {},
            }
            @if let Some(picture) = &point.picture { (peek(map, point, picture)) }
            title { (description) }
        }
    }
}

/// The picture of a point, with its class and split below.
fn peek(map: &FeatureMap, point: &MapPoint, picture: &str) -> Markup {
    html! {
        g.peek {
            image href=(picture) width=(number(PANEL)) height=(number(PANEL)) {}
            text y=(number(PANEL + 16.0)) { (map.classes[point.class]) }
            text.small y=(number(PANEL + 31.0)) { (point.split.name()) @if point.correct == Some(false) { ", answered wrong" } }
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

fn legend(map: &FeatureMap, coloured: &Coloured, has_answers: bool) -> Markup {
    let rest = map.classes.len() - coloured.classes.len();
    html! {
        ul.keys.by-class {
            @for &class in &coloured.classes {
                @let colour = coloured.colour(class).map(|colour| format!("background:{colour}"));
                li { span.swatch aria-hidden="true" style=[colour] {} (short(&map.classes[class], LONGEST)) }
            }
            @if rest > 0 { li { span.swatch.rest aria-hidden="true" {} "the " (count(rest)) " smaller ones" } }
        }
        ul.keys.by-split {
            @for split in Split::ALL { li { span.swatch.{ (split.name()) } aria-hidden="true" {} (split.name()) } }
        }
        @if has_answers {
            ul.keys.by-answer {
                @for (answer, name) in [("right", "right"), ("wrong", "wrong"), ("unknown", "none, as of train images")] {
                    li { span.swatch.{ (answer) } aria-hidden="true" {} (name) }
                }
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
            [[26.0, 26.0], [486.0, 486.0]]
        );
    }

    #[test]
    fn of_many_classes_the_largest_are_in_colour() {
        let point = |i: usize| MapPoint {
            position: [i as f32, (i * i) as f32],
            path: format!("{i}.png"),
            class: i % 40,
            split: Split::Train,
            correct: None,
            picture: None,
        };
        let classes = (0..40).map(|i| format!("class {i}")).collect();
        let map = FeatureMap { images: 45, classes, points: (0..45).map(point).collect() };
        let coloured = Coloured::of(&map);
        assert_eq!(coloured.classes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!([coloured.colour(5), coloured.colour(30)], [Some("hsl(180 65% 48%)".into()), None]);
        let text = markup(&map).into_string();
        assert!(text.contains("the 30 smaller ones") && !text.contains("class=\"past\""), "{text}");
    }
}
