//! The readers of the fuzz targets as ordinary tests: with whole files, with files that are cut short or changed at
//! random, with the small corpora that are kept (`fuzz/corpora/<target>/`), and with the inputs of faults that fuzzing has
//! found (`fuzz/findings/<target>/`).

use crate::support::root;
use headstart::io::digest::sha256;
use headstart::math::random::Rng;
use readers::{READERS, Reader};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[path = "../../fuzz/src/lib.rs"]
mod readers;

/// Readers of images, with the ends of the names of their seeds.
const IMAGES: [(&str, &str); 6] = [
    ("jpeg", ".jpg"),
    ("png", ".png"),
    ("webp", ".webp"),
    ("gif", ".gif"),
    ("bmp", ".bmp"),
    ("tiff", ".tif"),
];

/// Whole files for each reader, by name. The images are those that decoding is tested with.
fn seeds() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let s = crate::support::Sandbox::new();
    crate::support::python("decode.py", &[&s.path("")]);
    let mut images: Vec<PathBuf> =
        std::fs::read_dir(s.path("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    images.sort();
    let seeds_of = |name| match IMAGES.iter().find(|(reader, _)| *reader == name) {
        Some((_, end)) => {
            let files = images.iter().filter(|path| path.to_str().unwrap().ends_with(end));
            files.map(|path| std::fs::read(path).unwrap()).collect()
        }
        None => vec![seed(name)],
    };
    READERS.iter().map(|(name, _)| (*name, seeds_of(name))).collect()
}

/// A whole file for a reader of anything else.
fn seed(name: &str) -> Vec<u8> {
    let file = match name {
        "onnx" => "tests/fixtures/v0.1.0/small.onnx",
        "tfjs" => return tfjs(),
        "spec" => "tests/fixtures/v0.1.0/cache/spec.json",
        "samples" => "tests/fixtures/v0.1.0/cache/samples.parquet",
        "refused" => return refused(),
        "part" => "tests/fixtures/v0.1.0/cache/features/part-000000-598121d583b60523.parquet",
        "record" => "tests/fixtures/v0.1.0/run/run.json",
        "predictions" => "tests/fixtures/v0.1.0/run/predictions.parquet",
        "trained_on" => "tests/fixtures/v0.1.0/run/train-images.parquet",
        "head" => "tests/fixtures/v0.1.0/run/head.safetensors",
        "rejection" => "tests/fixtures/v0.1.0/run/reject.safetensors",
        "experiment" => "experiments/lfw10.toml",
        "pytorch" => "tests/fixtures/weights/torchvision.pth",
        "safetensors" => "tests/fixtures/weights/timm.safetensors",
        "keras" => "tests/fixtures/weights/keras.h5",
        "checkpoint_v1" => "tests/fixtures/weights/slim.ckpt",
        "checkpoint_v2" => return checkpoint_v2(),
        "frozen" => "tests/fixtures/weights/slim.pb",
        "weights_archive" => return weights_archive(),
        other => panic!("{other} has no seed"),
    };
    std::fs::read(root().join(file)).unwrap()
}

fn tfjs() -> Vec<u8> {
    let model = r#"n.exports={modelTopology:{model_config:{config:{layers:[{name:"batch_normalization_1",
        class_name:"BatchNormalization",config:{trainable:!1,epsilon:.001,scale:!1,note:"a \" } !0"}}]}}},
        weightsManifest:[{paths:["s1"],weights:[{name:"dense_1/kernel",shape:[1,2],dtype:"float32",
        quantization:{min:-1.5,scale:.5,dtype:"uint8"}},{name:"dense_1/bias",shape:[2],dtype:"float32",
        quantization:{min:0,scale:1,dtype:"uint8"}}]}]}"#;
    [model.as_bytes(), b"\0n.exports=\"AwQHCQ==\""].concat()
}

/// The length of the index, the index, the values.
fn checkpoint_v2() -> Vec<u8> {
    let read = |end: &str| {
        std::fs::read(root().join("tests/fixtures/weights/slim-v2.ckpt").with_extension(end)).unwrap()
    };
    let [index, values] = ["ckpt.index", "ckpt.data-00000-of-00001"].map(read);
    [&(index.len() as u32).to_le_bytes()[..], &index, &values].concat()
}

/// A checkpoint in a `.tar.gz`, packed by the system's tools.
fn weights_archive() -> Vec<u8> {
    let folder = root().join("tests/fixtures/weights");
    let packed =
        std::process::Command::new("tar").arg("-cz").arg("-C").arg(folder).arg("slim.ckpt").output().unwrap();
    assert!(packed.status.success());
    packed.stdout
}

/// `refused.parquet` of an extraction that refused two files.
fn refused() -> Vec<u8> {
    let s = crate::support::Sandbox::new();
    s.images("in", &[("ant", 2), ("bee", 2)]);
    s.write("in/ant/empty.png", b"");
    s.write("in/bee/text.png", b"not an image");
    crate::support::extract(&s, "in", "c", &[]);
    std::fs::read(s.path("c/refused.parquet")).unwrap()
}

/// With `HEADSTART_FUZZ_SEEDS=FOLDER` the seeds are written there, for fuzzing to begin with.
#[test]
fn seeds_are_accepted() {
    let seeds = seeds();
    for (name, reader) in READERS {
        assert!(!seeds[name].is_empty(), "{name} has no seed");
        for (number, seed) in seeds[name].iter().enumerate() {
            assert!(reader(seed), "{name} refuses seed {number}");
            if let Some(folder) = std::env::var_os("HEADSTART_FUZZ_SEEDS") {
                let folder = std::path::Path::new(&folder).join(name);
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(format!("seed-{number:03}")), seed).unwrap();
            }
        }
    }
}

#[test]
fn files_cut_short_or_changed_are_refused_or_read_but_end_nothing() {
    let seeds = seeds();
    for (number, (name, reader)) in READERS.into_iter().enumerate() {
        // Of many images some, from all of their kinds.
        let step = seeds[name].len().div_ceil(9);
        for seed in seeds[name].iter().step_by(step) {
            let refused = cut(seed).into_iter().filter(|bytes| !reader(bytes)).count();
            assert!(refused > 0, "{name} accepts whatever it gets");
            change(seed, number as u64, reader);
        }
    }
}

fn cut(seed: &[u8]) -> Vec<Vec<u8>> {
    (0..20).map(|i| seed[..seed.len() * i / 20].to_vec()).collect()
}

/// Gives the reader variations of the seed: a few bytes with other values, a stretch left out, a stretch doubled.
fn change(seed: &[u8], number: u64, reader: Reader) {
    let mut rng = Rng::new(number, 17);
    let mut below = |n: usize| (rng.uniform(0.0, 1.0) * n as f32) as usize % n;
    for _ in 0..40 {
        let mut bytes = seed.to_vec();
        for _ in 0..1 + below(4) {
            // Footers, where formats keep their structure, as often as everything else.
            let at =
                if below(2) == 0 { below(seed.len()) } else { seed.len() - 1 - below(seed.len().min(600)) };
            bytes[at] = [0, 1, 127, 128, 255, below(256) as u8][below(6)];
        }
        reader(&bytes);
        let (start, length) = (below(seed.len()), 1 + below(seed.len().min(200)));
        let end = (start + length).min(seed.len());
        reader(&[&seed[..start], &seed[end..]].concat());
        reader(&[&seed[..end], &seed[start..]].concat());
    }
}

/// The files of a folder of `fuzz/`, by name.
fn files_of(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("fuzz").join(folder)).expect(folder);
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Files called `accepted-...` must be accepted; of others it is asked only that the reader returns. With
/// `HEADSTART_BLESS=1` they get the names that they deserve.
#[test]
fn kept_corpora_are_read_as_their_names_say() {
    for (name, reader) in READERS {
        let files = files_of(&format!("corpora/{name}"));
        assert!(!files.is_empty(), "{name} has no corpus");
        for path in files {
            let bytes = std::fs::read(&path).unwrap();
            let is_accepted = reader(&bytes);
            if std::env::var_os("HEADSTART_BLESS").is_some() {
                let start = if is_accepted { "accepted" } else { "any" };
                std::fs::rename(&path, path.with_file_name(format!("{start}-{}", sha256(&bytes).short())))
                    .unwrap();
                continue;
            }
            let file = path.file_name().unwrap().to_str().unwrap();
            assert!(is_accepted || !file.starts_with("accepted-"), "{name} refuses {file}");
        }
    }
}

#[test]
fn what_fuzzing_has_found_stays_mended() {
    for (name, reader) in READERS {
        let folder = format!("findings/{name}");
        let found = if root().join("fuzz").join(&folder).exists() { files_of(&folder) } else { Vec::new() };
        for path in found {
            // None was a sound file.
            assert!(!reader(&std::fs::read(&path).unwrap()), "{} is accepted", path.display());
        }
    }
}
