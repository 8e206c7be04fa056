//! A session of ONNX Runtime with the memory that it takes batches from.

use super::pinned::PinnedMemory;
use crate::backbone::graph::PIXEL_INPUT;
use ort::session::{Session, SessionOutputs};
use ort::value::{PrimitiveTensorElementType, TensorRef};
use std::fmt::Debug;

/// A session, and the memory that it is bound to where the device has memory of its own.
#[derive(Debug)]
pub(super) struct OpenSession {
    pub session: Session,
    pub pinned: Option<PinnedMemory>,
}

impl OpenSession {
    /// Runs a batch of `shape`.
    ///
    /// # Errors
    /// When the network fails.
    pub fn run<T: PrimitiveTensorElementType + Copy + Debug + 'static>(
        &mut self,
        shape: [usize; 4],
        values: &[T],
    ) -> ort::Result<SessionOutputs<'_>> {
        match &mut self.pinned {
            Some(pinned) => pinned.run(&mut self.session, shape, values),
            None => {
                let input = TensorRef::from_array_view((shape, values))?;
                self.session.run(ort::inputs![PIXEL_INPUT => input])
            }
        }
    }
}
