//! Chooses the backbone that this machine uses where none is named.

use super::choice::BackboneChoice;
use super::machine_default::set_default_backbone;
use crate::error::{Error, Kind, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};

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
    let config = set_default_backbone(name)?;
    Ok(MachineDefault { backbone: resolved.name, title: resolved.title, config })
}
