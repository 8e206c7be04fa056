//! How many threads, sessions and images in a batch an extraction uses, within what the system grants.

use super::config::ExtractConfig;
use super::decode::QUEUE_IMAGES;
use crate::backbone::{MAX_SESSIONS, NetworkMemory, RUNTIME_THREADS};
use crate::error::Result;
use crate::limits::{self, MemoryLimit};
use crate::math::parallel;
use crate::monitor::Monitor;

/// Images in a batch on the CPU. Sessions of one thread each are not faster with larger batches.
const CPU_BATCH: usize = 4;
/// Images in a batch on any other device.
const DEVICE_BATCH: usize = 64;

/// Threads beside those of decoders and sessions: one that makes batches, and those of the runtime itself.
const OTHER_THREADS: usize = 1 + RUNTIME_THREADS;

/// What an extraction uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resources {
    /// Threads of the decoders, and as many again of the sessions on a CPU.
    pub threads: usize,
    /// Upper limit on the number of sessions.
    pub sessions: usize,
    /// Images in a batch on the CPU, and on any other device.
    batches: [usize; 2],
}

/// What determines the memory that an extraction needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workload {
    /// Rows to compute.
    pub rows: usize,
    /// The memory of the network.
    pub network: NetworkMemory,
}

impl Resources {
    /// Takes what the settings ask for, or less where the system does not grant it. Reports what is less.
    ///
    /// # Errors
    /// [`Kind::Limit`](crate::error::Kind::Limit) when there are not threads enough for a single decoder and session, or
    /// not memory enough for a single session.
    pub fn within_limits(config: &ExtractConfig, work: Workload, monitor: &dyn Monitor) -> Result<Self> {
        let threads = granted_threads(parallel::thread_count(config.threads), monitor)?;
        let batch = config.batch.unwrap_or(CPU_BATCH);
        let sessions = work.rows.div_ceil(batch).clamp(1, threads.min(MAX_SESSIONS));
        let batches = [batch, config.batch.unwrap_or(DEVICE_BATCH)];
        let wanted = Self { threads, sessions, batches };
        // On another device the memory is the device's own.
        match limits::memory().filter(|_| !config.device.is_cuda()) {
            Some(limit) => wanted.within_memory(config.batch.is_none(), work, &limit, monitor),
            None => Ok(wanted),
        }
    }

    /// Returns the number of images in a batch, on a CPU or on another device.
    pub fn batch(&self, is_on_cpu: bool) -> usize {
        self.batches[usize::from(!is_on_cpu)]
    }

    /// Lowers the number of sessions, then the batch if `may_lower_batch`, until they fit.
    ///
    /// # Errors
    /// [`Kind::Limit`](crate::error::Kind::Limit) when they still do not. Where the need is only a guess, it is a warning.
    fn within_memory(
        self,
        may_lower_batch: bool,
        work: Workload,
        limit: &MemoryLimit,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let fits = |resources: &Self| resources.memory(work) <= limit.free;
        let fewer_sessions = (1..=self.sessions).rev().map(|sessions| Self { sessions, ..self });
        let least = Self { sessions: 1, ..self };
        let smaller_batches = (1..self.batches[0]).rev().filter(|_| may_lower_batch);
        let smaller_batches =
            smaller_batches.map(|batch| Self { batches: [batch, self.batches[1]], ..least });
        let smallest = smaller_batches.clone().next_back().unwrap_or(least);
        match fewer_sessions.chain(smaller_batches).find(fits) {
            Some(same) if same == self => Ok(same),
            Some(less) => {
                monitor.warn(&format!(
                    "using {} of {} sessions and batches of {}, for want of memory: {limit}",
                    less.sessions, self.sessions, less.batches[0]
                ));
                Ok(less)
            }
            None => match limit.require(smallest.memory(work), "one session needs") {
                Err(e) if work.network.is_measured && may_lower_batch => Err(e),
                Err(e) if work.network.is_measured => Err(e.help("lower `batch`, or raise the limit")),
                Err(e) => {
                    monitor.warn(&format!("{e}: the system may end this process without a word"));
                    Ok(smallest)
                }
                Ok(()) => Ok(smallest),
            },
        }
    }

    /// Estimates the memory that is needed on a CPU, in bytes.
    fn memory(&self, work: Workload) -> u64 {
        let queues = (self.threads * (QUEUE_IMAGES + 1)) as u64 * work.network.input_bytes;
        queues + work.network.needed(self.sessions, self.batches[0])
    }
}

/// Returns how many of `wanted` threads can be used, so that all threads of the pipeline and of ONNX Runtime can be
/// started. ONNX Runtime itself would end the process, or wait for ever, when it is refused a thread.
fn granted_threads(wanted: usize, monitor: &dyn Monitor) -> Result<usize> {
    let needed = |threads: usize| 2 * threads + OTHER_THREADS;
    let available = parallel::available(needed(wanted));
    if available == needed(wanted) {
        return Ok(wanted);
    }
    match available.saturating_sub(OTHER_THREADS) / 2 {
        0 => Err(parallel::too_few(available, needed(1))),
        threads => {
            monitor.warn(&format!(
                "using {threads} of {wanted} `threads`: the system grants {available} more threads, {} are needed \
                 (limits: {})",
                needed(wanted),
                limits::tasks()
            ));
            Ok(threads)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::monitor::Collected;

    const INCEPTION_V3: NetworkMemory =
        NetworkMemory { model_bytes: 89_354_570, input_bytes: 3 * 299 * 299, is_measured: true };

    fn within(megabytes: u64, may_lower_batch: bool, network: NetworkMemory) -> (Result<Resources>, String) {
        let wanted = Resources { threads: 2, sessions: 2, batches: [4, 64] };
        let bytes = megabytes * 1_000_000;
        let limit = MemoryLimit { bytes, free: bytes, source: "memory.max".into() };
        let monitor = Collected::default();
        let found = wanted.within_memory(may_lower_batch, Workload { rows: 1000, network }, &limit, &monitor);
        (found, monitor.messages().warnings.concat())
    }

    #[test]
    fn sessions_then_the_batch_shrink_until_they_fit() {
        let fitting = |megabytes| {
            let (found, said) = within(megabytes, true, INCEPTION_V3);
            (found.unwrap(), said)
        };
        let (all, said) = fitting(1000);
        assert_eq!((all.sessions, all.batches, said.as_str()), (2, [4, 64], ""));
        let (fewer, said) = fitting(600);
        assert_eq!((fewer.sessions, fewer.batches), (1, [4, 64]));
        assert!(said.contains("using 1 of 2 sessions and batches of 4") && said.contains("600 MB"), "{said}");
        let (small, said) = fitting(350);
        assert_eq!((small.sessions, small.batches), (1, [2, 64]));
        assert!(said.contains("using 1 of 2 sessions and batches of 2"), "{said}");
    }

    #[test]
    fn a_limit_below_the_least_need_is_an_error_unless_the_need_is_a_guess() {
        let error = within(300, true, INCEPTION_V3).0.unwrap_err();
        assert_eq!(error.kind(), Kind::Limit);
        let said = error.to_string();
        assert_eq!(
            said,
            "one session needs about 316 MB of memory, but 300 MB of 300 MB are free (memory.max)"
        );
        let error = within(330, false, INCEPTION_V3).0.unwrap_err();
        assert!(error.remedy().unwrap().contains("`batch`"), "a batch that was asked for stays");
        let (least, said) = within(300, true, NetworkMemory { is_measured: false, ..INCEPTION_V3 });
        assert_eq!((least.as_ref().unwrap().sessions, least.unwrap().batches), (1, [1, 64]));
        assert!(said.contains("one session needs about 316 MB"), "{said}");
    }
}
