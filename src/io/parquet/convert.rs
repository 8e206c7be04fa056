//! Converts columns to Arrow arrays and back.

use super::column::{ColumnData, ColumnType, NamedColumn, Vectors};
use crate::io::digest::Digest;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Float32Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Field, Schema};
use std::sync::Arc;

/// The Arrow schema of `columns`.
pub(super) fn schema(columns: &[NamedColumn]) -> Schema {
    Schema::new(columns.iter().map(field).collect::<Vec<_>>())
}

fn field(column: &NamedColumn) -> Field {
    let data_type = match &column.data {
        ColumnData::Text(_) | ColumnData::OptionalText(_) | ColumnData::Digests(_) => DataType::Utf8,
        ColumnData::Int32(_) => DataType::Int32,
        ColumnData::Int64(_) => DataType::Int64,
        ColumnData::Float32(_) => DataType::Float32,
        ColumnData::Vectors(rows) => DataType::FixedSizeList(list_item(), rows.width as i32),
    };
    Field::new(&column.name, data_type, matches!(column.data, ColumnData::OptionalText(_)))
}

/// The field of the floats in a column of vectors.
fn list_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float32, false))
}

/// Converts columns to Arrow. Numbers are moved, not copied.
pub(super) fn record_batch(columns: Vec<NamedColumn>) -> RecordBatch {
    let schema = Arc::new(schema(&columns));
    let arrays: Vec<ArrayRef> = columns.into_iter().map(|column| to_arrow(column.data)).collect();
    RecordBatch::try_new(schema, arrays).expect("columns of one length")
}

fn to_arrow(data: ColumnData) -> ArrayRef {
    match data {
        ColumnData::Text(values) => Arc::new(StringArray::from_iter_values(values)),
        ColumnData::OptionalText(values) => Arc::new(StringArray::from_iter(values)),
        ColumnData::Digests(values) => {
            Arc::new(StringArray::from_iter_values(values.iter().map(Digest::to_string)))
        }
        ColumnData::Int32(values) => Arc::new(Int32Array::from(values)),
        ColumnData::Int64(values) => Arc::new(Int64Array::from(values)),
        ColumnData::Float32(values) => Arc::new(Float32Array::from(values)),
        ColumnData::Vectors(rows) => {
            let values = Arc::new(Float32Array::from(rows.values));
            Arc::new(FixedSizeListArray::new(list_item(), rows.width as i32, values, None))
        }
    }
}

/// Converts an Arrow array; `None` for types that are not read and for nulls where none are allowed.
pub(super) fn from_arrow(array: &ArrayRef, expected: ColumnType) -> Option<ColumnData> {
    match array.data_type() {
        DataType::Utf8 if expected == ColumnType::Digests => {
            let digest = |text: Option<&str>| text?.parse().ok();
            array.as_string::<i32>().iter().map(digest).collect::<Option<_>>().map(ColumnData::Digests)
        }
        DataType::Utf8 => {
            let text = array.as_string::<i32>();
            Some(match text.null_count() {
                0 => ColumnData::Text(text.iter().flatten().map(String::from).collect()),
                _ => ColumnData::OptionalText(text.iter().map(|v| v.map(String::from)).collect()),
            })
        }
        DataType::Int32 if array.null_count() == 0 => {
            Some(ColumnData::Int32(array.as_primitive::<Int32Type>().values().to_vec()))
        }
        DataType::Int64 if array.null_count() == 0 => {
            Some(ColumnData::Int64(array.as_primitive::<Int64Type>().values().to_vec()))
        }
        DataType::Float32 if array.null_count() == 0 => {
            Some(ColumnData::Float32(array.as_primitive::<Float32Type>().values().to_vec()))
        }
        DataType::FixedSizeList(..) => float_rows(array)
            .map(|rows| ColumnData::Vectors(Vectors { width: rows.width, values: rows.values.to_vec() })),
        _ => None,
    }
}

/// Borrowed [`Vectors`].
pub(super) struct FloatRows<'a> {
    pub width: usize,
    pub values: &'a [f32],
}

/// The floats of a column of vectors; `None` for another type and for nulls.
pub(super) fn float_rows(array: &ArrayRef) -> Option<FloatRows<'_>> {
    let lists = array.as_fixed_size_list_opt()?;
    let floats = lists.values().as_primitive_opt::<Float32Type>()?;
    let has_nulls = lists.null_count() > 0 || floats.null_count() > 0;
    (!has_nulls).then(|| FloatRows { width: lists.value_length() as usize, values: &floats.values()[..] })
}

/// Why the values of `array` are not what was expected.
pub(super) fn mismatch(name: &str, expected: ColumnType, array: &ArrayRef) -> String {
    match expected {
        ColumnType::Digests => format!("its column {name} holds values that are not digests"),
        _ => format!("its column {name} has the type {} or nulls", array.data_type()),
    }
}
