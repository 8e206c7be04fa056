//! Files and formats: the file system, downloads, Parquet, safetensors, archives, TensorBoard event files, TOML, JSON, base64,
//! SHA-256; panics of their readers.

pub(crate) mod archive;
pub mod base64;
pub mod crc32c;

pub mod digest;
pub mod download;
pub mod events;
pub mod fs;
pub(crate) mod json;
pub(crate) mod panics;
pub(crate) mod parquet;
pub(crate) mod safetensors;
pub(crate) mod separated;
pub(crate) mod store;
pub(crate) mod toml;
pub mod user_folders;
