//! The bad inputs of the table that concern runs.

use super::{cut, cut_to, nothing};
use crate::error_table::How::AsNobody;
use crate::error_table::{Case, case};
use crate::support::{self, Sandbox, small_network};

pub(super) const RUNS: &[Case] = &[
    case("no such run", "evaluate missing", nothing),
    case("a folder that is not a run", "evaluate in", nothing),
    case("a mistyped run", "evaluate R", nothing),
    case("a folder of runs where one run is wanted", "evaluate runs --tta", |s| {
        s.json(&["train", "c", "--run", "runs/one", "--epochs", "2"]);
    }),
    case("a run over other things", "train c --run mine", |s| {
        drop(s.write("mine/thesis.tex", b"irreplaceable"))
    }),
    case("a run that shares its folder", "train c --run r", |s| {
        drop(s.write("r/notes.txt", b"irreplaceable"))
    }),
    case("a run in the current folder", "train c --run .", nothing),
    case("a sweep into a run", "sweep c --runs r", nothing),
    case("a sweep where a file is", "sweep c --runs small.onnx", nothing),
    case("a sweep over other things", "sweep c --runs . --lr 0.1,0.2", |s| {
        drop(s.write("lr=0.1/thesis.tex", b"irreplaceable"))
    }),
    case("limited memory without validation images", "train c --run new --memory 1GiB", |s| {
        support::extract(s, "in", "c", &["--split", "70/1/29"]);
    }),
    case(
        "a warm start of a sweep that has seen the test images",
        "sweep c --runs new --init r --resplit 3",
        nothing,
    ),
    case("a run where a file is", "train c --run small.onnx", nothing),
    case("a run where nothing may be written", "train c --run new", nothing).how(AsNobody),
    case("an unknown variant", "train c --run new --use none,spin", nothing),
    case("a family that the cache lacks", "train c --run new --use none,shift", nothing),
    case("a family that is not complete", "train c --run new --use none,flip", |s| {
        support::extract(s, "in", "c", &["--seed", "3"]);
    }),
    case("a warm start of another width", "train inner --run new --init r", |s| {
        support::extract(s, "in", "inner", &["--layer", "Mixed_5d"]);
    }),
    case("a warm start with other classes", "train c --run new --init r", |s| {
        std::fs::rename(s.path("in/ant"), s.path("in/wasp")).unwrap();
        support::extract(s, "in", "c", &[]);
    }),
    case("a warm start that has seen the test images", "train c --run new --init r", |s| {
        support::extract(s, "in", "c", &["--seed", "3"]);
    }),
    case("a damaged record", "evaluate r", |s| cut_to(s, "r/run.json", 30)),
    case("a damaged list of train images", "train c --run new --init r", |s| {
        cut(s, "r/train-images.parquet")
    }),
    case("damaged predictions", "evaluate r", |s| cut(s, "r/predictions.parquet")),
    case("a damaged head", "predict r in/ant/000.png", |s| cut_to(s, "r/head.safetensors", 20)),
    case("a network that was replaced", "predict mine in/ant/000.png", |s| {
        support::extract(s, "in", "d", &[]);
        s.json(&["train", &s.text("d"), "--run", &s.text("mine"), "--epochs", "1"]);
        s.write("small.onnx", &small_network::onnx(2));
    }),
    case("the train split", "evaluate r --split train", nothing),
    case("averages over variants that are not there", "evaluate r --tta", nothing),
    case("too few validation images for --reject", "predict r in/ant/000.png --reject 0.05", nothing),
    case(
        "too few validation images for --confidence",
        "evaluate r --reject 0.4 --confidence 0.9999999",
        nothing,
    ),
    case("a goal for a class that is not there", "train c --run new --threshold dog=recall>=0.9", nothing),
    case("a goal of more than all", "train c --run new --threshold ant=recall>=1.5", nothing),
    case("a goal that needs more images", "train c --run new --threshold ant=precision>=0.99", nothing),
    case("costs of other classes", "train c --run new --costs costs.csv", |s| {
        s.write("costs.csv", b"truth,ant,dog\nant,0,1\ndog,1,0\n");
    }),
    case("a cost that is not a number", "train c --run new --costs costs.csv", |s| {
        s.write("costs.csv", b"truth,ant,bee\nant,0,much\nbee,1,0\n");
    }),
    case("a rule of decision of a later version", "evaluate r", |s| {
        let mut record = s.record("r");
        record["decision"] = serde_json::json!({"schema": "decision-v9", "thresholds": []});
        s.write("r/run.json", record.to_string().as_bytes());
    }),
    case("strangers that are not there", "evaluate r --reject 0.4 --strangers none", nothing),
    case("strangers without an image", "evaluate r --reject 0.4 --strangers notes", |s| {
        s.write("notes/a.txt", b"no image");
    }),
    case("--reject on the validation split", "evaluate r --reject 0.4 --split validation", nothing),
    case("a run from before --reject", "predict r in/ant/000.png --reject 0.4", |s| {
        std::fs::remove_file(s.path("r/reject.safetensors")).unwrap();
    }),
    case("a damaged file of rejection distances", "evaluate r --reject 0.4", |s| {
        cut(s, "r/reject.safetensors")
    }),
    case(
        "a page of predictions among the files of a run",
        "predict r in/ant/000.png --html r/page.html",
        nothing,
    ),
    case("a page of predictions where another file is", "predict r in/ant/000.png --html mine.html", |s| {
        s.write("mine.html", b"irreplaceable");
    }),
    case("plots of a comparison without a page", "compare r r --plots plots", nothing),
    case("a report where another file is", "report r --out mine.html", |s| {
        s.write("mine.html", b"<html>my thesis</html>");
    }),
    case("a report where a folder is", "report r --out in", nothing),
    case("plots among the files of a run", "report r --out page.html --plots r/plots", nothing),
    case("tables among the files of a cache", "report r --tables c/features", nothing),
    case("a folder for plots that is a file", "report r --plots in/ant/000.png", nothing),
    case("a report on the train split", "report r --split train", nothing),
    case("a log directory where a file is", "tensorboard r --logdir small.onnx", nothing),
    case("a log directory that is a run", "tensorboard r --logdir r", nothing),
    case("a log directory with other things in a run's place", "tensorboard r --logdir board", |s| {
        began_in_2017(s, "r");
        s.write("board/2017-08-07_14-03-22-r/thesis.tex", b"irreplaceable");
    }),
    case("a projector without images", "tensorboard r --logdir board --projector --images gone", nothing),
    case(
        "a projector of a cache with other features by now",
        "tensorboard mine --logdir board --projector",
        |s| {
            support::extract(s, "in", "d", &[]);
            s.json(&["train", &s.text("d"), "--run", &s.text("mine"), "--epochs", "1"]);
            std::fs::remove_dir_all(s.path("d")).unwrap();
            support::extract(s, "in", "d", &["--crop", "0.5"]);
        },
    ),
    case("one run to compare", "compare r", nothing),
    case("runs with different labels for one image", "compare r renamed", |s| {
        std::fs::rename(s.path("in/ant"), s.path("in/wasp")).unwrap();
        support::extract(s, "in", "c", &[]);
        s.json(&["train", &s.text("c"), "--run", &s.text("renamed"), "--epochs", "1"]);
    }),
    case("runs without a common image", "compare r other", |s| {
        s.images("elsewhere", &[("fly", 20), ("wasp", 20)]);
        support::extract(s, "elsewhere", "d", &[]);
        s.json(&["train", &s.text("d"), "--run", &s.text("other"), "--epochs", "1"]);
    }),
    case("what to label next, where everything has a label", "suggest r", nothing),
    case("no image to label", "suggest r --n 0", nothing),
    case("an unknown way to rank images", "suggest r --by chance", nothing),
    case("a table of labels that would not be CSV", "suggest r --out new.txt", nothing),
    case("a table of labels over another file", "suggest r --out mine.csv", |s| {
        s.write("mine.csv", b"path,label\n");
    }),
    case("several labels with the solver lbfgs", "train several --run new --solver lbfgs --l2 0.1", several),
    case("several labels in a sweep", "sweep several --runs new --lr 0.1", several),
    case("a run on several labels to compare", "compare s r", |s| {
        several(s);
        s.json(&["train", &s.text("several"), "--run", &s.text("s"), "--epochs", "2"]);
    }),
    case(
        "weights of images with the solver lbfgs",
        "train weighted --run new --solver lbfgs --l2 0.1",
        |s| {
            let row = |i: usize| format!("in/ant/{i:03}.png,ant,2\nin/bee/{i:03}.png,bee,\n");
            let rows: String = (0..20).map(row).collect();
            s.write("weights.csv", format!("path,label,weight\n{rows}").as_bytes());
            support::extract(s, "weights.csv", "weighted", &[]);
        },
    ),
];

/// A cache `several` of images with several labels.
fn several(s: &Sandbox) {
    let row = |i: usize| {
        let labels = ["ant", "ant|small", "bee"][i % 3];
        format!("in/ant/{:03}.png,{labels}\nin/bee/{:03}.png,{labels}\n", i % 20, i % 20)
    };
    let rows: String = (0..20).map(row).collect();
    s.write("several.csv", format!("path,labels\n{rows}").as_bytes());
    support::extract(s, "several.csv", "several", &["--split", "60/20/20"]);
}

/// Gives a run another start: 14:03:22 on 7 August 2017.
fn began_in_2017(s: &Sandbox, run: &str) {
    let path = s.path(run).join("run.json");
    let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record["time"] = 1_502_114_602.into();
    std::fs::write(path, record.to_string()).unwrap();
}
