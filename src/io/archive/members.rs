//! Files inside tar and zip archives, read where they are: an archive is never unpacked. A path leads into an archive as into a
//! folder, such as `photos.zip/cat/1.jpg`.

use crate::error::{Error, Kind, Result};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Where a file is inside an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    start: u64,
    /// Bytes in the archive.
    packed: u64,
    size: u64,
    packing: Packing,
}

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    /// As it is, in a tar archive.
    Plain,
    /// As it is, with a checksum.
    Stored(u32),
    /// By deflate, with a checksum.
    Deflated(u32),
    /// By another method.
    Other,
    /// With a password.
    Encrypted,
}

/// The files inside an archive.
#[derive(Debug)]
pub struct ArchiveMembers {
    path: PathBuf,
    contents: Contents,
}

/// What an archive holds.
#[derive(Debug, Default)]
struct Contents {
    members: BTreeMap<String, Member>,
    skipped: Vec<SkippedEntry>,
    /// Number of files that a later one of the same name replaces.
    repeated: usize,
}

/// An entry of an archive that is no file that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedEntry {
    /// Its name as the archive has it.
    pub name: String,
    /// Why it is skipped.
    pub reason: String,
}

/// The archives that were opened, with their length and time. An archive that has changed is opened anew.
type Opened = HashMap<PathBuf, (u64, Option<SystemTime>, Arc<ArchiveMembers>)>;

static OPENED: Mutex<Option<Opened>> = Mutex::new(None);

/// Whether the name of a file is that of an archive whose files can be read.
pub fn is_archive(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ["tar", "zip"].iter().any(|name| extension.eq_ignore_ascii_case(name))
}

/// Splits a path that leads into an archive into the archive and the name of the file in it; `None` for any other path.
pub fn inside_archive(path: &Path) -> Option<(PathBuf, String)> {
    let archive = path.ancestors().skip(1).find(|above| is_archive(above) && above.is_file())?;
    Some((archive.to_path_buf(), path.strip_prefix(archive).ok()?.to_str()?.to_string()))
}

impl ArchiveMembers {
    /// Reads what an archive holds, once for all callers.
    ///
    /// # Errors
    /// [`Kind::Input`] when it cannot be read or is damaged.
    pub fn open(path: &Path) -> Result<Arc<Self>> {
        let unreadable = |e| Error::new(Kind::Input, "the archive cannot be read").at(path).because(e);
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        let (length, time) = (metadata.len(), metadata.modified().ok());
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = opened.get_or_insert_default();
        if let Some((_, _, known)) = opened.get(path).filter(|known| (known.0, known.1) == (length, time)) {
            return Ok(known.clone());
        }
        refuse_packed(path)?;
        let is_zip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
        let file = File::open(path).map_err(unreadable)?;
        let contents = if is_zip { of_zip(file) } else { of_tar(file) };
        let damaged = |e| unreadable(e).help("copy or download it again");
        let members = Arc::new(Self { path: path.to_path_buf(), contents: contents.map_err(damaged)? });
        opened.insert(path.to_path_buf(), (length, time, members.clone()));
        Ok(members)
    }

    /// Names of the files, sorted, with `/` separators.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.contents.members.keys().map(String::as_str)
    }

    /// Entries that are no files: links out of the archive, devices, and paths that lead outside. Folders are not among them.
    pub fn skipped(&self) -> &[SkippedEntry] {
        &self.contents.skipped
    }

    /// Number of files that are not read, since a later one has the same name.
    pub fn repeated(&self) -> usize {
        self.contents.repeated
    }

    /// Size of a file in bytes; `None` when there is none of this name.
    pub fn size(&self, name: &str) -> Option<u64> {
        self.contents.members.get(name).map(|member| member.size)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When there is none of this name, or it cannot be read, is damaged, or packed by a method other than deflate.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let damaged = || io::Error::other("it is damaged in its archive");
        let member =
            self.contents.members.get(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(member.start))?;
        let packed = file.take(member.packed);
        let mut bytes = Vec::new();
        match member.packing {
            Packing::Plain | Packing::Stored(_) => packed.take(member.size).read_to_end(&mut bytes)?,
            Packing::Deflated(_) => {
                flate2::read::DeflateDecoder::new(packed).take(member.size + 1).read_to_end(&mut bytes)?
            }
            Packing::Other => {
                return Err(io::Error::other("its archive packs it by a method that is not read"));
            }
            Packing::Encrypted => return Err(io::Error::other("it is encrypted in its archive")),
        };
        if bytes.len() as u64 != member.size {
            return Err(damaged());
        }
        match member.packing {
            Packing::Stored(expected) | Packing::Deflated(expected) => {
                let mut sum = flate2::Crc::new();
                sum.update(&bytes);
                if sum.sum() == expected { Ok(bytes) } else { Err(damaged()) }
            }
            Packing::Plain | Packing::Other | Packing::Encrypted => Ok(bytes),
        }
    }
}

/// Refuses a file that is packed as a whole, whatever its name: no file in it can be read by itself.
///
/// # Errors
/// [`Kind::Input`] naming the program that unpacks it.
pub fn refuse_packed(path: &Path) -> Result<()> {
    const PACKED: [(&str, &str, &[u8]); 4] = [
        ("gzip", "gunzip", &[0x1f, 0x8b]),
        ("bzip2", "bunzip2", b"BZh"),
        ("xz", "unxz", &[0xfd, b'7', b'z', b'X', b'Z', 0]),
        ("zstd", "unzstd", &[0x28, 0xb5, 0x2f, 0xfd]),
    ];
    let mut start = Vec::new();
    // Who reads the file says what is wrong with one that cannot be read.
    let read = File::open(path).and_then(|file| file.take(6).read_to_end(&mut start));
    match PACKED.iter().find(|(_, _, bytes)| read.is_ok() && start.starts_with(bytes)) {
        None => Ok(()),
        Some((name, program, _)) => {
            let message =
                format!("it is packed by {name} as a whole, so nothing in it can be read by itself");
            Err(Error::new(Kind::Input, message).at(path).help(format!("unpack it with {program} first")))
        }
    }
}

/// The name of a file, without `.`; `None` for one that leads outside.
fn plain(name: &str) -> Option<String> {
    let is_drive = name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let leads_outside = name.starts_with('/') || is_drive || parts.contains(&"..");
    (!leads_outside && !parts.is_empty()).then(|| parts.join("/"))
}

impl Contents {
    /// Adds a file. An earlier one of its name is not read any more, as when the archive is unpacked.
    fn add(&mut self, name: String, member: Member) {
        self.repeated += usize::from(self.members.insert(name, member).is_some());
    }

    fn skip(&mut self, name: &str, reason: &str) {
        self.skipped.push(SkippedEntry { name: name.into(), reason: reason.into() });
    }

    /// The name by which a file is found; `None`, and an entry that is skipped, where it leads outside.
    fn name(&mut self, given: &str) -> Option<String> {
        let name = plain(given);
        if name.is_none() {
            self.skip(given, "its path leads out of the archive");
        }
        name
    }
}

fn of_tar(mut file: File) -> io::Result<Contents> {
    let mut contents = Contents::default();
    let (mut links, mut end) = (Vec::new(), 0);
    for entry in tar::Archive::new(&file).entries_with_seek()? {
        let entry = entry?;
        let kind = entry.header().entry_type();
        let is_sparse = kind == tar::EntryType::GNUSparse;
        let stored = if is_sparse { entry.header().entry_size()? } else { entry.size() };
        let (start, size) = (entry.raw_file_position(), entry.size());
        end = start + stored.next_multiple_of(BLOCK);
        if kind.is_dir() {
            continue;
        }
        let bytes = entry.path_bytes();
        let Ok(given) = std::str::from_utf8(&bytes) else {
            contents.skip(&String::from_utf8_lossy(&bytes), "its name is not UTF-8");
            continue;
        };
        let Some(name) = contents.name(given) else { continue };
        if kind.is_file() {
            contents.add(name, Member { start, packed: size, size, packing: Packing::Plain });
        } else if kind.is_hard_link() {
            let target = entry.link_name_bytes().and_then(|bytes| plain(std::str::from_utf8(&bytes).ok()?));
            links.push((name, target));
        } else {
            contents.skip(&name, "a link, a device or a sparse file in its archive, not a file");
        }
    }
    check_end(&mut file, end, contents.members.iter().max_by_key(|(_, member)| member.start))?;
    // A hard link names a file that may come later, or another link.
    for (name, target) in links {
        match target.and_then(|target| contents.members.get(&target)).cloned() {
            Some(member) => contents.add(name, member),
            None => contents.skip(&name, "a link to a file that its archive does not hold"),
        }
    }
    Ok(contents)
}

/// Bytes that a tar archive is made of.
const BLOCK: u64 = 512;

/// Checks that a block of zeros follows the last file, which ends at `end`: an archive that was cut short has none.
fn check_end(file: &mut File, end: u64, last: Option<(&String, &Member)>) -> io::Result<()> {
    let mut block = Vec::new();
    file.seek(SeekFrom::Start(end))?;
    file.take(BLOCK).read_to_end(&mut block)?;
    if block.len() as u64 == BLOCK && block.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    let last = last.map_or_else(|| "its first file".to_string(), |(name, _)| name.clone());
    Err(io::Error::other(format!("the archive ends early, in {last} or after it: files are missing")))
}

fn of_zip(file: File) -> io::Result<Contents> {
    let mut file = io::BufReader::new(file);
    let entries = entries_of_zip(&mut file)?;
    let mut zip = zip::ZipArchive::new(file).map_err(io::Error::other)?;
    let repeated = entries.map_or(0, |entries| entries.saturating_sub(zip.len()));
    let mut contents = Contents { repeated, ..Contents::default() };
    for i in 0..zip.len() {
        let entry = zip.by_index_raw(i).map_err(io::Error::other)?;
        let name = entry.name().map_err(io::Error::other)?;
        // Windows writes names with the other separator.
        let given = name.replace('\\', "/");
        if entry.is_dir() || given.ends_with('/') {
            continue;
        }
        let (Some(name), Some(start)) = (contents.name(&given), entry.data_start()) else { continue };
        let packing = match entry.compression() {
            _ if entry.encrypted() => Packing::Encrypted,
            zip::CompressionMethod::Stored => Packing::Stored(entry.crc32()),
            zip::CompressionMethod::Deflated => Packing::Deflated(entry.crc32()),
            _ => Packing::Other,
        };
        let member = Member { start, packed: entry.compressed_size(), size: entry.size(), packing };
        contents.add(name, member);
    }
    Ok(contents)
}

/// Number of entries that a zip archive says it has: of those with the same name, its reader shows the last one. `None` for an archive
/// with too many to be counted so.
fn entries_of_zip(file: &mut (impl Read + Seek)) -> io::Result<Option<usize>> {
    const SIGNATURE: &[u8] = b"PK\x05\x06";
    const MOST: u64 = 22 + 65_535;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(MOST)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let start = end.windows(SIGNATURE.len()).rposition(|bytes| bytes == SIGNATURE);
    let number = start.and_then(|start| end.get(start + 10..start + 12));
    let number = number.map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    Ok(number.filter(|number| *number != u16::MAX).map(usize::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn tar(path: &Path, files: &[(&str, &[u8])]) {
        let mut tar = tar::Builder::new(File::create(path).unwrap());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, *bytes).unwrap();
        }
        tar.finish().unwrap();
    }

    fn zip(path: &Path, files: &[(&str, &[u8])], method: zip::CompressionMethod) {
        let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        for (name, bytes) in files {
            zip.start_file(*name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
    }

    #[test]
    fn files_are_read_from_archives_of_every_kind() {
        let dir = tempfile::tempdir().unwrap();
        let long = vec![7u8; 70_000];
        let files: [(&str, &[u8]); 3] = [("b/1.png", b"one"), ("./a/2.png", &long), ("c", b"")];
        let (a, b, c) = (dir.path().join("a.tar"), dir.path().join("b.zip"), dir.path().join("C.ZIP"));
        tar(&a, &files);
        zip(&b, &files, zip::CompressionMethod::Deflated);
        zip(&c, &files, zip::CompressionMethod::Stored);
        for path in [&a, &b, &c] {
            let members = ArchiveMembers::open(path).unwrap();
            assert_eq!(members.names().collect::<Vec<_>>(), ["a/2.png", "b/1.png", "c"], "{path:?}");
            assert_eq!(members.read("a/2.png").unwrap(), long);
            assert_eq!(members.read("b/1.png").unwrap(), b"one");
            assert_eq!((members.size("c"), members.size("d")), (Some(0), None));
            assert_eq!(members.read("d").unwrap_err().kind(), io::ErrorKind::NotFound);
            let inside = inside_archive(&path.join("b/1.png")).unwrap();
            assert_eq!(inside, (path.clone(), "b/1.png".to_string()));
        }
        assert_eq!((inside_archive(&a), inside_archive(&dir.path().join("x.zip/1"))), (None, None));
        // Another archive at the same place is read anew.
        tar(&a, &[("other", b"xyz")]);
        assert_eq!(ArchiveMembers::open(&a).unwrap().read("other").unwrap(), b"xyz");
    }

    #[test]
    fn of_files_with_one_name_the_last_is_read_and_the_others_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.tar"), dir.path().join("b.zip"));
        tar(&a, &[("x/1", b"first"), ("./x/1", b"second"), ("x/2", b"other")]);
        // The writer refuses one name twice, so that names of the same length are made the same afterwards.
        zip(&b, &[("x/0", b"first"), ("x/1", b"second"), ("x/2", b"other")], zip::CompressionMethod::Stored);
        let mut bytes = std::fs::read(&b).unwrap();
        let places: Vec<usize> = (0..bytes.len() - 3).filter(|at| &bytes[*at..at + 3] == b"x/0").collect();
        places.iter().for_each(|at| bytes[at + 2] = b'1');
        std::fs::write(&b, bytes).unwrap();
        for path in [a, b] {
            let members = ArchiveMembers::open(&path).unwrap();
            assert_eq!((members.names().count(), members.repeated()), (2, 1), "{path:?}");
            assert_eq!(members.read("x/1").unwrap(), b"second");
        }
    }

    #[test]
    fn a_packed_archive_is_refused_with_the_program_that_unpacks_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tar");
        std::fs::write(&path, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).unwrap();
        let error = ArchiveMembers::open(&path).unwrap_err();
        assert_eq!((error.kind(), error.remedy()), (Kind::Input, Some("unpack it with gunzip first")));
    }

    #[test]
    fn damage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zip");
        zip(&path, &[("a", &[5; 900])], zip::CompressionMethod::Stored);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[200] ^= 1;
        std::fs::write(dir.path().join("b.zip"), &bytes).unwrap();
        let members = ArchiveMembers::open(&dir.path().join("b.zip")).unwrap();
        assert!(members.read("a").unwrap_err().to_string().contains("damaged"));
        bytes.truncate(300);
        std::fs::write(dir.path().join("c.zip"), &bytes).unwrap();
        assert_eq!(ArchiveMembers::open(&dir.path().join("c.zip")).unwrap_err().kind(), Kind::Input);
    }

    #[test]
    fn links_are_followed_and_what_leads_outside_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tar");
        let mut tar = tar::Builder::new(File::create(&path).unwrap());
        let mut add = |name: &str, kind: tar::EntryType, link: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_old();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
            header.set_entry_type(kind);
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            tar.append(&header, bytes).unwrap();
        };
        add("a/1.png", tar::EntryType::Regular, "", b"one");
        add("b/1.png", tar::EntryType::Link, "./a/1.png", b"");
        add("b/2.png", tar::EntryType::Link, "a/none.png", b"");
        add("b/3.png", tar::EntryType::Symlink, "../a/1.png", b"");
        add("/etc/4.png", tar::EntryType::Regular, "", b"x");
        add("../5.png", tar::EntryType::Regular, "", b"x");
        tar.finish().unwrap();
        let members = ArchiveMembers::open(&path).unwrap();
        assert_eq!(members.names().collect::<Vec<_>>(), ["a/1.png", "b/1.png"]);
        assert_eq!(members.read("b/1.png").unwrap(), b"one");
        let skipped: Vec<&str> = members.skipped().iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(skipped, ["b/3.png", "/etc/4.png", "../5.png", "b/2.png"]);
        let zipped = dir.path().join("b.zip");
        let files: [(&str, &[u8]); 3] = [("a\\1.png", b"one"), ("C:/win/2.png", b"x"), ("a/../3.png", b"x")];
        zip(&zipped, &files, zip::CompressionMethod::Stored);
        let members = ArchiveMembers::open(&zipped).unwrap();
        assert_eq!((members.names().collect::<Vec<_>>(), members.skipped().len()), (vec!["a/1.png"], 2));
    }

    #[test]
    fn a_tar_archive_that_was_cut_anywhere_is_no_whole_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tar");
        tar(&path, &[("a/1", &[1; 700]), ("a/2", &[2; 700])]);
        let whole = std::fs::read(&path).unwrap();
        for length in [600, 512 + 1024, 512 + 1024 + 100, 512 + 1024 + 512 + 300, 2 * (512 + 1024)] {
            let cut = dir.path().join(format!("{length}.tar"));
            std::fs::write(&cut, &whole[..length]).unwrap();
            assert_eq!(ArchiveMembers::open(&cut).unwrap_err().kind(), Kind::Input, "{length}");
        }
    }
}
