//! Extracting features: what is computed, kept, refused and reported.

use crate::support::{self, CommandOutput, Sandbox, picture, small_network};
use headstart::data::augment::Variant;
use headstart::data::decode::encode_png;
use headstart::data::pixels::Pixels;
use std::path::Path;

const CLASSES: [(&str, usize); 3] = [("ant", 20), ("bee", 24), ("cat", 30)];

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_second_run_computes_nothing_and_a_new_variant_only_itself() {
    let s = Sandbox::new();
    s.images("in", &CLASSES);
    let first = support::extract(&s, "in", "c", &[]).value();
    // 5, 6 and 7 of 20, 24 and 30 are test, 1 each validation: 74 - 18 - 3 = 53 are train.
    assert_eq!((first["samples"].as_u64(), first["rows"].as_u64()), (Some(74), Some(74)));
    assert_eq!(first["computed"], 74);
    assert_eq!(first["splits"], serde_json::json!({"train": 53, "validation": 3, "test": 18}));
    assert_eq!(first["provider"], "CPUExecutionProvider");
    let parts = names(&s.path("c/features"));
    let again = support::extract(&s, "in", "c", &[]).value();
    assert_eq!((again["computed"].as_u64(), again["rows"].as_u64()), (Some(0), Some(74)));
    assert!(again["provider"].is_null(), "no session is opened when nothing is missing");
    assert_eq!(names(&s.path("c/features")), parts);
    let flip = support::extract(&s, "in", "c", &["--augment", "flip"]).value();
    assert_eq!((flip["computed"].as_u64(), flip["rows"].as_u64()), (Some(53), Some(127)));
    let both = support::extract(&s, "in", "c", &["--augment", "shift:5"]).value();
    assert_eq!((both["computed"].as_u64(), both["rows"].as_u64()), (Some(4 * 53), Some(74 + 5 * 53)));
    assert!(names(&s.path("c/features")).iter().any(|name| *name == parts[0]), "parts are never edited");
}

#[test]
fn the_bits_do_not_depend_on_batch_or_threads() {
    let s = Sandbox::new();
    s.images("in", &CLASSES);
    support::extract(&s, "in", "a", &["--batch", "1", "--threads", "1"]);
    support::extract(&s, "in", "b", &["--batch", "7", "--threads", "2"]);
    support::extract(&s, "in", "c", &["--batch", "64", "--threads", "16"]);
    let rows = s.rows("a");
    assert_eq!((rows.keys.len(), rows.width), (74, small_network::WIDTH));
    assert!(rows.embeddings.iter().all(|v| v.is_finite()) && rows.embeddings.iter().any(|&v| v > 0.0));
    assert_eq!(rows, s.rows("b"));
    assert_eq!(rows, s.rows("c"));
}

#[test]
fn renaming_relabelling_and_resplitting_cost_no_inference() {
    let s = Sandbox::new();
    s.images("in", &CLASSES);
    support::extract(&s, "in", "c", &[]);
    std::fs::rename(s.path("in/ant"), s.path("in/wasp")).unwrap();
    std::fs::rename(s.path("in/bee/000.png"), s.path("in/bee/first.png")).unwrap();
    std::fs::rename(s.path("in/cat/001.png"), s.path("in/bee/from cat.png")).unwrap();
    std::fs::remove_file(s.path("in/cat/002.png")).unwrap();
    let output = support::extract(&s, "in", "c", &[]);
    let moved = output.value();
    assert_eq!((moved["computed"].as_u64(), moved["samples"].as_u64()), (Some(0), Some(73)));
    assert_eq!(moved["rows"], 73, "features of removed files stay, but do not count");
    assert!(output.stderr.contains("1 removed") && output.stderr.contains("22 moved"), "{}", output.stderr);
    let other = support::extract(&s, "in", "c", &["--seed", "5", "--split", "50/25/25"]);
    assert_eq!(other.value()["computed"], 0);
    let kept = support::extract(&s, "in", "c", &[]).value();
    assert_eq!(kept["splits"], other.value()["splits"], "seed and fractions are kept unless given");
}

#[test]
fn another_folder_with_the_same_names_sizes_and_times_is_read_again() {
    let s = Sandbox::new();
    for (folder, shade) in [("a", 10u8), ("b", 200)] {
        for class in ["x", "y"] {
            for i in 0..3u8 {
                // Uncompressed, so that all files have one size; one time for all.
                let colour = if class == "x" { [shade + i, 0, 0] } else { [0, shade + i, 0] };
                let mut bmp =
                    b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x08\0\0\0\x08\0\0\0\x01\0\x18\0".to_vec();
                bmp.resize(54, 0);
                bmp.extend(colour.repeat(64));
                let file = s.write(&format!("{folder}/{class}/{i}.bmp"), &bmp);
                let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
                std::fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
            }
        }
    }
    assert_eq!(support::extract(&s, "a", "c", &[]).value()["computed"], 6);
    let other = support::extract(&s, "b", "c", &[]);
    assert_eq!(other.value()["computed"], 6, "{}", other.stderr);
    assert!(other.stderr.contains("the images were in "), "{}", other.stderr);
}

#[test]
fn an_unusable_file_is_refused_by_name_and_remembered() {
    let s = Sandbox::new();
    s.images("in", &CLASSES);
    let whole = encode_png(&picture("ant", 99));
    s.write("in/ant/cut.png", &whole[..whole.len() / 2]);
    s.write("in/ant/notes.txt", b"not an image");
    s.write("in/ant/empty.jpg", b"");
    s.write("in/ant/.hidden", b"passed over");
    s.write("in/Thumbs.db", b"passed over");
    let output = support::extract(&s, "in", "c", &[]);
    assert_eq!(output.code, 3, "{}", output.stderr);
    let stats = output.value();
    assert_eq!((stats["samples"].as_u64(), stats["computed"].as_u64()), (Some(74), Some(74)));
    let refused: Vec<&str> =
        stats["refused"].as_array().unwrap().iter().map(|r| r["path"].as_str().unwrap()).collect();
    assert_eq!(refused, ["ant/cut.png", "ant/empty.jpg", "ant/notes.txt"]);
    assert!(output.stderr.contains("refused: ant/empty.jpg: the file is empty"), "{}", output.stderr);
    // The images have the same split as without the bad files.
    std::fs::remove_dir_all(s.path("clean")).ok();
    s.images("clean", &CLASSES);
    assert_eq!(support::extract(&s, "clean", "d", &[]).value()["splits"], stats["splits"]);
    let again = support::extract(&s, "in", "c", &[]);
    assert_eq!((again.code, again.value()["computed"].as_u64()), (3, Some(0)));
    assert_eq!(again.value()["refused"].as_array().unwrap().len(), 3);
}

#[test]
fn copies_share_a_row_and_copies_under_two_labels_are_refused() {
    let s = Sandbox::new();
    s.images("in", &CLASSES);
    std::fs::copy(s.path("in/ant/000.png"), s.path("in/ant/copy.png")).unwrap();
    std::fs::copy(s.path("in/bee/000.png"), s.path("in/cat/same.png")).unwrap();
    let output = support::extract(&s, "in", "c", &[]);
    let stats = output.value();
    assert_eq!((output.code, stats["samples"].as_u64(), stats["rows"].as_u64()), (3, Some(74), Some(73)));
    let reasons = stats["refused"].to_string();
    assert!(reasons.contains("same bytes as cat/same.png") && reasons.contains("same bytes as bee/000.png"));
}

#[test]
fn other_features_are_refused_field_by_field_and_the_cache_stays() {
    let s = Sandbox::new();
    s.images("in", &[("a", 4), ("b", 4)]);
    support::extract(&s, "in", "c", &[]);
    let before = s.rows("c");
    let output = support::extract(&s, "in", "c", &["--layer", "Mixed_6e", "--crop", "0.5"]);
    output.fails(
        1,
        &[
            "layer: PreLogits in the cache, Mixed_6e asked for",
            "crop: 1.0 in the cache, 0.5",
            "help: use another --cache",
        ],
    );
    s.write("other.onnx", &small_network::onnx(2));
    let other = s.text("other.onnx");
    support::extract(&s, "in", "c", &["--crop", "1"]).value();
    let output = s.run(&["extract", &s.text("in"), "--cache", &s.text("c"), "--backbone", &other]);
    output.fails(1, &["it holds other features: backbone: "]);
    assert_eq!(s.rows("c"), before);
}

#[test]
fn a_layer_with_positions_is_averaged_over_them() {
    let s = Sandbox::new();
    s.images("in", &[("a", 3), ("b", 3)]);
    support::extract(&s, "in", "pre", &[]);
    support::extract(&s, "in", "last", &["--layer", "Mixed_7c"]);
    let (pre, last) = (s.rows("pre"), s.rows("last"));
    assert_eq!(last.width, small_network::WIDTH);
    let error = headstart::backbone::known_answer::relative_distance(&last.embeddings, &pre.embeddings);
    assert!(error < 1e-6, "PreLogits is the mean of Mixed_7c over positions; off by {error}");
    assert_eq!(
        {
            support::extract(&s, "in", "inner", &["--layer", "Mixed_5d"]);
            s.rows("inner").width
        },
        18
    );
    support::extract(&s, "in", "x", &["--layer", "Mixed_9z"])
        .fails(1, &["no layer called \"Mixed_9z\"", "Mixed_7c"]);
    assert!(!s.path("x").exists());
    // Every layer that is listed can be cut at.
    let listed = s.json(&["backbone", "list"]);
    let layers: Vec<&str> =
        listed[0]["layers"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    assert_eq!((layers.len(), layers[0], layers[18]), (19, "Conv2d_1a_3x3", "PreLogits"));
    for layer in ["Conv2d_4a_3x3", "MaxPool_5a_3x3", "Mixed_6a"] {
        assert!(layers.contains(&layer));
        assert_eq!(support::extract(&s, "in", layer, &["--layer", layer]).code, 0);
    }
}

#[test]
fn layers_joined_by_a_plus_are_concatenated() {
    let s = Sandbox::new();
    s.images("in", &[("a", 8), ("b", 8)]);
    let of = |cache: &str, layer: &str| {
        assert_eq!(support::extract(&s, "in", cache, &["--layer", layer, "--split", "50/25/25"]).code, 0);
        s.rows(cache)
    };
    let (inner, last) = (of("inner", "Mixed_5d"), of("last", "PreLogits"));
    let joined = of("joined", "Mixed_5d+PreLogits");
    assert_eq!(joined.width, inner.width + last.width);
    let rows = inner.embeddings.chunks(inner.width).zip(last.embeddings.chunks(last.width));
    let expected: Vec<f32> = rows.flat_map(|(inner, last)| [inner, last].concat()).collect();
    let error = headstart::backbone::known_answer::relative_distance(&joined.embeddings, &expected);
    assert!(error < 1e-6, "{error}");
    let spec: serde_json::Value =
        serde_json::from_slice(&std::fs::read(s.path("joined/spec.json")).unwrap()).unwrap();
    assert_eq!(
        (&spec["layer"], spec["known_answer"].as_array().unwrap().len()),
        (&"Mixed_5d+PreLogits".into(), joined.width)
    );
    // The cache goes on with the same layers, in the same order.
    support::extract(&s, "in", "joined", &["--layer", "PreLogits+Mixed_5d"])
        .fails(1, &["layer: Mixed_5d+PreLogits in the cache, PreLogits+Mixed_5d asked for"]);
    support::extract(&s, "in", "x", &["--layer", "PreLogits+PreLogits"]).fails(1, &["names PreLogits twice"]);
    // A head trained on joined layers predicts.
    let run = s.text("run");
    s.json(&["train", &s.text("joined"), "--run", &run]);
    let answer = s.json(&["predict", &run, &s.text("in/a/000.png"), "--neighbours", "0"]);
    assert_eq!(answer[0]["predictions"].as_array().unwrap().len(), 2);
}

/// The file names and bytes of the parts of a cache; the metadata of a part do not differ between runs of one version.
fn parts(s: &Sandbox, cache: &str) -> Vec<(String, Vec<u8>)> {
    let listed = std::fs::read_dir(s.path(cache).join("features")).unwrap().map(|entry| entry.unwrap());
    let mut parts: Vec<_> = listed
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    parts.sort();
    parts
}

#[test]
fn several_layers_in_one_pass_are_bit_for_bit_those_of_separate_passes() {
    let s = Sandbox::new();
    s.images("in", &[("a", 8), ("b", 8)]);
    s.write("in/a/broken.png", b"no picture");
    let layers = ["PreLogits", "Mixed_5d", "Mixed_5d+PreLogits"];
    let asked = layers.map(|layer| ["--layer", layer]).concat();
    let more = ["--split", "50/25/25", "--seed", "7", "--augment", "flip"];
    let output = support::extract(&s, "in", "all", &[&asked[..], &more].concat());
    assert_eq!(output.code, 3, "one file is refused: {}", output.stderr);
    assert_eq!(output.stderr.matches("refused: a/broken.png").count(), 1, "{}", output.stderr);
    let stats: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    for (place, layer) in layers.iter().enumerate() {
        let of_layer = &stats["layers"][place];
        assert_eq!((&of_layer["layer"], &of_layer["rows"]), (&(*layer).into(), &24.into()), "{of_layer}");
        assert_eq!(of_layer["cache"], s.text(&format!("all/{layer}")));
        let alone = format!("alone-{place}");
        assert_eq!(support::extract(&s, "in", &alone, &[&["--layer", layer][..], &more].concat()).code, 3);
        let (together, alone) = (format!("all/{layer}"), alone);
        let (a, b) = (s.rows(&together), s.rows(&alone));
        assert_eq!((a.keys, a.width), (b.keys, b.width));
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&a.embeddings), bits(&b.embeddings), "{layer}");
        for file in ["samples.parquet", "spec.json"] {
            let read = |cache: &str| std::fs::read(s.path(cache).join(file)).unwrap();
            assert_eq!(read(&together), read(&alone), "{file} of {layer}");
        }
        s.json(&["cache", "verify", &s.text(&together)]);
    }
    // Nothing is missing, and the layers are those of the folder.
    let again = support::extract(&s, "in", "all", &["--augment", "flip"]);
    let again: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    let of_all = again["layers"].as_array().unwrap();
    assert!(of_all.len() == 3 && of_all.iter().all(|layer| layer["computed"] == 0), "{again}");
}

#[test]
fn a_layer_that_is_added_takes_the_network_and_the_split_and_computes_only_what_it_lacks() {
    let s = Sandbox::new();
    s.images("in", &[("a", 6), ("b", 6)]);
    let two = ["--layer", "PreLogits", "--layer", "Mixed_5d"];
    let more = ["--seed", "5", "--split", "50/25/25", "--crop", "0.9"];
    support::extract(&s, "in", "c", &[&two[..], &more].concat()).value();
    let before = parts(&s, "c/PreLogits");
    // New images are missing in both old layers, all images in the new one.
    s.images("in", &[("a", 8), ("b", 6)]);
    let added = s.run(&[
        "extract",
        &s.text("in"),
        "--cache",
        &s.text("c"),
        "--layer",
        "Mixed_5d",
        "--layer",
        "Mixed_6a",
        "--json",
    ]);
    let computed: Vec<u64> =
        added.value()["layers"].as_array().unwrap().iter().map(|l| l["computed"].as_u64().unwrap()).collect();
    assert_eq!(computed, [2, 14]);
    assert_eq!(parts(&s, "c/PreLogits"), before, "a layer that is not named is left alone");
    assert_eq!(
        std::fs::read(s.path("c/Mixed_5d/samples.parquet")).unwrap(),
        std::fs::read(s.path("c/Mixed_6a/samples.parquet")).unwrap(),
        "the same seed and fractions"
    );
    let spec = |cache: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(s.path(cache).join("spec.json")).unwrap()).unwrap()
    };
    assert_eq!(spec("c/Mixed_6a")["preprocessing"], spec("c/Mixed_5d")["preprocessing"]);
    assert_eq!(spec("c/Mixed_6a")["backbone"], spec("c/Mixed_5d")["backbone"]);
    // Without layers, all of the folder are completed.
    let rest = s.run(&["extract", &s.text("in"), "--cache", &s.text("c"), "--json"]).value();
    let of_rest: Vec<(&str, u64)> = rest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| (layer["layer"].as_str().unwrap(), layer["computed"].as_u64().unwrap()))
        .collect();
    assert_eq!(of_rest, [("Mixed_5d", 0), ("Mixed_6a", 0), ("PreLogits", 2)]);
}

#[test]
fn folders_of_layers_and_single_caches_are_not_confused() {
    let s = Sandbox::new();
    s.images("in", &[("a", 4), ("b", 4)]);
    let two = ["--layer", "PreLogits", "--layer", "Mixed_5d"];
    let dry = support::extract(&s, "in", "c", &[&two[..], &["--dry-run"]].concat()).value();
    assert_eq!((&dry["layers"][1]["computed"], s.path("c").exists()), (&8.into(), false));
    support::extract(&s, "in", "c", &two).value();
    let both = [s.text("c/Mixed_5d"), s.text("c/PreLogits")];
    for command in [&["cache", "info"][..], &["train", "--run", &s.text("r")]] {
        s.run(&[command, &[&s.text("c")]].concat())
            .fails(1, &["not a cache but a folder of 2 caches", &both[0], &both[1]]);
    }
    support::extract(&s, "in", "single", &[]).value();
    support::extract(&s, "in", "single", &two)
        .fails(1, &["it is the cache of one layer, PreLogits", "--cache"]);
    support::extract(&s, "in", "c", &["--layer", "PreLogits", "--layer", "PreLogits"])
        .fails(2, &["--layer PreLogits is given twice"]);
    support::extract(&s, "in", "c", &["--layer", "Mixed_9z"]).fails(1, &["no layer called \"Mixed_9z\""]);
    assert!(!s.path("c/Mixed_9z").exists());
    s.write("c/thesis.tex", b"");
    support::extract(&s, "in", "c", &two).fails(1, &["something else than caches of layers: thesis.tex"]);
}

#[test]
fn an_inspected_network_shows_the_endpoints_of_the_article() {
    let s = Sandbox::new();
    let shown = s.json(&["backbone", "inspect", "nsfwjs"]);
    let endpoints = shown["endpoints"].as_array().unwrap();
    let shape = |name: &str| endpoints.iter().find(|e| e["name"] == name).unwrap()["shape"].clone();
    // As TF-Slim prints them.
    for (name, expected) in [
        ("Conv2d_1a_3x3", [149, 149, 32]),
        ("MaxPool_3a_3x3", [73, 73, 64]),
        ("Conv2d_4a_3x3", [71, 71, 192]),
        ("Mixed_5b", [35, 35, 256]),
        ("Mixed_6e", [17, 17, 768]),
        ("Mixed_7a", [8, 8, 1280]),
        ("Mixed_7c", [8, 8, 2048]),
    ] {
        assert_eq!(shape(name), serde_json::json!(expected), "{name}");
    }
    assert_eq!((shape("PreLogits"), shape("Logits")), (serde_json::json!([2048]), serde_json::json!([5])));
    // The trunk has 21,768,352 trainable weights in TF-Slim; the first convolution has 3 x 3 x 3 x 32 and 32 offsets.
    let parameters = |e: &serde_json::Value| e["parameters"].as_u64().unwrap();
    let trunk: u64 = endpoints.iter().take(19).map(parameters).sum();
    assert_eq!((parameters(&endpoints[0]), trunk), (896, 21_768_352));
    let gflop = 2.0 * shown["multiply_adds"].as_f64().unwrap() / 1e9;
    assert!((gflop - 11.4).abs() < 0.1, "{gflop}");
    let text = s.run(&["backbone", "inspect", "nsfwjs"]).stdout;
    assert!(text.contains("149 x 149 x 32"), "{text}");
    assert!(text.contains("Conv2d_1a_3x3/weights"), "{text}");
    s.run(&["backbone", "inspect", "nope"]).fails(1, &["no backbone is called \"nope\""]);
}

#[test]
fn a_dry_run_reports_what_would_be_computed_and_writes_nothing() {
    let s = Sandbox::new();
    s.images("in", &CLASSES);
    let output = support::extract(&s, "in", "c", &["--dry-run", "--augment", "flip"]);
    assert_eq!((output.code, output.value()["computed"].as_u64()), (0, Some(127)));
    assert!(!s.path("c").exists());
    // All rows of a new image are missing; of others only the variants they lack.
    support::extract(&s, "in", "c", &[]);
    s.write("in/ant/new.png", &encode_png(&picture("ant", 500)));
    let dry = |more: &[&str]| support::extract(&s, "in", "c", &[&["--dry-run"], more].concat()).value();
    let all = dry(&["--augment", "flip", "--augment-splits", "all"]);
    let expected = serde_json::json!([
        {"variant": "none", "rows": 1, "of_new_images": 1},
        {"variant": "flip", "rows": 75, "of_new_images": 1},
    ]);
    assert_eq!(all["missing"], expected);
    let done = support::extract(&s, "in", "c", &["--augment", "flip", "--augment-splits", "all"]).value();
    assert_eq!(done["missing"], expected, "what was missing when the run began");
    // Images that lost their plain features with a part still have their mirrored ones.
    let part = s.path("c/features").join(&names(&s.path("c/features"))[0]);
    std::fs::remove_file(part).unwrap();
    let lost = dry(&[]);
    assert_eq!(lost["missing"], serde_json::json!([{"variant": "none", "rows": 74, "of_new_images": 0}]));
}

#[test]
fn a_second_writer_is_refused_and_a_reader_is_not() {
    let s = Sandbox::new();
    s.images("in", &CLASSES);
    support::extract(&s, "in", "c", &[]);
    let held = headstart::io::fs::Lock::take(&s.path("c/.lock")).unwrap();
    support::extract(&s, "in", "c", &[]).fails(1, &["another process is writing here"]);
    assert_eq!(s.json(&["cache", "info", &s.text("c")])["rows"], 74);
    s.json(&["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "2"]);
    drop(held);
    assert_eq!(support::extract(&s, "in", "c", &[]).code, 0);
}

#[test]
fn a_damaged_part_is_found_set_aside_and_computed_again() {
    let s = Sandbox::new();
    s.images("in", &CLASSES);
    support::extract(&s, "in", "c", &[]);
    let rows = s.rows("c");
    let part = s.path("c/features").join(&names(&s.path("c/features"))[0]);
    let mut bytes = std::fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&part, &bytes).unwrap();
    let (cache, run) = (s.text("c"), s.text("r"));
    s.run(&["train", &cache, "--run", &run])
        .fails(1, &["do not match the digest in its name", "cache verify"]);
    let reported = s.run(&["cache", "verify", &cache, "--dry-run", "--json"]);
    assert_eq!(
        (reported.code, reported.value()["damaged"].as_array().unwrap().len(), part.exists()),
        (1, 1, true)
    );
    assert_eq!(s.run(&["cache", "verify", &cache]).code, 1);
    assert!(!part.exists() && s.path("c/damaged").join(part.file_name().unwrap()).exists());
    assert_eq!(s.run(&["cache", "verify", &cache]).code, 0);
    let description = std::fs::read(s.path("c/samples.parquet")).unwrap();
    std::fs::remove_file(s.path("c/samples.parquet")).unwrap();
    s.run(&["cache", "verify", &cache]).fails(1, &["samples.parquet: it is missing", "--seed and --split"]);
    s.write("c/samples.parquet", &description);
    assert_eq!(support::extract(&s, "in", "c", &[]).value()["computed"], 74);
    assert_eq!(s.rows("c"), rows);
    // A truncated part is detected by the extraction itself.
    let part = s.path("c/features").join(&names(&s.path("c/features"))[0]);
    std::fs::write(&part, &bytes[..middle]).unwrap();
    support::extract(&s, "in", "c", &[]).fails(1, &["do not match the digest in its name", "cache verify"]);
}

#[test]
fn variants_are_stored_under_their_names() {
    let s = Sandbox::new();
    s.images("in", &[("a", 4), ("b", 4)]);
    support::extract(
        &s,
        "in",
        "c",
        &["--augment", "shift:9", "--augment", "flip", "--augment-splits", "all"],
    );
    let rows = s.rows("c");
    assert_eq!(rows.keys.len(), 8 * 6);
    let first: Vec<String> = rows.keys[..6].iter().map(|key| key.variant.to_string()).collect();
    assert_eq!(first, ["none", "flip", "shift:-9:+0", "shift:+0:-9", "shift:+0:+9", "shift:+9:+0"]);
    // The features of a variant equal those of an image with its pixels.
    let image = picture("a", 0);
    s.write("flipped/a/000.png", &encode_png(&Variant::Flip.apply(&image)));
    s.images("flipped", &[("b", 2)]);
    support::extract(&s, "flipped", "d", &[]);
    let of = |rows: &headstart::cache::FeatureRows, hash: &headstart::io::digest::Digest, variant| {
        let at = rows.keys.iter().position(|k| k.image_sha256 == *hash && k.variant == variant).unwrap();
        rows.embeddings[at * rows.width..(at + 1) * rows.width].to_vec()
    };
    let hash = |bytes: &[u8]| headstart::io::digest::sha256(bytes);
    let here = of(&rows, &hash(&encode_png(&image)), Variant::Flip);
    let there = of(&s.rows("d"), &hash(&encode_png(&Variant::Flip.apply(&image))), Variant::None);
    assert_eq!(here, there);
}

#[test]
fn a_shift_that_leaves_nothing_of_any_image_is_refused() {
    let s = Sandbox::new();
    s.images("in", &[("a", 6), ("b", 6)]);
    let extract = |shift: &str, more: &[&str]| {
        let args = [&["--augment", shift, "--split", "100/0/0"], more].concat();
        support::extract(&s, "in", "c", &args)
    };
    // The crop keeps 24 of 48 rows, 12 to 35.
    extract("shift:36", &["--crop", "0.5"]).fails(
        2,
        &["a shift by 36 pixels leaves nothing of 12 of 12 images in the part", "shift:35 or less"],
    );
    let long = Pixels::new(200, 9, vec![90; 200 * 9 * 3]);
    s.write("in/a/long.png", &encode_png(&long));
    extract("shift:9", &[])
        .fails(2, &["of 1 of 13 images", "a/long.png of 200 x 9 pixels", "shift:8 or less"]);
    assert!(!s.path("c").exists());
    assert_eq!(extract("shift:8", &[]).value()["rows"], 13 * 5);
}

#[test]
fn the_summary_of_a_cache_counts_what_is_there() {
    let s = Sandbox::new();
    s.images("in", &CLASSES);
    s.write("in/ant/text.png", b"not an image");
    support::extract(&s, "in", "c", &["--augment", "flip", "--split", "60/15/25", "--seed", "4"]);
    std::fs::remove_file(s.path("in/cat/000.png")).unwrap();
    s.write("in/bee/new.png", &encode_png(&picture("bee", 500)));
    support::extract(&s, "in", "c", &[]);
    let info = s.json(&["cache", "info", &s.text("c")]);
    assert_eq!((&info["samples"], &info["classes"], &info["refused"]), (&74.into(), &3.into(), &1.into()));
    assert_eq!((&info["seed"], &info["fractions"]), (&4.into(), &"60/15/25".into()));
    assert_eq!(info["providers"], serde_json::json!(["CPUExecutionProvider"]));
    let rows = s.rows("c").keys.len() as u64;
    assert_eq!((&info["rows"], info["parts"].as_u64()), (&rows.into(), Some(2)));
    let variant = |at: usize| &info["variants"][at];
    assert_eq!(
        (&variant(0)["variant"], &variant(0)["images"], &variant(0)["complete"]),
        (&"none".into(), &74.into(), &true.into())
    );
    assert_eq!(variant(1)["variant"], "flip");
    let train = info["splits"]["train"].as_u64().unwrap();
    assert_eq!(variant(0)["train_images"], train);
    let flips = variant(1)["train_images"].as_u64().unwrap();
    assert_eq!(variant(1)["complete"], flips == train);
    let gone = 1 + u64::from(rows > 74 + 1 + variant(1)["images"].as_u64().unwrap());
    assert_eq!(info["orphaned"], gone, "{info}");
}

#[test]
fn a_class_without_a_held_out_image_is_noted() {
    let s = Sandbox::new();
    s.images("in", &[("large", 60), ("small", 3)]);
    let output = support::extract(&s, "in", "c", &[]);
    for split in ["validation", "test"] {
        let note = format!("classes without a {split} image: 1 (small); give more images or another --split");
        assert!(output.stderr.contains(&note), "{}", output.stderr);
    }
    let kept = support::extract(&s, "in", "d", &["--split", "20/40/40"]);
    assert!(!kept.stderr.contains("without a"), "{}", kept.stderr);
}

#[test]
fn an_export_replaces_only_its_own_files() {
    let s = Sandbox::new();
    s.images("in", &[("a", 4), ("b", 4)]);
    support::extract(&s, "in", "c", &[]);
    let export = |out: &str| s.run(&["cache", "export", &s.text("c"), "--out", &s.text(out)]);
    s.write("mine.csv", b"irreplaceable");
    export("mine.npy")
        .fails(1, &["mine.csv: the table of rows belongs here, but another file is in the way"]);
    assert_eq!(std::fs::read(s.path("mine.csv")).unwrap(), b"irreplaceable");
    assert!(!s.path("mine.npy").exists());
    for name in ["x.parquet", "x.npy", "x.safetensors", "x.arrow"] {
        assert_eq!((export(name).code, export(name).code), (0, 0), "its own {name} it replaces");
        let theirs = format!("mine.{}", name.rsplit('.').next().unwrap());
        s.write(&theirs, b"irreplaceable");
        std::fs::remove_file(s.path("mine.csv")).ok();
        export(&theirs).fails(1, &[&theirs, "the export belongs here, but another file is in the way"]);
        assert_eq!(std::fs::read(s.path(&theirs)).unwrap(), b"irreplaceable");
    }
    // A Parquet file of ours that is no export is another file, too.
    std::fs::copy(s.path("c/samples.parquet"), s.path("samples.parquet")).unwrap();
    export("samples.parquet").fails(1, &["another file is in the way"]);
    let said = s.run(&["cache", "export", &s.text("c"), "--out", &s.text("x.csv"), "--format", "npy"]);
    said.fails(2, &["the matrix and its rows would be one file"]);
    // The same with a relative path from within the cache.
    let before = std::fs::read(s.path("c/samples.parquet")).unwrap();
    let mut inside = s.command(&["cache", "export", ".", "--out", "samples.parquet"]);
    CommandOutput::of(inside.current_dir(s.path("c"))).fails(2, &["the export cannot be inside the cache"]);
    assert_eq!(std::fs::read(s.path("c/samples.parquet")).unwrap(), before);
    // Images without features are counted, and an export of none is empty.
    let part = s.path("c/features").join(&names(&s.path("c/features"))[0]);
    std::fs::remove_file(part).unwrap();
    let output = s.run(&["cache", "export", &s.text("c"), "--out", &s.text("none.parquet"), "--json"]);
    assert_eq!((&output.value()["rows"], &output.value()["without_features"]), (&0.into(), &8.into()));
    assert!(output.stderr.contains("8 image files without features yet"), "{}", output.stderr);
}

#[cfg(unix)]
#[test]
fn an_export_goes_through_devices_pipes_and_links() {
    let s = Sandbox::new();
    s.images("in", &[("a", 4), ("b", 4)]);
    crate::support::extract(&s, "in", "c", &[]);
    let export =
        |out: &str, format: &str| s.run(&["cache", "export", &s.text("c"), "--out", out, "--format", format]);
    assert_eq!(export(&s.text("plain.parquet"), "parquet").code, 0);
    let plain = std::fs::read(s.path("plain.parquet")).unwrap();
    for format in ["parquet", "npy", "safetensors", "arrow"] {
        assert_eq!(export("/dev/null", format).code, 0, "{format}");
    }
    assert!(
        !std::fs::metadata("/dev/null").unwrap().is_file() && !std::path::Path::new("/dev/null.csv").exists()
    );
    // A pipe as standard output holds the file alone; the result is said on stderr.
    let mut piped =
        s.command(&["cache", "export", &s.text("c"), "--out", "/dev/stdout", "--format", "parquet"]);
    let piped = piped.output().unwrap();
    assert!(piped.stdout == plain, "{}", String::from_utf8_lossy(&piped.stderr));
    assert!(String::from_utf8_lossy(&piped.stderr).contains("8 rows, features of 128 floats"));
    // So does a file that the shell has opened.
    let file = std::fs::File::create(s.path("redirected")).unwrap();
    let mut redirected =
        s.command(&["cache", "export", &s.text("c"), "--out", "/dev/stdout", "--format", "parquet"]);
    assert!(redirected.stdout(file).status().unwrap().success());
    assert!(std::fs::read(s.path("redirected")).unwrap() == plain);
    std::fs::create_dir(s.path("far")).unwrap();
    std::os::unix::fs::symlink("far/new.parquet", s.path("link")).unwrap();
    for _ in 0..2 {
        assert_eq!(export(&s.text("link"), "parquet").code, 0);
        assert!(s.path("link").is_symlink() && std::fs::read(s.path("far/new.parquet")).unwrap() == plain);
    }
}

#[test]
fn parts_of_another_spec_and_contradictions_are_found_by_every_reader() {
    let s = Sandbox::new();
    s.images("in", &[("a", 12), ("b", 12)]);
    crate::support::extract(&s, "in", "c", &["--split", "50/25/25"]);
    crate::support::extract(&s, "in", "cropped", &["--crop", "0.5", "--split", "50/25/25"]);
    s.json(&["train", &s.text("c"), "--run", &s.text("r")]);
    let copied = |from: &str| {
        let name = names(&s.path(from))[0].clone();
        let to = s.path("c/features").join(&name);
        std::fs::copy(s.path(from).join(&name), &to).unwrap();
        to
    };
    // The same images with another crop, copied into the cache.
    let foreign = copied("cropped/features");
    let train = || s.run(&["train", &s.text("c"), "--run", &s.text("r2")]);
    train().fails(1, &["its features are not those of the cache's spec", "headstart cache verify"]);
    let predict = || s.run(&["predict", &s.text("r"), &s.text("in/a/000.png")]);
    assert!(predict().stderr.contains("without nearest images"), "{}", predict().stderr);
    crate::support::extract(&s, "in", "c", &[]).fails(1, &["not those of the cache's spec"]);
    let said = s.run(&["cache", "verify", &s.text("c"), "--json"]);
    assert_eq!((said.code, said.value()["damaged"].as_array().unwrap().len()), (1, 1), "{}", said.stderr);
    assert!(!foreign.exists() && s.path("c/damaged").join(foreign.file_name().unwrap()).exists());
    assert_eq!((train().code, s.run(&["cache", "verify", &s.text("c")]).code), (0, 0));
    // Other values for the same keys, in a part that names the right spec.
    let cache = headstart::cache::FeatureCache::open(&s.path("c")).unwrap();
    let mut rows = cache.rows(|_| true).unwrap();
    rows.embeddings[3] += 0.5;
    let spec = cache.spec().clone();
    let part = headstart::cache::CacheWriter::open_or_create(&s.path("c"), &spec)
        .unwrap()
        .append(rows, Default::default())
        .unwrap();
    train().fails(1, &["it holds other features than part-000000-", "headstart cache verify"]);
    assert!(predict().stderr.contains("it holds other features than"), "{}", predict().stderr);
    assert_eq!(s.run(&["cache", "verify", &s.text("c"), "--dry-run"]).code, 1);
    assert!(part.path.exists());
    assert_eq!(s.run(&["cache", "verify", &s.text("c")]).code, 1);
    assert!(!part.path.exists());
    assert_eq!(train().code, 0);
}

#[test]
fn images_embedded_in_memory_have_the_features_of_the_cache() {
    use headstart::backbone::{BackboneChoice, ImageEmbedder};
    let s = Sandbox::new();
    s.images("in", &[("a", 3), ("b", 3)]);
    support::extract(&s, "in", "c", &[]);
    let silent = headstart::monitor::Silent;
    let choice = BackboneChoice::new(small_network::install(&s));
    let mut embedder = ImageEmbedder::open(&choice, headstart::backbone::Device::Cpu, &silent).unwrap();
    assert_eq!((embedder.width(), embedder.provider()), (small_network::WIDTH, "CPUExecutionProvider"));
    let rows = s.rows("c");
    let images: Vec<_> = ["a", "b"].iter().flat_map(|class| (0..3).map(|i| picture(class, i))).collect();
    let embedded = embedder.embed(&images).unwrap();
    for (image, features) in images.iter().zip(embedded.chunks_exact(small_network::WIDTH)) {
        let digest = headstart::io::digest::sha256(&encode_png(image));
        let row = rows.keys.iter().position(|key| key.image_sha256 == digest).unwrap();
        assert_eq!(features, &rows.embeddings[row * small_network::WIDTH..][..small_network::WIDTH]);
    }
    assert!(embedder.embed(&[]).unwrap().is_empty());
}

/// A grey PNG of 12 bits in 16, and one of 8 bits whose levels are the nearest ones.
fn camera_png(number: u16) -> [Vec<u8>; 2] {
    let sample = |x: u32, y: u32| ((x * 83 + y * 41) as u16 + number * 7) % 4096;
    let deep = image::ImageBuffer::from_fn(64, 48, |x, y| image::Luma([sample(x, y)]));
    let plain = image::ImageBuffer::from_fn(64, 48, |x, y| {
        image::Luma([(f64::from(sample(x, y)) * 255.0 / 4095.0).round() as u8])
    });
    [image::DynamicImage::ImageLuma16(deep), image::DynamicImage::ImageLuma8(plain)].map(|image| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    })
}

#[test]
fn images_of_12_bits_are_taken_and_said_and_stretched_where_the_spec_says_so() {
    let s = Sandbox::new();
    s.images("in", &CLASSES);
    for number in 0..4 {
        let [deep, plain] = camera_png(number);
        s.write(&format!("in/ant/camera{number}.png"), &deep);
        s.write(&format!("plain/camera{number}.png"), &plain);
    }
    let said = "use no more than 12 of them, and are nearly black: 4, such as ant/camera0.png";
    let first = support::extract(&s, "in", "c", &[]);
    assert!(first.stderr.contains(said) && first.stderr.contains("--stretch-16bit 12"), "{}", first.stderr);
    assert!(s.run(&["data", "summary", "in"]).stderr.contains(said));
    let again = support::extract(&s, "in", "c", &[]);
    assert!(!again.stderr.contains(said), "nothing was decoded");
    support::extract(&s, "in", "c", &["--stretch-16bit", "16"]).fails(2, &["--stretch-16bit", "1 to 15"]);
    support::extract(&s, "in", "c", &["--stretch-16bit", "12"])
        .fails(1, &["stretch_16bit: none in the cache, 12 asked for"]);

    let stretched = support::extract(&s, "in", "stretched", &["--stretch-16bit", "12"]);
    assert!(!stretched.stderr.contains("nearly black"), "{}", stretched.stderr);
    let spec: serde_json::Value =
        serde_json::from_slice(&std::fs::read(s.path("stretched/spec.json")).unwrap()).unwrap();
    assert_eq!(spec["preprocessing"]["stretch_16bit"], 12);
    s.json(&["train", "stretched", "--run", "run", "--epochs", "3"]);
    let answers = |folder: &str| {
        let files: Vec<String> = (0..4).map(|number| format!("{folder}/camera{number}.png")).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let predicted = s.json(&[&["predict", "run"][..], &files].concat());
        predicted.as_array().unwrap().iter().map(|file| file["predictions"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(answers("in/ant"), answers("plain"), "a run decodes as its training images were");
}

#[test]
fn an_image_that_needs_more_memory_than_there_is_for_decoding_is_tried_again_with_more() {
    let s = Sandbox::new();
    s.images("in", &CLASSES);
    s.write("in/ant/large.png", &encode_png(&Pixels::new(1000, 500, vec![7; 1_500_000])));
    let little = support::extract(&s, "in", "c", &["--decode-memory", "2MiB"]);
    let refusal = "large.png: decoding takes 3000000 bytes of memory, more than the 2097152 allowed";
    assert!(little.code == 3 && little.stderr.contains(refusal), "{}", little.stderr);
    let more = support::extract(&s, "in", "c", &[]).value();
    assert_eq!((more["computed"].as_u64(), more["refused"].as_array().unwrap().len()), (Some(1), 0));
    let summary = s.run(&["data", "summary", "in", "--decode-memory", "2MiB"]);
    assert!(summary.code == 3 && summary.stderr.contains(refusal), "{}", summary.stderr);
    s.run(&["data", "summary", "in", "--decode-memory", "3kB"])
        .fails(2, &["--decode-memory must be at least 1 MiB"]);
}
