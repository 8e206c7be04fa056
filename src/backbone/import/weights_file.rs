//! Recognizes the format of a weights file by its content and reads it. Archives are looked into.

use super::keras::{numbered, read_keras};
use super::names::Naming;
use super::pytorch::{is_legacy, read_pytorch};
use super::safetensors::read_safetensors;
use super::tensorflow::{is_table, read_checkpoint_v1, read_checkpoint_v2, read_frozen};
use super::tensors::{Tensors, fail};
use crate::backbone::registry::SourceFamily;
use crate::error::{Error, Kind, Result};
use crate::io::archive::read_foreign_tgz;
use crate::io::digest::{Digest, sha256};
use crate::io::fs;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A format of weights files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// TensorFlow's checkpoint in one file.
    CheckpointV1,
    /// TensorFlow's checkpoint of an index and files of values.
    CheckpointV2,
    /// TensorFlow's graph with its weights as constants.
    FrozenGraph,
    /// A state dict of `torch.save`.
    Pytorch,
    /// safetensors.
    Safetensors,
    /// HDF5 as Keras writes it.
    Hdf5,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CheckpointV1 => "a V1 checkpoint of TensorFlow",
            Self::CheckpointV2 => "a V2 checkpoint of TensorFlow",
            Self::FrozenGraph => "a frozen graph of TensorFlow",
            Self::Pytorch => "a PyTorch file",
            Self::Safetensors => "a safetensors file",
            Self::Hdf5 => "an HDF5 file",
        })
    }
}

/// A weights file in memory.
#[derive(Debug)]
pub struct WeightsFile {
    /// Its format.
    pub format: Format,
    /// Digest of the file itself; of a V2 checkpoint, of its index.
    pub sha256: Digest,
    /// Its tensors.
    pub(super) tensors: Tensors,
}

impl WeightsFile {
    /// Reads a weights file of any format, also inside a `.tar.gz`. A V2 checkpoint is named by its `.index`, or by what its
    /// files have in common.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be read, [`Kind::Backbone`] when it is damaged or of no known format.
    pub fn read(path: &Path) -> Result<Self> {
        let index = with_suffix(path, ".index");
        let path = if !path.exists() && index.exists() { &index } else { path };
        let bytes = fs::read(path)?;
        let digest = sha256(&bytes);
        let (format, tensors) = parse(path, bytes).map_err(|e| match e.path() {
            None => e.at(path),
            Some(_) => e,
        })?;
        Ok(Self { format, sha256: digest, tensors })
    }

    /// The names that a source gives the tensors of this format.
    ///
    /// # Errors
    /// [`Kind::Usage`] when the source has no files of this format.
    pub(super) fn naming(&self, source: SourceFamily) -> Result<Naming> {
        use Format::{CheckpointV1, CheckpointV2, FrozenGraph, Hdf5, Pytorch, Safetensors};
        match (source, self.format) {
            (SourceFamily::Slim, CheckpointV1 | CheckpointV2 | FrozenGraph) => Ok(Naming::Slim),
            (SourceFamily::Torchvision | SourceFamily::Timm, Pytorch | Safetensors) => Ok(Naming::Torch),
            (SourceFamily::Keras, Hdf5) => Ok(Naming::Keras),
            (SourceFamily::Fid, Pytorch | Safetensors) => Ok(Naming::Torch),
            (SourceFamily::Fid, FrozenGraph) => Ok(Naming::Graph2015),
            (_, format) => {
                Err(Error::new(Kind::Usage, format!("it is {format}, which this source does not have"))
                    .help("set `source` to where the weights come from"))
            }
        }
    }
}

fn parse(path: &Path, bytes: Vec<u8>) -> Result<(Format, Tensors)> {
    match &bytes[..] {
        [0x1f, 0x8b, ..] => parse_archive(bytes),
        [0x89, b'H', b'D', b'F', ..] => Ok((Format::Hdf5, numbered(read_keras(bytes)?)?)),
        table if is_table(table) => match shards_of(path) {
            Some(mut shard) => {
                let tensors = read_checkpoint_v2(&bytes, &mut |number, of| fs::read(&shard(number, of)))?;
                Ok((Format::CheckpointV2, tensors))
            }
            None => Ok((Format::CheckpointV1, read_checkpoint_v1(&bytes)?)),
        },
        _ => parse_plain(&bytes),
    }
}

fn parse_plain(bytes: &[u8]) -> Result<(Format, Tensors)> {
    match bytes {
        [b'P', b'K', 3, 4, ..] => Ok((Format::Pytorch, read_pytorch(bytes)?)),
        legacy if is_legacy(legacy) => Ok((Format::Pytorch, read_pytorch(bytes)?)),
        [_, _, _, _, _, 0, 0, 0, b'{', ..] => Ok((Format::Safetensors, read_safetensors(bytes)?)),
        // A node with a name.
        [0x0a, _, rest @ ..] if rest.contains(&0x0a) => Ok((Format::FrozenGraph, read_frozen(bytes)?)),
        _ => Err(fail("its format is unknown").help(
            "give a checkpoint, a frozen graph (.pb), a .pth, .safetensors or .h5 file, or a .tar.gz of one",
        )),
    }
}

/// Reads the one weights file of an archive. The archive is dropped once it is unpacked.
fn parse_archive(packed: Vec<u8>) -> Result<(Format, Tensors)> {
    let is_weights = |name: &str| {
        let name = name.to_ascii_lowercase();
        [".ckpt", ".pb", ".pth", ".pt", ".safetensors", ".h5", ".index"].iter().any(|end| name.ends_with(end))
            || name.contains(".data-")
    };
    let mut files = read_foreign_tgz(&packed, is_weights).map_err(fail)?;
    drop(packed);
    let values: BTreeMap<String, Vec<u8>> = files.extract_if(.., |name, _| name.contains(".data-")).collect();
    match files.pop_first() {
        Some((name, bytes)) if files.is_empty() => match name.strip_suffix(".index") {
            Some(stem) => {
                let mut values = values;
                let tensors = read_checkpoint_v2(&bytes, &mut |number, of| {
                    let name = shard_name(stem, number, of);
                    values.remove(&name).ok_or_else(|| fail(format!("the archive holds no {name}")))
                })?;
                Ok((Format::CheckpointV2, tensors))
            }
            None if bytes.starts_with(&[0x1f, 0x8b]) => Err(fail("the archive holds another archive")),
            // Without files of values beside it, a table is a V1 checkpoint.
            None => parse(Path::new("/"), bytes),
        },
        Some((first, _)) => Err(fail(format!("the archive holds several weights files, such as {first}"))
            .help("unpack it and give one of them")),
        None => Err(fail("the archive holds no weights file")),
    }
}

/// Names the files of values of a V2 checkpoint by number and count, if `path` is the index of one.
fn shards_of(path: &Path) -> Option<impl FnMut(usize, usize) -> PathBuf + use<>> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let stem = name.strip_suffix(".index")?.to_string();
    let folder = path.parent()?.to_path_buf();
    Some(move |number, of| folder.join(shard_name(&stem, number, of)))
}

fn shard_name(stem: &str, number: usize, of: usize) -> String {
    format!("{stem}.data-{number:05}-of-{of:05}")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}
