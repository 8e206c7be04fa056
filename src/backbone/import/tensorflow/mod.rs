//! TensorFlow's files: checkpoints of both formats and frozen graphs. Only this folder knows TensorFlow's protobuf messages.

mod checkpoint_v1;
mod checkpoint_v2;
mod frozen;
mod messages;
mod table;

pub use checkpoint_v1::read_checkpoint_v1;
pub use checkpoint_v2::read_checkpoint_v2;
pub use frozen::read_frozen;
pub(super) use table::is_table;
