//! Columns as CSV.

use super::column::{ColumnData, NamedColumn};
use crate::io::separated::Writer;

/// Encodes columns of text and numbers, with a line of their names if `has_header`. Numbers are as short as they can be to be
/// read back exactly; a null is empty.
///
/// # Panics
/// When one is a column of vectors, or they differ in length.
pub(super) fn csv(columns: &[NamedColumn], has_header: bool) -> Vec<u8> {
    const IN_MEMORY: &str = "writing to memory";
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, b',');
    if has_header {
        writer.write(columns.iter().map(|column| &column.name)).expect(IN_MEMORY);
    }
    let cells: Vec<Vec<String>> = columns.iter().map(|column| cells(&column.data)).collect();
    for row in 0..cells.first().map_or(0, Vec::len) {
        writer.write(cells.iter().map(|column| &column[row])).expect(IN_MEMORY);
    }
    writer.finish().expect(IN_MEMORY);
    bytes
}

fn cells(data: &ColumnData) -> Vec<String> {
    match data {
        ColumnData::Text(values) => values.clone(),
        ColumnData::OptionalText(values) => {
            values.iter().map(|value| value.clone().unwrap_or_default()).collect()
        }
        ColumnData::Digests(values) => values.iter().map(ToString::to_string).collect(),
        ColumnData::Int32(values) => values.iter().map(ToString::to_string).collect(),
        ColumnData::Int64(values) => values.iter().map(ToString::to_string).collect(),
        ColumnData::Float32(values) => values.iter().map(ToString::to_string).collect(),
        ColumnData::Vectors(_) => panic!("CSV has no vectors"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_and_numbers_read_back_exactly() {
        let column = |name: &str, data| NamedColumn { name: name.into(), data };
        let floats = [0.1f32, -1e-30, 3.0];
        let columns = [
            column("a,b", ColumnData::OptionalText(vec![Some("x \"y\"".into()), None, Some("1\n2".into())])),
            column("f", ColumnData::Float32(floats.to_vec())),
            column("i", ColumnData::Int64(vec![1, -2, i64::MAX])),
        ];
        let text = String::from_utf8(csv(&columns, true)).unwrap();
        assert!(text.starts_with("\"a,b\",f,i\n\"x \"\"y\"\"\",0.1,1\n,-0.0000"), "{text}");
        assert!(text.ends_with("\n\"1\n2\",3,9223372036854775807\n"), "{text}");
        let second = text.split("\n,").nth(1).unwrap().split(',').next().unwrap();
        assert_eq!(second.parse::<f32>().unwrap(), floats[1]);
        assert!(!String::from_utf8(csv(&columns, false)).unwrap().contains("a,b"));
    }
}
