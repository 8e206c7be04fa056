//! Public data sets: fetched from a server on this machine, or from a given archive, which may be hostile.

use crate::documented::are_documented;
use crate::support::server::{Answer, Server};
use crate::support::{Sandbox, picture};
use headstart::data::decode::encode_png;
use headstart::data::{DataSetSource, FetchDataConfig, FetchDataStats, fetch_from};
use headstart::error::{Kind, Result};
use headstart::io::digest::md5_file;
use headstart::io::download::RemoteFile;
use headstart::monitor::Collected;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Makes `a.tgz` with Python's tarfile: each entry is `KIND PATH`. A file holds the picture, and its path after that, so that no
/// two are the same.
fn archive(s: &Sandbox, entries: &[&str]) -> PathBuf {
    let python = std::env::var_os("HEADSTART_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let make = "import io, sys, tarfile\n\
        image = open(sys.argv[2], 'rb').read()\n\
        with tarfile.open(sys.argv[1], 'w:gz') as tar:\n\
        \x20   for entry in sys.argv[3:]:\n\
        \x20       kind, path = entry.split(' ', 1)\n\
        \x20       info = tarfile.TarInfo(path)\n\
        \x20       info.type = {'file': tarfile.REGTYPE, 'dir': tarfile.DIRTYPE, 'symlink': tarfile.SYMTYPE,\n\
        \x20                    'link': tarfile.LNKTYPE, 'fifo': tarfile.FIFOTYPE}[kind]\n\
        \x20       info.linkname = '/etc/passwd' if kind.endswith('link') else ''\n\
        \x20       data = image + path.encode() if kind == 'file' else b''\n\
        \x20       info.size = len(data)\n\
        \x20       tar.addfile(info, io.BytesIO(data))\n";
    let image = s.write("image.png", &encode_png(&picture("ant", 1)));
    let out = s.path("a.tgz");
    let status =
        std::process::Command::new(python).args(["-c", make]).arg(&out).arg(image).args(entries).status();
    assert!(status.unwrap().success());
    out
}

const FACES: [&str; 7] = [
    "dir set",
    "dir set/Ada",
    "file set/Ada/Ada_1.png",
    "file set/Ada/Ada_2.png",
    "file set/Ben/Ben_1.png",
    // As some systems add them.
    "file set/Ben/._Ben_1.png",
    "file set/.DS_Store",
];

/// A small data set whose archive is `archive`.
fn source(archive: &Path, addresses: Vec<String>) -> DataSetSource {
    let mut file = RemoteFile::new(addresses);
    file.md5 = Some(md5_file(archive).unwrap());
    file.bytes = Some(std::fs::metadata(archive).unwrap().len());
    let mut source = DataSetSource::new("faces", file);
    (source.images, source.classes, source.most_bytes) = (3, 2, 1 << 20);
    source.terms = "for tests only".into();
    source
}

fn fetch(
    s: &Sandbox,
    source: &DataSetSource,
    given: Option<&Path>,
    monitor: &Collected,
) -> Result<FetchDataStats> {
    let mut config = FetchDataConfig::default();
    config.out = s.path("faces");
    config.archive = given.map(PathBuf::from);
    fetch_from(source, &config, &s.path("downloads"), monitor)
}

fn files(s: &Sandbox, folder: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(s.path(folder))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_given_archive_is_checked_unpacked_and_left_alone_the_next_time() {
    let s = Sandbox::new();
    let path = archive(&s, &FACES);
    let (source, monitor) = (source(&path, Vec::new()), Collected::default());
    let stats = fetch(&s, &source, Some(&path), &monitor).unwrap();
    are_documented("data fetch", &serde_json::to_value(&stats).unwrap());
    assert_eq!((stats.images, stats.classes, stats.is_new), (3, 2, true));
    let messages = monitor.messages();
    assert!(messages.notes.iter().any(|note| note.contains("for tests only")), "{messages:?}");
    assert!(messages.warnings.is_empty(), "{messages:?}");
    assert_eq!(files(&s, "faces"), [".headstart-data.json", "Ada", "Ben"]);
    assert_eq!(
        (files(&s, "faces/Ada"), files(&s, "faces/Ben")),
        (vec!["Ada_1.png".to_string(), "Ada_2.png".into()], vec!["Ben_1.png".to_string()])
    );
    assert!(path.exists(), "a given archive stays");
    let summary = s.run(&["data", "summary", &s.text("faces"), "--json"]).value();
    assert_eq!(summary["classes"].as_array().unwrap().len(), 2);

    // The archive is not needed again.
    let again = fetch(&s, &source, None, &monitor).unwrap();
    assert!(!again.is_new);
    std::fs::remove_file(s.path("faces/Ada/Ada_2.png")).unwrap();
    let error = fetch(&s, &source, Some(&path), &monitor).unwrap_err();
    assert!(error.to_string().contains("holds 2 of 3 files"), "{error}");
    std::fs::remove_file(s.path("faces/.headstart-data.json")).unwrap();
    let error = fetch(&s, &source, Some(&path), &monitor).unwrap_err();
    assert!(error.to_string().contains("holds other things"), "{error}");
    assert!(s.path("faces/Ben/Ben_1.png").exists());
}

/// A tenth of the people and pictures of Labeled Faces in the Wild: 1,323 of 575, 407 of them with one, at most 53.
fn many_faces() -> Vec<String> {
    let pictures = |person: usize| match person {
        0 => 53,
        1..=28 => 6,
        29..168 => 5,
        _ => 1,
    };
    let of = |person: usize| {
        (1..=pictures(person))
            .map(move |number| format!("file lfw/Person_{person:03}/Person_{person:03}_{number:04}.png"))
    };
    (0..575).flat_map(of).collect()
}

#[test]
fn a_large_archive_gives_as_many_people_and_pictures() {
    let s = Sandbox::new();
    let entries = many_faces();
    let path = archive(&s, &entries.iter().map(String::as_str).collect::<Vec<_>>());
    let mut source = source(&path, Vec::new());
    (source.images, source.classes, source.most_bytes) = (1_323, 575, 1 << 26);
    let monitor = Collected::default();
    let stats = fetch(&s, &source, Some(&path), &monitor).unwrap();
    assert_eq!((stats.images, stats.classes), (1_323, 575));
    assert!(monitor.messages().warnings.is_empty(), "{:?}", monitor.messages());
    let summary = s.run(&["data", "summary", &s.text("faces"), "--json"]).value();
    assert_eq!((&summary["images"], &summary["single_image_classes"]), (&json!(1_323), &json!(407)));
    assert_eq!(summary["classes"].as_array().unwrap().len(), 575);
}

#[test]
fn a_download_that_was_cut_goes_on_and_is_removed_once_it_is_unpacked() {
    let s = Sandbox::new();
    let path = archive(&s, &FACES);
    let (bytes, half) = (std::fs::read(&path).unwrap(), std::fs::metadata(&path).unwrap().len() as usize / 2);
    let server = Server::start(move |request| match request.number {
        0 => Answer::of("404 Not Found", b"").header("Content-Length: 0"),
        1 => Answer::file(&bytes).cut(half),
        _ => Answer::ranged(&bytes, request),
    });
    let addresses = ["gone", "set.tgz"].map(|name| format!("{}/{name}", server.address));
    let stats = fetch(&s, &source(&path, addresses.to_vec()), None, &Collected::default()).unwrap();
    assert!(stats.is_new && s.path("faces/Ben/Ben_1.png").exists());
    let requests: Vec<_> = server.requests().iter().map(|r| (r.path.clone(), r.start)).collect();
    let expected = [("/gone", None), ("/set.tgz", None), ("/set.tgz", Some(half))];
    assert_eq!(requests, expected.map(|(path, start)| (path.to_string(), start)));
    assert!(files(&s, "downloads").is_empty(), "{:?}", files(&s, "downloads"));
}

#[test]
fn another_archive_is_refused_and_a_cut_one_too() {
    let s = Sandbox::new();
    let path = archive(&s, &FACES);
    let (source, monitor) = (source(&path, Vec::new()), Collected::default());
    let bytes = std::fs::read(&path).unwrap();
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for (content, why) in [(&bytes[..bytes.len() / 2], "cut short"), (&flipped, "its MD5 is ")] {
        let given = s.write("given.tgz", content);
        let error = fetch(&s, &source, Some(&given), &monitor).unwrap_err();
        assert!(error.kind() == Kind::Input && error.to_string().contains(why), "{error}");
    }
    assert!(!s.path("faces").exists());
}

#[test]
fn an_archive_that_would_write_elsewhere_is_refused_whole() {
    for (entries, why) in [
        (
            &["file set/Ada/1.png", "file ../../outside.png"][..],
            "a path that leads outside, ../../outside.png",
        ),
        (&["file set/../../outside.png"], "a path that leads outside"),
        (&["file /tmp/headstart-outside.png"], "a path that leads outside, /tmp/"),
        (&["file set/Ada/1.png", "symlink set/Ada/2.png"], "a link, set/Ada/2.png"),
        (&["link set/Ada/2.png"], "a link, set/Ada/2.png"),
        (&["fifo set/Ada/2.png"], "what is no file, set/Ada/2.png"),
        (&["file set/Ada/1.png", "file set/Ada/1.png"], "two files for one place, set/Ada/1.png"),
        (
            &[
                "file s/A/1",
                "file s/A/2",
                "file s/A/3",
                "file s/A/4",
                "file s/A/5",
                "file s/A/6",
                "file s/A/7",
            ],
            "more than it should",
        ),
    ] {
        let s = Sandbox::new();
        let path = archive(&s, entries);
        let error = fetch(&s, &source(&path, Vec::new()), Some(&path), &Collected::default()).unwrap_err();
        assert!(error.kind() == Kind::Input && error.to_string().contains(why), "{entries:?}: {error}");
        assert_eq!(files(&s, ""), ["a.tgz", "image.png"], "{entries:?}");
    }
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    let s = Sandbox::new();
    let path = archive(&s, &FACES);
    let whole = std::fs::read(&path).unwrap();
    for i in 0..64 {
        // With the digest of the cut file, so that unpacking is what refuses it.
        let given = s.write("given.tgz", &whole[..whole.len() * i / 64]);
        let outcome = fetch(&s, &source(&given, Vec::new()), Some(&given), &Collected::default());
        assert!(outcome.is_err(), "{i}");
        assert_eq!(files(&s, ""), ["a.tgz", "given.tgz", "image.png"], "{i}");
    }
}

#[test]
fn the_command_checks_the_official_archive_and_names_it_where_it_cannot_be_fetched() {
    let s = Sandbox::new();
    let server = Server::start(|_| Answer::of("404 Not Found", b"").header("Content-Length: 0"));
    let mirror = format!("{}/", server.address);
    let lfw = ["data", "fetch", "lfw-deepfunneled", "--out", "lfw"];
    let fetch = |more: &[&str]| {
        let mut command = s.command(&[&lfw, more].concat());
        crate::support::CommandOutput::of(command.env("HEADSTART_HOME", s.path("home")))
    };
    fetch(&["--mirror", &mirror]).fails(
        1,
        &[
            "lfw-deepfunneled.tgz could not be fetched",
            "the server answers 404",
            "umass-vis-lfw.github.io",
            "id=1qqNse-0j3LYdgXnspgaKP2iTgYWXU9oT or http://vis-www.cs.umass.edu/lfw/lfw-deepfunneled.tgz elsewhere",
            "run `headstart data fetch` lfw-deepfunneled with --out, and with --archive",
        ],
    );
    assert_eq!(server.requests()[0].path, "/lfw-deepfunneled.tgz");
    s.write("mine.tgz", b"another");
    fetch(&["--archive", "mine.tgz"])
        .fails(1, &["mine.tgz: the file is cut short: it has 7 of 108761145 bytes"]);
    s.run(&["data", "fetch", "mnist", "--out", "m"])
        .fails(2, &["no data set is called \"mnist\"", "lfw-deepfunneled"]);
    assert!(!s.path("lfw").exists());
}
