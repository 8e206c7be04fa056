//! The user's folders, where headstart keeps what it installs: from `HEADSTART_HOME`, the XDG variables, or the home
//! folder.

use crate::error::{Error, Kind, Result};
use std::ffi::OsString;
use std::path::PathBuf;

/// The variable that names one folder for everything that headstart installs.
const HOME_VARIABLE: &str = "HEADSTART_HOME";

/// A kind of folder: what may be fetched again, or what is kept.
struct UserFolder {
    /// Name below `HEADSTART_HOME`; empty for that folder itself.
    below_home: &'static str,
    /// The XDG variable.
    xdg: &'static str,
    /// Where it is in the home folder when the variable is not set.
    default: &'static str,
}

const CACHE: UserFolder = UserFolder { below_home: "", xdg: "XDG_CACHE_HOME", default: ".cache" };
const CONFIG: UserFolder = UserFolder { below_home: "", xdg: "XDG_CONFIG_HOME", default: ".config" };
const MODELS: UserFolder = UserFolder { below_home: "models", xdg: "XDG_DATA_HOME", default: ".local/share" };

/// Returns the folder for installed runtimes: `HEADSTART_HOME`, else `headstart` in `XDG_CACHE_HOME` or in `.cache` of
/// the home folder.
///
/// # Errors
/// [`Kind::Usage`] when `HEADSTART_HOME` is a relative path, [`Kind::Runtime`] when no variable names a folder.
pub fn runtime_folder() -> Result<PathBuf> {
    CACHE.find(&|name| std::env::var_os(name), std::env::home_dir())
}

/// Returns the folder for the backbones of all projects: `models` in `HEADSTART_HOME`, else `headstart/models` in
/// `XDG_DATA_HOME` or in `.local/share` of the home folder.
///
/// # Errors
/// [`Kind::Usage`] when `HEADSTART_HOME` is a relative path, [`Kind::Runtime`] when no variable names a folder.
pub fn models_folder() -> Result<PathBuf> {
    MODELS.find(&|name| std::env::var_os(name), std::env::home_dir())
}

/// Returns the file of the user's settings: `config.toml` in `HEADSTART_HOME`, else in `headstart` in `XDG_CONFIG_HOME` or
/// in `.config` of the home folder. It need not exist.
///
/// # Errors
/// [`Kind::Usage`] when `HEADSTART_HOME` is a relative path, [`Kind::Runtime`] when no variable names a folder.
pub fn config_file() -> Result<PathBuf> {
    Ok(CONFIG.find(&|name| std::env::var_os(name), std::env::home_dir())?.join("config.toml"))
}

/// Returns the folder for downloads, which are removed once they are used: `downloads` in [`runtime_folder`].
///
/// # Errors
/// Those of [`runtime_folder`].
pub fn downloads_folder() -> Result<PathBuf> {
    Ok(runtime_folder()?.join("downloads"))
}

impl UserFolder {
    /// Finds the folder with `variable` as the environment. A relative XDG variable is ignored, as the specification
    /// of the XDG base directories demands.
    fn find(&self, variable: &dyn Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Result<PathBuf> {
        let folder = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(own) = folder(HOME_VARIABLE) {
            return match own.is_absolute() {
                true => Ok(self.below(own)),
                false => Err(Error::new(Kind::Usage, format!("{HOME_VARIABLE} is not an absolute path"))
                    .at(own)
                    .help("write it with a leading / or unset it")),
            };
        }
        let xdg = folder(self.xdg).filter(|path| path.is_absolute());
        let base = xdg.or_else(|| Some(home.filter(|home| home.is_absolute())?.join(self.default)));
        let base = base.ok_or_else(|| {
            let message = format!(
                "no folder to install into: neither {HOME_VARIABLE} nor {} nor HOME is set to an absolute path",
                self.xdg
            );
            Error::new(Kind::Runtime, message).help(format!("set {HOME_VARIABLE} to an absolute path"))
        })?;
        Ok(self.below(base.join("headstart")))
    }

    fn below(&self, folder: PathBuf) -> PathBuf {
        if self.below_home.is_empty() { folder } else { folder.join(self.below_home) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(place: &UserFolder, set: &[(&str, &str)], home: Option<&str>) -> String {
        let variable = |name: &str| Some(set.iter().find(|(own, _)| *own == name)?.1.into());
        match place.find(&variable, home.map(PathBuf::from)) {
            Ok(path) => path.to_str().unwrap().to_string(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    #[cfg(unix)]
    fn own_variable_then_xdg_then_home() {
        let (xdg, own) = (("XDG_CACHE_HOME", "/x"), ("HEADSTART_HOME", "/o"));
        assert_eq!(find(&CACHE, &[xdg, own], Some("/h")), "/o");
        assert_eq!(find(&MODELS, &[xdg, own], Some("/h")), "/o/models");
        assert_eq!(find(&CACHE, &[xdg], None), "/x/headstart", "without a home folder");
        assert_eq!(find(&CONFIG, &[xdg], Some("/h")), "/h/.config/headstart");
        assert_eq!(find(&MODELS, &[xdg], Some("/h")), "/h/.local/share/headstart/models");
        assert_eq!(
            find(&CACHE, &[("XDG_CACHE_HOME", "x"), ("HEADSTART_HOME", "")], Some("/h")),
            "/h/.cache/headstart"
        );
        assert_eq!(
            find(&CACHE, &[("HEADSTART_HOME", "o")], Some("/h")),
            "o: HEADSTART_HOME is not an absolute path"
        );
        assert!(
            find(&CACHE, &[], Some("h")).ends_with("nor XDG_CACHE_HOME nor HOME is set to an absolute path")
        );
    }
}
