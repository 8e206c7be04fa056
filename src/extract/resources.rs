//! How many threads, sessions and images in a batch an extraction uses, within what the system grants.

use super::config::ExtractConfig;
use super::decode::QUEUE_IMAGES;
use crate::backbone::{Device, MAX_SESSIONS, RUNTIME_THREADS};
use crate::error::{Error, Kind, Result};
use crate::limits::{self, MemoryLimit};
use crate::math::parallel;
use crate::monitor::Monitor;

/// Images in a batch on the CPU. Sessions of one thread each are not faster with larger batches.
const CPU_BATCH: usize = 4;
/// Images in a batch on any other device.
const DEVICE_BATCH: usize = 64;

/// Threads beside those of decoders and sessions: one that makes batches, and those of the runtime itself.
const OTHER_THREADS: usize = 1 + RUNTIME_THREADS;

/// Memory of the program, of ONNX Runtime and of rows that wait to be written, in bytes.
const FIXED_MEMORY: u64 = 40 << 20;
/// Activations of one image, as a multiple of its input of bytes. Measured with Inception-v3.
const ACTIVATIONS: u64 = 112;

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
    /// Size of the network's file in bytes.
    pub model_bytes: u64,
    /// Size of one input in bytes.
    pub input_bytes: usize,
}

impl Resources {
    /// Takes what the settings ask for, or less where the system does not grant it. Reports what is less.
    ///
    /// # Errors
    /// [`Kind::Limit`] when there are not threads enough for a single decoder and session.
    pub fn within_limits(config: &ExtractConfig, work: Workload, monitor: &dyn Monitor) -> Result<Self> {
        let threads = granted_threads(parallel::thread_count(config.threads), monitor)?;
        let batch = config.batch.unwrap_or(CPU_BATCH);
        let sessions = work.rows.div_ceil(batch).clamp(1, threads.min(MAX_SESSIONS));
        let batches = [batch, config.batch.unwrap_or(DEVICE_BATCH)];
        let wanted = Self { threads, sessions, batches };
        // On another device the memory is the device's own.
        match limits::memory().filter(|_| !matches!(config.device, Device::Cuda(_))) {
            Some(limit) => Ok(wanted.within_memory(config.batch.is_none(), work, &limit, monitor)),
            None => Ok(wanted),
        }
    }

    /// Returns the number of images in a batch.
    pub fn batch(&self, is_on_cpu: bool) -> usize {
        self.batches[usize::from(!is_on_cpu)]
    }

    /// Lowers the number of sessions, then the batch if `may_lower_batch`, until they fit. Warns when they still do not.
    fn within_memory(
        self,
        may_lower_batch: bool,
        work: Workload,
        limit: &MemoryLimit,
        monitor: &dyn Monitor,
    ) -> Self {
        let fits = |resources: &Self| resources.memory(work) <= limit.free;
        let fewer_sessions = (1..=self.sessions).rev().map(|sessions| Self { sessions, ..self });
        let least = Self { sessions: 1, ..self };
        let smaller_batches = (1..self.batches[0]).rev().filter(|_| may_lower_batch);
        let smaller_batches =
            smaller_batches.map(|batch| Self { batches: [batch, self.batches[1]], ..least });
        let smallest = smaller_batches.clone().next_back().unwrap_or(least);
        let fitting = fewer_sessions.chain(smaller_batches).find(fits);
        let mega = |bytes: u64| bytes.div_ceil(1_000_000);
        let limit_text = format!(
            "{} MB of {} MB are free ({})",
            limit.free / 1_000_000,
            limit.bytes / 1_000_000,
            limit.file.display()
        );
        match fitting {
            Some(same) if same == self => {}
            Some(less) => monitor.warn(&format!(
                "using {} of {} sessions and batches of {}, for want of memory: {limit_text}",
                less.sessions, self.sessions, less.batches[0]
            )),
            None => monitor.warn(&format!(
                "about {} MB of memory are needed, but {limit_text}: the system may end this process without a word",
                mega(smallest.memory(work))
            )),
        }
        fitting.unwrap_or(smallest)
    }

    /// Estimates the memory that is needed on a CPU, in bytes: 700 MB with two sessions of Inception-v3 and batches of 4.
    fn memory(&self, work: Workload) -> u64 {
        let Workload { model_bytes, input_bytes, .. } = work;
        let input = input_bytes as u64;
        let queues = (self.threads * (QUEUE_IMAGES + 1)) as u64 * input;
        // A session holds the weights more than once: as they were, and packed for its kernels.
        let session = model_bytes * 27 / 10 + ACTIVATIONS * self.batches[0] as u64 * input;
        // While the network is opened there are up to four copies of its file.
        (FIXED_MEMORY + queues + self.sessions as u64 * session).max(model_bytes * 4)
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
    let limits = limits::tasks();
    match available.saturating_sub(OTHER_THREADS) / 2 {
        0 => Err(Error::new(
            Kind::Limit,
            format!("the system grants {available} more threads, and `threads` 1 needs {}", needed(1)),
        )
        .help(format!("raise the limit on tasks, or end other programs (limits: {limits})"))),
        threads => {
            monitor.warn(&format!(
                "using {threads} of {wanted} `threads`: the system grants {available} more threads, {} are needed \
                 (limits: {limits})",
                needed(wanted)
            ));
            Ok(threads)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Collected;

    const WORK: Workload = Workload { rows: 1000, model_bytes: 89_354_570, input_bytes: 3 * 299 * 299 };

    fn within(megabytes: u64, may_lower_batch: bool) -> (Resources, String) {
        let wanted = Resources { threads: 2, sessions: 2, batches: [4, 64] };
        let bytes = megabytes * 1_000_000;
        let limit = MemoryLimit { bytes, free: bytes, file: "memory.max".into() };
        let monitor = Collected::default();
        let found = wanted.within_memory(may_lower_batch, WORK, &limit, &monitor);
        (found, monitor.messages().warnings.concat())
    }

    #[test]
    fn sessions_then_the_batch_shrink_until_they_fit_and_the_need_is_said() {
        let (all, said) = within(1000, true);
        assert_eq!((all.sessions, all.batches, said.as_str()), (2, [4, 64], ""));
        let (fewer, said) = within(600, true);
        assert_eq!((fewer.sessions, fewer.batches), (1, [4, 64]));
        assert!(said.contains("using 1 of 2 sessions and batches of 4") && said.contains("600 MB"), "{said}");
        let (small, said) = within(400, true);
        assert!(small.sessions == 1 && small.batches[0] < 4 && said.contains("using 1 of 2"), "{said}");
        let (least, said) = within(300, true);
        assert_eq!((least.sessions, least.batches), (1, [1, 64]));
        assert!(said.contains("about 358 MB of memory are needed, but 300 MB of 300 MB"), "{said}");
        let (asked, said) = within(300, false);
        assert_eq!(asked.batches, [4, 64], "a batch that was asked for stays");
        assert!(said.contains("about 407 MB"), "{said}");
    }
}
