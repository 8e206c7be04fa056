//! Properties of augmentation and preprocessing, for random images: each is compared with a plain formula that shares no code
//! with it.

use headstart::data::augment::{Augmentation, Variant};
use headstart::data::pixels::Pixels;
use headstart::data::preprocess::{
    Filter, Preprocessing, Region, Resize, centre_crop, resize, resize_bilinear,
};
use headstart::math::random::Rng;

/// Random images, sizes and offsets from a seed.
struct Cases {
    rng: Rng,
}

impl Cases {
    /// A number from 0 to `limit - 1`.
    fn below(&mut self, limit: usize) -> usize {
        (self.rng.uniform(0.0, 1.0) * limit as f32) as usize % limit
    }

    /// An image of 1 to 48 pixels a side: noise, an edge or two levels only.
    fn image(&mut self) -> Pixels {
        let (width, height) = (1 + self.below(48), 1 + self.below(48));
        let (kind, edge) = (self.below(3), self.below(width));
        let level = |cases: &mut Self, i: usize| match kind {
            0 => cases.below(256) as u8,
            1 => {
                if i / 3 % width < edge {
                    0
                } else {
                    255
                }
            }
            _ => [17, 230][cases.below(2)],
        };
        let data = (0..width * height * 3).map(|i| level(self, i)).collect();
        Pixels::new(width, height, data)
    }

    fn offset(&mut self) -> i32 {
        self.below(121) as i32 - 60
    }
}

/// Runs `check` for many cases. A failure names the seed that repeats it.
fn for_all(check: impl Fn(&mut Cases)) {
    for seed in 0..250 {
        let repeat = std::panic::AssertUnwindSafe(|| check(&mut Cases { rng: Rng::new(seed, 5) }));
        if let Err(failure) = std::panic::catch_unwind(repeat) {
            eprintln!("with seed {seed}:");
            std::panic::resume_unwind(failure);
        }
    }
}

/// The pixel at (`x`, `y`); black outside the image.
fn pixel(image: &Pixels, x: i64, y: i64) -> [u8; 3] {
    let is_inside = (0..image.width() as i64).contains(&x) && (0..image.height() as i64).contains(&y);
    match is_inside {
        true => image.row(y as usize)[x as usize * 3..][..3].try_into().unwrap(),
        false => [0; 3],
    }
}

/// An image of the same size whose pixel at (`x`, `y`) is `source(x, y)`.
fn drawn(width: usize, height: usize, source: impl Fn(i64, i64) -> [u8; 3]) -> Pixels {
    let source = &source;
    let pixels = (0..height as i64).flat_map(|y| (0..width as i64).flat_map(move |x| source(x, y)));
    Pixels::new(width, height, pixels.collect())
}

#[test]
fn a_flip_mirrors_and_is_its_own_inverse() {
    for_all(|cases| {
        let image = cases.image();
        let flipped = Variant::Flip.apply(&image);
        let last = image.width() as i64 - 1;
        assert_eq!(flipped, drawn(image.width(), image.height(), |x, y| pixel(&image, last - x, y)));
        assert_eq!(Variant::Flip.apply(&flipped), image);
    });
}

#[test]
fn a_shift_is_a_slice_on_black_and_a_flip_turns_it_round() {
    for_all(|cases| {
        let image = cases.image();
        let (dx, dy) = (cases.offset(), cases.offset());
        let shifted = Variant::Shift { dx, dy }.apply(&image);
        let moved = |x: i64, y: i64| pixel(&image, x - i64::from(dx), y - i64::from(dy));
        assert_eq!(shifted, drawn(image.width(), image.height(), moved), "{dx} {dy}");
        let other_way = Variant::Shift { dx: -dx, dy }.apply(&Variant::Flip.apply(&image));
        assert_eq!(Variant::Flip.apply(&shifted), other_way, "{dx} {dy}");
        assert_eq!(Variant::None.apply(&image), image);
    });
}

#[test]
fn names_of_variants_are_read_back() {
    for_all(|cases| {
        let variant = Variant::Shift { dx: cases.offset(), dy: cases.offset() };
        assert_eq!(variant.to_string().parse::<Variant>().unwrap(), variant);
        // A family has the four directions, each by its distance and none twice.
        let distance = 1 + cases.below(10_000) as i32;
        let family = format!("shift:{distance}").parse::<Augmentation>().unwrap().variants();
        let expected = [(1, 0), (-1, 0), (0, 1), (0, -1)]
            .map(|(x, y)| Variant::Shift { dx: x * distance, dy: y * distance });
        assert_eq!(family, expected);
    });
}

#[test]
fn a_crop_is_the_centre_with_borders_of_equal_width() {
    for_all(|cases| {
        let image = cases.image();
        let parts = [0; 2].map(|_| (1 + cases.below(1000)) as f64 / 1000.0);
        let cropped = centre_crop(&image, parts);
        let border = |side: usize, kept: usize| {
            assert!(kept >= 1 && kept <= side && (side - kept).is_multiple_of(2), "{kept} of {side}");
            (side - kept) / 2
        };
        let (left, top) = (border(image.width(), cropped.width()), border(image.height(), cropped.height()));
        for (side, border, part) in [(image.width(), left, parts[0]), (image.height(), top, parts[1])] {
            // One pixel more on each side would cut off more than was asked for, one less would keep more.
            let wanted = side as f64 * (1.0 - part) / 2.0;
            let is_last_pixel = border == (side - 1) / 2;
            assert!(border as f64 <= wanted + 1e-9, "{border} of {side} for {part}");
            assert!(is_last_pixel || border as f64 > wanted - 1.0 - 1e-9, "{border} of {side} for {part}");
        }
        let inside = |x: i64, y: i64| pixel(&image, x + left as i64, y + top as i64);
        assert_eq!(cropped, drawn(cropped.width(), cropped.height(), inside));
    });
}

/// The weights of all `input` positions for output position `i` of `output`: a triangle around its centre, as wide as the
/// scale factor where the image is made smaller (Pillow's `Resample.c`, in real numbers).
fn weights(input: usize, output: usize, i: usize) -> Vec<f64> {
    let scale = input as f64 / output as f64;
    let width = scale.max(1.0);
    let centre = (i as f64 + 0.5) * scale;
    let triangle = |x: usize| (1.0 - (x as f64 + 0.5 - centre).abs() / width).max(0.0);
    let all: Vec<f64> = (0..input).map(triangle).collect();
    let sum: f64 = all.iter().sum();
    all.into_iter().map(|weight| weight / sum).collect()
}

/// The resized image in real numbers, without rounding.
fn resized_exactly(image: &Pixels, width: usize, height: usize) -> Vec<f64> {
    let across: Vec<Vec<f64>> = (0..width).map(|x| weights(image.width(), width, x)).collect();
    let mut out = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        let down = weights(image.height(), height, y);
        // First down, then across: without rounding the order does not matter.
        let mut row = vec![0.0; image.width() * 3];
        for (y, weight) in down.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            row.iter_mut().zip(image.row(y)).for_each(|(sum, level)| *sum += weight * f64::from(*level));
        }
        for across in &across {
            for channel in 0..3 {
                let values = across.iter().enumerate().map(|(x, weight)| weight * row[x * 3 + channel]);
                out.push(values.sum());
            }
        }
    }
    out
}

#[test]
fn resizing_is_the_formula_of_pillow_but_for_rounding() {
    for_all(|cases| {
        let image = cases.image();
        let (width, height) = (1 + cases.below(64), 1 + cases.below(64));
        let resized = resize_bilinear(&image, width, height);
        assert_eq!((resized.width(), resized.height()), (width, height));
        // Each pass rounds to a level: by half a level each.
        let passes = usize::from(width != image.width()) + usize::from(height != image.height());
        let most = 0.5 * passes as f64 + 1e-3;
        let exact = resized_exactly(&image, width, height);
        for (i, (level, exact)) in resized.data().iter().zip(exact).enumerate() {
            assert!((f64::from(*level) - exact).abs() <= most, "byte {i}: {level}, exactly {exact}");
        }
        for channel in 0..3 {
            let levels = |image: &Pixels| {
                let levels = image.data().iter().skip(channel).step_by(3);
                [levels.clone().min().copied().unwrap(), levels.max().copied().unwrap()]
            };
            let ([low, high], [lowest, highest]) = (levels(&resized), levels(&image));
            assert!(lowest <= low && high <= highest, "{low} to {high} from {lowest} to {highest}");
        }
        assert_eq!(resize_bilinear(&image, image.width(), image.height()), image);
    });
}

#[test]
fn a_region_of_a_resized_image_is_cut_out_of_the_whole() {
    use Filter::{Bicubic, Bilinear, Box, Hamming, Lanczos, Nearest};
    let filters = [Nearest, Box, Bilinear, Hamming, Bicubic, Lanczos];
    for_all(|cases| {
        let image = cases.image();
        let filter = filters[cases.below(filters.len())];
        let [columns, rows] = [0; 2].map(|_| {
            let whole = 1 + cases.below(64);
            let start = cases.below(whole);
            Region { whole, start, len: 1 + cases.below(whole - start) }
        });
        let whole = resize(&image, filter, Region::all(columns.whole), Region::all(rows.whole));
        let inside = |x: i64, y: i64| pixel(&whole, x + columns.start as i64, y + rows.start as i64);
        let part = resize(&image, filter, columns, rows);
        assert_eq!(part, drawn(columns.len, rows.len, inside), "{filter:?} {columns:?} {rows:?}");
    });
}

#[test]
fn the_shorter_side_is_resized_and_the_centre_kept_whatever_the_shape() {
    for_all(|cases| {
        let image = cases.image();
        let size = 1 + cases.below(24);
        let shorter = size + cases.below(20);
        let named = Preprocessing::named("unit").unwrap();
        let fitted =
            Preprocessing { size, shorter_side: Some(shorter), resize: Resize::BicubicPillow, ..named };
        let [width, height] = [image.width(), image.height()];
        let scaled = |side: usize| match side == width.min(height) {
            true => shorter,
            false => (shorter as f64 * side as f64 / width.min(height) as f64 + 1e-9) as usize,
        };
        let whole = resize(&image, Filter::Bicubic, Region::all(scaled(width)), Region::all(scaled(height)));
        // Half a pixel goes to the even start, as in Python's `round`.
        let start = |side: usize| {
            let (half, is_odd) = ((side - size) / 2, (side - size) % 2 == 1);
            (half + usize::from(is_odd && half % 2 == 1)) as i64
        };
        let inside = |x: i64, y: i64| pixel(&whole, x + start(whole.width()), y + start(whole.height()));
        assert_eq!(
            fitted.resized(&image),
            drawn(size, size, inside),
            "{width} x {height} to {shorter}, {size}"
        );
        assert_eq!(fitted.tensor(&image).len(), 3 * size * size);
    });
}

#[test]
fn the_input_of_a_network_is_the_crop_resized_in_planes_and_within_its_range() {
    let ranges = [("unit", 0.0, 1.0), ("inception", -1.0, 1.0), ("imagenet", -2.2, 2.7)];
    for_all(|cases| {
        let image = cases.image();
        let (name, low, high) = ranges[cases.below(ranges.len())];
        let crop = (1 + cases.below(100)) as f64 / 100.0;
        let size = 1 + cases.below(24);
        let named = Preprocessing::named(name).unwrap().with_crop(crop).unwrap();
        let preprocessing = Preprocessing { size, ..named };
        let mut planes = vec![0; preprocessing.input_bytes()];
        preprocessing.planes(&image, &mut planes);
        let expected = resize_bilinear(&centre_crop(&image, [crop; 2]), size, size);
        let in_planes = |i: usize| expected.data()[i % (size * size) * 3 + i / (size * size)];
        assert_eq!(planes, (0..planes.len()).map(in_planes).collect::<Vec<_>>());
        let tensor = preprocessing.tensor(&image);
        assert!(tensor.iter().all(|value| (low..=high).contains(value)), "{name}");
        let order = |i: usize, j: usize| planes[i].cmp(&planes[j]) == tensor[i].total_cmp(&tensor[j]);
        assert!((1..size * size).all(|i| order(i - 1, i)), "{name} keeps the order of levels");
    });
}

#[test]
fn stretched_values_take_the_whole_range() {
    for_all(|cases| {
        let image = cases.image();
        // A square of the input's size, so that no resizing comes between.
        let side = image.width().min(image.height());
        let square = drawn(side, side, |x, y| pixel(&image, x, y));
        let named = Preprocessing::named("stretched").unwrap();
        let out = Preprocessing { size: side, ..named }.resized(&square);
        let levels = square.data();
        let [least, most] =
            [levels.iter().min(), levels.iter().max()].map(|level| f64::from(*level.unwrap()));
        for (level, out) in levels.iter().zip(out.data()) {
            let exact = (f64::from(*level) - least) * 255.0 / (most - least).max(1.0);
            assert!((f64::from(*out) - exact).abs() <= 0.5 + 1e-3, "{level} became {out}, not {exact}");
        }
    });
}
