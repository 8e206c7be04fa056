//! The values of one column of a table in memory, and the types that a reader can expect.

use crate::io::digest::Digest;

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedColumn {
    /// Name in the file.
    pub name: String,
    /// One value per row.
    pub data: ColumnData,
}

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ColumnData {
    /// UTF-8 text.
    Text(Vec<String>),
    /// UTF-8 text with nulls.
    OptionalText(Vec<Option<String>>),
    /// Digests, stored as text of 64 hexadecimal digits.
    Digests(Vec<Digest>),
    /// 32-bit integers.
    Int32(Vec<i32>),
    /// 64-bit integers.
    Int64(Vec<i64>),
    /// 32-bit floats.
    Float32(Vec<f32>),
    /// Lists of 32-bit floats of one length, without nulls.
    Vectors(Vectors),
}

/// The rows of a column of vectors.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vectors {
    /// Floats per row.
    pub width: usize,
    /// `rows * width` floats in row-major order.
    pub values: Vec<f32>,
}

/// A column that a reader expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSpec<'a> {
    /// Name of the column.
    pub name: &'a str,
    /// Type of its values.
    pub kind: ColumnType,
}

impl<'a> ColumnSpec<'a> {
    /// Describes a column.
    pub const fn new(name: &'a str, kind: ColumnType) -> Self {
        Self { name, kind }
    }
}

/// The type that a reader expects of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnType {
    /// Text without nulls.
    Text,
    /// Text that may have nulls.
    OptionalText,
    /// Digests without nulls.
    Digests,
    /// Integers of 32 or 64 bits without nulls.
    Integers,
    /// 32-bit floats without nulls.
    Floats,
    /// Vectors of one width without nulls.
    Vectors,
}

impl ColumnData {
    /// Whether the values have the type that a reader expects.
    pub(super) fn is_of_type(&self, expected: ColumnType) -> bool {
        match expected {
            ColumnType::Text => matches!(self, Self::Text(_)),
            ColumnType::OptionalText => matches!(self, Self::Text(_) | Self::OptionalText(_)),
            ColumnType::Digests => matches!(self, Self::Digests(_)),
            ColumnType::Integers => matches!(self, Self::Int32(_) | Self::Int64(_)),
            ColumnType::Floats => matches!(self, Self::Float32(_)),
            ColumnType::Vectors => matches!(self, Self::Vectors(_)),
        }
    }

    /// Appends the values of another batch of the same column. Text becomes optional text when a batch has nulls.
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
            (Self::Float32(a), Self::Float32(b)) => a.extend(b),
            (Self::Vectors(a), Self::Vectors(b)) => a.values.extend(b.values),
            _ => unreachable!("a column has one type in all batches of a file"),
        }
    }
}
