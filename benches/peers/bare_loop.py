"""The limit, and no peer: the network alone, on one batch of noise that is ready in memory, as often as IMAGES has pictures.

It opens no picture and writes no table. What uses the same runtime on as many threads can hardly be faster; another
runtime can. The first run, of one picture, takes memory and is start-up, like the known answer that headstart checks first.
"""

import json
import time

import common
import numpy as np
import onnxruntime

args = common.parser().parse_args()
images = len(common.files(args.images))
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = args.threads
session = onnxruntime.InferenceSession(common.NETWORK, options, providers=["CPUExecutionProvider"])
noise = np.random.default_rng(0).random((common.BATCH, 3, common.SIDE, common.SIDE), np.float32)
session.run(["PreLogits"], {"input": noise[:1]})

started = time.perf_counter()
for done in range(0, images, common.BATCH):
    session.run(["PreLogits"], {"input": noise[: images - done]})
print(json.dumps({"images": images, "seconds": time.perf_counter() - started}))
