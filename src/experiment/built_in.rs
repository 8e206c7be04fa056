//! The experiments that come with the program, by name.

use crate::error::{Error, Kind, Result, did_you_mean};
use crate::io::fs;
use std::path::Path;

/// Names and files of the experiments that come with the program.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("lfw10", include_str!("../../experiments/lfw10.toml")),
    ("tuning", include_str!("../../experiments/tuning.toml")),
    ("solvers", include_str!("../../experiments/solvers.toml")),
];

/// The text of the experiment in `file`, or where there is no such file, of the built-in one of that name.
///
/// # Errors
/// [`Kind::Io`] when the file cannot be read, [`Kind::Usage`] when there is neither.
pub fn experiment_text(file: &Path) -> Result<Vec<u8>> {
    let built_in = BUILT_IN.iter().find(|(name, _)| file.as_os_str() == *name);
    match built_in {
        // A link that leads nowhere is there too, and is called what it is.
        _ if file.symlink_metadata().is_ok() => fs::read(file),
        Some((_, text)) => Ok(text.as_bytes().to_vec()),
        None if file.extension().is_none() && file.components().count() == 1 => {
            let meant = did_you_mean(&file.to_string_lossy(), BUILT_IN.map(|(name, _)| name));
            let names = BUILT_IN.map(|(name, _)| name).join(", ");
            Err(Error::new(Kind::Usage, "there is no such file, and no built-in experiment of that name")
                .at(file)
                .help(format!("{meant}the built-in ones are {names}")))
        }
        None => fs::read(file),
    }
}
