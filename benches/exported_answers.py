"""Answers of an exported classifier beside `predict`: the largest difference of a probability, runtime by runtime.

    python benches/exported_answers.py HEADSTART RUN PICTURE... [--models DIR] [--reject ALPHA] [--ort-web FILE] [--browser CHROMIUM]

Python needs onnxruntime, numpy, Pillow and playwright (tests/requirements.lock). Node runs onnxruntime-web out of the exported page.
Prints one JSON document.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
NODE = """
import { readFileSync } from 'node:fs';
const [site, raw] = process.argv.slice(2);
const ort = await import(`file://${site}/ort/ort.wasm.bundle.min.mjs`);
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmBinary = readFileSync(`${site}/ort/ort-wasm-simd-threaded.wasm`);
const session = await ort.InferenceSession.create(readFileSync(`${raw}/classifier.onnx`));
const answers = [];
for (const { file, width, height } of JSON.parse(readFileSync(`${raw}/pictures.json`, 'utf8'))) {
  const image = new ort.Tensor('uint8', new Uint8Array(readFileSync(file)), [1, height, width, 3]);
  const { probabilities } = await session.run({ image });
  answers.push(Array.from(probabilities.data));
}
console.log(JSON.stringify(answers));
"""


def run(*command):
    return json.loads(subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE).stdout)


def in_node(folder, site, pictures):
    """Node gets the pixels that Pillow decoded."""
    import numpy as np
    from PIL import Image, ImageOps

    listed = []
    for at, path in enumerate(pictures):
        pixels = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
        (folder / f"{at}.raw").write_bytes(pixels.tobytes())
        listed.append({"file": str(folder / f"{at}.raw"), "width": pixels.shape[1], "height": pixels.shape[0]})
    (folder / "pictures.json").write_text(json.dumps(listed))
    (folder / "answers.mjs").write_text(NODE)
    return run("node", folder / "answers.mjs", site, folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("headstart")
    parser.add_argument("run")
    parser.add_argument("pictures", nargs="+")
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
        package = ["--ort-web", given.ort_web] if given.ort_web else ["--yes"]
        run(given.headstart, "export", given.run, "--onnx", folder / "classifier.onnx", *common)
        run(given.headstart, "export", given.run, "--web", site, *package, *common)
        predicted = run(given.headstart, "predict", given.run, *given.pictures, "--neighbours", "0", "--device", "cpu", *common)
        oracle = ROOT / "tests/oracle"
        python = run(sys.executable, oracle / "onnx_classifier.py", folder / "classifier.onnx", *given.pictures)
        classes = json.loads(python["metadata"]["headstart.classes"])
        expected = [{one["label"]: one["probability"] for one in file["predictions"]} for file in predicted]
        page = run(sys.executable, oracle / "web_classifier.py", given.browser, site, *given.pictures)["answers"]
        found = {
            "python": [answer["probabilities"] for answer in python["answers"]],
            "node": in_node(folder, site, given.pictures),
            "chromium": [page[pathlib.Path(path).name]["probabilities"] for path in given.pictures],
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
