"""Recomputes the features of a cache with Pillow, NumPy and Python's ONNX Runtime (batch 1, network input scaled to
[-1, 1], the crop that the cache's spec names, the small network of the tests): python features.py CACHE IMAGES NETWORK."""

import json
import pathlib
import sys

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
from PIL import Image, ImageOps

cache, images, network = map(pathlib.Path, sys.argv[1:])
session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
side = session.get_inputs()[0].shape[2]
crop = json.loads((cache / "spec.json").read_text())["preprocessing"]["crop"]
paths = {r["image_sha256"]: r["path"] for r in pq.read_table(cache / "samples.parquet").to_pylist()}
worst = 0.0
rows = pq.read_table(cache / "features").to_pylist()
for row in rows:
    image = ImageOps.exif_transpose(Image.open(images / paths[row["image_sha256"]])).convert("RGB")
    if row["variant"] == "flip":
        image = ImageOps.mirror(image)
    elif row["variant"].startswith("shift:"):
        dx, dy = map(int, row["variant"].split(":")[1:])
        moved = Image.new("RGB", image.size)
        moved.paste(image, (dx, dy))
        image = moved
    # As TensorFlow's central_crop: the border is rounded down.
    left, top = (int((length - length * crop) / 2) for length in image.size)
    image = image.crop((left, top, image.width - left, image.height - top))
    pixels = np.asarray(image.resize((side, side), Image.BILINEAR), np.float32) / np.float32(127.5) - np.float32(1)
    (expected,) = session.run(["PreLogits"], {"input": pixels.transpose(2, 0, 1)[None]})
    ours = np.asarray(row["embedding"], np.float32)
    worst = max(worst, float(np.linalg.norm(ours - expected[0]) / np.linalg.norm(expected[0])))
print(json.dumps({"rows": len(rows), "largest_relative_error": worst}))
