//! The importers of published weights, with small networks that the real frameworks saved (`tests/parity/run --fixtures`):
//! a sixteenth of the channels, 75 pixels a side, 7 classes. `expected.json` has what each framework's own network answers.

use crate::support::{Sandbox, root};
use headstart::backbone::graph::evaluate_float64;
use headstart::backbone::import::{Labels, WeightsFile, build_onnx};
use headstart::backbone::install::find_library;
use headstart::backbone::known_answer::relative_distance;
use headstart::backbone::onnx_runtime::OnnxBackbone;
use headstart::backbone::registry::{Published, registry};
use headstart::backbone::{Device, SessionOptions};
use headstart::data::preprocess::Resize;
use headstart::error::Result;
use headstart::monitor::Silent;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Side of the input in pixels.
const SIDE: usize = 75;

/// Each fixture and the source whose rules apply.
const FIXTURES: [(&str, &str); 12] = [
    ("slim.ckpt", "slim"),
    ("slim-v2.ckpt.index", "slim"),
    ("slim.pb", "slim"),
    ("torchvision.pth", "torchvision"),
    ("torchvision.legacy.pth", "torchvision"),
    ("timm.safetensors", "timm-tf_in1k"),
    ("keras.h5", "keras"),
    ("keras-notop.h5", "keras"),
    ("keras3-model.h5", "keras"),
    ("keras3.weights.h5", "keras"),
    ("fid.pth", "fid"),
    ("fid.pb", "fid"),
];

fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/weights").join(name)
}

/// The rules of a source for a small network.
fn source(name: &str) -> Published {
    let mut source = registry().published.iter().find(|source| source.name == name).unwrap().clone();
    source.classes = 7;
    source.preprocessing.size = SIDE;
    source
}

fn build(path: &Path, source: &Published) -> Result<Vec<u8>> {
    let labels = Labels { name: "small", title: "small" };
    build_onnx(WeightsFile::read(path)?, source, labels, 1.0 / 16.0)
}

/// The bytes that the frameworks were asked about, as planes.
fn probe() -> Vec<u8> {
    let at = |i: usize| (i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
    (0..3 * SIDE * SIDE)
        .map(at)
        .map(|(c, y, x)| ((x * 7 + y * 13 + c * 101 + x * y / 5) % 256) as u8)
        .collect()
}

fn ask(onnx: Vec<u8>, layer: &str, source: &Published) -> Vec<f32> {
    let library = find_library(false).unwrap().expect("run tests/run");
    let mut preprocessing = source.preprocessing;
    // The bytes are already as large as the input.
    preprocessing.resize = Resize::BilinearPillow;
    let options = SessionOptions::new(Device::Cpu);
    let mut opened =
        OnnxBackbone::open(&library.path, onnx, layer, &preprocessing, options, &Silent).unwrap();
    opened[0].embed(&probe(), 1).unwrap().into_finite().unwrap()
}

#[test]
fn every_format_gives_the_answer_of_its_framework() {
    let text = std::fs::read(fixture("expected.json")).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, Vec<f32>>> = serde_json::from_slice(&text).unwrap();
    assert!(expected.keys().map(String::as_str).eq({
        let mut names = FIXTURES.map(|(file, _)| file);
        names.sort_unstable();
        names
    }));
    for (file, name) in FIXTURES {
        let source = source(name);
        let onnx = build(&fixture(file), &source).unwrap_or_else(|e| panic!("{e:?}"));
        for (layer, values) in &expected[file] {
            let error = relative_distance(&ask(onnx.clone(), layer, &source), values);
            assert!(error < 1e-5, "{file} {layer}: {error}");
        }
    }
}

#[test]
fn the_computation_in_float64_gives_the_answer_of_each_framework_too() {
    let text = std::fs::read(fixture("expected.json")).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, Vec<f32>>> = serde_json::from_slice(&text).unwrap();
    // Pools that count padding, maximum in the last block, and neither.
    for (file, name) in [("timm.safetensors", "timm-tf_in1k"), ("fid.pb", "fid"), ("slim.ckpt", "slim")] {
        let source = source(name);
        let onnx = build(&fixture(file), &source).unwrap();
        let steps = &source.preprocessing.normalization;
        let image: Vec<f32> = probe()
            .into_iter()
            .enumerate()
            .map(|(i, byte)| steps.apply(f32::from(byte), i / (SIDE * SIDE)))
            .collect();
        let mut seen = 0;
        evaluate_float64(&onnx, &image, 2, &mut |layer, values| {
            let Some(answer) = expected[file].get(layer) else { return };
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            let error = relative_distance(&values, answer);
            assert!(error < 1e-5, "{file} {layer}: {error}");
            seen += 1;
        })
        .unwrap();
        assert_eq!(seen, 2, "{file}");
    }
}

#[test]
fn keras_3_weights_without_the_names_of_their_layers_are_refused() {
    let s = Sandbox::new();
    let mut bytes = std::fs::read(fixture("keras3.weights.h5")).unwrap();
    // As early versions of Keras 3 wrote them: the attribute has another name.
    let attribute = b"name\0\0\0\0";
    let places: Vec<usize> =
        bytes.windows(8).enumerate().filter(|(_, w)| w == attribute).map(|(i, _)| i).collect();
    assert!(places.len() > 188, "{}", places.len());
    places.into_iter().for_each(|at| bytes[at..at + 4].copy_from_slice(b"mane"));
    s.write("old.weights.h5", &bytes);
    let error = build(&s.path("old.weights.h5"), &source("keras")).unwrap_err();
    assert!(error.to_string().contains("does not name its layers"), "{error}");
    assert!(error.remedy().unwrap().contains("save the weights with Keras 3.15"), "{error:?}");
}

#[test]
fn the_rules_of_another_source_are_refused_or_give_another_answer() {
    let refused = |file: &str, name: &str| build(&fixture(file), &source(name)).unwrap_err().to_string();
    assert!(
        refused("slim.ckpt", "keras")
            .contains("a V1 checkpoint of TensorFlow, which this source does not have")
    );
    assert!(refused("slim.pb", "fid").contains("it holds no conv/conv2d_params"));
    assert!(refused("fid.pb", "slim").contains("it holds no InceptionV3/Conv2d_1a_3x3/weights"));
    assert!(refused("keras.h5", "slim").contains("an HDF5 file"));
    // The names are the same: only the number of classes tells them apart.
    let mut wider = source("fid");
    wider.classes = 8;
    let error = build(&fixture("torchvision.pth"), &wider).unwrap_err().to_string();
    assert!(error.contains("fc.weight has the shape [7, 128], not [8, 128]"), "{error}");
    // Padding that is counted changes the features.
    let counted = source("torchvision");
    let as_torch = build(&fixture("torchvision.pth"), &counted).unwrap();
    let mut changed = counted.clone();
    changed.counts_padding = source("slim").counts_padding;
    let as_slim = build(&fixture("torchvision.pth"), &changed).unwrap();
    let [a, b] = [as_torch, as_slim].map(|onnx| ask(onnx, "PreLogits", &counted));
    assert!(relative_distance(&a, &b) > 1e-3);
}

#[test]
fn a_file_cut_anywhere_or_with_a_changed_byte_is_refused_or_read_and_never_ends_the_program() {
    let s = Sandbox::new();
    for (file, name) in FIXTURES {
        let whole = std::fs::read(fixture(file)).unwrap();
        // The files of values lie beside an index.
        let values = "slim-v2.ckpt.data-00000-of-00001";
        std::fs::copy(fixture(values), s.path(values)).unwrap();
        let source = source(name);
        for i in 0..64 {
            std::fs::write(s.path(file), &whole[..whole.len() * i / 64]).unwrap();
            let error = build(&s.path(file), &source).expect_err(file);
            assert!(error.path().is_some() || error.to_string().contains("usable"), "{file} {i}: {error}");
        }
        for i in 0..24 {
            let mut changed = whole.clone();
            // The head, the end, and what lies between.
            let at = [i * 7, whole.len() - 1 - i * 11, whole.len() / 24 * i][i % 3];
            changed[at] ^= [0xff, 0x80, 0x01][i / 8];
            std::fs::write(s.path(file), &changed).unwrap();
            let _ = build(&s.path(file), &source);
        }
    }
}

#[test]
fn archives_are_read_but_not_links_nor_paths_that_lead_outside() {
    let s = Sandbox::new();
    let python = std::env::var_os("HEADSTART_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let make = "import io, sys, tarfile\n\
        kind, out, files = sys.argv[1], sys.argv[2], sys.argv[3:]\n\
        with tarfile.open(out, 'w:gz') as tar:\n\
        \x20   for path in files:\n\
        \x20       tar.add(path, ('../' if kind == 'outside' else 'folder/') + path.rsplit('/', 1)[1])\n\
        \x20   if kind in ('link', 'symlink'):\n\
        \x20       entry = tarfile.TarInfo('slim.ckpt')\n\
        \x20       entry.type = tarfile.LNKTYPE if kind == 'link' else tarfile.SYMTYPE\n\
        \x20       entry.linkname = '/etc/passwd'\n\
        \x20       tar.addfile(entry)\n";
    let archive = |kind: &str, files: &[&str]| {
        let out = s.path("a.tar.gz");
        let files = files.iter().map(|file| fixture(file));
        let status =
            std::process::Command::new(&python).args(["-c", make, kind]).arg(&out).args(files).status();
        assert!(status.unwrap().success());
        build(&out, &source("slim"))
    };
    let plain = build(&fixture("slim.pb"), &source("slim")).unwrap();
    assert_eq!(archive("plain", &["slim.pb", "expected.json"]).unwrap().len(), plain.len());
    archive("plain", &["slim.ckpt"]).unwrap();
    archive("plain", &["slim-v2.ckpt.index", "slim-v2.ckpt.data-00000-of-00001"]).unwrap();
    let whole = std::fs::read(s.path("a.tar.gz")).unwrap();
    for i in 0..64 {
        std::fs::write(s.path("a.tar.gz"), &whole[..whole.len() * i / 64]).unwrap();
        build(&s.path("a.tar.gz"), &source("slim")).expect_err("a cut archive");
    }
    for i in 0..16 {
        let mut changed = whole.clone();
        let at = changed.len() / 16 * i + i;
        changed[at] ^= 0x55;
        std::fs::write(s.path("a.tar.gz"), &changed).unwrap();
        let _ = build(&s.path("a.tar.gz"), &source("slim"));
    }
    for (kind, files, why) in [
        ("outside", &["slim.pb"][..], "leads outside"),
        ("link", &[], "a link, slim.ckpt"),
        ("symlink", &[], "a link, slim.ckpt"),
        ("plain", &[], "no weights file"),
        ("plain", &["slim.pb", "slim.ckpt"], "several weights files"),
        ("plain", &["slim-v2.ckpt.index"], "holds no slim-v2.ckpt.data-00000-of-00001"),
    ] {
        let error = archive(kind, files).unwrap_err().to_string();
        assert!(error.contains(why), "{kind}: {error}");
    }
}

#[test]
fn a_pickle_that_would_run_code_is_refused_by_name() {
    let s = Sandbox::new();
    let attack = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.\
        \x80\x02cbuiltins\nexec\nX\x08\x00\x00\x00print(1)\x85R.";
    std::fs::write(s.path("evil.pth"), attack).unwrap();
    let file = s.text("evil.pth");
    s.run(&["backbone", "import", &file, "--source", "torchvision"])
        .fails(1, &["evil.pth", "\"builtins.exec\"", "safetensors"]);
}

#[test]
fn an_import_says_which_source_and_name_can_be_used() {
    let s = Sandbox::new();
    let file = fixture("slim.ckpt");
    let import = |more: &[&str]| s.run(&[&["backbone", "import", file.to_str().unwrap()][..], more].concat());
    import(&["--source", "nope"]).fails(2, &["\"nope\" is not a source of weights", "torchvision"]);
    import(&["--source", "slim", "--name", "keras"]).fails(2, &["that is the name of other weights"]);
    import(&["--source", "keras"]).fails(2, &["a V1 checkpoint of TensorFlow"]);
    import(&["--source", "nsfwjs", "--name", "mine"]).fails(2, &["nsfwjs keeps its name"]);
    import(&["--source", "nsfwjs"]).fails(1, &["slim.ckpt"]);
    // The published network is sixteen times as wide.
    import(&["--source", "slim"])
        .fails(1, &["slim.ckpt", "weights has the shape [3, 3, 3, 2], not [3, 3, 3, 32]"]);
}
