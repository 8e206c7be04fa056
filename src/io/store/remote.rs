//! Named objects in object storage: S3, Google Cloud Storage, Azure.

use super::facts::ObjectFacts;
use super::location::Url;
use super::transport::Transport;
use super::waiting::{Each, collect, next, wait};
use crate::error::{Error, Result};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as ObjectPath;
use object_store::{
    Error as StoreError, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    RetryConfig,
};
use std::io::{Read, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a large object that are read or written by one request.
const PIECE: u64 = 32 << 20;
/// How often a request is tried again, and for how long.
const RETRIES: usize = 6;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

/// The objects whose names begin with the path of a URL.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    url: Url,
    store: Arc<dyn ObjectStore>,
}

impl Remote {
    /// Opens a place in object storage. Credentials, endpoint and region come from the environment. No request is made yet.
    pub fn open(url: &Url) -> Result<Self> {
        let bucket = format!("{}://{}", url.scheme, url.bucket);
        let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_TIMEOUT, ..Default::default() };
        let store: std::result::Result<Arc<dyn ObjectStore>, StoreError> = match url.scheme.as_str() {
            "s3" => AmazonS3Builder::from_env()
                .with_url(bucket)
                .with_retry(retry)
                .with_http_connector(Transport)
                .build()
                .map(|store| Arc::new(store) as _),
            "gs" => GoogleCloudStorageBuilder::from_env()
                .with_url(bucket)
                .with_retry(retry)
                .with_http_connector(Transport)
                .build()
                .map(|store| Arc::new(store) as _),
            _ => MicrosoftAzureBuilder::from_env()
                .with_url(bucket)
                .with_retry(retry)
                .with_http_connector(Transport)
                .build()
                .map(|store| Arc::new(store) as _),
        };
        let fail = |e| url.error("", "object storage cannot be opened").because(e).help(CREDENTIALS);
        Ok(Self { url: url.clone(), store: store.map_err(fail)? })
    }

    pub fn read_if_any(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.fetch(name)?.map(|(bytes, _)| bytes))
    }

    pub fn fetch(&self, name: &str) -> Result<Option<(Vec<u8>, i64)>> {
        let path = self.path(name)?;
        let read = async {
            let found = self.store.get(&path).await?;
            let changed_ns = nanoseconds(&found.meta);
            Ok((found.bytes().await?.to_vec(), changed_ns))
        };
        match wait(read) {
            Ok(found) => Ok(Some(found)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.fail("read", name, e)),
        }
    }

    pub fn exists(&self, name: &str) -> Result<bool> {
        let path = self.path(name)?;
        match wait(self.store.head(&path)) {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(e) => Err(self.fail("look at", name, e)),
        }
    }

    pub fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let path = self.path(name)?;
        let options = PutOptions::from(PutMode::Create);
        match wait(self.store.put_opts(&path, bytes.to_vec().into(), options)) {
            Ok(_) => Ok(true),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. })
                if self.read_if_any(name)?.is_some_and(|found| found == bytes) =>
            {
                Ok(false)
            }
            // One that is damaged is replaced. A store without conditions is asked first.
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                self.put(name, bytes).map(|()| true)
            }
            Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => {
                match self.read_if_any(name)?.is_some_and(|found| found == bytes) {
                    true => Ok(false),
                    false => self.put(name, bytes).map(|()| true),
                }
            }
            Err(e) => Err(self.fail("write", name, e)),
        }
    }

    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(name)?;
        wait(self.store.put(&path, bytes.to_vec().into())).map(drop).map_err(|e| self.fail("write", name, e))
    }

    pub fn list(&self, folder: &str, prefix: &str) -> Result<Vec<String>> {
        let (parent, first) = (self.path(folder)?, self.path(&format!("{folder}/{prefix}"))?);
        let stream = match prefix {
            "" => self.store.list(Some(&parent)),
            _ => self.store.list_with_offset(Some(&parent), &first),
        };
        let own = |meta: &ObjectMeta| {
            let name = meta.location.as_ref().strip_prefix(parent.as_ref())?.strip_prefix('/')?;
            Some(name.to_string())
        };
        // Names come in order: those after the prefix are not listed.
        let is_wanted = |meta: &ObjectMeta| own(meta).is_some_and(|name| name.starts_with(prefix));
        let found = wait(collect(stream, is_wanted)).map_err(|e| self.fail("list", folder, e))?;
        let mut names: Vec<String> =
            found.iter().filter_map(own).filter(|name| !name.contains('/')).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Lists all objects below `folder`; those of 0 bytes, which stand for folders, are left out.
    pub fn facts(&self, folder: &str) -> Result<Vec<ObjectFacts>> {
        let parent = self.path(folder)?;
        let prefix = Some(&parent).filter(|path| !path.as_ref().is_empty());
        let stream = self.store.list(prefix);
        let found = wait(collect(stream, |_| true)).map_err(|e| self.fail("list", folder, e))?;
        let mut facts: Vec<ObjectFacts> =
            found.into_iter().filter(|meta| meta.size > 0).filter_map(|meta| self.facts_of(meta)).collect();
        facts.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(facts)
    }

    pub fn copy_out(&self, facts: &ObjectFacts, out: &mut dyn Write) -> Result<()> {
        let mut start = 0;
        while start < facts.bytes {
            let end = facts.bytes.min(start + PIECE);
            let piece = self.read_range(facts, start..end)?;
            out.write_all(&piece)
                .map_err(|e| self.url.error(&facts.name, "could not be copied").because(e))?;
            start = end;
        }
        Ok(())
    }

    pub fn read_range(&self, facts: &ObjectFacts, range: Range<u64>) -> Result<Vec<u8>> {
        let path = self.path(&facts.name)?;
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: facts.tag.clone(),
            ..GetOptions::default()
        };
        let piece = wait(async { self.store.get_opts(&path, options).await?.bytes().await });
        piece.map(|bytes| bytes.to_vec()).map_err(|e| match e {
            StoreError::Precondition { .. } | StoreError::NotFound { .. } => {
                self.url.error(&facts.name, "it was changed while it was being read").help("try again")
            }
            e => self.fail("read", &facts.name, e),
        })
    }

    pub fn copy_in(&self, name: &str, file: &Path) -> Result<()> {
        let unreadable = |e| Error::io("read", file, e);
        let mut source = std::fs::File::open(file).map_err(unreadable)?;
        let bytes = source.metadata().map_err(unreadable)?.len();
        let mut piece = || -> Result<Vec<u8>> {
            let mut piece = Vec::with_capacity(PIECE.min(bytes) as usize);
            (&mut source).take(PIECE).read_to_end(&mut piece).map_err(unreadable)?;
            Ok(piece)
        };
        if bytes <= PIECE {
            return self.put(name, &piece()?);
        }
        let (path, fail) = (self.path(name)?, |e| self.fail("write", name, e));
        let mut upload = wait(self.store.put_multipart(&path)).map_err(fail)?;
        let mut left = bytes;
        while left > 0 {
            let piece = piece()?;
            left = left.saturating_sub(piece.len().max(1) as u64);
            if let Err(e) = wait(upload.put_part(piece.into())) {
                let _ = wait(upload.abort());
                return Err(fail(e));
            }
        }
        wait(upload.complete()).map(drop).map_err(fail)
    }

    pub fn remove_all(&self, names: Vec<String>) -> Result<()> {
        let paths = names.iter().map(|name| self.path(name)).collect::<Result<Vec<_>>>()?;
        let paths = Each(paths.into_iter().map(Ok));
        let mut removed = self.store.delete_stream(Box::pin(paths));
        wait(async {
            while let Some(result) = next(&mut removed).await {
                match result {
                    Ok(_) | Err(StoreError::NotFound { .. }) => {}
                    Err(e) => return Err(self.fail("remove", names.first().map_or("", String::as_str), e)),
                }
            }
            Ok(())
        })
    }

    /// The whole name of an object.
    fn path(&self, name: &str) -> Result<ObjectPath> {
        let whole = match (self.url.prefix.as_str(), name.trim_end_matches('/')) {
            ("", name) => name.to_string(),
            (prefix, "") => prefix.to_string(),
            (prefix, name) => format!("{prefix}/{name}"),
        };
        ObjectPath::parse(whole).map_err(|e| self.url.error(name, "not a name for an object").because(e))
    }

    fn facts_of(&self, meta: ObjectMeta) -> Option<ObjectFacts> {
        let whole = meta.location.as_ref();
        let name = match self.url.prefix.as_str() {
            "" => whole,
            prefix => whole.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        Some(ObjectFacts {
            name: name.to_string(),
            bytes: meta.size,
            changed_ns: nanoseconds(&meta),
            tag: meta.e_tag,
        })
    }

    fn fail(&self, action: &str, name: &str, error: StoreError) -> Error {
        let is_refused =
            matches!(error, StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. });
        let failed = self.url.error(name, &format!("could not {action}")).because(error);
        failed.help(if is_refused { CREDENTIALS } else { ELSE })
    }
}

/// The remedy where credentials are wanting.
const CREDENTIALS: &str = "check the credentials, the region and the endpoint in the environment, such as AWS_ACCESS_KEY_ID, \
    AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL; AWS_SKIP_SIGNATURE=true asks without credentials";
/// The remedy for other failures.
const ELSE: &str = "check the name of the bucket and the network, and try again: what is done stays";

/// Time of the last change, in nanoseconds since 1970.
fn nanoseconds(meta: &ObjectMeta) -> i64 {
    meta.last_modified.timestamp_nanos_opt().unwrap_or(0)
}

#[cfg(test)]
impl Remote {
    /// Objects in memory.
    pub fn in_memory(url: &Url) -> Self {
        Self { url: url.clone(), store: Arc::new(object_store::memory::InMemory::new()) }
    }
}
