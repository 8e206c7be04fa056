//! Networks as folders: small ones that PyTorch and transformers exported with what they gave for two pictures
//! (`tests/parity/folders --fixtures`), and folders that are wrong.

use crate::support::{CommandOutput, Sandbox, root};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn fixtures() -> PathBuf {
    root().join("tests/fixtures/folders")
}

/// A sandbox with the two pictures as `in`, and a copy of the folder of each name.
fn sandbox(networks: &[&str]) -> Sandbox {
    let s = Sandbox::new();
    for picture in ["0.png", "1.png"] {
        s.write(&format!("in/all/{picture}"), &std::fs::read(fixtures().join(picture)).unwrap());
    }
    for network in networks {
        copy(&fixtures().join(network), &s, network);
    }
    s
}

fn copy(folder: &Path, s: &Sandbox, name: &str) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        match entry.path() {
            path if path.is_dir() => copy(&path, s, &name),
            path => drop(s.write(&name, &std::fs::read(path).unwrap())),
        }
    }
}

fn extract(s: &Sandbox, cache: &str, backbone: &str, more: &[&str]) -> CommandOutput {
    let (images, cache) = (s.text("in"), s.text(cache));
    let args = ["extract", &images, "--cache", &cache, "--backbone", backbone, "--device", "cpu"];
    s.run(&[&args, more].concat())
}

/// The features of the pictures, in their order.
fn features(s: &Sandbox, cache: &str) -> Vec<f32> {
    let digest = |name: &str| headstart::io::digest::sha256(&std::fs::read(fixtures().join(name)).unwrap());
    let rows = s.rows(cache);
    let width = rows.embeddings.len() / rows.keys.len();
    let row = |name: &str| rows.keys.iter().position(|key| key.image_sha256 == digest(name)).unwrap();
    ["0.png", "1.png"]
        .iter()
        .flat_map(|name| rows.embeddings[row(name) * width..][..width].to_vec())
        .collect()
}

/// The 32-bit floats of a file of NumPy.
fn npy(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[10 + header..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn distance(found: &[f32], expected: &[f32]) -> f64 {
    headstart::backbone::known_answer::relative_distance(found, expected)
}

#[test]
fn features_of_folders_are_those_of_the_frameworks() {
    let s = sandbox(&[]);
    let cases = std::fs::read(fixtures().join("cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_slice(&cases).unwrap();
    assert!(cases.len() >= 12, "{}", cases.len());
    for (number, case) in cases.iter().enumerate() {
        let (folder, layer) = (case["folder"].as_str().unwrap(), case["layer"].as_str().unwrap());
        let pool: Vec<&str> = case["pool"].as_str().map_or(Vec::new(), |pool| vec!["--pool", pool]);
        let cache = format!("c{number}");
        let path = fixtures().join(folder).display().to_string();
        let ran = extract(&s, &cache, &path, &[&["--layer", layer], &pool[..]].concat());
        assert_eq!(ran.code, 0, "{case}: {}", ran.stderr);
        let expected = npy(&fixtures().join(case["expected"].as_str().unwrap()));
        let found = distance(&features(&s, &cache), &expected);
        // Pixels are the processor's own; the network of 16-bit floats rounds.
        let most = [("pixels", 0.0), ("bytes", 1e-3)].into_iter().find(|(name, _)| folder.starts_with(name));
        assert!(found <= most.map_or(1e-5, |(_, most)| most), "{case}: {found}");
    }
}

#[test]
fn a_folder_gets_a_name_and_a_cache_knows_it_by_its_content() {
    let s = sandbox(&["vit", "clip"]);
    let program = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headstart"));
        CommandOutput::of(command.args(args).arg("--models").arg(s.path("models")).stdin(Stdio::null()))
    };
    let add = |folder: &str, name: &str, more: &[&str]| {
        let folder = s.text(folder);
        program(&[&["backbone", "add", &folder, "--name", name, "--json"], more].concat())
    };
    let added = add("vit", "tiny", &["--layer", "last_hidden_state", "--pool", "cls"]).value();
    assert_eq!((&added["layer"], &added["width"]), (&"last_hidden_state[cls]".into(), &16.into()));
    // These bytes stand in caches: a change of them is a change of what old caches find.
    assert_eq!(added["sha256"], PINNED);
    let (images, cache) = (s.text("in"), s.text("c"));
    let ran = program(&["extract", &images, "--cache", &cache, "--backbone", "tiny", "--device", "cpu"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let expected = npy(&fixtures().join("vit.last_hidden_state.cls.npy"));
    assert!(distance(&features(&s, "c"), &expected) < 1e-5);
    add("clip", "nsfwjs", &[]).fails(2, &["cannot be called \"nsfwjs\"", "other weights"]);
    add("clip", "slim", &[]).fails(2, &["cannot be called \"slim\""]);
    assert_eq!(add("clip", "clip", &[]).value()["layer"], "image_embeds");

    // The same folder by its path, then with one changed weight.
    let path = s.text("vit");
    assert_eq!(extract(&s, "d", &path, &[]).code, 0);
    assert_eq!(extract(&s, "d", &path, &[]).code, 0, "nothing is missing");
    let mut weights = std::fs::read(s.path("vit/model.onnx_data")).unwrap();
    let middle = weights.len() / 2;
    weights[middle] ^= 1;
    s.write("vit/model.onnx_data", &weights);
    extract(&s, "d", &path, &[]).fails(1, &["backbone: "]);
}

/// Digest of the vision transformer of the fixtures, with its weights, preprocessing and default layer inside.
const PINNED: &str = "35ade0bba71194074d757ca802e4c04355a3680980ba8f40a792cdf3d273850a";

#[test]
fn a_cache_keeps_how_its_layer_is_pooled() {
    let s = sandbox(&["vit"]);
    let vit = s.text("vit");
    assert_eq!(extract(&s, "c", &vit, &["--layer", "last_hidden_state", "--pool", "cls"]).code, 0);
    let before = s.rows("c");
    for same in [&[][..], &["--pool", "cls"], &["--layer", "last_hidden_state[cls]"]] {
        assert_eq!(extract(&s, "c", &vit, same).code, 0, "{same:?}");
    }
    extract(&s, "c", &vit, &["--pool", "mean"])
        .fails(1, &["layer: last_hidden_state[cls] in the cache, last_hidden_state[mean] asked for"]);
    assert_eq!(s.rows("c"), before);
    // Two ways to pool are two layers, in one pass.
    let both = ["--layer", "last_hidden_state[cls]", "--layer", "last_hidden_state[mean]"];
    assert_eq!(extract(&s, "both", &vit, &both).code, 0);
    assert_eq!(s.rows("both/last_hidden_state[cls]").embeddings, before.embeddings);
    assert_ne!(s.rows("both/last_hidden_state[mean]").embeddings, before.embeddings);
}

#[test]
fn a_folder_that_is_wrong_says_what_to_do() {
    let s = sandbox(&["vit", "bytes", "pixels-vit", "clip"]);
    let vit = s.text("vit");
    extract(&s, "c", &vit, &["--layer", "last_hidden_state"])
        .fails(1, &["the layer gives [1, 17, 16]", "--pool", "mean-patches"]);
    extract(&s, "c", &vit, &["--layer", "last_hiden_state", "--pool", "cls"])
        .fails(1, &["no layer called \"last_hiden_state[cls]\"", "did you mean \"last_hidden_state\"?"]);
    std::fs::remove_file(s.path("vit/model.onnx_data")).unwrap();
    extract(&s, "c", &vit, &[])
        .fails(1, &["model.onnx_data", "put the file of weights beside the ONNX file"]);
    std::fs::remove_file(s.path("vit/preprocessor_config.json")).unwrap();
    extract(&s, "c", &vit, &[]).fails(2, &["does not say how pixels enter", "preprocessor_config.json"]);
    std::fs::remove_file(s.path("vit/model.onnx")).unwrap();
    extract(&s, "c", &vit, &[]).fails(1, &["the folder holds no model.onnx or onnx/model.onnx"]);

    let replaced = |file: &str, from: &str, to: &str| {
        let text = String::from_utf8(std::fs::read(s.path(file)).unwrap()).unwrap();
        assert!(text.contains(from), "{text}");
        s.write(file, text.replace(from, to).as_bytes());
    };
    replaced("bytes/headstart.toml", "\"none\"", "\"unit\"");
    extract(&s, "c", &s.text("bytes"), &[]).fails(2, &["takes bytes, which must not be scaled"]);
    replaced("bytes/headstart.toml", "gain16 = 2", "gain17 = 2");
    extract(&s, "c", &s.text("bytes"), &[]).fails(1, &["no input is called \"gain17\""]);
    replaced("bytes/headstart.toml", "gain17 = 2", "");
    extract(&s, "c", &s.text("bytes"), &[]).fails(1, &["all of its outputs depend on gain16", "`inputs`"]);
    replaced("bytes/headstart.toml", "network.onnx", "other.onnx");
    extract(&s, "c", &s.text("bytes"), &[]).fails(1, &["the folder holds no other.onnx"]);
    replaced("clip/preprocessor_config.json", "\"shortest_edge\": 32", "\"shortest_edge\": 16");
    extract(&s, "c", &s.text("clip"), &[]).fails(2, &["preprocessor_config.json", "from 32 to 4096, not 16"]);
    replaced("clip/preprocessor_config.json", "\"shortest_edge\": 16", "\"shortest_edge\": 64");
    replaced("clip/preprocessor_config.json", "\"height\": 32", "\"height\": 48");
    replaced("clip/preprocessor_config.json", "\"width\": 32", "\"width\": 48");
    extract(&s, "c", &s.text("clip"), &[]).fails(2, &["takes 32 x 32 pixels, but its settings make 48 x 48"]);
}

#[test]
fn what_the_runtime_refuses_is_named_with_its_node_operator_and_opset() {
    let s = sandbox(&["pixels-vit"]);
    let mut network = std::fs::read(s.path("pixels-vit/model.onnx")).unwrap();
    let at = network.windows(7).position(|bytes| bytes == b"Flatten").unwrap();
    network[at..at + 7].copy_from_slice(b"Flattex");
    s.write("pixels-vit/model.onnx", &network);
    extract(&s, "c", &s.text("pixels-vit"), &[]).fails(
        1,
        &["cannot be opened at node \"pixels\", operator Flattex of ai.onnx, opset 17", "another opset"],
    );
}
