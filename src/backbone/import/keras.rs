//! Reads the HDF5 files of Keras: weights alone, or a whole model. The only user of `hdf5_reader`.
//!
//! The layout has a group per layer with the weights below it, such as `conv2d_1/conv2d_1/kernel:0`; a whole model has them
//! under `model_weights`. A `.weights.h5` file of Keras 3 numbers the weights of a layer below `vars`, whose attribute `name`
//! is the layer's; early versions of Keras 3 left that name out, and their files are refused.

use super::tensors::{Tensors, fail};
use crate::error::Result;
use crate::io::panics::caught;
use hdf5_reader::group::Group;
use hdf5_reader::{Datatype, Hdf5File, OpenOptions};

/// Most bytes that one array may have: the largest of Inception-v3 has 8 MB.
const MAX_ARRAY: usize = 64 << 20;
/// Most levels of groups. Files have 4.
const MAX_DEPTH: usize = 8;
/// Most arrays. A file has 378.
const MAX_ARRAYS: usize = 5_000;

/// Reads an HDF5 file of Keras. The names are `LAYER/WEIGHT`, such as `conv2d_1/kernel`.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when it is damaged, or holds arrays in groups that Keras does not make.
pub fn read_keras(bytes: Vec<u8>) -> Result<Tensors> {
    caught(|| read(bytes))
        .unwrap_or_else(|| Err(fail("the HDF5 file is damaged: its structure makes no sense")))
}

fn read(bytes: Vec<u8>) -> Result<Tensors> {
    let size = bytes.len();
    let options = OpenOptions::default()
        .with_max_read_bytes(MAX_ARRAY.min(size))
        .with_max_chunk_bytes(MAX_ARRAY.min(size))
        .with_max_object_header_bytes(1 << 20);
    let file = Hdf5File::from_vec_with_options(bytes, options).map_err(damaged)?;
    let mut arrays = Arrays { found: Tensors::default(), values_left: size / 4, arrays_left: MAX_ARRAYS };
    arrays.walk(&file.root_group().map_err(damaged)?, &mut Vec::new())?;
    Ok(arrays.found)
}

fn damaged(e: hdf5_reader::error::Error) -> crate::error::Error {
    fail("the HDF5 file is damaged").because(e)
}

/// The arrays found so far.
struct Arrays {
    found: Tensors,
    /// Values that the rest of the file can hold: links can name one array often.
    values_left: usize,
    arrays_left: usize,
}

impl Arrays {
    fn walk(&mut self, group: &Group, path: &mut Vec<String>) -> Result<()> {
        if path.len() > MAX_DEPTH {
            return Err(fail("its groups are nested too deep"));
        }
        let (groups, datasets) = group.members().map_err(damaged)?;
        let numbered = match path.last() {
            Some(last) if last == "vars" && !datasets.is_empty() => {
                Some(NumberedWeights::of(group, datasets.len())?)
            }
            _ => None,
        };
        for dataset in datasets {
            self.arrays_left = self
                .arrays_left
                .checked_sub(1)
                .ok_or_else(|| fail("it holds more arrays than any network"))?;
            path.push(dataset.name().rsplit('/').next().unwrap_or_default().to_string());
            let found = tensor_name(path, numbered.as_ref());
            path.pop();
            let Some(name) = found else { continue };
            if !matches!(dataset.dtype(), Datatype::FloatingPoint { size: 4, .. }) {
                self.found.insert_other(name, "another type");
                continue;
            }
            let n = dataset.num_elements().map_err(damaged)?;
            let left = usize::try_from(n).ok().and_then(|n| self.values_left.checked_sub(n));
            self.values_left = left.ok_or_else(|| fail("its arrays are larger than the file"))?;
            let values = dataset.read_array::<f32>().map_err(damaged)?;
            let shape = values.shape().to_vec();
            self.found.insert(name, shape, values.iter().copied().collect())?;
        }
        for inner in groups {
            self.arrays_left = self
                .arrays_left
                .checked_sub(1)
                .ok_or_else(|| fail("it holds more groups than any network"))?;
            path.push(inner.name().rsplit('/').next().unwrap_or_default().to_string());
            self.walk(&inner, path)?;
            path.pop();
        }
        Ok(())
    }
}

/// A layer whose weights have numbers instead of names.
struct NumberedWeights {
    layer: String,
    /// The names of the weights, in the order of their numbers.
    weights: &'static [&'static str],
}

impl NumberedWeights {
    /// The layer of a group `vars` with so many weights.
    fn of(vars: &Group, weights: usize) -> Result<Self> {
        let name = vars.attribute("name").and_then(|attribute| attribute.read_string());
        let layer = name.map_err(|e| {
            fail("it is a .weights.h5 file of an early Keras 3, which does not name its layers")
                .because(e)
                .help("save the weights with Keras 3.15 or later, or the whole model as .h5")
        })?;
        let weights: &[&str] = match (layer.starts_with("batch_normalization"), weights) {
            (true, 3) => &["beta", "moving_mean", "moving_variance"],
            (true, _) => &["gamma", "beta", "moving_mean", "moving_variance"],
            (false, _) => &["kernel", "bias"],
        };
        Ok(Self { layer, weights })
    }

    fn name(&self, number: &str) -> String {
        let named = number.parse().ok().and_then(|number: usize| self.weights.get(number));
        format!("{}/{}", self.layer, named.unwrap_or(&number))
    }
}

/// The name `LAYER/WEIGHT` of an array; `None` for the state of an optimizer.
fn tensor_name(path: &[String], numbered: Option<&NumberedWeights>) -> Option<String> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    match parts[..] {
        ["optimizer_weights" | "optimizer", ..] => None,
        [.., number] if numbered.is_some() => numbered.map(|numbered| numbered.name(number)),
        ["model_weights", layer, .., weight] | [layer, .., weight] => {
            Some(format!("{layer}/{}", weight.split(':').next().unwrap_or_default()))
        }
        _ => Some(parts.join("/")),
    }
}

/// Numbers convolutions and batch norms from 1 in the order of their creation: Keras counts on over all models of a process.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when two layers get one name.
pub(super) fn numbered(tensors: Tensors) -> Result<Tensors> {
    let mut ranks = Vec::new();
    for kind in ["conv2d", "batch_normalization"] {
        let mut numbers: Vec<usize> =
            tensors.names().filter_map(|name| number(name.split('/').next()?, kind)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        ranks.push((kind, numbers));
    }
    tensors.renamed(|name| {
        let (layer, weight) = name.split_once('/').unwrap_or((name, ""));
        let ranked = ranks.iter().find_map(|(kind, numbers)| {
            let rank = numbers.binary_search(&number(layer, kind)?).ok()?;
            Some(format!("{kind}_{}/{weight}", rank + 1))
        });
        Some(ranked.unwrap_or_else(|| name.to_string()))
    })
}

/// The number of a layer of this kind: 0 for `conv2d`, 7 for `conv2d_7`.
fn number(layer: &str, kind: &str) -> Option<usize> {
    match layer.strip_prefix(kind)? {
        "" => Some(0),
        rest => rest.strip_prefix('_')?.parse().ok(),
    }
}
