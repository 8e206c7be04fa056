//! The built-in sample: eight classes of 40 images, drawn from a seed. Each class is a shape with a texture. Pose, colour,
//! light, background and noise vary, so that no single pixel reveals the class.

use crate::data::pixels::Pixels;
use crate::math::random::Rng;
use std::f32::consts::TAU;

/// Names of the classes. The index of a class determines its seeds.
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

/// Number of images per class.
pub const PER_CLASS: usize = 40;

/// Side of an image in pixels.
const SIDE: usize = 250;

/// Draws image `number` of the class with index `class`.
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

/// Red, green and blue, 0 to 1.
type Rgb = [f32; 3];

/// A point or direction in the image, in pixels or without unit.
#[derive(Clone, Copy)]
struct Vector {
    x: f32,
    y: f32,
}

/// A disc in the background.
struct Blob {
    centre: Vector,
    radius: f32,
    colour: Rgb,
}

/// The random parameters of one image.
struct Scene {
    class: usize,
    /// Centre of the shape, in pixels.
    centre: Vector,
    /// Radius of the shape, in pixels.
    radius: f32,
    /// Rotation of the shape, in radians.
    rotation: f32,
    /// Factor on the frequency of the texture.
    frequency: f32,
    /// The two colours of the texture.
    texture_colours: [Rgb; 2],
    /// The two ends of the background's gradient.
    background_colours: [Rgb; 2],
    /// Direction of the background's gradient.
    background_gradient: Vector,
    /// Discs in the background.
    blobs: Vec<Blob>,
    /// Change of brightness from the centre to the borders.
    light: Vector,
    /// Standard deviation of the noise, in levels of 0 to 255.
    noise: f32,
}

impl Scene {
    fn random(class: usize, rng: &mut Rng) -> Self {
        let mut colour = |low, high| [(); 3].map(|()| rng.uniform(low, high));
        // One colour is light and one dark, in random order: the texture is visible, but brightness reveals nothing.
        let mut texture_colours = [colour(0.55, 1.0), colour(0.0, 0.45)];
        let background_colours = [colour(0.1, 0.9), colour(0.1, 0.9)];
        if rng.uniform(0.0, 1.0) < 0.5 {
            texture_colours.swap(0, 1);
        }
        // The order of these calls determines the images.
        let blobs = (0..14).map(|_| {
            let colour = [(); 3].map(|()| rng.uniform(0.1, 0.9));
            let centre = Vector { x: rng.uniform(0.0, 250.0), y: rng.uniform(0.0, 250.0) };
            Blob { centre, radius: rng.uniform(6.0, 26.0), colour }
        });
        let blobs = blobs.collect();
        Self {
            class,
            centre: Vector { x: rng.uniform(90.0, 160.0), y: rng.uniform(90.0, 160.0) },
            radius: rng.uniform(62.0, 88.0),
            rotation: rng.uniform(-0.5, 0.5),
            frequency: rng.uniform(0.85, 1.2),
            texture_colours,
            background_colours,
            background_gradient: Vector { x: rng.uniform(-1.0, 1.0), y: rng.uniform(-1.0, 1.0) },
            blobs,
            light: Vector { x: rng.uniform(-0.3, 0.3), y: rng.uniform(-0.3, 0.3) },
            noise: rng.uniform(3.0, 12.0),
        }
    }

    /// The colour at a pixel, before noise.
    fn colour(&self, x: f32, y: f32) -> Rgb {
        let (dx, dy) = (x - self.centre.x, y - self.centre.y);
        let (sin, cos) = self.rotation.sin_cos();
        // Local coordinates: the shape fills the unit circle.
        let (u, v) = ((dx * cos + dy * sin) / self.radius, (dy * cos - dx * sin) / self.radius);
        let inside = (-distance(self.class, u, v) * self.radius + 0.5).clamp(0.0, 1.0);
        let share = texture(self.class, u * self.frequency, v * self.frequency);
        let shape = mix(self.texture_colours[0], self.texture_colours[1], share);
        let light = 1.0 + (self.light.x * (x - 125.0) + self.light.y * (y - 125.0)) / 125.0;
        mix(self.background(x, y), shape, inside).map(|c| c * light)
    }

    fn background(&self, x: f32, y: f32) -> Rgb {
        let Vector { x: gx, y: gy } = self.background_gradient;
        let share = (0.5 + (gx * (x - 125.0) + gy * (y - 125.0)) / 350.0).clamp(0.0, 1.0);
        let mut colour = mix(self.background_colours[0], self.background_colours[1], share);
        for Blob { centre, radius, colour: blob } in &self.blobs {
            let distance = ((x - centre.x).powi(2) + (y - centre.y).powi(2)).sqrt();
            colour = mix(colour, *blob, (0.5 * (radius - distance) / radius + 0.2).clamp(0.0, 0.6));
        }
        colour
    }
}

/// Interpolates from `a` (share 0) to `b` (share 1).
fn mix(a: Rgb, b: Rgb, share: f32) -> Rgb {
    std::array::from_fn(|i| a[i] + share * (b[i] - a[i]))
}

/// Signed distance of a point to the outline of the shape, negative inside. The shape fills the unit circle.
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

/// Signed distance to a regular polygon whose sides are `apothem` from its centre.
fn polygon(u: f32, v: f32, sides: u32, apothem: f32) -> f32 {
    let wedge = TAU / sides as f32;
    let angle = (v.atan2(u) + wedge / 2.0).rem_euclid(wedge) - wedge / 2.0;
    u.hypot(v) * angle.cos() - apothem
}

/// Share of the second texture colour at a point of the shape, 0 to 1.
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
    fn images_are_reproducible_and_all_different() {
        assert_eq!(draw(2, 3), draw(2, 3));
        assert_ne!(draw(2, 3), draw(2, 4));
        assert_ne!(draw(2, 3), draw(3, 3));
        let image = draw(0, 0);
        assert_eq!((image.width(), image.height()), (250, 250));
    }
}
