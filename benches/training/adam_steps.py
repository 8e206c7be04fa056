"""Adam of a run beside PyTorch's, from the same start, step by step: python adam_steps.py START RUN CACHE.

The run must take its rows in one batch, so that an epoch is a step. Prints the largest difference of the losses before each
step, and of the weights after the step that was kept, both relative to PyTorch's largest."""

import json
import pathlib
import sys

import numpy as np
import torch
from data import load

start, run, cache = map(pathlib.Path, sys.argv[1:])


def head(path):
    data = (path / "head.safetensors").read_bytes()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    spans = {name: header[name]["data_offsets"] for name in ("weight", "bias")}
    return [
        torch.from_numpy(np.frombuffer(data[8 + n + a : 8 + n + b], "<f4").reshape(header[name]["shape"]).copy())
        for name, (a, b) in spans.items()
    ]


record = json.loads((run / "run.json").read_text())
settings = record["config"]
(x, y), _ = load(cache)
x, y = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))
assert settings["batch"] >= len(y)
weight, bias = (torch.nn.Parameter(p) for p in head(start))
optimiser = torch.optim.Adam([weight, bias], lr=settings["lr"])
losses, kept = [], None
for step, epoch in enumerate(record["history"], 1):
    optimiser.zero_grad()
    plain = torch.nn.functional.cross_entropy(x @ weight.T + bias, y)
    (plain + settings["l2"] / 2 * (weight**2).sum()).backward()
    optimiser.step()
    losses.append(abs(float(plain.detach()) - epoch["train_loss"]) / max(float(plain.detach()), 1e-3))
    if step == record["best_epoch"]:
        kept = weight.detach().clone()
ours = head(run)[0]
print(json.dumps({
    "steps": len(losses),
    "largest_loss_difference": max(losses),
    "kept_step": record["best_epoch"],
    "largest_weight_difference": float((ours - kept).abs().max() / kept.abs().max()),
}))
