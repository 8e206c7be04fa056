//! What reads a cache: summary, verification of its parts, and exports.

use crate::extract::{CLASSES, names};
use crate::support::{self, CommandOutput, Sandbox, picture};
use headstart::data::decode::encode_png;

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
