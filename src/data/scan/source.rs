//! A digest of what lists the images: a manifest, an archive, or the archives of a folder. It shows that a data set has changed
//! without a scan.

use super::archive;
use crate::error::{Error, Result};
use crate::io::archive::is_archive;
use crate::io::digest::{Digest, sha256, sha256_file};
use crate::io::fs;
use std::fmt::Write;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Returns the digest of a manifest's bytes, or of the size and time of an archive or of each archive of a folder; `None` for any
/// other folder, for a URL, and where nothing is.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when a file cannot be read.
pub fn source_digest(images: &Path) -> Result<Option<Digest>> {
    let archives = match () {
        () if images.is_file() && !is_archive(images) => return sha256_file(images).map(Some),
        () if images.is_file() => vec![images.to_path_buf()],
        () if images.is_dir() && archive::is_shards(images) => {
            fs::list(images)?.into_iter().map(|entry| entry.path).collect()
        }
        () => return Ok(None),
    };
    let mut text = String::new();
    for archive in archives {
        let metadata = std::fs::metadata(&archive).map_err(|e| Error::io("read", &archive, e))?;
        let time = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        writeln!(text, "{name} {} {:?}", metadata.len(), time.map(|time| time.as_nanos()))
            .expect("a text takes everything");
    }
    Ok(Some(sha256(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_manifest_or_archive_is_seen_and_folders_have_no_digest() {
        let dir = tempfile::tempdir().unwrap();
        let of = |name: &str| source_digest(&dir.path().join(name)).unwrap();
        for (name, before, after) in [
            ("m.csv", "path,label\n", "path,label\na,b\n"),
            ("a.zip", "one", "other"),
            ("s/0.tar", "one", "other"),
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, before).unwrap();
            let source = if name == "s/0.tar" { "s" } else { name };
            let first = of(source);
            assert!(first.is_some() && of(source) == first, "{name}");
            std::fs::write(&path, after).unwrap();
            assert!(of(source) != first, "{name}");
        }
        assert_eq!((of(""), of("none")), (None, None));
    }
}
