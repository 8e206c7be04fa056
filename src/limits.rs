//! What the operating system grants this process: the memory of its control group and its address space, and its limits on
//! tasks.

use crate::error::{Error, Kind, Result};
use std::fmt;
use std::path::{Path, PathBuf};

/// A limit on memory, of a control group or on the address space of this process, and how much of it is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryLimit {
    /// The limit in bytes.
    pub bytes: u64,
    /// Bytes below the limit that are free, or are file cache that the system gives up when it must.
    pub free: u64,
    /// What sets the limit: a file of a control group, or `ulimit -v`.
    pub source: String,
}

impl MemoryLimit {
    /// Checks that `needed` bytes are free. `what` needs them, such as `the network needs`.
    ///
    /// # Errors
    /// [`Kind::Limit`] with the need and the limit. The system would end the process without a word.
    pub fn require(&self, needed: u64, what: &str) -> Result<()> {
        if needed <= self.free {
            return Ok(());
        }
        let message = format!("{what} about {} MB of memory, but {self}", needed.div_ceil(MEGABYTE));
        let remedy = match self.source == ADDRESS_SPACE {
            true => "raise the limit (ulimit -v)",
            false => "raise the limit of the container or of the batch job",
        };
        Err(Error::new(Kind::Limit, message).help(remedy))
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (free, bytes) = (self.free / MEGABYTE, self.bytes / MEGABYTE);
        write!(f, "{free} MB of {bytes} MB are free ({})", self.source)
    }
}

/// Bytes of the unit in messages.
const MEGABYTE: u64 = 1_000_000;

/// The names of one controller's files in the two versions of control groups.
struct Names {
    controller: &'static str,
    /// File of the limit in a group of its own hierarchy (version 1) and of the unified one (version 2).
    limit: [&'static str; 2],
}

const MEMORY: Names = Names { controller: "memory", limit: ["memory.limit_in_bytes", "memory.max"] };
const TASKS: Names = Names { controller: "pids", limit: ["pids.max", "pids.max"] };

/// Limits from here on stand for "unlimited": version 1 has no word for it.
const UNLIMITED: u64 = 1 << 60;

/// What sets a limit on the address space.
const ADDRESS_SPACE: &str = "ulimit -v";

/// Returns the narrowest limit on the memory of this process: that of a control group, or that on its address space. `None`
/// without one.
pub fn memory() -> Option<MemoryLimit> {
    memory_below(Path::new("/proc/self"), Path::new("/sys/fs/cgroup"))
}

/// Names the limits on the number of tasks, each with its value, for the message of a failure.
pub fn tasks() -> String {
    tasks_below(Path::new("/proc/self"), Path::new("/sys/fs/cgroup"))
}

fn memory_below(process: &Path, groups: &Path) -> Option<MemoryLimit> {
    let limits = group_folders(process, groups, &MEMORY).into_iter().filter_map(|(folder, version)| {
        let file = folder.join(MEMORY.limit[version]);
        let bytes = number(&file)?;
        let used = number(&folder.join(["memory.usage_in_bytes", "memory.current"][version])).unwrap_or(0);
        let statistics = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let cache = ["total_inactive_file ", "inactive_file "][version];
        let cached = statistics.lines().find_map(|line| line.strip_prefix(cache)?.parse().ok());
        let in_use = used.saturating_sub(cached.unwrap_or(0));
        Some(MemoryLimit { bytes, free: bytes.saturating_sub(in_use), source: file.display().to_string() })
    });
    limits.chain(address_space(process)).min_by_key(|limit| limit.free)
}

fn address_space(process: &Path) -> Option<MemoryLimit> {
    let bytes = of_process(process, "Max address space")?.parse().ok()?;
    let status = std::fs::read_to_string(process.join("status")).ok()?;
    let used = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.split_whitespace().next());
    let used: u64 = used?.parse().ok()?;
    let free = u64::saturating_sub(bytes, used.saturating_mul(1024));
    Some(MemoryLimit { bytes, free, source: ADDRESS_SPACE.into() })
}

/// Returns a soft limit from the table of limits of a process, which may be `unlimited`.
fn of_process(process: &Path, name: &str) -> Option<String> {
    let table = std::fs::read_to_string(process.join("limits")).ok()?;
    table.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next().map(str::to_string))
}

fn tasks_below(process: &Path, groups: &Path) -> String {
    let mut limits = Vec::new();
    if let Some(number) = of_process(process, "Max processes").filter(|number| *number != "unlimited") {
        limits.push(format!("{number} of this user (ulimit -u)"));
    }
    for (folder, version) in group_folders(process, groups, &TASKS) {
        let file = folder.join(TASKS.limit[version]);
        if let Some(limit) = number(&file) {
            limits.push(format!("{limit} of the control group ({})", file.display()));
        }
    }
    if limits.is_empty() { "none that this process can see".into() } else { limits.join(", ") }
}

/// Lists the folders of this process's control group and of those above it, each with the index of its version.
fn group_folders(process: &Path, groups: &Path, names: &Names) -> Vec<(PathBuf, usize)> {
    let own = std::fs::read_to_string(process.join("cgroup")).unwrap_or_default();
    let mut folders = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let is_unified = controllers.is_empty();
        if !is_unified && !controllers.split(',').any(|controller| controller == names.controller) {
            continue;
        }
        let mount = if is_unified { groups.to_path_buf() } else { groups.join(names.controller) };
        // Inside a container the mount may begin at the group itself: then only the mount exists.
        let group = mount.join(path.trim_start_matches('/'));
        let above = group.ancestors().take_while(|folder| folder.starts_with(&mount));
        folders.extend(above.map(|folder| (folder.to_path_buf(), usize::from(is_unified))));
    }
    folders
}

/// Reads a limit; `None` when the file is missing or sets none.
fn number(file: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    text.trim().parse().ok().filter(|number| *number < UNLIMITED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes files below a new folder.
    fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn a_need_above_the_limit_is_an_error_with_both_numbers() {
        let limit = MemoryLimit { bytes: 300_000_000, free: 250_000_000, source: "memory.max".into() };
        limit.require(250_000_000, "the network needs").unwrap();
        let error = limit.require(250_000_001, "the network needs").unwrap_err();
        assert_eq!(error.kind(), Kind::Limit);
        let said = "the network needs about 251 MB of memory, but 250 MB of 300 MB are free (memory.max)";
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn the_narrowest_group_above_the_process_counts() {
        let dir = files(&[
            ("proc/cgroup", "0::/job/step\n"),
            ("groups/job/memory.max", "1000\n"),
            ("groups/job/memory.current", "700\n"),
            ("groups/job/memory.stat", "anon 1\ninactive_file 100\n"),
            ("groups/job/step/memory.max", "max\n"),
            ("groups/job/pids.max", "40\n"),
            (
                "proc/limits",
                "Max processes             96365                96365                processes\n",
            ),
        ]);
        let (process, groups) = (dir.path().join("proc"), dir.path().join("groups"));
        let found = memory_below(&process, &groups).unwrap();
        assert_eq!((found.bytes, found.free), (1000, 400));
        let tasks = tasks_below(&process, &groups);
        assert!(tasks.starts_with("96365 of this user (ulimit -u), 40 of the control group ("), "{tasks}");
    }

    #[test]
    fn a_limit_on_the_address_space_counts_too() {
        let line = "Max address space         2000000              unlimited            bytes\n";
        let dir = files(&[("limits", line), ("status", "Name:\theadstart\nVmSize:\t    1000 kB\n")]);
        let found = memory_below(dir.path(), dir.path()).unwrap();
        assert_eq!((found.bytes, found.free), (2_000_000, 976_000));
        let error = found.require(1_000_000, "the network needs").unwrap_err();
        assert!(error.to_string().ends_with("0 MB of 2 MB are free (ulimit -v)"), "{error}");
        assert_eq!(error.remedy(), Some("raise the limit (ulimit -v)"));
        std::fs::write(dir.path().join("limits"), line.replace("2000000", "unlimited")).unwrap();
        assert_eq!(memory_below(dir.path(), dir.path()), None);
    }

    #[test]
    fn version_1_is_read_also_where_a_container_sees_its_own_group_as_the_mount() {
        let dir = files(&[
            ("proc/cgroup", "5:cpu:/x\n4:memory,other:/docker/abc\n0::/\n"),
            ("groups/memory/memory.limit_in_bytes", "500\n"),
            ("groups/memory/memory.usage_in_bytes", "50\n"),
        ]);
        let (process, groups) = (dir.path().join("proc"), dir.path().join("groups"));
        assert_eq!(memory_below(&process, &groups).unwrap().free, 450);
        std::fs::write(groups.join("memory/memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
        assert_eq!(memory_below(&process, &groups), None);
        assert_eq!(tasks_below(&process, &groups), "none that this process can see");
    }
}
