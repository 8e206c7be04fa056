"""Classifies pictures with an exported classifier in Python's own ONNX Runtime: MODEL PICTURE...

Prints JSON: the metadata, inputs and outputs of the file, the answers picture by picture, the answers of all pictures of one size
as a batch, and the largest difference from the known answer in the metadata.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def probe():
    """The fixed picture of the known answer, 320 x 240."""
    y, x = np.mgrid[0:240, 0:320].astype(np.int64)
    dx, dy = x - 200, y - 110
    disc = dx * dx + dy * dy < 70 * 70
    stripe = (x + 2 * y) // 16 % 2 == 0
    half = np.trunc(dx / 2).astype(np.int64)
    in_disc = [220 - (dy + 70), 120 + half, np.full_like(x, 40)]
    in_stripe = [x * 255 // 320, y * 255 // 240, np.full_like(x, 160)]
    elsewhere = [np.full_like(x, 30), x * y // 97 % 256, 255 - x * 255 // 320]
    planes = [np.where(disc, a, np.where(stripe, b, c)) for a, b, c in zip(in_disc, in_stripe, elsewhere)]
    return np.stack(planes, axis=2).astype(np.uint8)


def prepared(picture, session):
    """The input for a picture whose bytes are given, by the shape that the file declares."""
    shape = session.get_inputs()[0].shape
    steps = json.loads(session.get_modelmeta().custom_metadata_map["headstart.preprocessing"])
    if not isinstance(shape[1], int):
        return picture[None]
    assert (steps["resize"], steps["crop"]) == ("bilinear-pillow", 1.0) and "shorter_side" not in steps
    size = steps["size"]
    resized = np.asarray(Image.fromarray(picture).resize((size, size), Image.BILINEAR))[None]
    if shape[1] == size:
        return resized
    assert steps["scale"] == "symmetric"
    return (resized.astype(np.float32) / np.float32(127.5) - 1).transpose(0, 3, 1, 2)


def rows(outputs):
    return [
        {name: values[i].tolist() for name, values in outputs.items() if name != "features"}
        for i in range(len(outputs["probabilities"]))
    ]


def main():
    model, *paths = sys.argv[1:]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(batch):
        return dict(zip(names, session.run(names, {"image": batch})))

    read = lambda path: np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    pictures = [prepared(read(path), session) for path in paths]
    alike = [picture for picture in pictures if picture.shape == pictures[0].shape]
    metadata = session.get_modelmeta().custom_metadata_map
    known = json.loads(metadata["headstart.known_answer"])
    found = run(prepared(probe(), session))["probabilities"][0]
    print(
        json.dumps(
            {
                "metadata": metadata,
                "inputs": [[value.name, value.type, value.shape] for value in session.get_inputs()],
                "outputs": [[value.name, value.type, value.shape] for value in session.get_outputs()],
                "answers": [rows(run(picture))[0] for picture in pictures],
                "batch": rows(run(np.concatenate(alike))),
                "known_answer": float(np.abs(found - known["probabilities"]).max()),
            }
        )
    )


main()
