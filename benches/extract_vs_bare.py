"""Images per second of `headstart extract` (files to features on disk) beside a bare Python `session.run` loop over ready
tensors: the same network, the same number of threads, interleaved rounds in one sitting.

    tests/run --no-run     # builds, and sets up the Python environment
    target/test-python/bin/python benches/extract_vs_bare.py IMAGES [--threads 2] [--rounds 3] [--batch 8]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
import onnxruntime

root = pathlib.Path(__file__).resolve().parent.parent
parser = argparse.ArgumentParser()
parser.add_argument("images")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--batch", type=int, default=8)
args = parser.parse_args()


def ours():
    with tempfile.TemporaryDirectory() as folder:
        command = [root / "target/release/headstart", "extract", args.images, "--cache", f"{folder}/cache", "--json"]
        command += ["--models", root / "models", "--device", "cpu"]
        command += ["--threads", str(args.threads), "--batch", str(args.batch)]
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    stats = json.loads(out.stdout)
    return stats["images_per_second"], stats["computed"] / stats["seconds"], stats["computed"]


def bare(images):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    network = str(root / "models/nsfwjs.onnx")
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    batch = np.random.default_rng(0).random((args.batch, 3, 299, 299), np.float32)
    session.run(["PreLogits"], {"input": batch})
    start, done = time.perf_counter(), 0
    while done < images:
        session.run(["PreLogits"], {"input": batch})
        done += args.batch
    return done / (time.perf_counter() - start)


rows = []
for number in range(1, args.rounds + 1):
    rate, whole, images = ours()
    loop = bare(images)
    rows.append((rate, whole, loop, rate / loop))
    print(f"round {number}: extract {rate:.2f} ({whole:.2f} with start-up), bare loop {loop:.2f}, ratio {rate / loop:.3f}")
medians = [statistics.median(column) for column in zip(*rows)]
print(f"median: extract {medians[0]:.2f} ({medians[1]:.2f} with start-up), bare loop {medians[2]:.2f}, ratio {medians[3]:.3f}")
print(f"load average {os.getloadavg()[0]:.2f}, {args.threads} threads, batch {args.batch}, {images} images a round")
