"""Repeats a training with a hidden layer step by step in float64: python hidden.py START RUN CACHE.

The run must be trained on plain images with --no-shuffle, so its rows are in the order of their digests. The head is
softmax(V relu(W x + b) + c). Inverted dropout of the units: a unit stays out of a step where the top 24 bits of a SplitMix64
hash of seed, step, row of the batch and unit are below the rate. Cross entropy with smoothed targets, rows weighted by class, an
L2 penalty on both weights; AdamW as PyTorch documents it (torch.optim.AdamW: weights decay by rate times decay before the
corrected step of Adam); rates along a line or half a cosine, step by step."""

import json
import pathlib
import sys

import numpy as np
from heads import cross_entropy, load_cache, load_layers, scaling, softmax

start, run, cache = map(pathlib.Path, sys.argv[1:])
record = json.loads((run / "run.json").read_text())
settings, history = record["config"], record["history"]
assert not settings["shuffle"] and settings["class_weights"] == "none"
first, classes = load_layers(start)
parts = load_cache(cache, classes)
_, x, y = parts["train"]
_, vx, vy = parts["validation"]
mean, scale = scaling(x, settings["standardize"])
x, vx = (x - mean) / scale, (vx - mean) / scale
parameters = {name: values.astype(np.float64) for name, values in first.items()}
# The start takes plain features.
parameters["hidden.bias"] += parameters["hidden.weight"] @ mean
parameters["hidden.weight"] *= scale
moments = {name: (np.zeros_like(p), np.zeros_like(p)) for name, p in parameters.items()}


def mixed(values):
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def mask(step, rows, units):
    with np.errstate(over="ignore"):
        key = mixed(mixed(np.uint64(settings["seed"])) + np.uint64(step))
        rows = mixed(key + np.arange(rows, dtype=np.uint64))
        numbers = mixed(rows[:, None] + np.arange(units, dtype=np.uint64)) >> np.uint64(40)
    stays = numbers / 2.0**24 >= settings["dropout"]
    return stays / (1 - settings["dropout"])


def logits(x, factor=1.0):
    a = x @ parameters["hidden.weight"].T + parameters["hidden.bias"]
    h = np.maximum(a, 0) * factor
    return a, h, h @ parameters["output.weight"].T + parameters["output.bias"]


k, smoothing, l2 = len(classes), settings["label_smoothing"], settings["l2"]
batch = min(settings["batch"], len(y))
starts = range(0, len(y), batch)
steps, worst_loss, kept = 0, 0.0, None
for epoch in history:
    train_loss = 0.0
    for at in starts:
        bx, by = x[at : at + batch], y[at : at + batch]
        factor = mask(steps, len(by), len(parameters["hidden.bias"])) if settings["dropout"] else 1.0
        a, h, z = logits(bx, factor)
        p = softmax(z)
        train_loss += cross_entropy(p, by) * len(by)
        delta = (p - (1 - smoothing) * np.eye(k)[by] - smoothing / k) / len(by)
        back = delta @ parameters["output.weight"] * factor * (a > 0)
        gradients = {
            "hidden.weight": back.T @ bx + l2 * parameters["hidden.weight"],
            "hidden.bias": back.sum(0),
            "output.weight": delta.T @ h + l2 * parameters["output.weight"],
            "output.bias": delta.sum(0),
        }
        passed = steps / (settings["epochs"] * len(starts))
        shares = {"constant": 1.0, "linear": 1 - passed, "cosine": (1 + np.cos(np.pi * passed)) / 2}
        rate = settings["lr"] * shares[settings["schedule"]]
        steps += 1
        for name, g in gradients.items():
            m, v = moments[name]
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            corrected = (m / (1 - 0.9**steps)) / (np.sqrt(v / (1 - 0.999**steps)) + 1e-8)
            decay = settings["weight_decay"] if name.endswith("weight") else 0.0
            parameters[name] *= 1 - rate * decay
            parameters[name] -= rate * corrected
    train_loss /= len(y)
    validation_loss = cross_entropy(softmax(logits(vx)[2]), vy)
    for ours, theirs in [(epoch["train_loss"], train_loss), (epoch["validation_loss"], validation_loss)]:
        worst_loss = max(worst_loss, abs(ours - theirs) / max(theirs, 1.0))
    if epoch["epoch"] == record["best_epoch"]:
        kept = {name: values.copy() for name, values in parameters.items()}
kept["hidden.weight"] /= scale
kept["hidden.bias"] -= kept["hidden.weight"] @ mean
ours, _ = load_layers(run)
print(json.dumps({
    "steps": steps,
    "largest_loss_difference": worst_loss,
    "largest_weight_difference": max(
        float(np.abs(ours[name] - values).max() / np.abs(values).max()) for name, values in kept.items()
    ),
}))
