//! Files and formats: the file system, Parquet, safetensors, archives, TensorBoard event files, TOML, base64, SHA-256.

pub mod archive;
pub mod base64;
pub mod digest;
pub mod events;
pub mod fs;
pub mod parquet;
pub mod places;
pub mod safetensors;
pub mod toml;
