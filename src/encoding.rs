//! Bytes as base64 text and back. The only door to `base64`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The bytes that base64 text stands for.
///
/// # Errors
/// Why it is no such text.
pub fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|e| e.to_string())
}

/// `data:` and the bytes, as an address that a page holds its own pictures under; `kind` is such as `image/jpeg`.
pub fn data_uri(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", STANDARD.encode(bytes))
}
