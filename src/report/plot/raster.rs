//! SVG to PNG, the only user of `resvg`. Text is set in the bundled DejaVu Sans, so that the result does not
//! depend on installed fonts. System fonts are used only for characters that DejaVu lacks (Chinese, Japanese, Korean).

use super::font;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};
use std::sync::{Arc, LazyLock};

/// Pixels per unit of a drawing.
pub const PNG_SCALE: f32 = 3.0;

/// Upper limit on the longer side in pixels. Larger drawings, of very many classes, get fewer pixels per unit.
const MAX_SIDE: f32 = 8192.0;

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    font::files().into_iter().for_each(|file| fonts.load_font_data(file.to_vec()));
    fonts.load_system_fonts();
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

/// Renders an SVG file that this crate has written.
pub(super) fn png(svg: &str) -> Vec<u8> {
    let options = Options { font_family: "DejaVu Sans".into(), fontdb: FONTS.clone(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).expect("our own SVG is well formed");
    let size = tree.size();
    let scale = PNG_SCALE.min(MAX_SIDE / size.width().max(size.height()));
    let side = |length: f32| (length * scale).ceil().max(1.0) as u32;
    let mut pixels = Pixmap::new(side(size.width()), side(size.height())).expect("sides are not zero");
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().expect("writing to memory cannot fail")
}
