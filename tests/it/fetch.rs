//! Fetching published weights: what is refused, what is kept, and what a person is told to do.

use crate::support::server::{Answer, Server};
use crate::support::{CommandOutput, Sandbox};

/// Runs `backbone fetch` with folders of its own.
fn fetch(s: &Sandbox, args: &[&str]) -> CommandOutput {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_headstart"));
    command.args(["backbone", "fetch"]).args(args).arg("--models").arg(s.path("models"));
    command.env("HEADSTART_HOME", s.path("home")).current_dir(s.path(""));
    CommandOutput::of(&mut command)
}

const SLIM: &str = "http://download.tensorflow.org/models/inception_v3_2016_08_28.tar.gz";

#[test]
fn without_the_file_the_address_and_the_command_for_it_are_printed() {
    let s = Sandbox::new();
    let server = Server::start(|_| Answer::of("404 Not Found", b"").header("Content-Length: 0"));
    fetch(&s, &["slim", "--mirror", &format!("{}/", server.address)]).fails(
        1,
        &[
            "inception_v3_2016_08_28.tar.gz could not be fetched",
            "the server answers 404",
            "Apache-2.0",
            &format!("fetch {SLIM} elsewhere, and run `headstart backbone fetch` slim with --from"),
        ],
    );
    assert_eq!(server.requests()[0].path, "/inception_v3_2016_08_28.tar.gz");
    assert!(!s.path("models").exists());
}

#[test]
fn a_file_of_another_length_or_digest_is_refused() {
    let s = Sandbox::new();
    let server = Server::start(|_| Answer::file(b"not the checkpoint"));
    fetch(&s, &["slim", "--mirror", &server.address])
        .fails(1, &["the file there has 18 bytes, not 100885009"]);
    fetch(&s, &["torchvision", "--mirror", &server.address])
        .fails(1, &["it is another file: its SHA-256 is ", ", not 0cc3c7bd"]);
    fetch(&s, &["keras", "--mirror", &server.address])
        .fails(1, &["it is another file: its MD5 is ", ", not 9a0d58056eeedaa3f26cb7ebd46da564"]);
    s.write("given.tar.gz", b"not the checkpoint");
    fetch(&s, &["slim", "--from", "given.tar.gz"]).fails(
        1,
        &[
            "given.tar.gz: the file is cut short: it has 18 of 100885009 bytes",
            SLIM,
            "headstart backbone import",
        ],
    );
    fetch(&s, &["slim", "--from", "gone.tar.gz"]).fails(1, &["gone.tar.gz", "could not read"]);
    assert!(!s.path("models").exists());
}

#[test]
fn proxies_of_the_environment_are_used() {
    let s = Sandbox::new();
    let proxy = Server::start(|_| Answer::of("403 Forbidden", b"").header("Content-Length: 0"));
    let mut command = s.command(&["backbone", "fetch", "slim"]);
    command.env("HEADSTART_HOME", s.path("home"));
    command.env("http_proxy", &proxy.address).env("HTTP_PROXY", &proxy.address);
    command.env("all_proxy", &proxy.address).env("ALL_PROXY", &proxy.address);
    command.env_remove("no_proxy").env_remove("NO_PROXY");
    CommandOutput::of(&mut command).fails(1, &["could not be fetched", SLIM]);
    assert_eq!(proxy.requests().len(), 1, "{:?}", proxy.requests());
}

#[test]
fn names_without_published_weights_are_refused() {
    let s = Sandbox::new();
    fetch(&s, &["nope"])
        .fails(2, &["no published weights are called \"nope\"", "use one of slim, torchvision"]);
    fetch(&s, &["nsfwjs"]).fails(2, &["no published weights are called", "headstart setup --yes"]);
}
