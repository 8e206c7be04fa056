//! What would break for someone who fits many heads, or fits them over other splits.

use crate::support::{self, Sandbox, python, small_network, train};
use headstart::data::augment::Variant;
use headstart::data::dataset::Split;
use headstart::head::{FitConfig, SoftmaxRegression};
use headstart::train::TrainingSet;
use linfa::traits::{Fit, Predict};
use serde_json::Value;
use std::collections::BTreeSet;

/// A cache `c` of three classes that differ in colour, with mirrored variants.
pub(crate) fn cache() -> Sandbox {
    support::cache(&["--augment", "flip"])
}

#[test]
fn every_head_of_a_sweep_equals_that_of_train_for_any_number_of_threads() {
    let s = cache();
    let grid = ["--lr", "0.01,0.3", "--l2", "0,0.1", "--seeds", "2", "--use", "none", "--use", "none,flip"];
    let args = ["--epochs", "6", "--patience", "2", "--standardize", "--schedule", "cosine"];
    let select = ["--select", "validation"];
    let reported = s.json(
        &[&["sweep", &s.text("c"), "--runs", &s.text("lab")], &select[..], &grid[..], &args[..]].concat(),
    );
    assert_eq!(
        (reported["heads"].as_array().unwrap().len(), reported["settings"].as_array().unwrap().len()),
        (16, 8)
    );
    let alone = ["--seed", "1", "--shuffle-seed", "0", "--lr", "0.3", "--l2", "0.1", "--threads", "1"];
    let trained = train(&s, "alone", &[&alone[..], &args[..], &["--use", "none,flip"]].concat());
    let name = "lab/none,flip_lr=0.3_l2=0.1_seed=1";
    assert_eq!(s.head("alone"), s.head(name));
    let mut records = ["alone", name].map(|run| s.record(run));
    for record in &mut records {
        let record = record.as_object_mut().unwrap();
        for timed in ["time", "seconds"] {
            record.remove(timed);
        }
        for epoch in record["history"].as_array_mut().unwrap() {
            epoch.as_object_mut().unwrap().remove("seconds");
        }
    }
    assert_eq!(records[0], records[1]);
    for file in ["predictions.parquet", "reject.safetensors"] {
        let read = |run: &str| std::fs::read(s.path(run).join(file)).unwrap();
        assert!(read("alone") == read(name), "{file}");
    }
    let heads = reported["heads"].as_array().unwrap();
    let own = heads.iter().find(|head| head["run"].as_str().unwrap().ends_with(name)).unwrap();
    assert_eq!((&own["validation"], &own["best_epoch"]), (&trained["validation"], &trained["best_epoch"]));
    assert_eq!(own["test_accuracy"], s.json(&["evaluate", &s.text(name)])["accuracy"]);
    // The best is the best, and the table is over the seeds.
    let loss = |head: &Value| head["validation"]["loss"].as_f64().unwrap();
    let least = heads.iter().min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap();
    assert_eq!(reported["best"], least["run"]);
    let first = &reported["settings"][0];
    let same = |head: &&Value| ["use", "lr", "l2"].iter().all(|key| head[key] == first[key]);
    let losses: Vec<f64> = heads.iter().filter(same).map(loss).collect();
    assert_eq!(losses.len(), 2);
    let mean = losses.iter().sum::<f64>() / 2.0;
    assert!((first["validation_loss"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
}

#[test]
fn a_sweep_reports_heads_that_fail_and_continues() {
    let s = cache();
    let args = ["sweep", &s.text("c"), "--runs", &s.text("lab"), "--lr", "0.01,1e38", "--epochs", "2"];
    let output = s.run(&args);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(
        output.stderr.contains("lr=100000000000000000000000000000000000000: the loss is not a number"),
        "{}",
        output.stderr
    );
    assert!(output.stdout.contains("1 head in") && output.stdout.contains("failed"), "{}", output.stdout);
    assert!(s.path("lab/lr=0.01/run.json").exists());
    let args = ["sweep", &s.text("c"), "--runs", &s.text("lab"), "--lr", "0.01,0.01"];
    s.run(&args).fails(2, &["two heads would be the same"]);
    s.run(&["sweep", &s.text("c"), "--runs", &s.text("lab/lr=0.01")])
        .fails(1, &["the folder is a run itself"]);
    s.run(&["sweep", &s.text("c"), "--runs", &s.text("x"), "--seeds", "0"])
        .fails(2, &["there is no head to fit"]);
}

#[test]
fn folds_test_every_image_once_and_variants_follow_their_image() {
    let s = cache();
    support::extract(&s, "in", "c", &["--augment", "flip", "--augment-splits", "all"]);
    let summary = train(&s, "folds", &["--folds", "5", "--epochs", "3", "--use", "none,flip"]);
    assert_eq!(
        (&summary["settings"][0]["test_interval"]["images"], summary["heads"].as_array().unwrap().len()),
        (&140.into(), 5)
    );
    let mut tested = BTreeSet::new();
    for fold in 1..=5 {
        let run = format!("folds/fold={fold}");
        let reported = s.record(&run);
        assert_eq!(
            (reported["division"]["fold"]["number"].as_u64(), reported["division"]["fold"]["folds"].as_u64()),
            (Some(fold), Some(5))
        );
        let rows = headstart::run::StoredRun::open(&s.path(&run)).unwrap().predictions().unwrap();
        let held_out: BTreeSet<_> = rows.iter().map(|row| row.image_sha256).collect();
        let seen = headstart::run::StoredRun::open(&s.path(&run)).unwrap().trained_on().unwrap();
        assert!(
            held_out.iter().all(|image| !seen.contains(image)),
            "no variant of a held-out image is trained on"
        );
        assert_eq!(
            (seen.len() + held_out.len(), reported["train_rows"].as_u64()),
            (140, Some(2 * seen.len() as u64))
        );
        let (own, apart): (Vec<_>, Vec<_>) =
            rows.iter().filter(|row| row.split == Split::Test).partition(|row| row.variant == Variant::None);
        for row in &own {
            assert!(tested.insert(row.image_sha256), "an image is tested once");
        }
        assert!(apart.len() == own.len() && apart.iter().all(|row| row.variant == Variant::Flip));
        // And each can be trusted as far as any other run.
        assert!(reported["temperature"]["value"].as_f64().is_some(), "{reported}");
        let scores = s.json(&["evaluate", &s.text(&run), "--reject", "0.2"]);
        assert_eq!((&scores["images"], scores["reject"]["rate"].is_number()), (&own.len().into(), true));
        let averaged = s.json(&["evaluate", &s.text(&run), "--tta"]);
        assert_eq!(averaged["tta"]["variants"], serde_json::json!(["none", "flip"]));
        let head = &summary["heads"][fold as usize - 1];
        assert_eq!(head["test_accuracy"], scores["accuracy"]);
    }
    assert_eq!(tested.len(), 140);
}

#[test]
fn a_resplit_applies_to_one_run_and_sweeps_repeat_it() {
    let s = cache();
    train(&s, "own", &["--epochs", "2", "--use", "none"]);
    train(&s, "other", &["--epochs", "2", "--use", "none", "--resplit", "1", "--shuffle-seed", "0"]);
    assert_eq!(s.record("other")["division"]["resplit"]["seed"], 1);
    assert!(s.record("own").get("division").is_none());
    assert_ne!(s.head("own"), s.head("other"));
    // It is the split that extract makes of that seed.
    support::extract(&s, "in", "d", &["--seed", "1"]);
    let args = ["--epochs", "2", "--use", "none"];
    s.json(&[&["train", &s.text("d"), "--run", &s.text("extracted")], &args[..]].concat());
    assert_eq!(s.head("extracted"), s.head("other"));
    let reported = s.json(&[
        "sweep",
        &s.text("c"),
        "--runs",
        &s.text("lab"),
        "--resplit",
        "1,2,3",
        "--use",
        "none",
        "--epochs",
        "2",
        "--jobs",
        "2",
    ]);
    let setting = &reported["settings"][0];
    assert_eq!(
        (&setting["test_accuracy"]["n"], &setting["test_interval"]["over"]),
        (&3.into(), &"new_splits".into())
    );
    assert_eq!(reported["best"], Value::Null, "heads of different splits are not compared");
    assert_eq!(s.head("lab/split=1"), s.head("other"));
    // Mirror images are there for the cache's own train images alone.
    s.run(&["train", &s.text("c"), "--run", &s.text("x"), "--resplit", "1", "--use", "none,flip"])
        .fails(1, &["of 98 train images"]);
}

#[test]
fn a_warm_start_gives_new_classes_fresh_rows() {
    let s = Sandbox::new();
    s.images("two", &[("ant", 40), ("cat", 60)]);
    support::extract(&s, "two", "c2", &[]);
    s.json(&["train", &s.text("c2"), "--run", &s.text("two-run"), "--epochs", "20"]);
    s.images("in", &[("ant", 40), ("bee", 40), ("cat", 60)]);
    support::extract(&s, "in", "c", &[]);
    let still = ["--lr", "1e-30", "--epochs", "1", "--seed", "5"];
    train(&s, "warm", &[&["--init", &s.text("two-run")], &still[..]].concat());
    train(&s, "fresh", &still);
    let read = |run: &str| headstart::head::load(&s.path(run).join("head.safetensors")).unwrap().head;
    let (old, warm, fresh) = (read("two-run"), read("warm"), read("fresh"));
    let row = |head: &headstart::head::Head, i: usize| head.output().weight_of(i).to_vec();
    assert_eq!((row(&warm, 0), row(&warm, 2)), (row(&old, 0), row(&old, 1)));
    assert_eq!(row(&warm, 1), row(&fresh, 1));
    assert!(warm.output().bias()[1].abs() < 1e-20 && old.output().bias()[1] == warm.output().bias()[2]);
    s.run(&["train", &s.text("c2"), "--run", &s.text("x"), "--init", &s.text("warm")])
        .fails(1, &["its classes are ant, bee, cat, not ant, cat or some of them"]);
}

#[test]
fn every_setting_of_a_fit_follows_its_formula_in_numpy() {
    let s = cache();
    let cache = s.text("c");
    let still = ["--epochs", "1", "--batch", "1000", "--lr", "1e-30", "--use", "none"];
    s.json(&[&["train", &cache, "--run", &s.text("start")], &still[..]].concat());
    for (name, more) in [
        ("plain", "--l2 0.05"),
        ("smooth", "--label-smoothing 0.2"),
        ("balanced", "--class-weights balanced"),
        ("given", "--class-weights ant=3,cat=0.25"),
        ("linear", "--schedule linear"),
        ("cosine", "--schedule cosine --l2 0.01"),
        ("scaled", "--standardize --l2 0.01"),
        ("all", "--standardize --schedule cosine --class-weights balanced --label-smoothing 0.1 --l2 0.02"),
    ] {
        let run = s.text(name);
        let start = s.text("start");
        let args = ["train", &cache, "--run", &run, "--init", &start, "--use", "none"];
        let batch = ["--epochs", "100", "--patience", "100", "--batch", "1000", "--lr", "0.003"];
        let more: Vec<&str> = more.split(' ').collect();
        s.json(&[&args[..], &batch[..], &more[..]].concat());
        let text = python("controls.py", &[&s.path("start"), &s.path(name), &s.path("c")]);
        let output: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(output["steps"], 100);
        let of = |key: &str| output[key].as_f64().unwrap();
        assert!(of("largest_loss_difference") < 1e-5, "{name}: {output}");
        assert!(of("largest_weight_difference") < 1e-5, "{name}: {output}");
    }
}

#[test]
fn the_rows_of_a_split_are_those_that_train_uses() {
    let s = cache();
    train(&s, "r", &["--epochs", "2"]);
    let set = TrainingSet::open(&s.path("c")).unwrap();
    assert_eq!(set.classes(), ["ant", "bee", "cat"]);
    let [fit, validation, test] = Split::ALL.map(|split| set.rows(split).unwrap());
    assert_eq!(fit.features.dim(), (2 * 98, small_network::WIDTH));
    assert_eq!([fit.targets.len(), validation.targets.len(), test.targets.len()], [2 * 98, 7, 35]);
    // Features in the order of keys, as the cache holds them.
    let stored = s.rows("c");
    let of = |key| stored.keys.iter().position(|own| own == key).unwrap() * stored.width;
    for (key, row) in test.keys.iter().zip(test.features.rows()) {
        assert_eq!(row.to_vec(), stored.embeddings[of(key)..of(key) + stored.width]);
    }
    assert!(fit.keys.is_sorted() && test.keys.iter().all(|key| key.variant == Variant::None));
    // The class indexes are those of the run.
    let predicted = headstart::run::StoredRun::open(&s.path("r")).unwrap().predictions().unwrap();
    for (key, &target) in test.keys.iter().zip(&test.targets) {
        let row = predicted.iter().find(|row| row.image_sha256 == key.image_sha256).unwrap();
        assert_eq!((row.split, &row.label), (Split::Test, &set.classes()[target]));
    }
    // Other variants and other splits, and any estimator takes them.
    let plain = ["none".to_string()];
    let folds = headstart::data::dataset::Resplit::folds(5, 0).unwrap();
    let of_fold = |split, fold| set.rows_with(split, Some(&plain), Some(fold)).unwrap();
    let tested: usize = folds.iter().map(|&fold| of_fold(Split::Test, fold).targets.len()).sum();
    assert_eq!((tested, of_fold(Split::Train, folds[0]).keys.len() < 112), (140, true));
    let data = linfa::Dataset::new(fit.features, fit.targets);
    let mut config = FitConfig::default();
    config.epochs = 20;
    let head = SoftmaxRegression::new(config).fit(&data).unwrap();
    let answers = head.predict(&test.features);
    assert!(answers.iter().zip(&test.targets).filter(|(a, b)| a == b).count() > 30);
    assert!(set.rows_with(Split::Train, Some(&["turn".to_string()]), None).is_err());
}

#[test]
fn means_with_intervals_agree_with_scipy() {
    let mut all = Vec::new();
    for n in [2usize, 3, 4, 7, 20, 33] {
        let values: Vec<f64> = (0..n).map(|i| 0.5 + 0.1 * ((i * i) as f64).sin()).collect();
        let own = headstart::metrics::mean_with_interval(&values).unwrap();
        all.push(serde_json::json!({ "values": values, "own": own }));
    }
    let s = Sandbox::new();
    let path = s.write("repeats.json", serde_json::to_string(&all).unwrap().as_bytes());
    let error: f64 = python("repeats.py", &[&path]).trim().parse().unwrap();
    assert!(error < 1e-9, "{error}");
}

#[test]
fn intervals_of_a_sweep_say_what_they_speak_of() {
    let s = cache();
    let sweep = |more: &[&str]| {
        let args = ["sweep", &s.text("c"), "--runs", &s.text("lab"), "--epochs", "2", "--use", "none"];
        let output = s.run(&[&args[..], more].concat());
        assert_eq!(output.code, 0, "{}", output.stderr);
        output.stdout
    };
    // Seeds of one split share its images: their interval is about that of one head.
    let one = s.json(&["sweep", &s.text("c"), "--runs", &s.text("one"), "--epochs", "1", "--seeds", "6"]);
    let of = &one["settings"][0];
    let [low, high, mean] = [
        &of["test_interval"]["interval"][0],
        &of["test_interval"]["interval"][1],
        &of["test_accuracy"]["mean"],
    ]
    .map(|number| number.as_f64().unwrap());
    let images = of["test_interval"]["images"].as_u64().unwrap() as f64;
    assert!(low < mean && mean < high && high <= 1.0, "{of}");
    // No narrower than six heads that err independently of one another.
    assert!(high - low > 1.5 * (mean * (1.0 - mean) / images / 6.0).sqrt(), "{of}");
    assert_eq!(of["test_interval"]["over"], "new_images");

    let seeds = sweep(&["--seeds", "3", "--l2", "0,0.1"]);
    for part in [
        "+- first weights",
        "for new images and the mean of these 3 heads",
        "only their first weights vary",
        "best loss over folds within the train images of 6 heads (chosen by",
        "loss in folds",
    ] {
        assert!(seeds.contains(part), "{part}: {seeds}");
    }
    assert!(!seeds.contains("+- splits"), "{seeds}");
    let splits = sweep(&["--resplit", "1,2", "--lr", "0.01,0.1"]);
    for part in [
        "+- splits",
        "for new splits",
        "best mean loss over folds within the train images of 2 settings over the same splits",
        ": use none, lr 0.",
    ] {
        assert!(splits.contains(part), "{part}: {splits}");
    }
    assert!(!splits.contains("lab/"), "no single head is the best: {splits}");
    let folds = sweep(&["--folds", "3"]);
    assert!(folds.contains("of all 3 folds together, 140 images") && !folds.contains("best"), "{folds}");
}
