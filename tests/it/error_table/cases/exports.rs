//! The bad inputs of the table that concern classifiers taken elsewhere, and many pictures at once.

use super::nothing;
use crate::error_table::{Case, case};

pub(super) const EXPORTS: &[Case] = &[
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
