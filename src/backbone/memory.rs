//! The memory that a network needs on a CPU.

use crate::error::Result;
use crate::limits::{self, MemoryLimit};

/// Memory of the program, of ONNX Runtime and of rows that wait to be written, in bytes.
const FIXED: u64 = 40 << 20;
/// Memory of the weights in one session, in tenths of the network's file: they are held as they were, and packed for the
/// kernels of the runtime.
const WEIGHTS: u64 = 27;
/// Activations of one image, as a multiple of its input of bytes. Measured with Inception-v3.
const ACTIVATIONS: u64 = 112;

/// Memory that building a network takes, in multiples of its file: 300 MB for nsfwjs.
const BUILD: u64 = 3;
/// Size in bytes of a network that is built from Inception-v3 in full.
const INCEPTION_V3: u64 = 90_000_000;

/// Checks that the memory that the system grants is enough to build a network whose file has `bytes`, by default that of
/// Inception-v3.
///
/// # Errors
/// [`Kind::Limit`](crate::error::Kind::Limit) with the need and the limit. The system would end the process without a word.
pub(super) fn require_for_build(bytes: Option<u64>) -> Result<()> {
    let needed = FIXED + BUILD * bytes.unwrap_or(INCEPTION_V3);
    limits::memory().map_or(Ok(()), |limit| limit.require(needed, "building the network needs"))
}

/// What determines the memory that a network needs.
#[derive(Debug, Clone, Copy)]
pub struct NetworkMemory {
    /// Size of the network's file in bytes.
    pub model_bytes: u64,
    /// Size of one input in bytes.
    pub input_bytes: u64,
    /// Whether [`NetworkMemory::needed`] was measured with this network. For any other it is a guess.
    pub is_measured: bool,
}

impl NetworkMemory {
    /// Estimates the bytes of a process with `sessions` sessions that run batches of `batch` images: 720 MB for two of
    /// Inception-v3 with batches of 4.
    pub fn needed(&self, sessions: usize, batch: usize) -> u64 {
        let session = self.model_bytes * WEIGHTS / 10 + ACTIVATIONS * batch as u64 * self.input_bytes;
        FIXED + sessions as u64 * session
    }

    /// Checks that one session with batches of one image fits. Passes for a network that was not measured.
    ///
    /// # Errors
    /// [`Kind::Limit`](crate::error::Kind::Limit) with the need and the limit.
    pub(super) fn require_least(&self, limit: &MemoryLimit) -> Result<()> {
        match self.is_measured {
            true => limit.require(self.needed(1, 1), "the network needs"),
            false => Ok(()),
        }
    }
}
