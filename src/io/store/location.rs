//! What a person gives for a folder: its path, or a URL.

use crate::error::{Error, Kind, Result};
use std::path::{Path, PathBuf};

/// Schemes of object storage.
const REMOTE: [&str; 3] = ["s3", "gs", "az"];

/// A folder, or a place in object storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    Folder(PathBuf),
    Url(Url),
}

/// The URL of a place in object storage.
#[cfg_attr(not(feature = "cloud"), allow(dead_code, reason = "only object storage looks into it"))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// As it was given, without a slash at the end.
    pub text: String,
    /// `s3`, `gs` or `az`.
    pub scheme: String,
    /// The bucket or container.
    pub bucket: String,
    /// What the names of all objects there begin with, without slashes at its ends; may be empty.
    pub prefix: String,
}

/// Whether `path` is a URL of whatever kind.
pub(crate) fn is_url(path: &Path) -> bool {
    scheme(path).is_some()
}

/// Whether `path` is a URL of object storage.
pub(crate) fn is_object_storage(path: &Path) -> bool {
    scheme(path).is_some_and(|(scheme, _)| REMOTE.contains(&scheme))
}

/// The scheme of a URL and what follows it.
fn scheme(path: &Path) -> Option<(&str, &str)> {
    let (scheme, rest) = path.to_str()?.split_once("://")?;
    let is_scheme = scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_scheme.then_some((scheme, rest))
}

impl Location {
    /// Parses a path or URL. `file://` is a path.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a URL with another scheme, or without a bucket.
    pub fn parse(path: &Path) -> Result<Self> {
        let Some((scheme, rest)) = scheme(path) else { return Ok(Self::Folder(path.to_path_buf())) };
        let refuse = |message: &str, help: &str| Err(Error::new(Kind::Usage, message).at(path).help(help));
        if scheme == "file" {
            return match rest.strip_prefix("localhost").unwrap_or(rest) {
                rest if rest.starts_with('/') => Ok(Self::Folder(PathBuf::from(rest))),
                _ => refuse("a file URL without an absolute path", "write file:/// and the path"),
            };
        }
        if !REMOTE.contains(&scheme) {
            return refuse(
                "a URL of an unknown kind",
                "give s3://, gs://, az:// or file://, or the path of a folder",
            );
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return refuse("a URL without a bucket", "give SCHEME://BUCKET/PATH, such as s3://bucket/cache");
        }
        let prefix = prefix.trim_matches('/');
        if prefix
            .split('/')
            .any(|part| part == "." || part == ".." || (part.is_empty() && !prefix.is_empty()))
        {
            return refuse("a URL with an empty part, `.` or `..` in its path", "leave these out");
        }
        Ok(Self::Url(Url {
            text: format!("{scheme}://{rest}").trim_end_matches('/').to_string(),
            scheme: scheme.into(),
            bucket: bucket.into(),
            prefix: prefix.into(),
        }))
    }
}

#[cfg(feature = "cloud")]
impl Url {
    /// The error of a failure there.
    pub fn error(&self, name: &str, message: &str) -> Error {
        let slash = if name.is_empty() { "" } else { "/" };
        Error::new(Kind::Io, message).at(format!("{}{slash}{name}", self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_from_paths() {
        let parse = |text: &str| Location::parse(Path::new(text));
        let folder = |text: &str| Location::Folder(text.into());
        for path in ["photos", "/a/b", "a:/b", "c://x", "-", "./s3:/b"] {
            assert_eq!(parse(path).unwrap(), folder(path));
            assert!(!is_url(Path::new(path)));
        }
        assert_eq!(parse("file:///a/b").unwrap(), folder("/a/b"));
        assert_eq!(parse("file://localhost/a").unwrap(), folder("/a"));
        let Location::Url(url) = parse("s3://bucket/a/b/").unwrap() else { panic!("a URL") };
        assert_eq!(
            [url.text.as_str(), &url.scheme, &url.bucket, &url.prefix],
            ["s3://bucket/a/b", "s3", "bucket", "a/b"]
        );
        let Location::Url(whole) = parse("gs://bucket").unwrap() else { panic!("a URL") };
        assert_eq!((whole.prefix.as_str(), whole.text.as_str()), ("", "gs://bucket"));
        for bad in ["s3://", "s3:///a", "http://a/b", "file://a", "az://a/../b", "s3://a/b//c"] {
            assert_eq!(parse(bad).unwrap_err().kind(), Kind::Usage, "{bad}");
        }
    }
}
