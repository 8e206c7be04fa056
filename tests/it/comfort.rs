//! What makes a day at the command line easier: `doctor`, folders of runs summed up, mistyped names told with the nearest.

use crate::documented::are_documented;
use crate::support::{self, CommandOutput, Sandbox};
use serde_json::Value;
use std::process::Command;

/// `doctor` in the folder of a sandbox, with its folder `models` and more variables.
fn doctor(s: &Sandbox, args: &[&str], variables: &[(&str, &str)]) -> CommandOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headstart"));
    command.current_dir(s.path("")).arg("doctor").args(args).envs(variables.iter().copied());
    CommandOutput::of(&mut command)
}

#[test]
fn doctor_tells_what_is_there_and_how_to_get_the_rest() {
    let s = Sandbox::new();
    let models = s.text("models");
    let found = doctor(&s, &["--json", "--models", &models], &[]).value();
    are_documented("doctor", &found);
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(found["machine"]["os"], std::env::consts::OS);
    assert!(found["runtime_version"].as_str().unwrap().starts_with("1."), "{found}");
    assert_eq!((&found["devices"][0]["name"], &found["devices"][0]["usable"]), (&"cpu".into(), &true.into()));
    assert_eq!(found["machine"]["folders"][1]["path"], models.as_str());
    // No backbone is there: the one that is used where none is named is missing, with the command for it.
    let missing = found["missing"].as_array().unwrap();
    let backbone = missing.iter().find(|one| one["what"] == "the backbone nsfwjs").unwrap();
    assert_eq!(backbone["remedy"], "headstart setup --backbone nsfwjs --yes");
    let told = doctor(&s, &["--models", &models], &[]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    for part in [
        "ONNX Runtime",
        "cpu",
        "cuda",
        "nsfwjs",
        "missing:",
        "headstart setup --backbone nsfwjs --yes",
        &models,
    ] {
        assert!(told.stdout.contains(part), "{part}: {}", told.stdout);
    }
}

#[test]
fn doctor_finds_an_unusable_runtime_and_damaged_backbones() {
    let s = Sandbox::new();
    s.write("models/nsfwjs.onnx", b"no network");
    let library = s.write("broken.so", b"no library");
    let found = doctor(&s, &["--json"], &[("ORT_DYLIB_PATH", library.to_str().unwrap())]).value();
    assert_eq!((&found["runtime"], &found["devices"][0]["usable"]), (&Value::Null, &false.into()));
    let missing = found["missing"].as_array().unwrap();
    let of = |what: &str| {
        missing.iter().find(|one| one["what"] == what).unwrap_or_else(|| panic!("{what}: {found}"))
    };
    assert_eq!(of("ONNX Runtime")["remedy"], "headstart setup --yes");
    assert!(of("the backbone nsfwjs")["reason"].as_str().unwrap().contains("damaged"), "{found}");
}

#[test]
fn doctor_survives_settings_that_cannot_be_read() {
    let s = Sandbox::new();
    s.write("home/config.toml", b"backbone = ");
    let found = doctor(&s, &["--json"], &[("HEADSTART_HOME", &s.text("home"))]).value();
    are_documented("doctor", &found);
    assert_eq!(found["missing"][0]["what"], "the list of backbones", "{found}");
    assert!(found["missing"][0]["reason"].as_str().unwrap().contains("config.toml"), "{found}");
}

#[test]
fn a_bug_report_names_no_private_path() {
    let s = Sandbox::new();
    std::fs::create_dir_all(s.path("home of alice/secret project")).unwrap();
    let home = s.text("home of alice");
    let models = s.text("home of alice/secret project/models");
    let nothing =
        ["HEADSTART_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"].map(|name| (name, ""));
    let library = ("ORT_DYLIB_PATH", "/srv/acme corp/lib ort.so");
    let variables = [&nothing[..], &[("HOME", home.as_str()), ("USER", "alice"), library]].concat();
    let folder = s.path("x");
    let folder = folder.parent().unwrap().file_name().unwrap().to_str().unwrap();
    for form in [&["--json"][..], &[]] {
        let told = doctor(&s, &[&["--bug-report", "--models", &models], form].concat(), &variables);
        assert_eq!(told.code, 0, "{}", told.stderr);
        for private in ["alice", "secret", "acme", "corp", folder] {
            assert!(!told.stdout.contains(private), "{private}: {}", told.stdout);
        }
        assert!(told.stdout.contains("~/.cache/headstart"), "{}", told.stdout);
    }
    let open = doctor(&s, &["--models", &models], &variables).stdout;
    assert!(open.contains("home of alice/secret project") && open.contains("acme corp"), "{open}");
}

/// A cache of two classes.
fn cache() -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("ant", 30), ("bee", 24)]);
    assert_eq!(support::extract(&s, "in", "c", &["--split", "50/20/30"]).code, 0);
    s
}

#[test]
fn folds_are_summed_up_as_their_predictions_say() {
    let s = cache();
    s.json(&["train", "c", "--run", "folds", "--folds", "3", "--epochs", "4"]);
    let summed = s.json(&["evaluate", "folds"]);
    let runs = summed["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 3);
    // Each fold alone, as `evaluate` of it says, and all of them together.
    let (mut correct, mut images) = (0.0, 0);
    for run in runs {
        let alone = s.json(&["evaluate", run["run"].as_str().unwrap()]);
        for name in ["images", "accuracy", "interval", "macro_f1"] {
            assert_eq!(run[name], alone[name], "{name}");
        }
        correct += alone["accuracy"].as_f64().unwrap() * alone["images"].as_f64().unwrap();
        images += alone["images"].as_u64().unwrap();
    }
    assert_eq!(images, 54, "each image is tested once");
    let setting = &summed["settings"][0];
    assert_eq!(summed["settings"].as_array().unwrap().len(), 1);
    assert!((setting["interval"]["mean"].as_f64().unwrap() - correct / 54.0).abs() < 1e-12);
    assert_eq!(
        (&setting["interval"]["over"], &setting["interval"]["splits"]),
        (&"new_images_of_folds".into(), &3.into())
    );
    let supports: Vec<u64> = setting["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| class["support"].as_u64().unwrap())
        .collect();
    assert_eq!(supports, [30, 24]);
    let text = s.run(&["evaluate", "folds"]).stdout;
    assert!(text.contains("3 folds") && text.contains("all 3 folds together, 54 images"), "{text}");
}

#[test]
fn a_sweep_is_summed_up_by_its_settings_as_the_sweep_itself_said() {
    let s = cache();
    let swept =
        s.json(&["sweep", "c", "--runs", "lab", "--lr", "0.01,0.001", "--seeds", "3", "--epochs", "3"]);
    let summed = s.json(&["evaluate", "lab"]);
    let of = |all: &Value, key: &str, setting: &str| {
        let all = all["settings"].as_array().unwrap();
        assert_eq!(all.len(), 2);
        all.iter().find(|one| one[key].to_string().contains(setting)).unwrap().clone()
    };
    for lr in ["0.001", "0.01"] {
        let (here, there) = (of(&summed, "name", &format!("lr {lr}\"")), of(&swept, "lr", lr));
        assert_eq!(here["interval"], there["test_interval"]);
        assert_eq!(here["accuracy"], there["test_accuracy"]);
        assert_eq!(
            here["varied"],
            serde_json::json!({ "heads": 3, "splits": 1, "seeds": 3, "are_folds": false })
        );
    }
    let text = s.run(&["evaluate", "lab"]).stdout;
    assert!(
        text.contains("the mean of these 3 heads") && text.contains("only their first weights vary"),
        "{text}"
    );
    let refused = s.run(&["evaluate", "lab", "--tta"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    // With runs of another solver only what differs is named, and what is shared is said once.
    s.json(&["train", "c", "--run", "lab/exact", "--solver", "lbfgs", "--l2", "0.01"]);
    let text = s.run(&["evaluate", "lab"]).stdout;
    let mut named: Vec<&str> = text.lines().filter_map(|line| line.split("  ").next()).collect();
    named.retain(|name| name.starts_with("adam") || name.starts_with("lbfgs"));
    named.sort();
    assert_eq!(named, ["adam, l2 0, lr 0.001", "adam, l2 0, lr 0.01", "lbfgs, l2 0.01"], "{text}");
    assert_eq!(text.matches("all runs of adam: batch 32").count(), 1, "{text}");
    assert!(text.contains("all runs: backbone") && !text.contains("iterations"), "{text}");
}

#[test]
fn mistyped_names_are_told_with_the_nearest() {
    let s = cache();
    s.json(&["train", "c", "--run", "runs/first", "--epochs", "2"]);
    s.write("e.toml", b"title = \"t\"\n[[cache]]\nname = \"a\"\n[[run]]\nname = \"plain\"\ncahce = \"a\"\n");
    for (line, meant) in [
        ("train c --run n --epcohs 3", "--epochs"),
        ("train c --run n --solver lbgfs", "lbfgs"),
        ("train c --run n --use filp", "did you mean \"flip\"?"),
        ("train c --run n --schedule cosin", "did you mean \"cosine\"?"),
        ("train c --run n --stop-on acuracy", "did you mean \"accuracy\"?"),
        ("train c --run n --class-weights balaced", "did you mean \"balanced\"?"),
        ("train c --run n --class-weights Ant=2", "did you mean \"ant\"?"),
        ("train c --run n --threshold bees=precision>=0.9", "did you mean \"bee\"?"),
        ("train c --run n --threshold bee=precison>=0.9", "did you mean \"precision\"?"),
        ("train c --run n --epochs atuo", "did you mean \"auto\"?"),
        ("evaluate runs/frist", "did you mean runs/first?"),
        ("evaluate runs/first --split tset", "did you mean \"test\"?"),
        ("train C --run n", "did you mean c?"),
        ("sweep c --runs n --select flods", "did you mean \"folds\"?"),
        ("extract inn --cache n --backbone small.onnx", "did you mean in?"),
        ("extract in --cache n --backbone efficientnet-lite", "did you mean \"efficientnet-lite0\"?"),
        ("extract in --cache n --backbone small.onnx --layer PreLogit", "did you mean \"PreLogits\"?"),
        ("extract in --cache n --backbone small.onnx --augment rotat:10", "did you mean \"rotate\"?"),
        ("extract in --cache n --backbone small.onnx --preprocess imagnet", "did you mean \"imagenet\"?"),
        (
            "extract in --cache n --backbone small.onnx --preprocess imagenet,resize=bicubc",
            "did you mean \"bicubic\"?",
        ),
        ("data select in --classes ants --out n", "did you mean \"ant\"?"),
        ("data fetch lfw-deepfuneled --out n", "did you mean \"lfw-deepfunneled\"?"),
        ("cache export c --format parquett --out n", "did you mean \"parquet\"?"),
        ("experiment lfw1 --images in", "did you mean \"lfw10\"?"),
        ("experiment e.toml --images in --out n", "did you mean cache?"),
    ] {
        let told = s.run(&line.split(' ').collect::<Vec<_>>());
        assert!(told.code > 0, "{line}");
        assert!(told.stderr.contains(meant), "{line}: {}", told.stderr);
    }
}
