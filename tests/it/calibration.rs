//! Temperature scaling, open-set rejection (the answer `unknown`) and averages over variants, against other
//! implementations and on images of no class.

use crate::support::{self, Sandbox, picture, python, reference_data};
use headstart::data::decode::{decode, encode_png};
use headstart::data::pixels::Pixels;
use serde_json::Value;

const CLASSES: [&str; 3] = ["ant", "bee", "cat"];

/// A cache `c` of three classes with variants of all images, 42 of them for validation and 24 for the test. Of each class
/// one picture in `mixed` is one of the next class.
fn cache(mixed: usize) -> Sandbox {
    let s = Sandbox::new();
    for (i, class) in CLASSES.iter().enumerate() {
        for number in 0..40 {
            let shown = if number % mixed == mixed - 1 { CLASSES[(i + 1) % 3] } else { class };
            s.write(&format!("in/{class}/{number}.png"), &encode_png(&picture(shown, 100 * i + number)));
        }
    }
    let more =
        ["--augment", "flip", "--augment", "shift:9", "--augment-splits", "all", "--split", "45/35/20"];
    assert_eq!(support::extract(&s, "in", "c", &more).code, 0);
    s
}

fn train(s: &Sandbox, run: &str) {
    s.json(&["train", &s.text("c"), "--run", &s.text(run), "--use", "none", "--epochs", "30"]);
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn near(ours: &Value, theirs: &Value, by: f64) -> bool {
    (number(ours) - number(theirs)).abs() < by || (ours.is_null() && theirs.is_null())
}

#[test]
fn temperatures_averages_and_distances_agree_with_scipy_and_numpy() {
    let s = cache(4);
    train(&s, "r");
    let theirs: Value =
        serde_json::from_str(&python("calibration.py", &[&s.path("r"), &s.path("c"), "0.1".as_ref()]))
            .unwrap();
    println!("{theirs}");
    let plain = s.json(&["evaluate", &s.text("r"), "--reject", "0.1"]);
    let tta = s.json(&["evaluate", &s.text("r"), "--tta"]);
    for (ours, theirs) in [(&plain, &theirs["plain"]), (&tta, &theirs["tta"])] {
        assert_eq!((&ours["images"], ours["images"].as_u64()), (&theirs["images"], Some(24)));
        assert!(near(&ours["accuracy"], &theirs["accuracy"], 1e-12) && number(&ours["accuracy"]) < 1.0);
        let here = &ours["calibration"];
        let relative = number(&here["temperature"]) / number(&theirs["temperature"]) - 1.0;
        assert!(relative.abs() < 1e-5, "{here} {theirs}");
        for i in 0..2 {
            let (end, other) = (&here["temperature_interval"][i], &theirs["interval"][i]);
            assert!(near(end, other, 1e-4 * number(other)), "{end} {other}");
        }
        for (ece, loss, other) in
            [("ece_before", "loss_before", "before"), ("ece_after", "loss_after", "after")]
        {
            assert!(near(&here[ece], &theirs[other]["ece"], 1e-5), "{here} {theirs}");
            assert!(near(&here[loss], &theirs[other]["loss"], 1e-5), "{here} {theirs}");
        }
        assert!(near(&here["validation"]["ece_after"], &theirs["validation"]["ece"], 1e-5));
        let counts: Vec<&Value> = here["bins"].as_array().unwrap().iter().map(|bin| &bin["images"]).collect();
        assert_eq!(counts, theirs["after"]["bins"].as_array().unwrap().iter().collect::<Vec<_>>());
    }
    let reject = &theirs["reject"];
    assert!(number(&reject["orthonormal"]) < 1e-4 && number(&reject["means_off"]) < 1e-5, "{reject}");
    assert!(number(&reject["share_of_largest_variance"]) > 0.95, "{reject}");
    assert!(number(&reject["distances_off"]) < 1e-3, "{reject}");
    assert!(near(&plain["reject"]["threshold"], &reject["threshold"], 1e-3 * number(&reject["threshold"])));
    assert_eq!(plain["reject"]["unknown"], reject["unknown"]);
    assert_eq!(plain["reject"]["calibration_images"], 42);
}

#[test]
fn variants_of_held_out_images_are_averaged_when_asked_for_and_change_nothing_else() {
    let s = cache(4);
    train(&s, "with");
    let rest = |mut scores: Value| {
        for key in ["seconds", "tta"] {
            scores.as_object_mut().unwrap().remove(key);
        }
        scores
    };
    let plain = rest(s.json(&["evaluate", &s.text("with")]));
    let averaged = s.json(&["evaluate", &s.text("with"), "--tta"]);
    let names = ["none", "flip", "shift:-9:+0", "shift:+0:-9", "shift:+0:+9", "shift:+9:+0"];
    assert_eq!(averaged["tta"]["variants"], serde_json::json!(names));
    assert_eq!(averaged["tta"]["plain_accuracy"], plain["accuracy"]);
    let gained = number(&averaged["accuracy"]) - number(&plain["accuracy"]);
    assert!((number(&averaged["tta"]["difference"]) - gained).abs() < 1e-12, "{averaged}");
    // The same images without those variants: the same head, the same scores.
    support::extract(&s, "in", "d", &["--split", "45/35/20"]);
    std::fs::rename(s.path("c"), s.path("c-with")).unwrap();
    std::fs::rename(s.path("d"), s.path("c")).unwrap();
    train(&s, "without");
    let head = |run: &str| std::fs::read(s.path(run).join("head.safetensors")).unwrap();
    assert_eq!(head("with"), head("without"));
    assert_eq!(rest(s.json(&["evaluate", &s.text("without")])), plain);
    let compared = s.json(&["compare", &s.text("with"), &s.text("without")]);
    assert_eq!((&compared["images"], &compared["differences"][0]["difference"]), (&24.into(), &0.0.into()));
    s.run(&["evaluate", &s.text("without"), "--tta"])
        .fails(1, &["no variants to average over", "--augment-splits all"]);
    // A variant that one held-out image lacks is not averaged over.
    s.images("in", &[("dog", 40)]);
    std::fs::rename(s.path("c-with"), s.path("e")).unwrap();
    support::extract(&s, "in", "e", &["--augment", "flip", "--augment-splits", "all"]);
    s.json(&["train", &s.text("e"), "--run", &s.text("four"), "--use", "none", "--epochs", "2"]);
    let four = s.json(&["evaluate", &s.text("four"), "--tta"]);
    assert_eq!(
        (&four["tta"]["variants"], &four["images"]),
        (&serde_json::json!(["none", "flip"]), &32.into())
    );
}

#[test]
fn pictures_of_no_class_are_rejected_and_those_of_the_classes_rarely() {
    let s = cache(usize::MAX);
    train(&s, "r");
    let reported = s.json(&["evaluate", &s.text("r"), "--reject", "0.1"]);
    let (unknown, low) = (number(&reported["reject"]["unknown"]), number(&reported["reject"]["interval"][0]));
    assert!(low <= 0.1 && (unknown / 24.0 - number(&reported["reject"]["rate"])).abs() < 1e-12, "{reported}");
    for number in 0..4 {
        let stripes = (0..64 * 48 * 3).map(|i| if (i / 24 + number) % 2 == 0 { 0 } else { 255 }).collect();
        s.write(&format!("new/{number}.png"), &encode_png(&Pixels::new(64, 48, stripes)));
    }
    let paths: Vec<String> = (0..4).map(|i| s.text(&format!("new/{i}.png"))).collect();
    let mut args = vec!["predict", "r", "in/ant/0.png"];
    args.extend(paths.iter().map(String::as_str));
    args.extend(["--reject", "0.1"]);
    let answers = s.json(&args);
    for answer in &answers.as_array().unwrap()[1..] {
        assert_eq!(answer["unknown"], true, "{answer}");
        assert!(number(&answer["p_value"]) <= 0.1 && answer["predictions"].as_array().unwrap().len() == 3);
    }
    let output = s.run(&args);
    assert_eq!(
        (output.code, output.stdout.matches("unknown: ").count() >= 4),
        (0, true),
        "{}",
        output.stdout
    );
    // Without it nothing is judged.
    assert!(s.json(&args[..args.len() - 2])[1].get("unknown").is_none());
    // A file that cannot be used is not judged either, and the distance does not depend on ALPHA.
    s.write("bad.png", b"no");
    let rows = s.run(&["predict", "r", "bad.png", "in/ant/0.png", "--reject", "0.5", "--json"]);
    assert_eq!((rows.code, rows.value()[0].get("unknown")), (3, None));
    assert_eq!(rows.value()[1]["score"], answers[0]["score"]);
    assert_eq!(rows.value()[1]["p_value"], answers[0]["p_value"]);
}

#[test]
fn a_confidence_makes_rejection_rarer_and_says_what_it_guarantees() {
    let s = cache(usize::MAX);
    train(&s, "r");
    let evaluate = |more: &[&str]| s.json(&[&["evaluate", "r", "--reject", "0.2"], more].concat());
    let (plain, sure) = (evaluate(&[]), evaluate(&["--confidence", "0.9"]));
    let threshold = |scores: &Value| number(&scores["reject"]["threshold"]);
    assert!(threshold(&sure) > threshold(&plain), "{} {}", plain["reject"], sure["reject"]);
    assert_eq!((&sure["reject"]["confidence"], plain["reject"].get("confidence")), (&0.9.into(), None));
    let text = |more: &[&str]| s.run(&[&["evaluate", "r", "--reject", "0.2"], more].concat()).stdout;
    let said = text(&[]);
    assert!(said.starts_with("rejected as unknown: ") && said.contains(" of 24 images, "), "{said}");
    assert!(
        said.contains("at most 20.0 % of known images on average over choices of the validation images"),
        "{said}"
    );
    let said = text(&["--confidence", "0.9"]);
    assert!(said.contains("at most 20.0 % of known images, with a confidence of 90.0 %"), "{said}");
    // ln(1 - 0.95) / ln(1 - 0.05) = 58.4; with 42 images 1 - 0.05^(1 / 42) = 0.0689 is possible.
    let few = ["evaluate", "r", "--reject", "0.05", "--confidence", "0.95"];
    s.run(&few)
        .fails(2, &["with --confidence 0.95 needs 59 validation images", "use --reject 0.069 or more"]);
    assert!(s.run(&["evaluate", "r", "--reject", "0.069", "--confidence", "0.95"]).code == 0);
    s.run(&["evaluate", "r", "--reject", "0.2", "--confidence", "1"])
        .fails(2, &["--confidence must be above 0 and below 1"]);
    s.run(&["predict", "r", "in/ant/0.png", "--confidence", "0.9"]).fails(2, &["--reject"]);
}

#[test]
fn strangers_are_told_from_test_images() {
    let s = cache(usize::MAX);
    train(&s, "r");
    for number in 0..12 {
        let stripes = (0..64 * 48 * 3).map(|i| if (i / 24 + number) % 2 == 0 { 0 } else { 255 }).collect();
        let folder = if number % 2 == 0 { "far" } else { "far/deep" };
        s.write(&format!("{folder}/{number}.png"), &encode_png(&Pixels::new(64, 48, stripes)));
        s.write(&format!("near/{number}.png"), &encode_png(&picture(CLASSES[number % 3], 7000 + number)));
    }
    let evaluate = |folder: &str| {
        s.json(&["evaluate", "r", "--reject", "0.1", "--strangers", folder])["strangers"].clone()
    };
    let agree = |ours: &Value, theirs: &Value| near(ours, theirs, 1e-6);
    let (far, alike) = (evaluate("far"), evaluate("near"));
    assert_eq!((&far["images"], &far["known_images"], &far["unknown"]), (&12.into(), &24.into(), &12.into()));
    assert_eq!(far["roc"]["area"], 1.0);
    // New images of the classes are no strangers at all.
    assert!(
        number(&alike["roc"]["interval"][0]) < 0.5 && number(&alike["roc"]["interval"][1]) > 0.5,
        "{alike}"
    );
    // The area is that of all pairs of distances, by the scores that `predict` gives.
    let score = |path: String| number(&s.json(&["predict", "r", &path, "--reject", "0.1"])[0]["score"]);
    let of_near: Vec<f64> = (0..12).map(|i| score(format!("near/{i}.png"))).collect();
    let theirs: Value = serde_json::from_str(&python(
        "roc.py",
        &[&s.path("r"), serde_json::to_string(&of_near).unwrap().as_ref()],
    ))
    .unwrap();
    assert!(agree(&alike["roc"]["area"], &theirs["area"]), "{alike} {theirs}");
    assert!(
        (0..2).all(|end| agree(&alike["roc"]["interval"][end], &theirs["interval"][end])),
        "{alike} {theirs}"
    );
    let text = s.run(&["evaluate", "r", "--reject", "0.1", "--strangers", "far"]).stdout;
    assert!(
        text.contains("strangers: 12 of 12 rejected") && text.contains("area under the ROC curve"),
        "{text}"
    );
    // A file that is no image is refused, and a folder without images is an error.
    s.write("far/note.txt", b"no image");
    assert_eq!(s.run(&["evaluate", "r", "--reject", "0.1", "--strangers", "far"]).code, 3);
    s.write("empty/note.txt", b"no image");
    let strangers =
        |folder: &'static str| s.run(&["evaluate", "r", "--reject", "0.1", "--strangers", folder]);
    strangers("empty").fails(1, &["empty: no image in it can be used"]);
    strangers("none").fails(1, &["none: no such folder of images"]);
    s.run(&["evaluate", "r", "--strangers", "far"]).fails(2, &["--reject"]);
}

#[test]
fn predict_uses_a_temperature_that_differs_significantly_from_one() {
    let s = cache(4);
    train(&s, "r");
    let path = s.path("r/run.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let mut probabilities = |low: f64, high: Option<f64>| -> Vec<f64> {
        record["temperature"] = serde_json::json!({"value": 2.0, "low": low, "high": high, "images": 9});
        std::fs::write(&path, record.to_string()).unwrap();
        let answers = s.json(&["predict", "r", "in/ant/0.png"]);
        let ranked = answers[0]["predictions"].as_array().unwrap();
        ranked.iter().map(|p| number(&p["probability"])).collect()
    };
    let plain = probabilities(0.9, None);
    let total: f64 = plain.iter().map(|p| p.sqrt()).sum();
    let softened = probabilities(1.1, None);
    for (before, after) in plain.iter().zip(&softened) {
        assert!((before.sqrt() / total - after).abs() < 1e-9, "{plain:?} {softened:?}");
    }
}

#[test]
fn a_run_from_before_temperatures_and_distances_is_still_read() {
    let s = cache(4);
    train(&s, "r");
    let path = s.path("r/run.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record.as_object_mut().unwrap().remove("temperature").unwrap();
    std::fs::write(&path, record.to_string()).unwrap();
    std::fs::remove_file(s.path("r/reject.safetensors")).unwrap();
    let reported = s.json(&["evaluate", &s.text("r")]);
    assert_eq!(
        (&reported["calibration"]["temperature"], &reported["calibration"]["applied"]),
        (&Value::Null, &false.into())
    );
    assert_eq!(reported["calibration"]["ece_before"], reported["calibration"]["ece_after"]);
    assert_eq!(s.json(&["predict", "r", "in/ant/0.png"])[0]["predictions"].as_array().unwrap().len(), 3);
    for command in [
        ["evaluate", "r", "--reject", "0.1"].as_slice(),
        &["predict", "r", "in/ant/0.png", "--reject", "0.1"],
    ] {
        s.run(command).fails(1, &["reject.safetensors: it is missing", "help: train again"]);
    }
}

#[test]
fn pictures_of_objects_are_rejected_by_a_classifier_of_faces() {
    let test = "pictures_of_objects_are_rejected_by_a_classifier_of_faces";
    let Some(objects) = reference_data(test, "data/objects") else { return };
    let Some(people) = reference_data(test, "data/lfw10") else { return };
    let s = Sandbox::new();
    for person in ["Ariel_Sharon", "Hugo_Chavez", "Junichiro_Koizumi"] {
        std::fs::create_dir_all(s.path("in").join(person)).unwrap();
        let mut files: Vec<_> =
            std::fs::read_dir(people.join(person)).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for file in &files[..24] {
            std::os::unix::fs::symlink(file, s.path("in").join(person).join(file.file_name().unwrap()))
                .unwrap();
        }
    }
    s.json(&["extract", &s.text("in"), "--cache", &s.text("c"), "--split", "50/40/10"]);
    s.json(&["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "20"]);
    let mut objects: Vec<String> = std::fs::read_dir(objects)
        .unwrap()
        .map(|e| e.unwrap().path().to_str().unwrap().to_string())
        .collect();
    objects.sort();
    let run = s.text("r");
    let mut args = vec!["predict", &run];
    args.extend(objects.iter().map(String::as_str));
    args.extend(["--reject", "0.05"]);
    let answers = s.json(&args);
    println!("{answers}");
    let unknown = answers.as_array().unwrap().iter().filter(|answer| answer["unknown"] == true).count();
    assert!(unknown + 1 >= objects.len(), "{unknown} of {}: {answers}", objects.len());
}

#[test]
fn a_picture_in_two_splits_is_counted_where_accuracy_is_said() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 20), ("bee", 20)]);
    // Every picture of one class once more, as another file with the same pixels.
    for n in 0..20 {
        let bytes = std::fs::read(s.path(&format!("in/ant/{n:03}.png"))).unwrap();
        let at = bytes.len() - 12;
        // A text chunk before the last one: its length, its type, its content, its checksum.
        let chunk = [&[0, 0, 0, 3][..], b"tEXta\0b", &png_checksum(b"tEXta\0b")].concat();
        s.write(&format!("in/ant/again-{n:03}.png"), &[&bytes[..at], &chunk, &bytes[at..]].concat());
    }
    let extracted = crate::support::extract(&s, "in", "c", &["--split", "40/20/40"]);
    assert_eq!(extracted.code, 0, "{}", extracted.stderr);
    for more in [&[][..], &["--memory", "1MiB"]] {
        let trained = crate::support::train(&s, "r", &[&["--epochs", "2"], more].concat());
        let test = trained["same_pictures"]["test"].as_u64().unwrap();
        assert!(test > 0 && trained["same_pictures"]["validation"].as_u64() > Some(0), "{trained}");
        assert_eq!(s.json(&["evaluate", &s.text("r")])["same_pictures"], test);
        let said = s.run(&["evaluate", &s.text("r")]).stdout;
        let images = s.json(&["evaluate", &s.text("r")])["images"].clone();
        assert!(
            said.contains(&format!("(cosine distance 0), which raises the accuracy: {test} of {images}")),
            "{said}"
        );
    }
    let page = s.run(&["report", &s.text("r")]);
    assert_eq!(page.code, 0, "{}", page.stderr);
    let page = std::fs::read_to_string(s.path("r/report.html")).unwrap();
    assert!(
        page.contains("of these images are the same picture as one of another split"),
        "the page says it too"
    );
    let folds = s.run(&["train", &s.text("c"), "--run", &s.text("f"), "--folds", "3", "--epochs", "2"]);
    assert!(folds.stderr.contains("the same picture in two splits"), "{}", folds.stderr);
}

/// The checksum of a PNG chunk (CRC-32, ISO 3309).
fn png_checksum(bytes: &[u8]) -> [u8; 4] {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    };
    (!bytes.iter().fold(u32::MAX, step)).to_be_bytes()
}

#[test]
fn a_photograph_saved_anew_without_loss_has_the_same_features() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 2), ("bee", 3)]);
    let photograph = std::fs::read(support::root().join("tests/fixtures/baseline.jpg")).unwrap();
    s.write("in/ant/photograph.jpg", &photograph);
    s.write("in/ant/photograph.png", &encode_png(&decode(&photograph).unwrap()));
    assert_eq!(support::extract(&s, "in", "c", &["--split", "100/0/0"]).code, 0);
    let rows = s.rows("c");
    let all: Vec<Vec<u32>> = rows
        .embeddings
        .chunks(rows.width)
        .map(|row| row.iter().map(|value| value.to_bits()).collect())
        .collect();
    let distinct: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (7, 6), "only the photograph is there twice");
}
