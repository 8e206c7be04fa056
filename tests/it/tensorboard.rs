//! What would break for someone who looks at runs in TensorBoard. Its own Python package reads the files.

use crate::support::{self, Sandbox, picture, python, train};
use headstart::data::decode::encode_png;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A cache `c` of three classes with mirrored variants.
fn cache() -> Sandbox {
    support::cache(&["--augment", "flip"])
}

/// What TensorBoard finds in folders of event files, compared on the way with the run that they are of.
fn events(run: &Path, folders: &[&Path]) -> Vec<Value> {
    let output = python("events.py", &[&[run], folders].concat());
    serde_json::from_str(&output).unwrap_or_else(|e| panic!("{e}: {output}"))
}

/// The event file of a run.
fn event_file(run: &Path) -> PathBuf {
    let names = std::fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path());
    let mut found = names.filter(|path| path.to_str().unwrap().contains("events.out.tfevents."));
    let file = found.next().expect("an event file");
    assert!(found.next().is_none(), "one event file");
    file
}

/// Lays out runs; each with its folder.
fn lay_out(s: &Sandbox, args: &[&str]) -> Value {
    s.json(&[&["tensorboard"], args].concat())
}

#[test]
fn event_files_agree_with_run_json_and_with_histograms_by_numpy() {
    let s = cache();
    train(&s, "adam", &["--epochs", "33", "--patience", "33", "--schedule", "cosine", "--standardize"]);
    train(&s, "streamed", &["--epochs", "12", "--memory", "1GiB", "--schedule", "linear"]);
    train(&s, "lbfgs", &["--solver", "lbfgs", "--l2", "0.01"]);
    train(&s, "folds", &["--folds", "3", "--epochs", "4"]);
    s.json(&["sweep", &s.text("c"), "--runs", &s.text("lab"), "--lr", "0.01,0.3,1e38", "--epochs", "25"]);
    let reported = |run: &str| events(&s.path(run), &[&s.path(run)]).remove(0);
    let adam = reported("adam");
    let early: Vec<u64> = (1..=10).chain([20, 30]).collect();
    let mut steps: Vec<u64> =
        adam["histograms"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
    // There are histograms of the head that is kept, whatever its epoch.
    steps.retain(|step| early.contains(step));
    assert_eq!((adam["epochs"].as_u64(), steps), (Some(33), early));
    for run in ["streamed", "folds/fold=1", "folds/fold=2", "folds/fold=3", "lab/lr=0.01", "lab/lr=0.3"] {
        assert!(reported(run)["histograms"].as_array().unwrap().len() >= 4, "{run}");
    }
    let lbfgs = reported("lbfgs");
    assert_eq!((&lbfgs["epochs"], &lbfgs["histograms"]), (&1.into(), &json!([1])));
    assert!(!s.path("lab/lr=100000000000000000000000000000000000000").exists());
    // The head after the first epoch is that of a training that ends there.
    train(&s, "short", &["--epochs", "1", "--shuffle-seed", "0", "--lr", "0.3"]);
    assert_eq!(reported("short")["first"], reported("lab/lr=0.3")["first"]);
}

#[test]
fn a_run_is_replaced_with_its_event_file_and_not_with_that_of_others() {
    let s = cache();
    train(&s, "r", &["--epochs", "2"]);
    let file = event_file(&s.path("r"));
    // A run that began at another second has a file of another name.
    std::fs::rename(&file, s.path("r/events.out.tfevents.1000000000.headstart")).unwrap();
    let record = std::fs::read_to_string(s.path("r/run.json")).unwrap();
    let time = serde_json::from_str::<Value>(&record).unwrap()["time"].to_string();
    std::fs::write(s.path("r/run.json"), record.replace(&time, "1000000000")).unwrap();
    train(&s, "r", &["--epochs", "3"]);
    assert_ne!(event_file(&s.path("r")), s.path("r/events.out.tfevents.1000000000.headstart"));
    for other in ["events.out.tfevents.1000000000.headstart", "events.out.tfevents.1700000000.host.1.0"] {
        let other = s.write(&format!("r/{other}"), b"somebody's");
        s.run(&["train", &s.text("c"), "--run", &s.text("r")]).fails(1, &["holds \"events.out.tfevents.1"]);
        std::fs::remove_file(other).unwrap();
    }
    // One from before there were any is read, laid out, and replaced.
    std::fs::remove_file(event_file(&s.path("r"))).unwrap();
    s.json(&["evaluate", &s.text("r")]);
    let laid = lay_out(&s, &[&s.text("r"), "--logdir", &s.text("board")]);
    let reported = events(&s.path("r"), &[Path::new(laid["runs"][0]["folder"].as_str().unwrap())]).remove(0);
    assert_eq!((&reported["epochs"], reported["histograms"].as_array().unwrap().len()), (&3.into(), 1));
    train(&s, "r", &["--epochs", "2"]);
}

#[test]
fn the_graph_leads_from_the_images_through_the_backbones_layers_to_the_head() {
    let s = cache();
    train(&s, "lab/one", &["--epochs", "2"]);
    train(&s, "lab/two", &["--epochs", "3"]);
    support::extract(&s, "in", "inner", &["--layer", "Mixed_6a"]);
    s.json(&["train", &s.text("inner"), "--run", &s.text("inner-run"), "--epochs", "2"]);
    // A folder of runs means the runs in it.
    let laid =
        lay_out(&s, &[&s.text("lab"), &s.text("inner-run"), &s.text("lab/one"), "--logdir", &s.text("b")]);
    let folders: Vec<PathBuf> =
        laid["runs"].as_array().unwrap().iter().map(|run| run["folder"].as_str().unwrap().into()).collect();
    assert_eq!(folders.len(), 3, "{laid}");
    for (folder, name) in folders.iter().zip(["one", "two", "inner-run"]) {
        let (start, own) = folder.file_name().unwrap().to_str().unwrap().split_at(20);
        let form: String = start.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!((&form[..], own), ("0000-00-00_00-00-00-", name));
    }
    let reported = events(&s.path("lab/two"), &[&folders[1]]).remove(0);
    let graph = reported["graph"].as_object().unwrap();
    let node = |name: &str| graph.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", graph.keys()));
    for (_, node) in graph {
        for input in node[1].as_array().unwrap() {
            assert!(graph.contains_key(input.as_str().unwrap()), "{input} is not there");
        }
    }
    let conv = "InceptionV3/Mixed_5b/Branch_0/Conv2d_0a_1x1";
    assert_eq!(node(&format!("{conv}/Relu"))[1], json!([format!("{conv}/conv")]));
    assert_eq!(node("InceptionV3/Mixed_7c/Concat")[1].as_array().unwrap().len(), 4);
    assert_eq!(node("InceptionV3/Conv2d_1a_3x3/conv")[1], json!(["images"]));
    let head = node("head/MatMul")[1].as_array().unwrap();
    assert!(
        head[0].as_str().unwrap().starts_with("InceptionV3/PreLogits/") && head[1] == "head/weight",
        "{head:?}"
    );
    assert_eq!(node("head/Softmax"), &json!(["Softmax", ["head/BiasAdd"]]));
    // It holds neither nodes behind the layer nor weights.
    assert!(
        !graph.contains_key("InceptionV3/Logits") && reported["weights"].as_u64().unwrap() < 100_000,
        "{reported}"
    );
    let inner = events(&s.path("inner-run"), &[&folders[2]]).remove(0);
    assert_eq!(inner["graph"]["head/MatMul"][1][0], "InceptionV3/Mixed_6a/Concat");
    // Without the backbone there is the head.
    std::fs::remove_file(s.path("small.onnx")).unwrap();
    let output = s.run(&["tensorboard", &s.text("lab/one"), "--logdir", &s.text("b")]);
    assert!(
        output.code == 0 && output.stderr.contains("the graph shows the head alone"),
        "{}",
        output.stderr
    );
    let alone = events(&s.path("lab/one"), &[&folders[0]]).remove(0);
    assert_eq!(alone["graph"]["head/MatMul"], json!(["MatMul", ["features", "head/weight"]]));
    assert_eq!(alone["graph"].as_object().unwrap().len(), 6);
}

/// What TensorBoard finds in the projector's files of a run's folder, compared on the way with the cache and the pictures.
fn projected(s: &Sandbox, laid: &Value, images: &str) -> Value {
    let folder = PathBuf::from(laid["runs"][0]["folder"].as_str().unwrap());
    let output = python("projector.py", &[&folder, &s.path("c"), &s.path(images)]);
    serde_json::from_str(&output).unwrap_or_else(|e| panic!("{e}: {output}"))
}

#[test]
fn the_projector_shows_every_feature_with_its_picture_whatever_the_classes_are_called() {
    let s = Sandbox::new();
    let hostile = ["a\tb", "new\nline\r", "quo\"te \\t 'é"];
    s.images("in", &[(hostile[0], 40), (hostile[1], 40), (hostile[2], 60)]);
    support::extract(&s, "in", "c", &["--augment", "flip"]);
    train(&s, "r", &["--epochs", "5", "--use", "none", "--resplit", "4"]);
    let args = [&s.text("r"), "--logdir", &s.text("b"), "--projector"];
    let laid = lay_out(&s, &args);
    let found = projected(&s, &laid, "in");
    assert_eq!((&found["labels"], &found["blank"]), (&json!(hostile), &0.into()));
    assert_eq!(found["variants"], json!({"none": 140, "flip": 98}));
    // The splits are those of the run, and the predictions those of its head.
    let scores = s.json(&["evaluate", &s.text("r")]);
    let right = found["right"][0].as_f64().unwrap() / found["right"][1].as_f64().unwrap();
    assert_eq!((&found["right"][1], Some(right)), (&scores["images"], scores["accuracy"].as_f64()));
    assert_eq!(found["splits"], json!({"train": 98, "validation": 7, "test": 35}));
    let reported = &laid["runs"][0]["projector"];
    assert_eq!(
        (&reported["points"], &reported["of"], &reported["thumbnail"]),
        (&238.into(), &238.into(), &64.into())
    );
    // The same again, elsewhere, with what a second run shares: bit for bit, thumbnails and all.
    train(&s, "lab/first", &["--epochs", "1"]);
    let again = lay_out(&s, &[&s.text("lab"), args[0], "--logdir", &s.text("elsewhere"), "--projector"]);
    let files = |laid: &Value, run: usize| -> BTreeMap<String, Vec<u8>> {
        let entries =
            std::fs::read_dir(laid["runs"][run]["folder"].as_str().unwrap()).unwrap().map(Result::unwrap);
        let read = |entry: std::fs::DirEntry| {
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        };
        entries.map(read).collect()
    };
    assert_eq!(files(&laid, 0).len(), 5);
    assert!(files(&laid, 0) == files(&again, 1), "the same files");
    // Fewer, evenly spread.
    let fewer = lay_out(&s, &[&args[..], &["--points", "100"]].concat());
    assert_eq!(projected(&s, &fewer, "in")["points"], 80);
    let one = lay_out(&s, &[&args[..], &["--points", "1"]].concat());
    assert_eq!(projected(&s, &one, "in")["sprite"], json!([64, 64]));
}

#[cfg(unix)]
#[test]
fn runs_of_one_cache_share_features_and_thumbnails_also_from_one_export_to_the_next() {
    use std::os::unix::fs::MetadataExt;
    let s = cache();
    for (run, lr) in [("one", "0.01"), ("two", "0.1"), ("three", "0.02")] {
        train(&s, run, &["--epochs", "2", "--lr", lr]);
    }
    let export = |runs: &[&str]| {
        let runs: Vec<String> = runs.iter().map(|run| s.text(run)).collect();
        let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
        lay_out(&s, &[&runs[..], &["--logdir", &s.text("b"), "--projector"]].concat())
    };
    let (first, later) = (export(&["one", "two"]), export(&["three"]));
    let runs = |laid: &Value| laid["runs"].as_array().unwrap().clone();
    let folders = [runs(&first), runs(&later)].concat();
    assert_eq!(folders.len(), 3);
    for name in ["tensors.bytes", "sprite.png"] {
        let inode = |run: &Value| {
            std::fs::metadata(Path::new(run["folder"].as_str().unwrap()).join(name)).unwrap().ino()
        };
        assert!(folders.iter().all(|run| inode(run) == inode(&folders[0])), "{name}");
    }
    // Other features are not shared, and an export of the same run again keeps what it shares.
    let fewer = lay_out(&s, &[&s.text("two"), "--logdir", &s.text("b"), "--projector", "--points", "50"]);
    assert_eq!(fewer["runs"][0]["projector"]["points"], 48);
    let links = |laid: &Value| {
        let folder = Path::new(laid["runs"][0]["folder"].as_str().unwrap()).to_path_buf();
        std::fs::metadata(folder.join("tensors.bytes")).unwrap().nlink()
    };
    assert_eq!((links(&fewer), links(&first)), (1, 2));
    assert_eq!(links(&export(&["three"])), 2);
}

#[test]
fn missing_and_changed_pictures_are_blank_and_reported() {
    let s = cache();
    train(&s, "r", &["--epochs", "2"]);
    std::fs::remove_file(s.path("in/ant/003.png")).unwrap();
    s.write("in/bee/004.png", &encode_png(&picture("cat", 900)));
    let args = ["tensorboard", &s.text("r"), "--logdir", &s.text("b"), "--projector"];
    let output = s.run(&[&args[..], &["--json"]].concat());
    assert_eq!(output.code, 3, "{}", output.stderr);
    for part in
        ["refused: ant/003.png: could not be read", "refused: bee/004.png: changed since its features"]
    {
        assert!(output.stderr.contains(part), "{}", output.stderr);
    }
    assert_eq!(output.value()["refused"].as_array().unwrap().len(), 2);
    // A picture that Pillow could read is not the one of the features.
    std::fs::write(s.path("in/bee/004.png"), b"").unwrap();
    assert!(projected(&s, &output.value(), "in")["blank"].as_u64().unwrap() >= 2);
    // All of them elsewhere: a word, and no thumbnails; then where they are.
    std::fs::rename(s.path("in"), s.path("moved")).unwrap();
    let output = s.run(&[&args[..], &["--json"]].concat());
    assert!(output.code == 0 && output.stderr.contains("no thumbnails"), "{}", output.stderr);
    assert!(projected(&s, &output.value(), "in")["sprite"].is_null());
    let output = s.run(&[&args[..], &["--images", &s.text("moved"), "--json"]].concat());
    assert_eq!(output.code, 3, "{}", output.stderr);
    assert!(projected(&s, &output.value(), "moved")["sprite"].is_array());
    // Without the projector there is none, also where there was one.
    let laid = lay_out(&s, &args[1..4]);
    let names = std::fs::read_dir(laid["runs"][0]["folder"].as_str().unwrap()).unwrap().count();
    assert_eq!(names, 1);
}

#[test]
fn runs_of_one_name_and_start_do_not_replace_each_other() {
    let s = crate::support::cache(&[]);
    for (run, lr) in [("a/q", "0.01"), ("b/q", "0.1")] {
        s.json(&["train", &s.text("c"), "--run", &s.text(run), "--epochs", "2", "--lr", lr]);
        let path = s.path(run).join("run.json");
        let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        record["time"] = 1_502_114_602.into();
        std::fs::write(path, record.to_string()).unwrap();
    }
    let export = |runs: &[&str]| -> Vec<String> {
        let runs: Vec<String> = runs.iter().map(|run| s.text(run)).collect();
        let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
        let value = s.json(&[&["tensorboard"], &runs[..], &["--logdir", &s.text("board")]].concat());
        let name = |run: &serde_json::Value| {
            let folder = std::path::Path::new(run["folder"].as_str().unwrap());
            folder.file_name().unwrap().to_str().unwrap().to_string()
        };
        value["runs"].as_array().unwrap().iter().map(name).collect()
    };
    let both = export(&["a/q", "b/q"]);
    assert_eq!(both[0], "2017-08-07_14-03-22-q");
    assert!(both[1].starts_with("2017-08-07_14-03-22-q-") && both[1].len() == both[0].len() + 9, "{both:?}");
    // Each keeps its place, whichever is exported again.
    assert_eq!(export(&["b/q"]), [both[1].clone()]);
    assert_eq!(export(&["a/q"]), [both[0].clone()]);
    assert_eq!(std::fs::read_dir(s.path("board")).unwrap().count(), 2);
}
