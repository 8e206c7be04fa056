"""Repeats a full-batch training step by step in float64, from the head of another run: python adam.py START RUN CACHE.
Loss and gradient of softmax regression with an L2 penalty on the weights; Adam after Kingma and Ba, algorithm 1."""

import json
import pathlib
import sys

import numpy as np
from heads import cross_entropy, load_cache, load_head, softmax

start, run, cache = map(pathlib.Path, sys.argv[1:])
record = json.loads((run / "run.json").read_text())
settings = record["config"]
weight, bias, classes = load_head(start)
w, b = weight.T.astype(np.float64), bias.astype(np.float64)
parts = load_cache(cache, classes)
_, x, y = parts["train"]
assert settings["batch"] >= len(y)
_, vx, vy = parts["validation"]
moments = [np.zeros_like(p) for p in (w, w, b, b)]
worst = 0.0
for step, epoch in enumerate(record["history"], 1):
    p = softmax(x @ w + b)
    train_loss = cross_entropy(p, y)
    p[np.arange(len(y)), y] -= 1
    p /= len(y)
    for parameter, gradient, i in [(w, x.T @ p + settings["l2"] * w, 0), (b, p.sum(0), 2)]:
        m, v = moments[i], moments[i + 1]
        m += 0.1 * (gradient - m)
        v += 0.001 * (gradient**2 - v)
        parameter -= settings["lr"] * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    validation_loss = cross_entropy(softmax(vx @ w + b), vy)
    worst = max(worst, abs(train_loss - epoch["train_loss"]), abs(validation_loss - epoch["validation_loss"]))
print(json.dumps({"epochs": len(record["history"]), "largest_loss_difference": worst}))
