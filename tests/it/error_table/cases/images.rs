//! The bad inputs of the table that concern folders of images and files in them.

use super::{NEW, nothing};
use crate::error_table::How::{AsNobody, Offline};
use crate::error_table::{Case, case, permit};
use crate::support::{self, picture};
use headstart::data::decode::encode_png;
use headstart::data::pixels::Pixels;

const STRETCH: &str = "extract in --cache new --backbone small.onnx --stretch-16bit 16";

pub(super) const IMAGES: &[Case] = &[
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
