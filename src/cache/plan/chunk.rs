//! `plan/chunks.parquet/NNNNNN.parquet`: the work of one chunk, some files or some feature rows. The folder as a whole is a Parquet
//! data set, sorted by key.

use super::super::key::Key;
use super::super::part::{KEY_COLUMNS, MAX_PART_ROWS, parse_keys};
use super::super::spec::Spec;
use super::header::{Pass, PlanHeader};
use super::layout::{CHUNKS, STAGING};
use crate::data::augment::Variant;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, Sha256, sha256};
use crate::io::parquet::{ColumnData, ColumnSpec, ColumnType, Table};
use crate::io::store::Store;
use std::path::Path;

/// Maximum number of rows in a chunk, which becomes one part.
pub const MAX_CHUNK_ROWS: usize = MAX_PART_ROWS;

/// An image of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkImage {
    /// Path relative to the root of the plan.
    pub path: String,
    /// SHA-256 of the bytes expected there; `None` in a pass over files.
    pub image_sha256: Option<Digest>,
    /// The missing variants, in order; none in a pass over files.
    pub variants: Vec<Variant>,
}

/// The work of one chunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk {
    /// The images in the order of the plan.
    pub images: Vec<ChunkImage>,
}

impl ChunkImage {
    /// The keys of the missing rows; none in a pass over files.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        let image = self.image_sha256.into_iter();
        image.flat_map(|image_sha256| self.variants.iter().map(move |&variant| Key { image_sha256, variant }))
    }

    /// Rows of the plan that the image takes.
    fn rows(&self) -> usize {
        self.variants.len().max(1)
    }
}

impl Chunk {
    /// Reads a chunk.
    ///
    /// # Errors
    /// [`Kind::Cache`] when it is missing or damaged.
    pub(crate) fn read(store: &Store, header: &PlanHeader, number: u32) -> Result<Self> {
        if number >= header.chunks {
            let message = format!("the plan has no chunk {number}, but {} chunks from 0", header.chunks);
            return Err(Error::new(Kind::Input, message).at(store.path(CHUNKS)));
        }
        let name = name(number);
        let path = store.path(&name);
        let remedy = "delete the folder plan of the cache, and plan again: parts that were computed stay";
        let bytes = store.read(&name).map_err(|e| e.of_kind(Kind::Cache).help(remedy))?;
        let paths = [ColumnSpec::new("path", ColumnType::Text)];
        let columns = match header.pass {
            Pass::Files => paths.to_vec(),
            Pass::Features => [&paths[..], &KEY_COLUMNS].concat(),
        };
        let mut table = Table::decode(bytes, &columns, &path).map_err(|e| e.help(remedy))?;
        let paths = table.take_text("path");
        let mut images: Vec<ChunkImage> = Vec::with_capacity(paths.len());
        match header.pass {
            Pass::Files => images.extend(paths.into_iter().map(ChunkImage::file)),
            Pass::Features => {
                for (path, key) in paths.into_iter().zip(parse_keys(table, &path)?) {
                    let same = images.last_mut().filter(|last| last.image_sha256 == Some(key.image_sha256));
                    match same {
                        Some(image) => image.variants.push(key.variant),
                        None => images.push(ChunkImage {
                            path,
                            image_sha256: Some(key.image_sha256),
                            variants: vec![key.variant],
                        }),
                    }
                }
            }
        }
        Ok(Self { images })
    }

    fn encode(&self, pass: Pass) -> Vec<u8> {
        let rows = |image: &ChunkImage| std::iter::repeat_n(image.path.clone(), image.rows());
        let mut columns = vec![("path", ColumnData::Text(self.images.iter().flat_map(rows).collect()))];
        if pass == Pass::Features {
            let keys: Vec<Key> = self.images.iter().flat_map(ChunkImage::keys).collect();
            let variants = keys.iter().map(|key| key.variant.to_string()).collect();
            columns.push((
                "image_sha256",
                ColumnData::Digests(keys.iter().map(|key| key.image_sha256).collect()),
            ));
            columns.push(("variant", ColumnData::Text(variants)));
        }
        Table::new(columns).encode()
    }
}

impl ChunkImage {
    /// A file of which nothing is known yet.
    pub fn file(path: String) -> Self {
        Self { path, image_sha256: None, variants: Vec::new() }
    }
}

impl PlanHeader {
    /// Writes `images`, sorted, in chunks of at most `chunk_rows` rows, then the plan itself. The images may come one by one: a
    /// chunk is in memory at a time.
    ///
    /// # Errors
    /// [`Kind::Io`] when an object cannot be written.
    pub(crate) fn write_chunks(
        mut self,
        store: &Store,
        images: impl IntoIterator<Item = ChunkImage>,
        chunk_rows: usize,
    ) -> Result<Self> {
        Self::remove(store)?;
        let mut all = Sha256::default();
        let (mut chunk, mut rows) = (Chunk::default(), 0);
        let mut put = |chunk: &mut Chunk, rows: &mut usize| -> Result<()> {
            let bytes = chunk.encode(self.pass);
            all.update(&sha256(&bytes).bytes());
            store.put(&name(self.chunks), &bytes)?;
            self.chunks += 1;
            self.rows += *rows as u64;
            (chunk.images, *rows) = (Vec::new(), 0);
            Ok(())
        };
        for image in images {
            if rows > 0 && rows + image.rows() > chunk_rows {
                put(&mut chunk, &mut rows)?;
            }
            rows += image.rows();
            chunk.images.push(image);
        }
        if rows > 0 {
            put(&mut chunk, &mut rows)?;
        }
        self.chunks_sha256 = all.finish();
        self.write(store)?;
        Ok(self)
    }
}

/// Writes a plan for `images`, sorted by key, into the folder of a cache, as [`extract::distributed::plan`] does: for programs that
/// know what is missing without scanning a folder. The images may come one by one.
///
/// [`extract::distributed::plan`]: crate::extract::distributed::plan()
///
/// # Errors
/// [`Kind::Cache`] when there is no cache, [`Kind::Io`] when an object cannot be written.
pub fn write_plan(
    cache: &Path,
    root: &Path,
    images: impl IntoIterator<Item = ChunkImage>,
    chunk_rows: usize,
) -> Result<PlanHeader> {
    let spec = Spec::read(cache)?;
    let spec = spec.ok_or_else(|| Error::new(Kind::Cache, "no such cache").at(cache))?.digest();
    let root = root.to_string_lossy().into_owned();
    let header = PlanHeader::new(Pass::Features, spec, sha256(b""), root, 0);
    header.write_chunks(&Store::new(cache, STAGING), images, chunk_rows)
}

fn name(number: u32) -> String {
    format!("{CHUNKS}/{number:06}.parquet")
}
