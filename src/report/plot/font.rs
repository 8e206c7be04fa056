//! The font of plots, DejaVu Sans, and the widths of its glyphs. The only user of `dejavu` and `skrifa`.

use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};
use std::sync::LazyLock;

static FONT: LazyLock<FontRef<'static>> =
    LazyLock::new(|| FontRef::new(dejavu::sans::regular()).expect("the bundled font is sound"));

/// The font files: regular and bold.
pub(super) fn files() -> [&'static [u8]; 2] {
    [dejavu::sans::regular(), dejavu::sans::bold()]
}

/// Width of `text` at font size `size`, in units of the drawing. Characters that the font lacks, such as Chinese, count as
/// wide as they are high, which no font exceeds by much.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let metrics = FONT.glyph_metrics(Size::new(1.0), LocationRef::default());
    let charmap = FONT.charmap();
    let advance =
        |c: char| charmap.map(c).and_then(|glyph| metrics.advance_width(glyph)).map_or(1.0, f64::from);
    text.chars().map(advance).sum::<f64>() * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_the_font() {
        // The table hmtx of DejaVu Sans 2.37, as Pillow reads it: i 569, m 1995, W 2025 of 2048 units per em.
        for (text, units) in [("i", 569.0), ("m", 1995.0), ("W", 2025.0), ("imW", 4589.0)] {
            assert!((text_width(text, 2048.0) - units).abs() < 1.0, "{text}: {}", text_width(text, 2048.0));
        }
        assert_eq!(text_width("\u{732b}", 11.0), 11.0);
    }
}
