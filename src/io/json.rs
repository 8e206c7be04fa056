//! Plain data as JSON text. The types given here hold nothing that JSON cannot express.

use serde::Serialize;

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
