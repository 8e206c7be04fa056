//! Plain data as JSON text, and back. The types given here hold nothing that JSON cannot express.

use serde::Serialize;
use serde::de::{DeserializeOwned, Error};
use serde_json::{Result, Value};

const PLAIN: &str = "plain data can be written as JSON";

/// Encodes `data` on one line.
pub(crate) fn encode(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect(PLAIN)
}

/// Encodes `data` with a line for each field.
pub(crate) fn encode_pretty(data: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(data).expect(PLAIN)
}

/// Turns `data` into a JSON value.
pub(crate) fn to_value(data: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(data).expect(PLAIN)
}

/// Decodes JSON of a file. A number that no float32 can hold would become infinite and, written again, `null`, so it is
/// refused.
///
/// # Errors
/// When the text is not JSON, is not a `T`, or has such a number.
pub(crate) fn decode<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    match too_large(&serde_json::from_slice(text)?) {
        Some(number) => Err(Error::custom(format!("the number {number:e} is too large"))),
        None => serde_json::from_slice(text),
    }
}

/// A number of `value`, at any depth, that is not finite as a float32.
fn too_large(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64().filter(|&number| !(number as f32).is_finite()),
        Value::Array(values) => values.iter().find_map(too_large),
        Value::Object(fields) => fields.values().find_map(too_large),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_float_can_hold_are_refused_at_any_depth() {
        assert_eq!(decode::<Vec<f32>>(b"[1, -3.4e38]").unwrap(), [1.0, -3.4e38]);
        for text in ["[1e39]", "[{\"a\": [-3.5e38]}]", "[1e999]"] {
            let error = decode::<Value>(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("too large") || error.contains("out of range"), "{error}");
        }
    }
}
