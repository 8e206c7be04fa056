//! Reads the bytes of an image file, and of one that will be refused no more than shows it.

use super::header::header;
use super::kind::{self, Kind};
use super::limits::{self, FILES, Share};
use super::tif;
use crate::data::dataset::Reason;
use crate::io::archive::{ArchiveMembers, inside_archive};
use crate::io::fs::FileIdentity;
use crate::io::panics::caught;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Deref;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Of a file that is larger than this only so much is read before its header has been checked, in bytes.
const HEAD: u64 = 1 << 20;

/// The bytes of an image file. Until this is dropped they count in the limit on memory ([`limit_memory`](super::limit_memory)).
#[derive(Debug)]
pub struct FileBytes {
    bytes: Vec<u8>,
    _share: Share<'static>,
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What the system says about a file. A file inside an archive has the time and the identity of its archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFacts {
    /// Size in bytes.
    pub bytes: u64,
    /// Nanoseconds since 1970; 0 if unknown, as before 1970 and where 64 bits do not hold them, from 2262.
    pub mtime_ns: i64,
    /// What distinguishes the file from others of the same path, size and time.
    pub identity: FileIdentity,
}

impl FileFacts {
    /// Asks the system about a file, which may be inside an archive.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn of(path: &Path) -> Result<Self, Reason> {
        let unreadable = |e: std::io::Error| Reason::unreadable(path, &e);
        let inside = inside_archive(path);
        let file = inside.as_ref().map_or(path, |(archive, _)| archive);
        let metadata = std::fs::metadata(file).map_err(unreadable)?;
        let bytes = match &inside {
            None => metadata.len(),
            Some((archive, name)) => size_inside(&*members(archive)?, name)?,
        };
        Ok(Self { bytes, mtime_ns: modification_time(&metadata), identity: FileIdentity::of(&metadata) })
    }
}

fn modification_time(metadata: &std::fs::Metadata) -> i64 {
    let since_1970 = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since_1970.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

fn members(archive: &Path) -> Result<std::sync::Arc<ArchiveMembers>, Reason> {
    ArchiveMembers::open(archive).map_err(|e| Reason::Unreadable(e.with_causes()))
}

fn size_inside(members: &ArchiveMembers, name: &str) -> Result<u64, Reason> {
    members.size(name).ok_or_else(|| Reason::Unreadable("its archive holds no such file".into()))
}

/// Reads the bytes of an image file inside an archive.
fn read_inside(archive: &Path, name: &str) -> Result<FileBytes, Reason> {
    let members = members(archive)?;
    let size = size_inside(&members, name)?;
    if size > limits::MAX_BYTES {
        return Err(Reason::TooManyBytes { bytes: size, limit: limits::MAX_BYTES });
    }
    let share = FILES.take(size)?;
    let unreadable = |e: std::io::Error| Reason::Unreadable(e.to_string());
    let bytes = members.read(name).map_err(unreadable)?;
    start(&mut Cursor::new(&bytes), size).map_err(unreadable)??;
    Ok(FileBytes { bytes, _share: share })
}

/// Reads the bytes of an image file, which may be inside a tar or zip archive: `photos.zip/cat/1.jpg`. Of a file of another kind, and of a large one whose header cannot be used, only the
/// first bytes are read. Waits until there is memory for them.
///
/// # Errors
/// When the path is not a regular file of at most 1 GiB, the file cannot be read, it is no image of a known kind, its
/// header is damaged or says that it is too large to decode, or its bytes are more than the memory for them.
pub fn read(path: &Path) -> Result<FileBytes, Reason> {
    if let Some((archive, name)) = inside_archive(path) {
        return read_inside(&archive, &name);
    }
    let unreadable = |e: std::io::Error| Reason::unreadable(path, &e);
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    match metadata.len() {
        _ if metadata.is_dir() => return Err(Reason::Folder),
        _ if !metadata.is_file() => return Err(Reason::NotRegularFile),
        _ => {}
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut bytes = start(&mut file, metadata.len()).map_err(unreadable)??;
    let share = FILES.take(metadata.len())?;
    bytes.reserve_exact(usize::try_from(metadata.len()).unwrap_or(0).saturating_sub(bytes.len()));
    file.take(limits::MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(FileBytes { bytes, _share: share })
}

/// The first bytes of a file of `length` bytes, or why it is refused. The rest is what `file` reads next.
fn start(file: &mut (impl Read + Seek), length: u64) -> std::io::Result<Result<Vec<u8>, Reason>> {
    let mut bytes = Vec::new();
    file.by_ref().take(kind::PREFIX as u64).read_to_end(&mut bytes)?;
    if bytes.len() < kind::PREFIX {
        return Ok(Ok(bytes));
    }
    let kind = match kind::of(&bytes) {
        Ok(kind) => kind,
        Err(reason) => return Ok(Err(reason)),
    };
    if length > limits::MAX_BYTES {
        return Ok(Err(Reason::TooManyBytes { bytes: length, limit: limits::MAX_BYTES }));
    }
    if length <= HEAD {
        return Ok(Ok(bytes));
    }
    if kind == Kind::Tiff {
        // Its directory may be anywhere.
        file.rewind()?;
        let checked = caught(|| {
            let (width, height, _) = tif::header(BufReader::new(&mut *file))?;
            limits::check_size(width, height)
        });
        let checked = checked.unwrap_or(Err(Reason::DecoderPanic));
        file.seek(SeekFrom::Start(bytes.len() as u64))?;
        return Ok(checked.map(|()| bytes));
    }
    file.by_ref().take(HEAD - bytes.len() as u64).read_to_end(&mut bytes)?;
    let checked = caught(|| header(&bytes, kind, length)).unwrap_or(Err(Reason::DecoderPanic));
    Ok(match checked {
        Err(reason) if is_final(&reason, kind, &bytes) => Err(reason),
        _ => Ok(bytes),
    })
}

/// Whether a file is refused for `reason` whatever follows its first bytes.
fn is_final(reason: &Reason, kind: Kind, bytes: &[u8]) -> bool {
    match reason {
        Reason::NoPixels
        | Reason::SideTooLong { .. }
        | Reason::TooManyPixels { .. }
        | Reason::TooFewBytes { .. } => true,
        // The header of these is in their first bytes. What comes before the size of others may be long.
        _ => match kind {
            Kind::Png | Kind::Bmp => true,
            Kind::Jpeg => has_frame(bytes),
            Kind::WebP | Kind::Gif | Kind::Tiff => false,
        },
    }
}

/// Whether the segments of a JPEG up to the first scan are among its first bytes.
fn has_frame(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let [0xFF, marker, high, low, ..] = rest {
        match marker {
            0xDA => return true,
            0xFF => rest = &rest[1..],
            _ => rest = rest.get(2 + usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default(),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::decode::{encode_jpeg, encode_png};
    use crate::data::pixels::Pixels;
    use std::io::Write;
    use std::time::Duration;

    /// A file that counts the bytes that are read from it.
    struct Counted {
        file: File,
        read: u64,
    }

    impl Read for Counted {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let read = self.file.read(into)?;
            self.read += read as u64;
            Ok(read)
        }
    }

    impl Seek for Counted {
        fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
            self.file.seek(to)
        }
    }

    /// What becomes of a file of 900 MB that starts with `head`, and how many of its bytes are read.
    fn start_of(head: &[u8]) -> (Result<Vec<u8>, Reason>, u64) {
        const LENGTH: u64 = 900 << 20;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(head).unwrap();
        file.set_len(LENGTH).unwrap();
        file.rewind().unwrap();
        let mut counted = Counted { file, read: 0 };
        let started = start(&mut counted, LENGTH).unwrap();
        if let Ok(bytes) = &started {
            assert_eq!(counted.file.stream_position().unwrap(), bytes.len() as u64, "the rest follows");
        }
        (started, counted.read)
    }

    fn picture() -> Pixels {
        Pixels::new(64, 48, vec![90; 64 * 48 * 3])
    }

    fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
        let mut jpeg = encode_jpeg(&picture(), 90);
        let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
        jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        jpeg
    }

    fn tiff_of(side: u32) -> Vec<u8> {
        let entry = |(tag, kind, value): (u16, u16, u32)| {
            [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &1u32.to_le_bytes(), &value.to_le_bytes()].concat()
        };
        let (short, long) = (3, 4);
        let size = [(256, long, side), (257, long, side), (258, short, 8), (262, short, 1)];
        let strip = [(273, long, 200), (277, short, 1), (278, long, side), (279, long, side * side)];
        let entries: Vec<u8> = [size, strip].concat().into_iter().flat_map(entry).collect();
        [b"II*\0\x08\0\0\0\x08\0", &entries[..], &[0; 4]].concat()
    }

    #[test]
    fn a_large_file_with_a_bad_header_is_refused_from_its_first_bytes() {
        let mut no_header = encode_png(&picture());
        no_header[12..16].copy_from_slice(b"IHDX");
        let mut two_components = jpeg_of(64, 48);
        let frame = two_components.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
        two_components[frame + 4] = 77;
        let bmp = [b"BM".as_slice(), &[0; 4096]].concat();
        let no_directory = [b"II*\0\x08\0\0\0", &[0; 4096][..]].concat();
        let cases = [jpeg_of(60_000, 60_000), tiff_of(65_000), no_header, two_components, bmp, no_directory];
        for (number, head) in cases.iter().enumerate() {
            let (started, read) = start_of(head);
            assert!(started.is_err(), "case {number}");
            assert!(read <= HEAD + (64 << 10), "case {number}: {read} bytes");
        }
    }

    #[test]
    fn a_large_file_with_a_good_header_is_read_on() {
        // A segment that is longer than the head stands before the size, as large profiles do.
        let small = jpeg_of(64, 48);
        let segments = [b"\xFF\xE2\xFF\xFF".as_slice(), &[0; 65_533]].concat().repeat(20);
        let far = [&small[..2], &segments, &small[2..]].concat();
        for (number, head) in
            [encode_png(&picture()), jpeg_of(640, 480), tiff_of(640), far].iter().enumerate()
        {
            assert!(start_of(head).0.is_ok(), "case {number}: {:?}", start_of(head).0.err());
        }
    }

    #[test]
    fn times_that_64_bits_do_not_hold_and_those_before_1970_are_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(dir.path().join("f")).unwrap();
        let century = Duration::from_secs(100 * 365 * 86_400);
        let time = |time| {
            file.set_modified(time).unwrap();
            modification_time(&file.metadata().unwrap())
        };
        assert_eq!(time(UNIX_EPOCH + century), century.as_nanos() as i64);
        assert_eq!(time(UNIX_EPOCH - Duration::from_secs(86_400)), 0);
        // Some file systems end before 2262, and then say so by another time, which 64 bits hold.
        let late = time(UNIX_EPOCH + 3 * century);
        let stored = file.metadata().unwrap().modified().unwrap();
        assert!(late == 0 || stored < UNIX_EPOCH + 3 * century, "{late}");
    }
}
