"""Repeats a full-batch training step by step in float64, with every control: python controls.py START RUN CACHE.

Cross entropy with smoothed targets (Szegedy et al. 2016), rows weighted by class, an L2 penalty on the weights; features
standardised by `scaling`; Adam as PyTorch documents it (torch.optim.Adam: corrected moments, epsilon beside the
root); rates along a line or half a cosine, step by step."""

import json
import pathlib
import sys

import numpy as np
from heads import cross_entropy, load_cache, load_head, scaling, softmax
from sklearn.utils.class_weight import compute_class_weight

start, run, cache = map(pathlib.Path, sys.argv[1:])
record = json.loads((run / "run.json").read_text())
settings, history = record["config"], record["history"]
weight, bias, classes = load_head(start)
parts = load_cache(cache, classes)
_, x, y = parts["train"]
_, vx, vy = parts["validation"]
assert settings["batch"] >= len(y)
k, n = len(classes), len(y)

mean, scale = scaling(x, settings["standardize"])
x, vx = (x - mean) / scale, (vx - mean) / scale
w, b = weight.T.astype(np.float64), bias.astype(np.float64)
# The start answers plain features.
b = b + mean @ w
w = w * scale[:, None]

factors = np.ones(k)
if settings["class_weights"] == "balanced":
    factors = compute_class_weight("balanced", classes=np.arange(k), y=y)
elif isinstance(settings["class_weights"], dict):
    factors = np.array([settings["class_weights"]["given"].get(name, 1.0) for name in classes])
smoothing = settings["label_smoothing"]
targets = (1 - smoothing) * np.eye(k)[y] + smoothing / k

parameters = [w, b]
moments = [[np.zeros_like(p), np.zeros_like(p)] for p in parameters]
steps, worst_loss, kept = len(history), 0.0, None
for step, epoch in enumerate(history, 1):
    passed = (step - 1) / settings["epochs"]
    share = {"constant": 1.0, "linear": 1 - passed, "cosine": (1 + np.cos(np.pi * passed)) / 2}[settings["schedule"]]
    p = softmax(x @ w + b)
    train_loss = cross_entropy(p, y)
    gradient = factors[y][:, None] * (p - targets) / n
    for parameter, (m, v), g in zip(parameters, moments, [x.T @ gradient + settings["l2"] * w, gradient.sum(0)]):
        m += (1 - 0.9) * (g - m)
        v *= 0.999
        v += (1 - 0.999) * g * g
        corrected = (m / (1 - 0.9**step)) / (np.sqrt(v) / np.sqrt(1 - 0.999**step) + 1e-8)
        parameter -= settings["lr"] * share * corrected
    validation_loss = cross_entropy(softmax(vx @ w + b), vy)
    for ours, theirs in [(epoch["train_loss"], train_loss), (epoch["validation_loss"], validation_loss)]:
        worst_loss = max(worst_loss, abs(ours - theirs))
    if step == record["best_epoch"]:
        kept = w / scale[:, None]
ours = load_head(run)[0].T
print(json.dumps({
    "steps": steps,
    "largest_loss_difference": worst_loss,
    "largest_weight_difference": float(np.abs(ours - kept).max() / np.abs(kept).max()),
}))
