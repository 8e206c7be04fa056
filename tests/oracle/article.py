"""Repeats a training in the order of keys, batch by batch in float64, as the loop of the 2017 article goes: python article.py
START RUN CACHE. Fixed order, the last batch dropped or not, and a count of epochs without an improvement that begins
anew or never does. Prints the epochs it ran, the rows of an epoch, and how far the two are apart."""

import json
import pathlib
import sys

import numpy as np
from heads import cross_entropy, load_cache, load_head, softmax

start, run, cache = map(pathlib.Path, sys.argv[1:])
record = json.loads((run / "run.json").read_text())
settings = record["config"]
assert not settings["shuffle"]
weight, bias, classes = load_head(start)
parts = load_cache(cache, classes)
_, x, y = parts["train"]
_, vx, vy = parts["validation"]
batch = settings["batch"]
batches = len(y) // batch if settings["drop_last"] else -(-len(y) // batch)
parameters = [weight.T.astype(np.float64), bias.astype(np.float64)]
moments = [[np.zeros_like(p), np.zeros_like(p)] for p in parameters]
best, kept, waited, step, losses, hits = np.inf, None, 0, 0, [], []
for epoch in range(settings["epochs"]):
    seen = 0
    for number in range(batches):
        rows = slice(number * batch, (number + 1) * batch)
        bx, by = x[rows], y[rows]
        seen += len(by)
        step += 1
        gradient = softmax(bx @ parameters[0] + parameters[1])
        gradient[np.arange(len(by)), by] -= 1
        gradient /= len(by)
        for p, (m, v), g in zip(parameters, moments, [bx.T @ gradient, gradient.sum(0)]):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= settings["lr"] * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    losses.append(cross_entropy(softmax(vx @ parameters[0] + parameters[1]), vy))
    if losses[-1] < best:
        best, kept = losses[-1], [p.copy() for p in parameters]
        if settings["patience_resets"]:
            waited = 0
    else:
        waited += 1
        if waited >= settings["patience"]:
            break
ours = load_head(run)[0].T
theirs = [epoch["validation_loss"] for epoch in record["history"]]
print(json.dumps({
    "epochs": len(losses),
    "rows": seen,
    "train_rows": len(y),
    "largest_loss_difference": float(np.abs(np.array(losses)[: len(theirs)] - np.array(theirs)[: len(losses)]).max()),
    "largest_weight_difference": float(np.abs(ours - kept[0]).max() / np.abs(kept[0]).max()),
}))
