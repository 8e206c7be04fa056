"""Classifies pictures with an exported classifier in Python's own ONNX Runtime: MODEL PICTURE...

Prints JSON: the metadata, inputs and outputs of the file, the answers picture by picture, the answers of all pictures of one size
as a batch, and the largest difference from the known answer in the metadata.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

from known_answer import probe_image


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
    found = run(prepared(np.asarray(probe_image()), session))["probabilities"][0]
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
