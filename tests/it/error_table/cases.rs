//! The bad inputs of the table: what is typed, and how the working cache and run are spoilt before.

use super::How::*;
use super::manifest_cases::MANIFESTS;
use super::{Case, case, permit};
use crate::support::{self, Sandbox, picture, small_network};
use headstart::backbone::registry::registry;
use headstart::cache::{CacheWriter, FeatureCache, FeatureRows, Key, Spec};
use headstart::data::augment::Variant;
use headstart::data::decode::encode_png;
use headstart::data::pixels::Pixels;
use std::collections::BTreeMap;

const NEW: &str = "extract in --cache new --backbone small.onnx";
const STRETCH: &str = "extract in --cache new --backbone small.onnx --stretch-16bit 16";
const TRY: &str = "experiment e.toml --images in --out new";
const AGAIN: &str = "extract in --cache c --backbone small.onnx";

/// Folders of images and files in them.
const IMAGES: &[Case] = &[
    case("no such folder", "extract missing --cache new --backbone small.onnx", nothing),
    case("an empty folder", "extract empty --cache new --backbone small.onnx", |s| {
        std::fs::create_dir(s.path("empty")).unwrap();
    }),
    case("a file instead of a folder", "extract in/ant/000.png --cache new --backbone small.onnx", nothing),
    case(
        "a link that leads nowhere instead of a folder",
        "extract link --cache new --backbone small.onnx",
        |s| {
            std::os::unix::fs::symlink("nowhere", s.path("link")).unwrap();
        },
    ),
    case("a cache at a link that leads nowhere", "extract in --cache link --backbone small.onnx", |s| {
        std::os::unix::fs::symlink("nowhere", s.path("link")).unwrap();
    }),
    case("a run below a file", "train c --run small.onnx/run", nothing),
    case("images without class folders", "extract in/ant --cache new --backbone small.onnx", nothing),
    case("nothing but other files", "extract texts --cache new --backbone small.onnx", |s| {
        s.write("texts/a/b.txt", b"words");
    }),
    case("one class", "train one --run new", |s| {
        s.images("single", &[("ant", 30)]);
        support::extract(s, "single", "one", &[]);
    }),
    case("a class with one image", "train few --run new", |s| {
        s.images("small", &[("ant", 1), ("bee", 6)]);
        support::extract(s, "small", "few", &[]);
    }),
    case("files that cannot be used", NEW, |s| {
        let whole = encode_png(&picture("ant", 90));
        s.write("in/ant/cut short.png", &whole[..whole.len() / 2]);
        s.write("in/ant/empty.jpg", b"");
        s.write("in/ant/text.png", b"not an image");
        s.write("in/ant/wrong extension.jpg", &encode_png(&picture("ant", 91)));
        s.write("in/bee/same bytes.png", &encode_png(&picture("ant", 0)));
        std::os::unix::fs::symlink("nowhere", s.path("in/bee/broken link.png")).unwrap();
        std::fs::create_dir(s.path("in/cat")).unwrap();
        let mut huge = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
        huge.extend([30_000i32.to_le_bytes(), 30_000i32.to_le_bytes()].concat());
        huge.extend(b"\x01\0\x18\0");
        huge.resize(60, 0);
        s.write("in/bee/huge.bmp", &huge);
    })
    .writes(&["new**"]),
    case("images that are not whole, and files of other kinds", NEW, |s| {
        let jpeg = std::fs::read(crate::support::root().join("tests/fixtures/baseline.jpg")).unwrap();
        s.write("in/ant/half.jpg", &[&jpeg[..jpeg.len() / 2], b"\xff\xd9"].concat());
        s.write("in/ant/lossless.jpg", b"\xff\xd8\xff\xc3\0\x0b\x08\0\x10\0\x10\x01\x01\x11\0\xff\xd9");
        s.write("in/ant/phone.jpg", b"\0\0\0\x18ftypheic");
        s.write("in/ant/film.jpg", b"\0\0\0\x14ftypqt  ");
        s.write("in/bee/answer.jpg", b"<!DOCTYPE html><title>403</title>");
        s.write("in/bee/pointer.jpg", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a");
        s.write("in/bee/zeros.jpg", &[0; 500]);
        let gif = b"GIF89a\x41\x34\x41\x34\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
        s.write("in/bee/bomb.gif", gif);
    })
    .writes(&["new**"]),
    case("an image that needs more memory than there is", "data summary in --decode-memory 2MiB", |s| {
        s.write("in/ant/large.png", &encode_png(&Pixels::new(1000, 500, vec![7; 1_500_000])));
    }),
    case("too little memory for decoding", "data summary in --decode-memory 3kB", nothing),
    case("more bits than are left to stretch", STRETCH, nothing),
    case("a file that may not be read", "data summary in", |s| permit(s, "in/ant/000.png", 0o000))
        .how(AsNobody),
    case("a folder that may not be listed", "data summary in", |s| permit(s, "in/ant", 0o000)).how(AsNobody),
    case("folders that are splits or classes", "extract parts --cache new --backbone small.onnx", |s| {
        s.images("parts/train", &[("ant", 2)]);
        s.images("parts/test", &[("ant", 2)]);
    }),
    case(
        "folders that are no splits",
        "extract in --cache new --backbone small.onnx --split-folders",
        nothing,
    ),
    case(
        "a share for a split that has a folder",
        "extract parts --cache new --backbone small.onnx --split-folders --split 70/5/25",
        |s| {
            s.images("parts/train", &[("ant", 2)]);
            s.images("parts/test", &[("bee", 2)]);
        },
    ),
    case("images to compare that are not there", "cache verify c --images missing", nothing),
    case("a cache among the images", "extract in --cache in/cache --backbone small.onnx", nothing),
    case(
        "a cache among the images, by a roundabout path",
        "extract in --cache in/ant/../../in/cache --backbone small.onnx",
        nothing,
    ),
    case("an unknown data set", "data fetch mnist --out new", nothing),
    case("an archive that is another", "data fetch lfw-deepfunneled --out new --archive mine.tgz", |s| {
        s.write("mine.tgz", b"not the data set");
    }),
    case("a data set among other files", "data fetch lfw-deepfunneled --out in --archive mine.tgz", nothing),
    case(
        "no network to fetch a data set from",
        "data fetch lfw-deepfunneled --out new --mirror http://127.0.0.1:9/",
        nothing,
    )
    .how(Offline)
    .writes(&["user**"]),
    case("a selection among other files", "data select in --top 1 --out mine", |s| {
        s.write("mine/thesis.tex", b"irreplaceable");
    }),
    case("a selection over a file that was edited", "data select in --top 2 --out top", |s| {
        s.run(&["data", "select", &s.text("in"), "--top", "2", "--out", &s.text("top")]);
        s.write("top/020 ant/000.png", b"edited");
    }),
    case("a selection into the images", "data select in --top 1 --out in/top", nothing),
    case("a page among the images", "data report in --out in/page.html", nothing),
    case("a page over another file", "data report in --out mine.html", |s| {
        s.write("mine.html", b"irreplaceable");
    }),
    case("a page about a missing folder", "data report missing", nothing),
    case("a page with the cache of other images", "data report in --cache other", |s| {
        s.images("elsewhere", &[("fly", 20), ("wasp", 20)]);
        support::extract(s, "elsewhere", "other", &[]);
    }),
    case("a page with a folder that is not a cache", "data report in --cache r", nothing),
    case("a damaged archive of images", "extract bad.zip --cache new --backbone small.onnx", |s| {
        s.write("bad.zip", b"PK\x03\x04 and nothing else");
    }),
    case("a tar archive that ends early", "extract a.tar --cache new --backbone small.onnx", |s| {
        s.write("a.tar", b"");
    }),
    case("images of which none has a label", "extract none --cache new --backbone small.onnx", |s| {
        s.images("none", &[("_unlabelled", 3)]);
    }),
    case("a table of labels that is none", "data manifest in --labels labels.txt --out new.csv", |s| {
        s.write("labels.txt", b"path,label\n");
    }),
    case(
        "a label of an image that is not there",
        "data manifest in --labels labels.csv --out new.csv",
        |s| {
            s.write("labels.csv", b"path,label\nant/000.png,bee\ngone.png,ant\n");
        },
    )
    .writes(&["new.csv"]),
    case("an image that predict cannot use", "predict r in/ant/000.png text.png gone.png", |s| {
        s.write("text.png", b"not an image");
    }),
];

/// Caches.
const CACHES: &[Case] = &[
    case("no such cache", "train missing --run new", nothing),
    case("a folder that is not a cache", "train in --run new", nothing),
    case(
        "a cache in a folder of other things",
        "extract in --cache mine --backbone small.onnx --dry-run",
        |s| {
            s.write("mine/thesis.tex", b"irreplaceable");
        },
    ),
    case("a cache where a file is", "extract in --cache small.onnx --backbone small.onnx", nothing),
    case(
        "other features than the cache holds",
        "extract in --cache c --backbone small.onnx --layer Mixed_6e --crop 0.5 --preprocess unit",
        nothing,
    ),
    case("another network under the same name", AGAIN, |s| {
        drop(s.write("small.onnx", &small_network::onnx(2)))
    }),
    case("a spec of a later version", AGAIN, |s| {
        s.write("c/spec.json", br#"{"schema": "features-v9"}"#);
    }),
    case("no part at all", "train c --run new", |s| std::fs::remove_file(part(s)).unwrap()),
    case("a part with a flipped bit", "train c --run new", |s| {
        let mut bytes = std::fs::read(part(s)).unwrap();
        bytes[2000] ^= 4;
        std::fs::write(part(s), bytes).unwrap();
    }),
    case("a part cut short", AGAIN, |s| {
        let bytes = std::fs::read(part(s)).unwrap();
        std::fs::write(part(s), &bytes[..bytes.len() / 2]).unwrap();
    }),
    case("features that are not numbers", "train c --run new", |s| {
        std::fs::remove_file(part(s)).unwrap();
        let cache = FeatureCache::open(&s.path("c")).unwrap();
        let keys: Vec<Key> = cache
            .samples()
            .unwrap()
            .rows
            .iter()
            .map(|row| Key { image_sha256: row.file.image_sha256, variant: Variant::None })
            .collect();
        let mut embeddings = vec![0.5; keys.len() * small_network::WIDTH];
        embeddings[7] = f32::NAN;
        let mut writer = CacheWriter::open_or_create(&s.path("c"), cache.spec()).unwrap();
        writer
            .append(FeatureRows { keys, width: small_network::WIDTH, embeddings }, BTreeMap::new())
            .unwrap();
    }),
    case("features of another spec", "train c --run new", |s| {
        let store = FeatureCache::open(&s.path("c")).unwrap();
        let other = Spec { layer: "Logits".into(), ..store.spec().clone() };
        let mut writer = CacheWriter::open_or_create(&s.path("other"), &other).unwrap();
        let part = writer.append(store.rows(|_| true).unwrap(), BTreeMap::new()).unwrap();
        std::fs::rename(&part.path, s.path("c/features").join(&part.name)).unwrap();
    }),
    case("features that contradict others", "train c --run new", |s| {
        let store = FeatureCache::open(&s.path("c")).unwrap();
        let mut rows = store.rows(|_| true).unwrap();
        rows.embeddings[3] += 0.5;
        let mut writer = CacheWriter::open_or_create(&s.path("c"), store.spec()).unwrap();
        writer.append(rows, BTreeMap::new()).unwrap();
    }),
    case("a description that is gone", "train c --run new", |s| {
        std::fs::remove_file(s.path("c/samples.parquet")).unwrap();
    }),
    case("a damaged description", AGAIN, |s| cut(s, "c/samples.parquet")),
    case("a damaged list of refused files", "cache verify c", |s| cut(s, "c/refused.parquet")),
    case("another writer", AGAIN, nothing).how(Locked),
    case("a cache that may not be written to", AGAIN, nothing).how(AsNobody),
    case("a full disk", "extract in --cache new --backbone small.onnx --augment shift:5", nothing)
        .how(DiskFull)
        .writes(&["new/", "new/features/", "new/spec.json", "new/refused.parquet", "new/samples.parquet"]),
    case("a compaction of a damaged cache", "cache compact c", |s| {
        let cache = FeatureCache::open(&s.path("c")).unwrap();
        let rows = cache.rows(|_| true).unwrap();
        let keys = vec![Key { variant: Variant::Flip, ..rows.keys[0] }];
        let embeddings = rows.embeddings[..small_network::WIDTH].to_vec();
        let mut bytes = std::fs::read(part(s)).unwrap();
        bytes[2000] ^= 4;
        std::fs::write(part(s), bytes).unwrap();
        let noted = cache.parts().unwrap()[0].metadata().unwrap();
        let mut writer = CacheWriter::open_or_create(&s.path("c"), cache.spec()).unwrap();
        writer.append(FeatureRows { keys, width: small_network::WIDTH, embeddings }, noted).unwrap();
    }),
    case("a compaction during a write", "cache compact c", nothing).how(Locked),
    case("an export of a damaged cache", "cache export c --out flat.parquet", |s| {
        let mut bytes = std::fs::read(part(s)).unwrap();
        bytes[2000] ^= 4;
        std::fs::write(part(s), bytes).unwrap();
    }),
    case("an export that may not be written", "cache export c --out flat.parquet", nothing).how(AsNobody),
    case("an export beside another table of the same name", "cache export c --out mine.npy", |s| {
        s.write("mine.csv", b"irreplaceable");
    }),
    case("an export onto somebody's file", "cache export c --out mine.parquet", |s| {
        s.write("mine.parquet", b"irreplaceable");
    }),
    case("an export into the cache", "cache export c --out c/flat.parquet", nothing),
    case("an export in an unknown format", "cache export c --out flat.csv", nothing),
];

/// Runs.
const RUNS: &[Case] = &[
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

/// Classifiers taken elsewhere, and many pictures at once.
const EXPORTS: &[Case] = &[
    case("an export of nothing", "export r", nothing),
    case("an export of no run", "export missing --onnx new.onnx", nothing),
    case("an export onto another network", "export r --onnx small.onnx", nothing),
    case("an unknown input of a classifier", "export r --onnx new.onnx --input tiles", nothing),
    case("an export that can reject nothing", "export r --onnx new.onnx --reject 0.0001", nothing),
    case("a page among other files", "export r --web in", nothing),
    case("a model among other files", "export r --triton served", |s| {
        s.write("served/r/thesis.tex", b"irreplaceable");
    }),
    case("a package for browsers that is another", "export r --web site --ort-web mine.tgz", |s| {
        s.write("mine.tgz", b"another package");
    }),
    case("answers in an unknown format", "predict r in --out answers.txt", nothing),
    case("answers onto another file", "predict r in --out mine.csv", |s| {
        s.write("mine.csv", b"name,grade\n");
    }),
    case("answers among the images", "predict r in --out in/answers.csv", nothing),
    case("answers inside a run", "predict r in --out r/answers.csv", nothing),
    case("answers inside a cache", "predict r in --out c/answers.csv", nothing),
    case("answers for a folder that is missing", "predict r missing --out answers.csv", nothing)
        .writes(&["answers.csv"]),
    case("answers for a folder without pictures", "predict r empty --out answers.csv", |s| {
        std::fs::create_dir(s.path("empty")).unwrap();
    }),
    case("answers with some files that cannot be used", "predict r in --out answers.csv", |s| {
        s.write("in/bee/text.png", b"not an image");
    })
    .writes(&["answers.csv"]),
    case("answers and a page", "predict r in --out answers.csv --html page.html", nothing),
    case("stdin as a list twice", "predict r - - --out answers.csv", nothing),
    case("null characters without a list", "predict r in --null --out answers.csv", nothing),
    case("new images of other classes", "evaluate r --images new", |s| {
        s.images("new", &[("wasp", 2)]);
    }),
    case("new images that are those of the training", "evaluate r --images in", nothing),
    case("new images that are missing", "evaluate r --images missing", nothing),
    case("an explanation of a layer without positions", "predict r in/ant/000.png --explain", nothing),
    case("a report with an explanation of a layer without positions", "report r --explain", nothing),
    case("plots of what is not explained", "predict r in/ant/000.png --plots plots", nothing),
    case("plots of explanations among the images", "predict r in/ant/000.png --explain --plots in", nothing),
];

/// Experiments.
const EXPERIMENTS: &[Case] = &[
    case("no such experiment", TRY, nothing),
    case("an experiment with an unknown key", TRY, |s| experiment(s, "sedes = 3", "")),
    case("an experiment without runs", TRY, |s| {
        s.write("e.toml", b"title = \"e\"\nrun = []\n[[cache]]\nname = \"c\"\n");
    }),
    case("an experiment with an unknown setting", TRY, |s| experiment(s, "settings = { rate = 0.1 }", "")),
    case("an experiment with a setting out of range", TRY, |s| experiment(s, "", "settings = { lr = 0 }")),
    case("an experiment with an unknown switch", TRY, |s| {
        experiment(s, "", "[[condition]]\nname = \"x\"\nswitches = [\"turbo\"]");
    }),
    case("a run of a cache that is not there", TRY, |s| experiment(s, "", "cache = \"deep\"")),
    case("a run that starts from itself", TRY, |s| experiment(s, "", "init = \"plain\"")),
    case("a run that is there twice", TRY, |s| experiment(s, "", "[[run]]\nname = \"plain\"")),
    case("a name that is no folder", TRY, |s| experiment(s, "", "[[run]]\nname = \"../plain\"")),
    case("a pair of runs that are not there", TRY, |s| experiment(s, "pairs = [[\"plain\", \"best\"]]", "")),
    case("one other split", TRY, |s| experiment(s, "resplits = 1", "")),
    case("an augmentation of a cache that is unknown", TRY, |s| {
        experiment(s, "", "[[cache]]\nname = \"d\"\naugment = [\"spin\"]");
    }),
    case("variants that no cache of the experiment has", TRY, |s| experiment(s, "", "use = [\"shift\"]"))
        .writes(&["new**"]),
    case("a search for families without splits", TRY, |s| experiment(s, "search_families = true", "")),
    case("a search for families that are not there", TRY, |s| {
        experiment(s, "search_families = true\nresplits = 3", "");
    }),
    case("an experiment without images", "experiment e.toml --images missing --out new", |s| {
        experiment(s, "", "");
    }),
    case("an experiment among other things", "experiment e.toml --images in --out mine", |s| {
        experiment(s, "", "");
        s.write("mine/thesis.tex", b"irreplaceable");
    }),
];

/// A small experiment with more keys in front and in its run.
fn experiment(s: &Sandbox, front: &str, run: &str) {
    let text = format!(
        "title = \"e\"\n{front}\n[[cache]]\nname = \"c\"\nbackbone = \"small.onnx\"\n[[run]]\nname = \"plain\"\n{run}\n"
    );
    s.write("e.toml", text.as_bytes());
}

/// Networks, the runtime, the device.
const NETWORKS: &[Case] = &[
    case("an unknown backbone", "extract in --cache new --backbone resnet", nothing),
    case("a network that is not there", "extract in --cache new --backbone gone.onnx", nothing),
    case("a network that is none", "extract in --cache new --backbone bad.onnx", |s| {
        s.write("bad.onnx", b"not a network");
    }),
    case("another layer than that of the cache", "extract in --cache c --layer Mixed_6e", nothing),
    case(
        "a layer that is not there",
        "extract in --cache new --backbone small.onnx --layer Mixed_9z",
        nothing,
    ),
    case(
        "several layers into a single cache",
        "extract in --cache c --layer PreLogits --layer Mixed_6e",
        nothing,
    ),
    case(
        "a layer that is given twice",
        "extract in --cache new --backbone small.onnx --layer PreLogits --layer PreLogits",
        nothing,
    ),
    case("a folder of caches where one is wanted", "cache info many", |s| {
        s.write("many/PreLogits/spec.json", &std::fs::read(s.path("c/spec.json")).unwrap());
    }),
    case("a comparison of one cache", "layers c", nothing),
    case("no backbone", "extract in --cache new --models empty", nothing),
    case(
        "published weights that are not installed",
        "extract in --cache new --backbone slim --models empty",
        nothing,
    ),
    case("a default that is not installed", "backbone use slim --models empty", nothing),
    case("a default that is a file", "backbone use small.onnx", nothing),
    case("a certificate of what is no network", "backbone verify bad.onnx", |s| {
        s.write("bad.onnx", b"not a network");
    }),
    case("unknown weights to fetch", "backbone fetch resnet", nothing),
    case(
        "no network to fetch weights from",
        "backbone fetch slim --mirror http://127.0.0.1:9/ --models empty",
        nothing,
    )
    .how(Offline)
    .writes(&["user**"]),
    case("a given file that is another", "backbone fetch torchvision --from mine.pth --models empty", |s| {
        s.write("mine.pth", b"not the published file");
    }),
    case("weights in an unknown format", "backbone import mine.bin --source slim --models empty", |s| {
        s.write("mine.bin", b"not a weights file");
    }),
    case("weights of another source", "backbone import slim.ckpt --source keras --models empty", |s| {
        s.write(
            "slim.ckpt",
            &std::fs::read(support::root().join("tests/fixtures/weights/slim.ckpt")).unwrap(),
        );
    }),
    case("classes without known names", "classify in/ant/000.png --backbone small.onnx", nothing),
    case("another number of names", "classify in/ant/000.png --backbone small.onnx --names names.txt", |s| {
        s.write("names.txt", b"ant\nbee\n");
    }),
    case("a network without a classifier", "classify in/ant/000.png --backbone headless.onnx", |s| {
        s.write("headless.onnx", &small_network::headless());
    }),
    case("no runtime", NEW, nothing).how(Offline),
    case("no network to fetch from", "setup --yes --models empty", nothing).how(Offline).writes(&["user**"]),
    case("a wheel with other bytes", "setup --yes --models empty", nothing).how(Tampered).writes(&["user**"]),
    case("a wheel of one's own that is another", "setup --wheel mine.whl --models empty", |s| {
        s.write("mine.whl", b"not the pinned wheel");
    })
    .how(Offline)
    .writes(&["user**"]),
    case("an installed runtime that was damaged", NEW, |s| {
        let wheel = registry().wheel(false).unwrap();
        let version = &registry().runtime.version;
        let folder = format!("{}-{version}-{}-{}", wheel.package, wheel.os, wheel.arch);
        let record =
            format!(r#"{{"wheel_sha256": "{}", "files": {{"{}": 9}}}}"#, wheel.sha256, wheel.library);
        s.write(&format!("user/headstart/{folder}/installed.json"), record.as_bytes());
        s.write(&format!("user/headstart/{folder}/{}", wheel.library), b"half");
    })
    .how(Offline),
    case("a relative folder for installations", NEW, nothing).how(Home("here")),
    case("a library that is not there", NEW, nothing).how(Library("gone.so")),
    case("a library that is none", NEW, nothing).how(Library("small.onnx")),
    case(
        "cuda without a GPU, with images to add",
        "extract in --cache c --backbone small.onnx --device cuda",
        |s| {
            s.images("in", &[("cat", 2)]);
        },
    ),
    case("cuda without a GPU", "extract in --cache new --backbone small.onnx --device cuda", nothing),
    case("a folder without the libraries of CUDA", "setup --cuda-libs empty", |s| {
        std::fs::create_dir(s.path("empty")).unwrap();
    }),
    case("too few images to quantize", "backbone quantize small.onnx --images few --name new8", |s| {
        s.images("few", &[("ant", 5), ("bee", 4)]);
    }),
    case("no images to quantize", "backbone quantize small.onnx --images none --name new8", |s| {
        std::fs::create_dir(s.path("none")).unwrap();
    }),
    case(
        "quantized to nothing known",
        "backbone quantize small.onnx --images in --name new8 --format int4",
        nothing,
    ),
    case(
        "quantized under the name of another",
        "backbone quantize small.onnx --images in --name nsfwjs",
        nothing,
    ),
    case(
        "no images to calibrate on",
        "backbone quantize small.onnx --images in --name new8 --samples 0",
        nothing,
    ),
];

/// What was typed.
const TYPED: &[Case] = &[
    case("an unknown flag", "train c --run new --fast", nothing),
    case("an unknown augmentation", "extract in --cache new --augment spin:3", nothing),
    case("a split that does not add up", "extract in --cache new --split 70/5/30", nothing),
    case("an unknown device", "extract in --cache new --device gpu", nothing),
    case("an unknown preprocessing", "extract in --cache new --preprocess vgg", nothing),
    case("a crop that is not a number", "extract in --cache new --crop NaN", nothing),
    case("a crop of nothing", "extract in --cache new --crop 0", nothing),
    case("unknown splits to augment", "extract in --cache new --augment-splits test", nothing),
    case("an interval of hours between parts", "extract in --cache new --commit-every 9999", nothing),
    case("a batch size of zero", "extract in --cache new --batch 0", nothing),
    case("a negative seed", "extract in --cache new --seed -1", nothing),
    case("a rejection rate of zero", "predict r in/ant/000.png --reject 0", nothing),
    case("a confidence of one", "evaluate r --reject 0.4 --confidence 1", nothing),
    case("a confidence without --reject", "evaluate r --confidence 0.9", nothing),
    case("a rejection rate that is not a number", "evaluate r --reject NaN", nothing),
    case("a learning rate that is not a number", "train c --run new --lr NaN", nothing),
    case("a learning rate of zero", "train c --run new --lr 0", nothing),
    case("a patience of zero", "train c --run new --patience 0", nothing),
    case("a negative penalty", "train c --run new --l2 -1", nothing),
    case("label smoothing of 1", "train c --run new --label-smoothing 1", nothing),
    case("dropout without hidden units", "train c --run new --dropout 0.5", nothing),
    case("all hidden units dropped", "train c --run new --hidden 8 --dropout 1", nothing),
    case("too many hidden units", "train c --run new --hidden 70000", nothing),
    case("a weight decay beyond the weights", "train c --run new --weight-decay 1000", nothing),
    case("hidden units for L-BFGS", "train c --run new --solver lbfgs --l2 0.1 --hidden 8", nothing),
    case("a start with other hidden units", "train c --run new --init r --hidden 8", nothing),
    case("lines of epochs of all folds", "train c --run new --folds 3 --json-lines", nothing),
    case("bfloat16 for L-BFGS", "train c --run new --solver lbfgs --l2 0.1 --features bf16", nothing),
    case("bfloat16 for all folds", "train c --run new --folds 3 --features bf16", nothing),
    case("an unknown format of features", "train c --run new --features int8", nothing),
    case("a least improvement that is not a number", "train c --run new --min-delta NaN", nothing),
    case("an unknown schedule", "train c --run new --schedule step", nothing),
    case("rows in a fixed order beyond memory", "train c --run new --memory 1GiB --no-shuffle", nothing),
    case("a batch larger than the train rows", "train c --run new --batch 999 --drop-last", nothing),
    case("an unknown measure to stop on", "train c --run new --stop-on f1", nothing),
    case("unknown class weights", "train c --run new --class-weights heavy", nothing),
    case("a weight for an unknown class", "train c --run new --class-weights ant=2,wasp=3", nothing),
    case("a class that is weighted twice", "train c --run new --class-weights ant=2,ant=3", nothing),
    case("weights that are all zero", "train c --run new --class-weights ant=0,bee=0", nothing),
    case("a negative weight", "train c --run new --class-weights ant=-2", nothing),
    case("one fold", "train c --run new --folds 1", nothing),
    case("folds and another split", "train c --run new --folds 3 --resplit 1", nothing),
    case("a fold that does not exist", "train c --run new --folds 3 --fold 4", nothing),
    case("a fold without --folds", "train c --run new --fold 1", nothing),
    case("folds with --memory", "train c --run new --folds 3 --memory 1GiB", nothing),
    case("memory that is not a size", "train c --run new --memory much", nothing),
    case("too little memory", "train c --run new --memory 1KiB", nothing),
    case(
        "linfa's L-BFGS with limited memory",
        "train c --run new --solver lbfgs-linfa --l2 0.1 --memory 1GiB",
        nothing,
    ),
    case(
        "linfa's L-BFGS with class weights",
        "train c --run new --solver lbfgs-linfa --l2 0.1 --class-weights balanced",
        nothing,
    ),
    case("L-BFGS that ends too early", "train c --run new --solver lbfgs --l2 0.00001 --epochs 2", nothing),
    case("a chosen penalty without L-BFGS", "train c --run new --l2 auto", nothing),
    case("a chosen penalty with folds", "train c --run new --solver lbfgs --l2 auto --folds 3", nothing),
    case("a penalty that is no number", "train c --run new --solver lbfgs --l2 some", nothing),
    case("chosen settings with a solver", "train c --run new --auto --solver lbfgs", nothing),
    case("chosen settings with an option of Adam", "train c --run new --auto --batch 8", nothing),
    case("chosen settings with all folds", "train c --run new --auto --folds 3", nothing),
    case("chosen settings within no time", "train c --run new --auto --budget soon", nothing),
    case("chosen settings in less time than one takes", "train c --run new --auto --budget 0s", nothing),
    case("several caches without a choice among them", "train c d --run new", nothing),
    case("caches of other images", "train c d --run new --auto", |s| {
        s.images("others", &[("ant", 3), ("bee", 3)]);
        assert_eq!(support::extract(s, "others", "d", &[]).code, 0);
    }),
    case("a sweep over a chosen penalty", "sweep c --runs new --solver lbfgs --l2 auto", nothing),
    case("a sweep selected by chance", "sweep c --runs new --select chance", nothing),
    case("epochs that are no number", "train c --run new --epochs many", nothing),
    case(
        "a schedule over epochs without an end",
        "train c --run new --epochs auto --schedule linear",
        nothing,
    ),
    case("a sweep without a head", "sweep c --runs new --seeds 0", nothing),
    case("a sweep with a repeated value", "sweep c --runs new --lr 0.1,0.1", nothing),
    case("a sweep with a learning rate of zero", "sweep c --runs new --lr 0,0.1", nothing),
    case("a sweep in which every fit fails", "sweep c --runs new --lr 1e38", nothing),
    case("L-BFGS without a penalty", "train c --run new --solver lbfgs", nothing),
    case("L-BFGS with a learning rate", "train c --run new --solver lbfgs --l2 0.01 --lr 0.1", nothing),
    case("L-BFGS with a warm start", "train c --run new --solver lbfgs --l2 0.01 --init r", nothing),
    case("a learning rate so large that the loss overflows", "train c --run new --lr 1e38", nothing),
    case("a projector without points", "tensorboard r --logdir board --projector --points 0", nothing),
    case("points without a projector", "tensorboard r --logdir board --points 10", nothing),
    case(
        "a shift beyond the images",
        "extract in --cache c --backbone small.onnx --augment shift:48",
        nothing,
    ),
    case("an answer of no class", "classify in/ant/000.png --backbone small.onnx --top 0", nothing),
    case("a selection of no class", "data select in --top 0 --out new", nothing),
    case("a selection of a class that does not exist", "data select in --classes ants --out new", nothing),
    case("a selection that leaves no class", "data select in --exclude ant,bee --out new", nothing),
    case("a share that is not there", "extract in --cache c --backbone small.onnx --shard 3/2", nothing),
    case("chunks without rows", "extract in --cache c --backbone small.onnx --plan --chunk-rows 0", nothing),
    case(
        "a plan of several layers",
        "extract in --cache new --backbone small.onnx --layer PreLogits --layer Mixed_7a --plan",
        nothing,
    ),
];

/// Plans for several machines.
const PLANS: &[Case] = &[
    case("a share of no plan", "extract in --cache c --backbone small.onnx --shard 1/2", nothing),
    case("the end of no plan", "extract in --cache c --backbone small.onnx --finish", nothing),
    case("a URL of an unknown kind", "train ftp://host/c --run new", nothing),
    case("a URL without a bucket", "cache info s3://", nothing),
    case("a URL for a program without object storage", "search s3://bucket/c in/ant/000.png", nothing),
    case("a URL for a command that takes folders", "predict r in --out a.csv --cache s3://bucket/c", nothing),
    case(
        "images in object storage without a plan",
        "extract s3://bucket/photos --cache c --backbone small.onnx",
        nothing,
    ),
    case("an extraction while a plan is not finished", AGAIN, plan),
    case("a compaction while a plan is not finished", "cache compact c", plan),
    case("the end of a plan whose chunks are not done", FINISH, plan),
    case(
        "the end of a plan with other settings",
        "extract in --cache c --backbone small.onnx --finish",
        plan,
    ),
    case("the plan of another version", FINISH, |s| {
        plan(s);
        let path = s.path("c/plan/plan.json");
        let mut header: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        header["program"] = "headstart 0.0.9".into();
        std::fs::write(path, header.to_string()).unwrap();
    }),
    case("a plan that is cut short", FINISH, |s| {
        plan(s);
        cut_to(s, "c/plan/plan.json", 20);
    }),
];

const FINISH: &str = "extract in --cache c --backbone small.onnx --augment shift:5 --finish";

/// Plans further variants.
fn plan(s: &Sandbox) {
    support::extract(s, "in", "c", &["--augment", "shift:5", "--plan"]);
}

/// The table, chapter by chapter.
pub(super) const CHAPTERS: [(&str, &[Case]); 9] = [
    ("Images", IMAGES),
    ("Manifests, groups and search", MANIFESTS),
    ("Caches", CACHES),
    ("Plans for several machines", PLANS),
    ("Runs", RUNS),
    ("Exports and answers", EXPORTS),
    ("Experiments", EXPERIMENTS),
    ("Networks, runtime, device", NETWORKS),
    ("What was typed", TYPED),
];

fn nothing(_: &Sandbox) {}

fn part(s: &Sandbox) -> std::path::PathBuf {
    FeatureCache::open(&s.path("c")).unwrap().parts().unwrap()[0].path.clone()
}

/// Gives a run another start: 14:03:22 on 7 August 2017.
fn began_in_2017(s: &Sandbox, run: &str) {
    let path = s.path(run).join("run.json");
    let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record["time"] = 1_502_114_602.into();
    std::fs::write(path, record.to_string()).unwrap();
}

fn cut(s: &Sandbox, name: &str) {
    let bytes = std::fs::read(s.path(name)).unwrap();
    std::fs::write(s.path(name), &bytes[..bytes.len() / 2]).unwrap();
}

/// Keeps the first bytes of a file whose length varies, with the times that it holds.
fn cut_to(s: &Sandbox, name: &str, bytes: usize) {
    let whole = std::fs::read(s.path(name)).unwrap();
    std::fs::write(s.path(name), &whole[..bytes]).unwrap();
}
