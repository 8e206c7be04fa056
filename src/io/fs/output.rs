//! The files that a person asks for by name, wherever they are. One rule holds for all of them, whatever their format: a file
//! of this program is replaced atomically, another file is refused, a link is followed, and a device or pipe is written
//! through. An empty file holds nothing that could be lost, and is replaced.

use super::atomic::write_atomic_with;
use super::files::create_folder;
use super::path::parent;
use crate::error::{Error, Kind, Result};
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What a person asked to be written, and which files may give way to it.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a function")]
pub struct OutputFormat<'a> {
    /// What the file holds, such as `page`.
    pub name: &'a str,
    /// Whether an existing file is an earlier one of this program.
    pub is_own: &'a dyn Fn(&Path) -> bool,
}

/// Where the bytes go.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// A file that is replaced or created, with links resolved.
    File(PathBuf),
    /// A device, a pipe or the standard output.
    Stream,
}

/// Checks, before long work, that `path` may be written.
///
/// # Errors
/// [`Kind::Input`] when it is a folder or a file of another origin; [`Kind::Io`] when it cannot be examined.
pub fn check_output(path: &Path, format: OutputFormat) -> Result<()> {
    target(path, format).map(drop)
}

/// Writes what `fill` writes to `path`. Missing folders are created.
///
/// # Errors
/// Those of [`check_output`] and `fill`, and [`Kind::Io`] when the file cannot be written. A regular file then stays as it
/// was.
pub fn write_output(
    path: &Path,
    format: OutputFormat,
    fill: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>,
) -> Result<()> {
    match target(path, format)? {
        Target::File(file) => {
            create_folder(parent(&file))?;
            write_atomic_with(&file, fill)
        }
        Target::Stream => {
            let fail = |e| Error::io("write", path, e);
            let mut stream = BufWriter::new(File::options().append(true).open(path).map_err(fail)?);
            fill(&mut stream)?;
            stream.flush().map_err(fail)
        }
    }
}

/// Whether `path` is a device, a pipe or the standard output, beside which no other file belongs.
pub fn is_stream(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) || is_stdout(path)
}

/// Whether `path` is where the standard output of this process goes.
pub fn is_stdout(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        use std::os::unix::fs::MetadataExt;
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let stdout = std::io::stdout().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
        match (std::fs::metadata(path), stdout) {
            (Ok(path), Ok(stdout)) => identity(path) == identity(stdout),
            _ => false,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

fn target(path: &Path, format: OutputFormat) -> Result<Target> {
    let refuse = |message: String, remedy: &str| Err(Error::new(Kind::Input, message).at(path).help(remedy));
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Target::File(end_of_links(path)?)),
        Err(e) => return Err(Error::io("look at", path, e)),
    };
    if metadata.is_dir() {
        return refuse(format!("a folder, where the {} is to be a file", format.name), "name a file");
    }
    if is_stream(path) {
        return Ok(Target::Stream);
    }
    if metadata.len() > 0 && !(format.is_own)(path) {
        let message = format!("the {} belongs here, but another file is in the way", format.name);
        return refuse(message, "move it away, or choose another place");
    }
    path.canonicalize().map(Target::File).map_err(|e| Error::io("find", path, e))
}

/// The path that a missing file, or a link to a missing file, stands for. Links do not form a ring: the system has
/// reported the file as missing.
fn end_of_links(path: &Path) -> Result<PathBuf> {
    match path.is_symlink() {
        true => {
            let link = std::fs::read_link(path).map_err(|e| Error::io("read the link", path, e))?;
            end_of_links(&parent(path).join(link))
        }
        false => Ok(path.to_path_buf()),
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::super::files::{list, read};
    use super::*;

    const OURS: &[u8] = b"ours: old";

    fn write(path: &Path) -> Result<()> {
        let is_own = |path: &Path| read(path).is_ok_and(|bytes| bytes.starts_with(b"ours"));
        write_output(path, OutputFormat { name: "table", is_own: &is_own }, |file| {
            file.write_all(b"ours: new").map_err(|e| Error::io("write", path, e))
        })
    }

    #[test]
    fn own_and_empty_files_are_replaced_and_others_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for (name, before) in [("own", Some(OURS)), ("empty", Some(b"")), ("none", None), ("sub/new", None)] {
            if let Some(bytes) = before {
                std::fs::write(path(name), bytes).unwrap();
            }
            write(&path(name)).unwrap();
            assert_eq!(read(&path(name)).unwrap(), b"ours: new", "{name}");
        }
        std::fs::write(path("theirs"), "theirs").unwrap();
        let error = write(&path("theirs")).unwrap_err();
        assert!(error.to_string().contains("theirs: the table belongs here, but another file is in the way"));
        assert_eq!((error.kind(), read(&path("theirs")).unwrap()), (Kind::Input, b"theirs".to_vec()));
        assert!(write(dir.path()).unwrap_err().to_string().contains("a folder, where the table is to be"));
    }

    #[test]
    fn links_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir(path("far")).unwrap();
        std::fs::write(path("far/own"), OURS).unwrap();
        std::fs::write(path("far/theirs"), "theirs").unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, path(name)).unwrap();
        link("far/own", "to-own");
        link("to-own", "to-link");
        link("far/theirs", "to-theirs");
        link("far/new", "to-nothing");
        link("ring", "ring");
        for (name, target) in [("to-own", "far/own"), ("to-link", "far/own"), ("to-nothing", "far/new")] {
            write(&path(name)).unwrap();
            assert!(path(name).is_symlink());
            assert_eq!(read(&path(target)).unwrap(), b"ours: new", "{name}");
        }
        assert_eq!(write(&path("to-theirs")).unwrap_err().kind(), Kind::Input);
        assert_eq!(write(&path("ring")).unwrap_err().kind(), Kind::Io);
        assert_eq!(list(&path("far")).unwrap().len(), 3);
    }

    #[test]
    fn devices_and_pipes_are_written_through() {
        let dir = tempfile::tempdir().unwrap();
        write(Path::new("/dev/null")).unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
        let full = write(Path::new("/dev/full"));
        assert!(full.is_err() || !Path::new("/dev/full").exists());
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe).unwrap()
        });
        write(&pipe).unwrap();
        assert_eq!(reader.join().unwrap(), b"ours: new");
        assert_eq!(list(dir.path()).unwrap().len(), 1);
    }
}
