//! Files and formats: the file system, Parquet, safetensors, archives, TensorBoard event files, TOML, JSON, base64, SHA-256.

pub mod archive;
pub mod base64;
pub mod digest;
pub mod events;
pub mod fs;
pub(crate) mod json;
pub mod parquet;
pub mod safetensors;
pub mod toml;
