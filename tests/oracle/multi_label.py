"""Scores of a run on images with several labels, by scikit-learn: python multi_label.py RUN SPLIT

Reads predictions.parquet and run.json, and prints JSON: average precision and ROC area of each label, their means, and the scores of
the answers at the thresholds of the run. The thresholds are checked as well: none of those between the validation probabilities
has a larger F1."""

import json
import pathlib
import sys

import numpy as np
import pyarrow.parquet
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    hamming_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)

run, split = pathlib.Path(sys.argv[1]), sys.argv[2]
record = json.loads((run / "run.json").read_text())
names = [label["name"] for label in record["classes"]]
thresholds = np.array(record["multi_label"]["thresholds"])
rows = pyarrow.parquet.read_table(run / "predictions.parquet").to_pylist()


def of(split):
    own = [row for row in rows if row["split"] == split and row["variant"] == "none"]
    truth = np.array([[name in row["label"].split("|") for name in names] for row in own])
    scores = np.array([row["probabilities"] for row in own], np.float32).astype(float)
    answers = scores >= thresholds
    for row, answered in zip(own, answers):
        expected = "|".join(name for name, answer in zip(names, answered) if answer) or "|"
        assert row["predicted"] == expected, (row["predicted"], expected)
    return truth, scores, answers


truth, scores, answers = of("validation")
for label, threshold in enumerate(thresholds):
    if truth[:, label].any():
        at = lambda t: f1_score(truth[:, label], scores[:, label] >= t, zero_division=0)
        values = np.unique(scores[:, label])
        others = [at(t) for t in [*values, *((values[1:] + values[:-1]) / 2)]]
        assert at(threshold) >= max(others) - 1e-12, (names[label], threshold, at(threshold), max(others))

truth, scores, answers = of(split)
precision, recall, f1, support = precision_recall_fscore_support(truth, answers, zero_division=np.nan)
print(
    json.dumps(
        {
            "images": len(truth),
            "average_precision": average_precision_score(truth, scores, average=None).tolist(),
            "mean_average_precision": average_precision_score(truth, scores, average="macro"),
            "roc_area": roc_auc_score(truth, scores, average=None).tolist(),
            "precision": precision.tolist(),
            "recall": recall.tolist(),
            "f1": f1.tolist(),
            "support": support.tolist(),
            "micro_f1": f1_score(truth, answers, average="micro"),
            "macro_f1": f1_score(truth, answers, average="macro"),
            "exact_match": float((truth == answers).all(axis=1).mean()),
            "hamming_loss": hamming_loss(truth, answers),
        }
    )
)
