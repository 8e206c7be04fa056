"""The same network on the same runtime from Python: Pillow in a pool of threads, ONNX Runtime, pyarrow."""

import time

import common
import numpy as np
import onnxruntime

args = common.parser().parse_args()
paths = common.files(args.images)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = args.threads
session = onnxruntime.InferenceSession(common.NETWORK, options, providers=["CPUExecutionProvider"])

started = time.perf_counter()
features = [session.run(["PreLogits"], {"input": batch})[0] for batch in common.batches(paths, args.threads)]
common.finish(args, paths, np.concatenate(features), started)
