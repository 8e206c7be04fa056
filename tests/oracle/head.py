"""Recomputes a run's predictions and scores from its saved head and the cache: python head.py RUN CACHE."""

import json
import pathlib
import sys

import numpy as np
import pyarrow.parquet as pq
from heads import cross_entropy, load_cache, load_head, softmax

run, cache = map(pathlib.Path, sys.argv[1:])
weight, bias, classes = load_head(run)
parts = load_cache(cache, classes)
stored = {r["image_sha256"]: r for r in pq.read_table(run / "predictions.parquet").to_pylist()}
worst, scores = 0.0, {}
for split in ["validation", "test"]:
    hashes, features, targets = parts[split]
    p = softmax(features @ weight.T.astype(np.float64) + bias)
    for h, row, target in zip(hashes, p, targets):
        assert stored[h]["split"] == split and stored[h]["label"] == classes[target]
        assert stored[h]["predicted"] == classes[int(np.argmax(stored[h]["probabilities"]))]
        worst = max(worst, float(np.abs(row - stored[h]["probabilities"]).max()))
    scores[split] = p.argmax(1), targets, cross_entropy(p, targets)
assert len(stored) == len(parts["validation"][0]) + len(parts["test"][0])
predicted, targets, _ = scores["test"]
f1 = []
for k in range(len(classes)):
    right = int(((predicted == k) & (targets == k)).sum())
    total = int((predicted == k).sum() + (targets == k).sum())
    if total:
        f1.append(2 * right / total)
truth_share, predicted_share = ([float((v == k).mean()) for k in range(len(classes))] for v in (targets, predicted))
order = np.argsort(-softmax(parts["test"][1] @ weight.T.astype(np.float64) + bias), axis=1, kind="stable")
record = json.loads((run / "run.json").read_text())
print(json.dumps({
    "largest_difference": worst,
    "accuracy": float((predicted == targets).mean()),
    "composition": [truth_share, predicted_share],
    "top_2": float((order[:, :2] == targets[:, None]).any(1).mean()),
    "macro_f1": float(np.mean(f1)),
    "best_validation_loss": scores["validation"][2],
    "recorded_validation_loss": record["history"][record["best_epoch"] - 1]["validation_loss"],
}))
