"""Answers of an exported classifier beside `predict`: the largest difference of a probability, runtime by runtime.

    python benches/exported_answers.py HEADSTART RUN PICTURE... --node DIR [--models DIR] [--reject ALPHA] [--ort-web FILE]
        [--browser CHROMIUM] [--as-png]

Python needs onnxruntime, numpy, Pillow and playwright (tests/requirements.lock). Node runs the script of docs/export.md; DIR is a
folder in which `npm install onnxruntime-node sharp` was run. Chromium runs the exported page. With --as-png all of them get the
pictures as PNG, whose pixels no decoder can read otherwise. Prints one JSON document.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOG = "console.log = (label, probabilities) => process.stdout.write(JSON.stringify([label, Array.from(probabilities)]));\n"


def run(*command):
    return json.loads(subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE).stdout)


def script():
    """The script of the documentation, which names its files `pets.onnx` and `holiday.jpg`."""
    text = (ROOT / "docs/export.md").read_text()
    return text.split("```javascript\n", 1)[1].split("```", 1)[0]


def in_node(node, model, pictures):
    """Runs the script in `node`, where its packages are, once a picture."""
    # Imports come before anything else in a module, wherever they stand.
    text = LOG + script().replace('"pets.onnx"', json.dumps(str(model)))
    file = node / "headstart-answers.mjs"
    answers = []
    try:
        for picture in pictures:
            file.write_text(text.replace('"holiday.jpg"', json.dumps(str(pathlib.Path(picture).resolve()))))
            label, probabilities = run("node", file)
            assert probabilities[label] == max(probabilities)
            answers.append(probabilities)
    finally:
        file.unlink(missing_ok=True)
    return answers


def as_png(folder, pictures):
    """Copies of the pictures that lose nothing."""
    from PIL import Image, ImageOps

    copies = []
    for path in map(pathlib.Path, pictures):
        copies.append(folder / f"{path.stem}.png")
        ImageOps.exif_transpose(Image.open(path)).convert("RGB").save(copies[-1])
    return copies


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("headstart")
    parser.add_argument("run")
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--node", type=pathlib.Path, required=True)
    parser.add_argument("--as-png", action="store_true")
    parser.add_argument("--models", default="models")
    parser.add_argument("--reject")
    parser.add_argument("--ort-web")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    given = parser.parse_args()
    reject = ["--reject", given.reject] if given.reject else []
    common = [*reject, "--models", given.models, "--json"]
    if len({pathlib.Path(path).name for path in given.pictures}) < len(given.pictures):
        sys.exit("the pictures must have names of their own, by which the page lists them")
    with tempfile.TemporaryDirectory() as name:
        folder, site = pathlib.Path(name), pathlib.Path(name) / "site"
        pictures = as_png(folder, given.pictures) if given.as_png else given.pictures
        package = ["--ort-web", given.ort_web] if given.ort_web else ["--yes"]
        run(given.headstart, "export", given.run, "--onnx", folder / "classifier.onnx", *common)
        run(given.headstart, "export", given.run, "--web", site, *package, *common)
        predicted = run(given.headstart, "predict", given.run, *pictures, "--neighbours", "0", "--device", "cpu", *common)
        oracle = ROOT / "tests/oracle"
        python = run(sys.executable, oracle / "onnx_classifier.py", folder / "classifier.onnx", *pictures)
        classes = json.loads(python["metadata"]["headstart.classes"])
        expected = [{one["label"]: one["probability"] for one in file["predictions"]} for file in predicted]
        page = run(sys.executable, oracle / "web_classifier.py", given.browser, site, *pictures, "--answers")["answers"]
        found = {
            "python": [answer["probabilities"] for answer in python["answers"]],
            "node": in_node(given.node.resolve(), folder / "classifier.onnx", pictures),
            "chromium": [page[pathlib.Path(path).name]["probabilities"] for path in pictures],
        }

    def largest(answers):
        pairs = [
            abs(value - of_picture[label])
            for answer, of_picture in zip(answers, expected, strict=True)
            for value, label in zip(answer, classes, strict=True)
        ]
        same = sum(
            classes[answer.index(max(answer))] == max(of_picture, key=of_picture.get)
            for answer, of_picture in zip(answers, expected)
        )
        return {"largest_difference": max(pairs), "same_class": same}

    result = {runtime: largest(answers) for runtime, answers in found.items()}
    print(json.dumps({"pictures": len(expected), "classes": len(classes), **result}, indent=2))


main()
