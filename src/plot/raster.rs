//! SVG to PNG. The only door to `resvg` and `dejavu`: the letters are DejaVu Sans, which the crate carries, so that a
//! machine without fonts draws the same picture; what DejaVu lacks (Chinese, Japanese, Korean) comes from the system's
//! fonts, where it has any.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};
use std::sync::{Arc, LazyLock};

/// Pixels for each unit of a drawing.
pub const SCALE: f32 = 3.0;

/// Pixels of the longer side at the most: drawings of very many classes are smaller for each unit.
const MOST: f32 = 8192.0;

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.load_system_fonts();
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

/// Draws SVG of our own.
pub(super) fn png(svg: &str) -> Vec<u8> {
    let options = Options { font_family: "DejaVu Sans".into(), fontdb: FONTS.clone(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).expect("our own SVG is well formed");
    let size = tree.size();
    let scale = SCALE.min(MOST / size.width().max(size.height()));
    let side = |length: f32| (length * scale).ceil().max(1.0) as u32;
    let mut pixels = Pixmap::new(side(size.width()), side(size.height())).expect("sides are not zero");
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().expect("writing to memory cannot fail")
}
