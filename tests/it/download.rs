//! Downloads from servers that behave, and from servers that do not.

use crate::support::Sandbox;
use crate::support::server::{Answer, Request, Server};
use headstart::error::{Error, Kind};
use headstart::io::digest::{md5_file, sha256};
use headstart::io::download::{FetchedFile, RemoteFile, download};
use headstart::monitor::{Monitor, Silent, Task, Unit};
use std::path::PathBuf;

/// Enough for several blocks, no two alike.
fn content() -> Vec<u8> {
    (0..700_000u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 8).to_le_bytes()).take(700_000).collect()
}

/// A file that is known by its digest and its size.
fn known(address: String) -> RemoteFile {
    let mut file = RemoteFile::new([address]);
    (file.bytes, file.sha256) = (Some(700_000), Some(sha256(&content())));
    file
}

struct Fetch {
    s: Sandbox,
}

impl Fetch {
    fn new() -> Self {
        Self { s: Sandbox::new() }
    }

    fn target(&self) -> PathBuf {
        self.s.path("downloads/file.bin")
    }

    fn run(&self, file: &RemoteFile) -> Result<FetchedFile, Error> {
        download("the file", file, &self.target(), &Silent)
    }

    /// Fetches the file and asserts that it is there whole, and nothing else.
    fn succeeds(&self, file: &RemoteFile) -> FetchedFile {
        let fetched = self.run(file).unwrap();
        assert_eq!(fetched.sha256, sha256(&content()));
        assert!(std::fs::read(self.target()).unwrap() == content());
        assert_eq!(self.left(), ["file.bin"]);
        fetched
    }

    /// Asserts that the fetch fails with `parts` in its message, and leaves no file of that name.
    fn fails(&self, file: &RemoteFile, parts: &[&str]) {
        let error = self.run(file).unwrap_err();
        for part in parts {
            assert!(error.with_causes().contains(part), "{part:?} is not in {:?}", error.with_causes());
        }
        assert!(!self.target().exists());
    }

    fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.s.path("downloads")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn starts(server: &Server) -> Vec<Option<usize>> {
    server.requests().iter().map(|request| request.start).collect()
}

#[test]
fn a_cut_connection_is_continued_where_it_broke() {
    let server = Server::start(|request| {
        let whole = Answer::ranged(&content(), request);
        if request.number < 3 { whole.cut(200_000) } else { whole }
    });
    let fetched = Fetch::new().succeeds(&known(server.address.clone()));
    assert_eq!(fetched.address, server.address);
    assert_eq!(starts(&server), [None, Some(200_000), Some(400_000), Some(600_000)]);
}

#[test]
fn a_server_without_ranges_sends_the_file_from_its_beginning() {
    let server = Server::start(|request| match request.number {
        0 => Answer::file(&content()).cut(300_000),
        _ => Answer::file(&content()),
    });
    Fetch::new().succeeds(&known(server.address.clone()));
    assert_eq!(starts(&server), [None, Some(300_000)]);
}

#[test]
fn an_interrupted_fetch_is_continued_by_the_next() {
    let server = Server::start(|request| Answer::ranged(&content(), request));
    let (fetch, file) = (Fetch::new(), known(server.address.clone()));
    let error = download("the file", &file, &fetch.target(), &StopsLater::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted);
    assert_eq!(fetch.left(), ["file.bin.part", "file.bin.part.json"]);
    fetch.succeeds(&file);
    assert!(starts(&server)[1].is_some_and(|start| start > 0));
}

/// Asks to stop once some bytes have come.
#[derive(Default)]
struct StopsLater {
    done: std::sync::atomic::AtomicU64,
}

impl Task for &StopsLater {
    fn advance(&self, done: u64) {
        self.done.fetch_add(done, std::sync::atomic::Ordering::SeqCst);
    }

    fn status(&self, _: &str) {}
}

impl Monitor for StopsLater {
    fn note(&self, _: &str) {}

    fn warn(&self, _: &str) {}

    fn task(&self, _: &str, _: Option<u64>, _: Unit) -> Box<dyn Task + '_> {
        Box::new(self)
    }

    fn consent(&self, _: &str) -> Option<bool> {
        None
    }

    fn is_interrupted(&self) -> bool {
        self.done.load(std::sync::atomic::Ordering::SeqCst) > 0
    }
}

#[test]
fn a_file_that_changed_in_the_meantime_is_fetched_anew() {
    // Without a digest the server is asked whether it still has the same version.
    let answer = |request: &Request| {
        let tag = if request.number == 0 { "\"old\"" } else { "\"new\"" };
        let is_same = request.if_range.as_deref() == Some(tag);
        let whole = if is_same { Answer::ranged(&content(), request) } else { Answer::file(&content()) };
        let whole = whole.header(format!("ETag: {tag}"));
        if request.number == 0 { whole.cut(100_000) } else { whole }
    };
    let server = Server::start(answer);
    Fetch::new().succeeds(&RemoteFile::new([server.address.clone()]));
    assert_eq!(server.requests()[1].if_range.as_deref(), Some("\"old\""));
    // With a digest a rest that does not fit is found out, and the file is fetched from its beginning.
    let server = Server::start(|request| match request.number {
        0 => Answer::file(&[7; 700_000]).cut(100_000),
        _ => Answer::ranged(&content(), request),
    });
    Fetch::new().succeeds(&known(server.address.clone()));
    assert_eq!(starts(&server), [None, Some(100_000), None]);
}

#[test]
fn without_a_digest_and_a_version_nothing_is_continued() {
    let server = Server::start(|request| match request.number {
        0 => Answer::file(&content()).cut(100_000),
        _ => Answer::ranged(&content(), request),
    });
    Fetch::new().succeeds(&RemoteFile::new([server.address.clone()]));
    assert_eq!(starts(&server), [None, None]);
}

#[test]
fn a_range_that_was_not_asked_for_is_not_taken() {
    let server = Server::start(|request| match request.number {
        0 => Answer::file(&content()).cut(100_000),
        1 => Answer::rest(&content(), 50_000),
        _ => Answer::ranged(&content(), request),
    });
    Fetch::new().succeeds(&known(server.address.clone()));
    assert_eq!(starts(&server), [None, Some(100_000), None]);
}

#[test]
fn the_wrong_length_and_the_wrong_digest_are_refused() {
    let fetch = Fetch::new();
    let short = Server::start(|_| Answer::file(&content()[1..]));
    fetch.fails(&known(short.address.clone()), &["the file there has 699999 bytes, not 700000"]);
    let mut endless = Vec::new();
    for _ in 0..80 {
        endless.extend_from_slice(b"2710\r\n");
        endless.extend_from_slice(&[0; 10_000]);
        endless.extend_from_slice(b"\r\n");
    }
    let chunked = Answer::of("200 OK", &endless).header("Transfer-Encoding: chunked");
    let long = Server::start(move |_| chunked.clone());
    fetch.fails(&known(long.address.clone()), &["sends more than 700000 bytes"]);
    let other = Server::start(|_| Answer::file(&[7; 700_000]));
    let expected = sha256(&content()).to_string();
    fetch.fails(&known(other.address.clone()), &["it is another file: its SHA-256 is ", &expected]);
    let mut by_prefix = RemoteFile::new([other.address.clone()]);
    by_prefix.sha256_prefix = Some(expected[..8].to_string());
    fetch.fails(&by_prefix, &["it is another file", &expected[..8]]);
    let mut by_md5 = RemoteFile::new([other.address.clone()]);
    by_md5.md5 = Some(md5_file(&fetch.s.write("whole", &content())).unwrap());
    fetch.fails(&by_md5, &["it is another file: its MD5 is "]);
    assert_eq!(fetch.left(), Vec::<String>::new(), "nothing of a wrong file is continued");
}

#[test]
fn a_server_that_always_cuts_is_given_up_and_what_came_is_kept() {
    let server = Server::start(|_| Answer::file(&content()).cut(1000));
    let fetch = Fetch::new();
    fetch.fails(&known(server.address.clone()), &["the connection was cut", "after 1000 of 700000 bytes"]);
    assert_eq!(starts(&server).len(), 3);
    assert_eq!(fetch.left(), ["file.bin.part", "file.bin.part.json"]);
}

#[test]
fn redirects_are_followed_and_errors_lead_to_the_next_address() {
    let server = Server::start(|request| match request.path.as_str() {
        "/moved" => Answer::redirect("/file"),
        "/file" => Answer::ranged(&content(), request),
        "/circle" => Answer::redirect("/circle"),
        "/busy" => Answer::of("503 Service Unavailable", b"").header("Content-Length: 0"),
        _ => Answer::page("<html>please log in</html>"),
    });
    let at = |path: &str| format!("{}{path}", server.address);
    let mut file = known(at("/circle"));
    file.addresses.extend([at("/busy"), at("/login")]);
    let expected = ["redirect", "the server answers 503", "a web page instead of the file"];
    Fetch::new().fails(&file, &expected);
    file.addresses.push(at("/moved"));
    assert_eq!(Fetch::new().succeeds(&file).address, at("/moved"));
}

#[test]
fn a_page_that_asks_for_a_confirmation_is_confirmed() {
    let page = r#"<html><form id="download-form" action="/download" method="get"><input type="hidden" name="id"
        value="abc"><input type="hidden" name="confirm" value="t"></form></html>"#;
    let server = Server::start(move |request| match request.path.as_str() {
        "/download?id=abc&confirm=t" if request.start.is_none() => Answer::file(&content()).cut(100_000),
        "/download?id=abc&confirm=t" => Answer::ranged(&content(), request),
        _ => Answer::page(page),
    });
    Fetch::new().succeeds(&known(format!("{}/uc?id=abc", server.address)));
    assert_eq!(starts(&server), [None, None, Some(100_000), Some(100_000)]);
}

#[test]
fn an_address_without_a_server_is_named() {
    let gone = Server::start(|_| Answer::of("200 OK", b"")).address.clone();
    Fetch::new().fails(&known(gone.clone()), &["the file could not be fetched", &gone]);
}
