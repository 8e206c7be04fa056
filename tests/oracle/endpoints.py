"""Asks Python's ONNX Runtime for every inner endpoint of a backbone and compares mean and norm with recorded ones:
python endpoints.py NETWORK GOLDEN. Outputs are added by appending a ModelProto that holds only them: protobuf merges the
two, so nothing of the file has to be understood."""

import json
import pathlib
import sys

import numpy as np
import onnxruntime
from PIL import Image

network, golden = map(pathlib.Path, sys.argv[1:])
recorded = json.loads((golden / "endpoints_nsfwjs_Ariel_Sharon_0001.json").read_text())
recorded = {name: facts for name, facts in recorded.items() if isinstance(facts, dict)}


def field(number, payload):
    length, size = len(payload), b""
    while True:
        size += bytes([length & 127 | (128 if length > 127 else 0)])
        length >>= 7
        if not length:
            return bytes([number << 3 | 2]) + size + payload


# ModelProto.graph = 7, GraphProto.output = 12, ValueInfoProto.name = 1.
inner = [name for name in recorded if name != "PreLogits"]
outputs = b"".join(field(12, field(1, name.encode())) for name in inner)
session = onnxruntime.InferenceSession(network.read_bytes() + field(7, outputs), providers=["CPUExecutionProvider"])
image = Image.open(golden / "Ariel_Sharon_0001.png").convert("RGB").resize((299, 299), Image.BILINEAR)
pixels = (np.asarray(image, np.float32) / np.float32(255)).transpose(2, 0, 1)[None]
found = dict(zip(recorded, session.run(list(recorded), {"input": pixels})))
errors = {}
for name, facts in recorded.items():
    value = found[name].astype(np.float64)
    assert list(value.shape) == facts["shape_nchw"], (name, value.shape)
    errors[name] = {
        "mean": abs(value.mean() / facts["mean"] - 1),
        "l2": abs(np.linalg.norm(value) / facts["l2"] - 1),
    }
print(json.dumps(errors))
