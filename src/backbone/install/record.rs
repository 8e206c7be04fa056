//! `installed.json` in the folder of an installed runtime: its files with their sizes and digests.

use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256_file};
use crate::io::fs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const FILE: &str = "installed.json";

/// What was installed into a folder.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct InstallRecord {
    /// Digest of the wheel that the files come from.
    wheel_sha256: Digest,
    /// Sizes in bytes by file name.
    files: BTreeMap<String, u64>,
    /// Digests by file name. Empty in a record of headstart 0.1.0.
    #[serde(default)]
    sha256: BTreeMap<String, Digest>,
}

/// What is in the folder of a runtime.
pub(super) enum Installed {
    /// Nothing.
    Missing,
    /// All files as they were installed; without digests only their sizes were compared.
    Complete { has_digests: bool },
    /// Other files than were installed; the error says which.
    Damaged(Error),
}

/// How closely files are compared with their record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Their sizes alone: for libraries so large that their digests would take seconds.
    Sizes,
    /// Their sizes and digests.
    Digests,
}

impl InstallRecord {
    /// Records the `files` of `folder`, given as sizes by name.
    ///
    /// # Errors
    /// [`Kind::Io`] when a file cannot be read.
    pub fn of(folder: &Path, wheel_sha256: Digest, files: BTreeMap<String, u64>) -> Result<Self> {
        let digest = |name: &String| Ok((name.clone(), sha256_file(&folder.join(name))?));
        let sha256 = files.keys().map(digest).collect::<Result<_>>()?;
        Ok(Self { wheel_sha256, files, sha256 })
    }

    /// Writes `installed.json` into `folder`.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::write_atomic(&folder.join(FILE), &serde_json::to_vec_pretty(self).expect("plain data"))
    }

    /// Compares the files in `folder` with this record, which must be of the wheel `wheel_sha256`.
    fn check(&self, folder: &Path, wheel_sha256: Digest, check: Check) -> Result<()> {
        let damaged = |what: String| Err(Error::new(Kind::Runtime, what));
        if self.wheel_sha256 != wheel_sha256 {
            return damaged(format!("{FILE} is of another wheel"));
        }
        for (name, &size) in &self.files {
            let path = folder.join(name);
            match std::fs::metadata(&path) {
                Ok(found) if found.len() == size => {}
                Ok(found) => return damaged(format!("{name} has {} bytes, not {size}", found.len())),
                Err(e) if e.kind() == ErrorKind::NotFound => return damaged(format!("{name} is missing")),
                Err(e) => return Err(Error::io("read", &path, e)),
            }
            if let Some(expected) = self.sha256.get(name).filter(|_| check == Check::Digests) {
                let found = sha256_file(&path)?;
                if found != *expected {
                    return damaged(format!("{name} has the SHA-256 {found}, not {expected}"));
                }
            }
        }
        Ok(())
    }
}

/// Compares the files in `folder` with its record. The digests of an unchanged installation are computed once per
/// process.
///
/// # Errors
/// [`Kind::Io`] when the folder may not be read, which says nothing about its files.
pub(super) fn look(folder: &Path, wheel_sha256: Digest, check: Check) -> Result<Installed> {
    static COMPLETE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let is_there = folder.try_exists().map_err(|e| Error::io("look for ONNX Runtime in", folder, e));
    match (folder.symlink_metadata().is_ok(), is_there) {
        (false, Ok(_)) => return Ok(Installed::Missing),
        (false, Err(e)) => return Err(e),
        _ => {}
    }
    let damaged = |why: Error| {
        let error = Error::new(Kind::Runtime, "the installed ONNX Runtime is damaged").at(folder);
        Ok(Installed::Damaged(error.because(why).help("run `setup`: it installs it again")))
    };
    // A file, or a link that leads nowhere.
    if let Some(obstacle) = fs::obstacle(folder) {
        return damaged(obstacle);
    }
    let path = folder.join(FILE);
    let json = match std::fs::read(&path) {
        Ok(json) => json,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return damaged(Error::new(Kind::Runtime, format!("{FILE} is missing")));
        }
        Err(e) => return Err(Error::io("read", &path, e)),
    };
    let record: InstallRecord = match serde_json::from_slice(&json) {
        Ok(record) => record,
        Err(e) => return damaged(Error::new(Kind::Runtime, format!("{FILE} is not readable")).because(e)),
    };
    let complete = || Ok(Installed::Complete { has_digests: !record.sha256.is_empty() });
    let mut known = COMPLETE.lock().unwrap_or_else(PoisonError::into_inner);
    if known.iter().any(|known| known == folder) {
        return complete();
    }
    match record.check(folder, wheel_sha256, check) {
        Ok(()) if check == Check::Sizes => complete(),
        Ok(()) => {
            known.push(folder.to_path_buf());
            complete()
        }
        Err(e) if e.kind() == Kind::Io => Err(e),
        Err(e) => damaged(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::digest::sha256;

    /// What is said about a folder with the file `lib`, after `change`.
    fn after(change: impl FnOnce(&Path)) -> String {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("runtime");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("lib"), [7; 1000]).unwrap();
        let record =
            InstallRecord::of(&folder, sha256(b"wheel"), [("lib".to_string(), 1000)].into()).unwrap();
        record.write(&folder).unwrap();
        change(&folder);
        match look(&folder, sha256(b"wheel"), Check::Digests) {
            Ok(Installed::Missing) => "missing".into(),
            Ok(Installed::Complete { has_digests }) => format!("complete, {has_digests}"),
            Ok(Installed::Damaged(e)) | Err(e) => {
                e.with_causes().replace(&folder.display().to_string(), "at")
            }
        }
    }

    #[test]
    fn every_change_of_a_file_is_found_and_named() {
        assert_eq!(after(|_| {}), "complete, true");
        assert_eq!(after(|at| std::fs::remove_dir_all(at).unwrap()), "missing");
        let said = after(|at| std::fs::write(at.join("lib"), [[7; 500], [0; 500]].concat()).unwrap());
        assert!(
            said.starts_with("at: the installed ONNX Runtime is damaged: lib has the SHA-256 "),
            "{said}"
        );
        let said = after(|at| std::fs::write(at.join("lib"), [7; 999]).unwrap());
        assert_eq!(said, "at: the installed ONNX Runtime is damaged: lib has 999 bytes, not 1000");
        let said = after(|at| std::fs::remove_file(at.join("lib")).unwrap());
        assert_eq!(said, "at: the installed ONNX Runtime is damaged: lib is missing");
        let said = after(|at| std::fs::remove_file(at.join(FILE)).unwrap());
        assert_eq!(said, "at: the installed ONNX Runtime is damaged: installed.json is missing");
        let said = after(|at| std::fs::write(at.join(FILE), "{").unwrap());
        assert!(
            said.starts_with("at: the installed ONNX Runtime is damaged: installed.json is not readable"),
            "{said}"
        );
    }

    #[test]
    fn sizes_alone_do_not_show_other_bytes() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("lib"), [7; 1000]).unwrap();
        let files = [("lib".to_string(), 1000)].into();
        InstallRecord::of(dir.path(), sha256(b"wheel"), files).unwrap().write(dir.path()).unwrap();
        std::fs::write(dir.path().join("lib"), [8; 1000]).unwrap();
        let found = |check| look(dir.path(), sha256(b"wheel"), check).unwrap();
        assert!(matches!(found(Check::Sizes), Installed::Complete { has_digests: true }));
        // What was only measured is not taken for verified.
        assert!(matches!(found(Check::Digests), Installed::Damaged(_)));
        std::fs::write(dir.path().join("lib"), [7; 999]).unwrap();
        assert!(matches!(found(Check::Sizes), Installed::Damaged(_)));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_folder_is_damaged() {
        let said = after(|at| {
            std::fs::remove_dir_all(at).unwrap();
            std::fs::write(at, "").unwrap();
        });
        assert_eq!(said, "at: the installed ONNX Runtime is damaged: at: it is a file, not a folder");
        let said = after(|at| {
            std::fs::remove_dir_all(at).unwrap();
            std::os::unix::fs::symlink("nowhere", at).unwrap();
        });
        assert!(said.ends_with("damaged: at: it is a link to nowhere, where nothing is"), "{said}");
    }

    #[test]
    fn a_record_of_version_0_1_0_without_digests_is_accepted() {
        let old = format!(r#"{{"wheel_sha256": "{}", "files": {{"lib": 1000}}}}"#, sha256(b"wheel"));
        assert_eq!(after(|at| std::fs::write(at.join(FILE), old).unwrap()), "complete, false");
    }
}
