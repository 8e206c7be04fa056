//! Several layers of one network: averaged, joined, in one pass, added to a cache, and in folders.

use crate::support::{self, Sandbox, small_network};

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
    let of_rest = support::numbers_by(&rest["layers"], "layer", "computed");
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
