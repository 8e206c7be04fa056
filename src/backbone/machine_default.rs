//! The backbone that is used where none is named: `backbone` in the user's `config.toml`, else `nsfwjs`.

use super::choice::BackboneChoice;
use super::registry::DEFAULT_BACKBONE;
use crate::error::{Error, Kind, Result};
use crate::io::toml::parse_toml;
use crate::io::{fs, json, places};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The content of `config.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserConfig {
    backbone: Option<String>,
}

/// Result of [`use_backbone`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct MachineDefault {
    /// Name of the backbone.
    pub backbone: String,
    /// A few words that describe it.
    pub title: String,
    /// The file that says so.
    pub config: PathBuf,
}

/// Returns the name of the backbone that is used where none is named.
///
/// # Errors
/// [`Kind::Usage`] when the user's `config.toml` cannot be parsed, [`Kind::Io`] when it cannot be read.
pub fn default_backbone() -> Result<String> {
    // Without a folder of the user there is no configuration either.
    let Ok(path) = places::config_file() else { return Ok(DEFAULT_BACKBONE.into()) };
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

/// Makes an installed backbone the one that is used where none is named. Caches keep theirs.
///
/// # Errors
/// [`Kind::Usage`] for the path of a file, [`Kind::Backbone`] when no backbone of that name is known or installed in `models`,
/// [`Kind::Io`] when the user's `config.toml` cannot be written.
pub fn use_backbone(name: &str, models: &Path) -> Result<MachineDefault> {
    if name.ends_with(".onnx") {
        let not_a_name =
            Error::new(Kind::Usage, format!("{name:?} is a file and not the name of a backbone"));
        return Err(not_a_name.help("use the name of an installed backbone, which `list` shows"));
    }
    let choice = BackboneChoice { models: models.to_path_buf(), ..BackboneChoice::new(name) };
    let resolved = choice.resolve()?;
    let config = places::config_file()?;
    if let Some(folder) = config.parent() {
        fs::create_folder(folder)?;
    }
    // A string of JSON is one of TOML.
    fs::write_atomic(&config, format!("backbone = {}\n", json::encode(&name)).as_bytes())?;
    Ok(MachineDefault { backbone: resolved.name, title: resolved.title, config })
}
