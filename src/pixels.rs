//! An 8-bit RGB picture in memory. Pure data: reading files is `image_io`'s work, changing pixels that of `augment`
//! and `preprocess`.

/// An 8-bit RGB image: rows top to bottom, pixels left to right, three bytes each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Pixels {
    /// Wraps `data` of `width * height * 3` bytes.
    ///
    /// # Panics
    /// When the length does not fit, or a side is zero: both are errors of the caller's code, not of its data.
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Self {
        assert!(width > 0 && height > 0 && data.len() == width * height * 3, "{width} x {height} x 3 bytes");
        Self { width, height, data }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All bytes, row after row.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes of row `y`.
    pub fn row(&self, y: usize) -> &[u8] {
        &self.data[y * self.width * 3..(y + 1) * self.width * 3]
    }
}
