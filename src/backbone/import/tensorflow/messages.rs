//! TensorFlow's protobuf messages, as far as they are read (`tensorflow/core/framework/*.proto`,
//! `tensorflow/core/util/saved_tensor_slice.proto`, `tensorflow/core/protobuf/tensor_bundle.proto`).

use crate::backbone::import::tensors::fail;
use crate::error::Result;
use prost::Message;
use std::collections::HashMap;

/// `DataType` of a 32-bit float.
pub(super) const DT_FLOAT: i32 = 1;

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorShapeProto {
    #[prost(message, repeated, tag = "2")]
    pub dim: Vec<Dim>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Dim {
    #[prost(int64, tag = "1")]
    pub size: i64,
}

impl TensorShapeProto {
    /// The dimensions.
    ///
    /// # Errors
    /// [`Kind::Backbone`](crate::error::Kind::Backbone) when one is unknown.
    pub fn sizes(&self, name: &str) -> Result<Vec<usize>> {
        let size = |dim: &Dim| {
            usize::try_from(dim.size).map_err(|_| fail(format!("{name} has an impossible shape")))
        };
        self.dim.iter().map(size).collect()
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorProto {
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
    #[prost(bytes = "vec", tag = "4")]
    pub content: Vec<u8>,
    #[prost(float, repeated, tag = "5")]
    pub floats: Vec<f32>,
}

/// The content of a V1 checkpoint: one message lists the tensors, each of the others has one.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SavedTensorSlices {
    #[prost(message, optional, tag = "1")]
    pub meta: Option<SavedTensorSliceMeta>,
    #[prost(message, optional, tag = "2")]
    pub data: Option<SavedSlice>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SavedTensorSliceMeta {
    #[prost(message, repeated, tag = "1")]
    pub tensor: Vec<SavedSliceMeta>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SavedSliceMeta {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
    #[prost(int32, tag = "3")]
    pub dtype: i32,
    #[prost(message, repeated, tag = "4")]
    pub slice: Vec<Ignored>,
}

/// A message of which only the presence counts.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Ignored {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SavedSlice {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "3")]
    pub data: Option<TensorProto>,
}

/// The first entry of the index of a V2 checkpoint.
#[derive(Clone, PartialEq, Message)]
pub(super) struct BundleHeaderProto {
    #[prost(int32, tag = "1")]
    pub num_shards: i32,
    /// 0 for little-endian.
    #[prost(int32, tag = "2")]
    pub endianness: i32,
}

/// Where a tensor of a V2 checkpoint is.
#[derive(Clone, PartialEq, Message)]
pub(super) struct BundleEntryProto {
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
    #[prost(int32, tag = "3")]
    pub shard_id: i32,
    #[prost(int64, tag = "4")]
    pub offset: i64,
    #[prost(int64, tag = "5")]
    pub size: i64,
    #[prost(fixed32, tag = "6")]
    pub crc32c: u32,
    #[prost(message, repeated, tag = "7")]
    pub slices: Vec<Ignored>,
}

/// A graph of operations.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GraphDef {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeDef>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeDef {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub op: String,
    #[prost(string, repeated, tag = "3")]
    pub input: Vec<String>,
    #[prost(map = "string, message", tag = "5")]
    pub attr: HashMap<String, AttrValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AttrValue {
    #[prost(message, optional, tag = "8")]
    pub tensor: Option<TensorProto>,
}
