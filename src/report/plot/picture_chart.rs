//! Pictures side by side with captions above, and the key of the colours that were laid over them.

use super::drawing::{Drawing, WIDTH};
use super::text::{decimal, truncate};
use crate::data::decode::{decode, encode_jpeg, encode_png};
use crate::data::pixels::Pixels;
use crate::data::thumbnail;
use crate::io::base64::data_uri;
use crate::report::html::{Markup, html};

/// Pictures of one size side by side.
#[derive(Debug, Clone)]
pub struct PictureChart {
    /// From the left; at least one.
    pub panels: Vec<Panel>,
    /// The key below them.
    pub key: DivergingKey,
}

/// A picture with its caption of two lines.
#[derive(Debug, Clone)]
pub struct Panel {
    /// What it is, a word or two.
    pub role: String,
    /// Its name, on a line of its own; may be empty.
    pub name: String,
    /// The picture.
    pub picture: Pixels,
}

/// The key of a scale of colours around zero.
#[derive(Debug, Clone)]
pub struct DivergingKey {
    /// What the lowest value means, such as `-0.3 against`.
    pub low: String,
    /// What the highest value means.
    pub high: String,
}

/// A picture and where it is drawn.
struct Place<'a> {
    left: f64,
    width: f64,
    height: f64,
    panel: &'a Panel,
}

/// Room for a caption above a picture.
const CAPTION: f64 = 30.0;
/// Room between pictures.
const GAP: f64 = 8.0;
/// Room for the key, with the gap above it.
const KEY: f64 = 38.0;
/// Number of colours in the key.
const STEPS: usize = 21;
/// JPEG quality of pictures in a page, from 1 to 100.
const QUALITY: u8 = 85;
/// Longer side of a picture in a page at most, in pixels.
const SIDE: usize = 288;

/// The colours of evidence against and for a class, which any kind of colour blindness leaves distinct (Okabe and Ito 2008).
const AGAINST: [f64; 3] = [0.0, 114.0, 178.0];
const FOR: [f64; 3] = [230.0, 97.0, 1.0];
/// Share of the colour where the value is largest.
const STRONGEST: f64 = 0.85;
/// The grey of the key.
const GREY: f64 = 150.0;

/// Colours a grey value, 0 to 255, by `value`, -1 to 1.
pub fn diverging(grey: f64, value: f64) -> [u8; 3] {
    let (strength, colour) = (STRONGEST * value.abs().min(1.0), if value < 0.0 { AGAINST } else { FOR });
    colour.map(|channel| (grey + (channel - grey) * strength).round() as u8)
}

impl PictureChart {
    /// The side of the squares that hold the pictures.
    fn side(&self) -> f64 {
        let panels = self.panels.len() as f64;
        ((WIDTH - (panels - 1.0) * GAP) / panels).min(WIDTH / 2.0)
    }

    /// The pictures, which keep their proportions, and the height of the highest.
    fn places(&self) -> (Vec<Place<'_>>, f64) {
        let side = self.side();
        let size = |picture: &Pixels| {
            let scale = side / picture.width().max(picture.height()) as f64;
            (picture.width() as f64 * scale, picture.height() as f64 * scale)
        };
        let mut places = Vec::new();
        let mut highest = 0.0f64;
        for (i, panel) in self.panels.iter().enumerate() {
            let (width, height) = size(&panel.picture);
            places.push(Place { left: i as f64 * (side + GAP), width, height, panel });
            highest = highest.max(height);
        }
        (places, highest)
    }

    pub(super) fn draw(&self) -> Drawing {
        let (places, highest) = self.places();
        let side = self.side();
        let body = html! {
            @for Place { left, width, height, panel } in &places {
                text.small x=(decimal(*left)) y="10" { (truncate(&panel.role, side, 10.0)) }
                text x=(decimal(*left)) y="23" {
                    title { (panel.name) }
                    (truncate(&panel.name, side, 11.0))
                }
                image x=(decimal(*left)) y=(decimal(CAPTION)) width=(decimal(*width)) height=(decimal(*height))
                    href=(uri(&panel.picture)) preserveAspectRatio="none" {}
            }
            g transform=(format!("translate(0 {})", decimal(CAPTION + highest + 10.0))) { (self.key.draw()) }
        };
        // A whole number, so that the last line of a PNG is whole.
        Drawing { width: WIDTH, height: (CAPTION + highest + KEY).ceil(), body }
    }

    /// Draws the pictures into `png`, a rendering of [`PictureChart::draw`] at `origin`, with `scale` pixels per unit. The
    /// renderer itself leaves pictures out.
    pub(super) fn paste(&self, png: Vec<u8>, origin: [f64; 2], scale: f64) -> Vec<u8> {
        let Ok(canvas) = decode(&png) else { return png };
        let (width, height) = (canvas.width(), canvas.height());
        let mut data = canvas.data().to_vec();
        let longer = (self.side() * scale).round().max(1.0) as usize;
        for Place { left, panel, .. } in self.places().0 {
            let picture = thumbnail::fit(&panel.picture, longer);
            let at = |offset: f64, start: f64| ((start + offset) * scale).round() as usize;
            let (left, top) = (at(left, origin[0]), at(CAPTION, origin[1]));
            for y in 0..picture.height().min(height.saturating_sub(top)) {
                let len = 3 * picture.width().min(width.saturating_sub(left));
                let start = 3 * ((top + y) * width + left);
                data[start..start + len].copy_from_slice(&picture.row(y)[..len]);
            }
        }
        encode_png(&Pixels::new(width, height, data))
    }
}

impl DivergingKey {
    fn draw(&self) -> Markup {
        let (step, middle) = (WIDTH / 2.0 / STEPS as f64, WIDTH / 4.0);
        html! {
            @for i in 0..STEPS {
                @let [r, g, b] = diverging(GREY, 2.0 * i as f64 / (STEPS - 1) as f64 - 1.0);
                rect x=(decimal(step * i as f64)) width=(decimal(step + 0.3)) height="9" style=(format!("fill:rgb({r},{g},{b})")) {}
            }
            text.small y="21" { (self.low) }
            text.small.middle x=(decimal(middle)) y="21" { "0" }
            text.small x=(decimal(2.0 * middle)) y="21" style="text-anchor:end" { (self.high) }
        }
    }
}

/// The picture as a `data:` URI.
fn uri(picture: &Pixels) -> String {
    let small = match picture.width().max(picture.height()) > SIDE {
        true => thumbnail::fit(picture, SIDE),
        false => picture.clone(),
    };
    data_uri("image/jpeg", &encode_jpeg(&small, QUALITY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_diverge_from_the_grey_of_the_picture() {
        assert_eq!(diverging(80.0, 0.0), [80; 3]);
        let [red, _, blue] = diverging(80.0, 0.9);
        assert!(red > 180 && blue < 40, "{red} {blue}");
        let [red, _, blue] = diverging(80.0, -0.9);
        assert!(red < 40 && blue > 140, "{red} {blue}");
        assert_eq!(diverging(80.0, 7.0), diverging(80.0, 1.0));
    }
}
