//! TensorFlow's files: checkpoints of both formats and frozen graphs. Only this folder knows TensorFlow's protobuf messages.

mod frozen;
mod messages;
mod table;
mod tensor_bundle;
mod tensor_slices;

pub use frozen::read_frozen;
pub(super) use table::is_table;
pub use tensor_bundle::read_checkpoint_v2;
pub use tensor_slices::read_checkpoint_v1;
