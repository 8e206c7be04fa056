//! The values of a table's column in memory, and what a reader expects of one. It refuses to know of files.

use crate::digest::Digest;

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// UTF-8 text.
    Text(Vec<String>),
    /// UTF-8 text that may be missing.
    OptionalText(Vec<Option<String>>),
    /// Digests, as text of 64 hexadecimal digits.
    Digests(Vec<Digest>),
    /// 32-bit integers.
    Int32(Vec<i32>),
    /// 64-bit integers.
    Int64(Vec<i64>),
    /// Rows of `width` floats, one after the other.
    Vectors {
        /// Floats in a row.
        width: usize,
        /// `rows * width` floats.
        values: Vec<f32>,
    },
}

/// What a reader expects of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Text in every row.
    Text,
    /// Text that may be missing.
    OptionalText,
    /// A digest in every row.
    Digests,
    /// Integers of 32 or 64 bits in every row.
    Integers,
    /// Vectors of one width in every row.
    Vectors,
}

impl Column {
    /// Whether a reader that expects `holds` can use it.
    pub(super) fn fits(&self, holds: Holds) -> bool {
        match holds {
            Holds::Text => matches!(self, Self::Text(_)),
            Holds::OptionalText => matches!(self, Self::Text(_) | Self::OptionalText(_)),
            Holds::Digests => matches!(self, Self::Digests(_)),
            Holds::Integers => matches!(self, Self::Int32(_) | Self::Int64(_)),
            Holds::Vectors => matches!(self, Self::Vectors { .. }),
        }
    }

    /// Puts the values of another column of the same kind behind its own.
    pub(super) fn extend(&mut self, other: Self) {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.extend(b),
            (Self::OptionalText(a), Self::OptionalText(b)) => a.extend(b),
            (Self::OptionalText(a), Self::Text(b)) => a.extend(b.into_iter().map(Some)),
            (this @ Self::Text(_), Self::OptionalText(b)) => {
                let Self::Text(a) = std::mem::replace(this, Self::Int32(Vec::new())) else { return };
                *this = Self::OptionalText(a.into_iter().map(Some).chain(b).collect());
            }
            (Self::Digests(a), Self::Digests(b)) => a.extend(b),
            (Self::Int32(a), Self::Int32(b)) => a.extend(b),
            (Self::Int64(a), Self::Int64(b)) => a.extend(b),
            (Self::Vectors { values: a, .. }, Self::Vectors { values: b, .. }) => a.extend(b),
            _ => unreachable!("one column has one type in all batches of a file"),
        }
    }
}
