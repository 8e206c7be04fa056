//! Extracting features: what is computed, kept, refused and reported.

use crate::support::{self, Sandbox, picture, small_network};
use headstart::data::augment::Variant;
use headstart::data::decode::encode_png;
use headstart::data::pixels::Pixels;
use std::path::Path;

pub(crate) const CLASSES: [(&str, usize); 3] = [("ant", 20), ("bee", 24), ("cat", 30)];

pub(crate) fn names(folder: &Path) -> Vec<String> {
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
