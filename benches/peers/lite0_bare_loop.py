"""`session.run` of efficientnet-lite0 on one batch of noise: `lite0_bare_loop.py NETWORK COUNT --threads N`. Opens no picture.
Prints one line of JSON: "images", and "seconds" of the loop."""

import argparse
import json
import time

import numpy as np
import onnxruntime

BATCH = 8

parser = argparse.ArgumentParser()
parser.add_argument("network")
parser.add_argument("images", type=int)
parser.add_argument("--threads", type=int, required=True)
args = parser.parse_args()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = args.threads
session = onnxruntime.InferenceSession(args.network, options, providers=["CPUExecutionProvider"])
noise = np.random.default_rng(0).random((BATCH, 3, 224, 224), np.float32)
session.run(["PreLogits"], {"input": noise})
started = time.perf_counter()
count = 0
while count < args.images:
    session.run(["PreLogits"], {"input": noise})
    count += BATCH
print(json.dumps({"images": count, "seconds": time.perf_counter() - started}))
