//! Base64, and `data:` addresses. The only user of `base64`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Decodes base64 text of the standard alphabet, with padding.
///
/// # Errors
/// Describes the first character or length that is not valid base64.
pub fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|e| e.to_string())
}

/// Encodes bytes as a `data:` URI of the media type `media_type`, such as `image/jpeg`.
pub fn data_uri(media_type: &str, bytes: &[u8]) -> String {
    format!("data:{media_type};base64,{}", STANDARD.encode(bytes))
}
