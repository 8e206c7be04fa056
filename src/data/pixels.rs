//! An 8-bit RGB image in memory.

/// An 8-bit RGB image `[height, width, 3]`: rows from top to bottom, pixels from left to right, three bytes each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Pixels {
    /// Creates an image from its bytes `[height, width, 3]`.
    ///
    /// # Panics
    /// When `data` does not hold `width * height * 3` bytes, or a side is zero.
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Self {
        assert!(width > 0 && height > 0 && data.len() == width * height * 3, "{width} x {height} x 3 bytes");
        Self { width, height, data }
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns all bytes, row by row.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Returns the bytes of row `y`, counted from the top.
    ///
    /// # Panics
    /// When `y` is not below the height.
    pub fn row(&self, y: usize) -> &[u8] {
        &self.data[y * self.width * 3..(y + 1) * self.width * 3]
    }
}
