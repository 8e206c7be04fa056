//! Recognizes a shared library of Linux that was cut short. The system's loader would map it all the same, and the process
//! would die of SIGBUS.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Length of the header of a 64-bit ELF file, and of one program header.
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;

/// Returns the size in bytes that the headers of a 64-bit little-endian ELF file state, where the file at `path` is
/// shorter. Any other file is left to the loader.
pub(super) fn missing_end(path: &Path) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut header = [0; HEADER];
    file.read_exact(&mut header).ok()?;
    // Class 2: 64 bits; data 1: little-endian (System V ABI, chapter 4).
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (programs, sections) = (number(&header, 32, 8)?, number(&header, 40, 8)?);
    let [size, count, section_size, section_count] =
        [54, 56, 58, 60].map(|at| number(&header, at, 2).unwrap_or(0));
    let mut end =
        sections.checked_add(section_size * section_count)?.max(programs.checked_add(size * count)?);
    if end <= length && size >= PROGRAM_HEADER as u64 {
        file.seek(SeekFrom::Start(programs)).ok()?;
        let mut table = vec![0; (size * count) as usize];
        file.read_exact(&mut table).ok()?;
        for program in table.chunks_exact(size as usize) {
            end = end.max(number(program, 8, 8)?.checked_add(number(program, 32, 8)?)?);
        }
    }
    (end > length).then_some(end)
}

/// The little-endian number of `bytes` bytes at `at`.
fn number(from: &[u8], at: usize, bytes: usize) -> Option<u64> {
    Some(from.get(at..at + bytes)?.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_cut_short_anywhere_is_recognized() {
        let own = std::env::current_exe().unwrap();
        assert_eq!(missing_end(&own), None);
        let mut start = vec![0; 1 << 20];
        File::open(&own).unwrap().read_exact(&mut start).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cut");
        for length in [0, 63, 64, 200, 1 << 20] {
            std::fs::write(&path, &start[..length]).unwrap();
            let is_elf = cfg!(target_os = "linux") && length >= HEADER;
            assert_eq!(missing_end(&path).is_some(), is_elf, "{length}");
        }
        std::fs::write(&path, "any text that is longer than the header of an ELF file, which has 64 bytes")
            .unwrap();
        assert_eq!(missing_end(&path), None);
    }
}
