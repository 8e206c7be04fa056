//! The backbone that is used where none is named: `backbone` in the user's `config.toml`, else `nsfwjs`.

use super::registry::DEFAULT_BACKBONE;
use crate::error::{Error, Result};
use crate::io::toml::parse_toml;
use crate::io::{fs, json, user_folders};
use serde::Deserialize;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The content of `config.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserConfig {
    backbone: Option<String>,
}

/// Returns the name of the backbone that is used where none is named.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) when the user's `config.toml` cannot be parsed,
/// [`Kind::Io`](crate::error::Kind::Io) when it cannot be read.
pub fn default_backbone() -> Result<String> {
    // Without a folder of the user there is no configuration either.
    let Ok(path) = user_folders::config_file() else { return Ok(DEFAULT_BACKBONE.into()) };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => String::new(),
        Err(e) => return Err(Error::io("read", &path, e)),
    };
    let config: UserConfig = parse_toml(&text).map_err(|e| {
        e.at(&path).help("correct the file, or remove it to use nsfwjs where no `backbone` is named")
    })?;
    Ok(config.backbone.unwrap_or_else(|| DEFAULT_BACKBONE.into()))
}

/// Writes which backbone is used where none is named. Returns the path of the user's `config.toml`.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when it cannot be written, and those of [`user_folders::config_file`].
pub(super) fn set_default_backbone(name: &str) -> Result<PathBuf> {
    let path = user_folders::config_file()?;
    if let Some(folder) = path.parent() {
        fs::create_folder(folder)?;
    }
    // A string of JSON is one of TOML.
    fs::write_atomic(&path, format!("backbone = {}\n", json::encode(&name)).as_bytes())?;
    Ok(path)
}
