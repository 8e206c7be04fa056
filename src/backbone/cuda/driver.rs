//! NVIDIA's driver on this machine.

use std::path::Path;

/// NVIDIA's driver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Driver {
    /// Its version, such as `580.65.06`, where the system says it.
    pub version: Option<String>,
}

impl Driver {
    /// Returns the branch: the number before the first point of the version.
    pub fn branch(&self) -> Option<u32> {
        self.version.as_ref()?.split('.').next()?.parse().ok()
    }
}

/// Returns the driver of this machine, if it has one.
pub fn nvidia_driver() -> Option<Driver> {
    match std::env::consts::OS {
        "linux" => driver_below(Path::new("/")),
        "windows" => {
            Path::new("C:\\Windows\\System32\\nvcuda.dll").exists().then_some(Driver { version: None })
        }
        _ => None,
    }
}

/// Looks for the driver of Linux in the file system at `root`.
fn driver_below(root: &Path) -> Option<Driver> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let said = read("sys/module/nvidia/version").or_else(|| read("proc/driver/nvidia/version"));
    // The last path is where the Windows Subsystem for Linux has the driver.
    let has_trace = ["proc/driver/nvidia/version", "dev/nvidiactl", "usr/lib/wsl/lib/libcuda.so.1"]
        .iter()
        .any(|path| root.join(path).exists());
    (said.is_some() || has_trace).then(|| Driver { version: said.as_deref().and_then(version_in) })
}

/// The first word that is numbers with points between them.
fn version_in(text: &str) -> Option<String> {
    let is_version = |word: &&str| {
        word.contains('.')
            && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    text.split_whitespace().find(is_version).map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_found_with_its_version_where_the_system_says_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!(driver_below(root), None);
        std::fs::create_dir_all(root.join("dev")).unwrap();
        std::fs::write(root.join("dev/nvidiactl"), "").unwrap();
        assert_eq!(driver_below(root), Some(Driver { version: None }));
        std::fs::create_dir_all(root.join("proc/driver/nvidia")).unwrap();
        let old =
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n";
        std::fs::write(root.join("proc/driver/nvidia/version"), old).unwrap();
        let found = driver_below(root).unwrap();
        assert_eq!((found.version.as_deref(), found.branch()), (Some("535.104.05"), Some(535)));
        std::fs::create_dir_all(root.join("sys/module/nvidia")).unwrap();
        std::fs::write(root.join("sys/module/nvidia/version"), "580.65.06\n").unwrap();
        assert_eq!(driver_below(root).unwrap().branch(), Some(580));
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.82.07  Release Build";
        assert_eq!(version_in(open).as_deref(), Some("580.82.07"));
        assert_eq!(version_in("no version here."), None);
    }
}
