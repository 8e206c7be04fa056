//! What a state dict's pickle can hold: numbers, texts, containers by number, tensors, and the few names of classes and
//! functions that describe these.

use crate::backbone::import::tensors::fail;
use crate::error::Result;
use std::rc::Rc;

/// A value of a pickle.
#[derive(Debug, Clone)]
pub(in crate::backbone::import) enum Value {
    /// A value that no state dict uses: None, a truth value, a fraction, a large integer.
    Other,
    Int(i64),
    Text(Rc<str>),
    /// Number in `Pickle::tuples`: of a tuple.
    Tuple(usize),
    /// Number in `Pickle::lists`.
    List(usize),
    /// Number in `Pickle::dicts`.
    Dict(usize),
    Global(Global),
    /// Number in `Pickle::storages`.
    Storage(usize),
    /// Number in `Pickle::views`.
    View(usize),
    /// Marks the start of arguments.
    Mark,
}

/// A class or function that a state dict may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::backbone::import) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(&'static str),
}

/// The numbers that a tensor views, stored outside the pickle.
#[derive(Debug, Clone)]
pub(in crate::backbone::import) struct Storage {
    /// Class of the storage, such as `FloatStorage`.
    pub class: &'static str,
    pub key: Rc<str>,
    /// Number of elements.
    pub len: usize,
}

/// A tensor: part of a storage.
#[derive(Debug, Clone)]
pub(in crate::backbone::import) struct View {
    pub storage: usize,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// The storage classes of PyTorch.
const STORAGES: [&str; 10] = [
    "FloatStorage",
    "DoubleStorage",
    "HalfStorage",
    "BFloat16Storage",
    "LongStorage",
    "IntStorage",
    "ShortStorage",
    "CharStorage",
    "ByteStorage",
    "BoolStorage",
];

/// The known class or function of this name.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) for any other: a pickle can name any function of Python.
pub(super) fn global(module: &str, name: &str) -> Result<Global> {
    let storage = STORAGES.iter().find(|known| **known == name);
    match (module, name, storage) {
        ("collections", "OrderedDict", _) => Ok(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor_v2", _) => Ok(Global::RebuildTensor),
        ("torch._utils", "_rebuild_parameter", _) => Ok(Global::RebuildParameter),
        ("torch", _, Some(storage)) => Ok(Global::Storage(storage)),
        _ => {
            let shown: String = format!("{module}.{name}").chars().take(100).collect();
            Err(fail(format!("the pickle names {shown:?}, which no state dict needs"))
                .help("a pickle can run any code: save the state dict alone, or as safetensors"))
        }
    }
}
