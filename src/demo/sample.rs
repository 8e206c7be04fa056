//! The built-in sample: eight classes of 40 pictures, each class a shape with a texture, under varying pose, colour,
//! light, background and noise, so that no single pixel tells the class. Drawn by code from a seed.

use crate::pixels::Pixels;
use crate::rng::Rng;
use std::f32::consts::TAU;

/// The classes, in the order of their seeds.
pub const CLASSES: [&str; 8] = [
    "brick square",
    "checkered disc",
    "dotted triangle",
    "plain ring",
    "radial star",
    "striped cross",
    "target hexagon",
    "wavy crescent",
];

/// Pictures of each class.
pub const PER_CLASS: usize = 40;

/// Side of a picture, in pixels.
const SIDE: usize = 250;

/// Picture `number` of class `class`.
pub fn draw(class: usize, number: usize) -> Pixels {
    let mut rng = Rng::new((class * 1000 + number) as u64, 2);
    let scene = Scene::random(class, &mut rng);
    let mut data = Vec::with_capacity(SIDE * SIDE * 3);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let colour = scene.colour(x as f32, y as f32);
            data.extend(colour.map(|c| (255.0 * c + scene.noise * rng.normal()).clamp(0.0, 255.0) as u8));
        }
    }
    Pixels::new(SIDE, SIDE, data)
}

type Rgb = [f32; 3];

struct Scene {
    class: usize,
    centre: (f32, f32),
    radius: f32,
    turn: f32,
    frequency: f32,
    inks: [Rgb; 2],
    ground: [Rgb; 2],
    slope: (f32, f32),
    clutter: Vec<(f32, f32, f32, Rgb)>,
    light: (f32, f32),
    noise: f32,
}

impl Scene {
    fn random(class: usize, rng: &mut Rng) -> Self {
        let mut ink = |low, high| [(); 3].map(|()| rng.uniform(low, high));
        // One ink is light and one dark, in any order: the texture shows, the brightness tells nothing.
        let mut inks = [ink(0.55, 1.0), ink(0.0, 0.45)];
        let ground = [ink(0.1, 0.9), ink(0.1, 0.9)];
        if rng.uniform(0.0, 1.0) < 0.5 {
            inks.swap(0, 1);
        }
        let clutter = (0..14).map(|_| {
            let colour = [(); 3].map(|()| rng.uniform(0.1, 0.9));
            (rng.uniform(0.0, 250.0), rng.uniform(0.0, 250.0), rng.uniform(6.0, 26.0), colour)
        });
        let clutter = clutter.collect();
        Self {
            class,
            centre: (rng.uniform(90.0, 160.0), rng.uniform(90.0, 160.0)),
            radius: rng.uniform(62.0, 88.0),
            turn: rng.uniform(-0.5, 0.5),
            frequency: rng.uniform(0.85, 1.2),
            inks,
            ground,
            slope: (rng.uniform(-1.0, 1.0), rng.uniform(-1.0, 1.0)),
            clutter,
            light: (rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)),
            noise: rng.uniform(3.0, 12.0),
        }
    }

    fn colour(&self, x: f32, y: f32) -> Rgb {
        let (dx, dy) = (x - self.centre.0, y - self.centre.1);
        let (sin, cos) = self.turn.sin_cos();
        // Local coordinates: the shape fills the unit circle.
        let (u, v) = ((dx * cos + dy * sin) / self.radius, (dy * cos - dx * sin) / self.radius);
        let inside = (-distance(self.class, u, v) * self.radius + 0.5).clamp(0.0, 1.0);
        let mark = texture(self.class, u * self.frequency, v * self.frequency);
        let shape = mix(self.inks[0], self.inks[1], mark);
        let light = 1.0 + (self.light.0 * (x - 125.0) + self.light.1 * (y - 125.0)) / 125.0;
        mix(self.backdrop(x, y), shape, inside).map(|c| c * light)
    }

    fn backdrop(&self, x: f32, y: f32) -> Rgb {
        let along = (0.5 + (self.slope.0 * (x - 125.0) + self.slope.1 * (y - 125.0)) / 350.0).clamp(0.0, 1.0);
        let mut colour = mix(self.ground[0], self.ground[1], along);
        for &(cx, cy, r, blob) in &self.clutter {
            let far = ((x - cx).powi(2) + (y - cy).powi(2)).sqrt();
            colour = mix(colour, blob, (0.5 * (r - far) / r + 0.2).clamp(0.0, 0.6));
        }
        colour
    }
}

fn mix(a: Rgb, b: Rgb, share: f32) -> Rgb {
    std::array::from_fn(|i| a[i] + share * (b[i] - a[i]))
}

/// Signed distance to the outline, negative inside.
fn distance(class: usize, u: f32, v: f32) -> f32 {
    let r = u.hypot(v);
    match class {
        0 => u.abs().max(v.abs()) - 0.78,
        1 => r - 0.9,
        2 => polygon(u, v, 3, 0.5),
        3 => (r - 0.72).abs() - 0.2,
        4 => r - (0.66 + 0.3 * (5.0 * v.atan2(u)).cos()),
        5 => (u.abs().max(v.abs()) - 0.95).max(u.abs().min(v.abs()) - 0.3),
        6 => polygon(u, v, 6, 0.82),
        _ => (r - 0.92).max(0.62 - (u - 0.5).hypot(v)),
    }
}

/// Distance to a regular polygon with `sides` sides at `apothem` from its centre.
fn polygon(u: f32, v: f32, sides: u32, apothem: f32) -> f32 {
    let wedge = TAU / sides as f32;
    let angle = (v.atan2(u) + wedge / 2.0).rem_euclid(wedge) - wedge / 2.0;
    u.hypot(v) * angle.cos() - apothem
}

/// How much of the second ink stands at a place of the shape, from 0 to 1.
fn texture(class: usize, u: f32, v: f32) -> f32 {
    let hard = |wave: f32| (0.5 + 4.0 * wave).clamp(0.0, 1.0);
    let (r, angle) = (u.hypot(v), v.atan2(u));
    match class {
        0 => {
            let row = (v * 5.0).floor();
            let (a, b) = ((v * 5.0 - row - 0.5).abs(), ((u * 2.5 + 0.5 * row).rem_euclid(1.0) - 0.5).abs());
            hard((a - 0.4).max(b - 0.45))
        }
        1 => hard((u * 9.0).sin() * (v * 9.0).sin()),
        2 => {
            let cell = |t: f32| (t * 4.0).rem_euclid(1.0) - 0.5;
            hard(0.28 - cell(u).hypot(cell(v)))
        }
        3 => 0.0,
        4 => hard((10.0 * angle).sin()),
        5 => hard((u * 16.0 + v * 16.0).sin()),
        6 => hard((r * 22.0).sin()),
        _ => hard((v * 20.0 + 2.0 * (u * 7.0).sin()).sin()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_the_same_each_time_and_no_two_are_equal() {
        assert_eq!(draw(2, 3), draw(2, 3));
        assert_ne!(draw(2, 3), draw(2, 4));
        assert_ne!(draw(2, 3), draw(3, 3));
        let picture = draw(0, 0);
        assert_eq!((picture.width(), picture.height()), (250, 250));
    }
}
