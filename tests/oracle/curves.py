"""Precision-recall and ROC curves of the test images of a run with scikit-learn: python curves.py RUN. Probabilities are those at
the temperature that `predict` uses; intervals are a bootstrap of NumPy's. Prints a list by class."""

import json
import pathlib
import sys

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

run = pathlib.Path(sys.argv[1])
record = json.loads((run / "run.json").read_text())
classes = [c["name"] for c in record["classes"]]
rows = pd.read_parquet(run / "predictions.parquet")
rows = rows[(rows.split == "test") & (rows.variant == "none")]
y = np.array([classes.index(label) for label in rows.label])
p = np.stack(rows.probabilities).astype(np.float64)
t = record["temperature"]
if t and (t["low"] > 1 or (t["high"] is not None and t["high"] < 1)):
    p = p ** (1 / t["value"])
p /= p.sum(1, keepdims=True)


def intervals(truth, score, draws=600):
    rng = np.random.default_rng(7)
    found = []
    for _ in range(draws):
        at = rng.integers(0, len(truth), len(truth))
        if 0 < truth[at].sum() < len(truth):
            found.append([average_precision_score(truth[at], score[at]), roc_auc_score(truth[at], score[at])])
    return np.percentile(found, [2.5, 97.5], axis=0).T.tolist()


answers = []
for i, name in enumerate(classes):
    truth, score = (y == i).astype(int), p[:, i]
    precision, recall, thresholds = precision_recall_curve(truth, score, drop_intermediate=True)
    false, true, roc_thresholds = roc_curve(truth, score, drop_intermediate=False)
    at = {threshold: rate for threshold, rate in zip(roc_thresholds, false)}
    ap, roc = intervals(truth, score)
    answers.append(
        {
            "name": name,
            "average_precision": average_precision_score(truth, score),
            "average_precision_interval": ap,
            "roc_area": roc_auc_score(truth, score),
            "roc_area_interval": roc,
            # From the largest threshold to the smallest, without the point at recall 0 that scikit-learn adds.
            "points": [
                {"threshold": t, "precision": a, "recall": b, "false_positive_rate": at[t]}
                for t, a, b in list(zip(thresholds, precision, recall))[::-1]
            ],
        }
    )
print(json.dumps(answers))
