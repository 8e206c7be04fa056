"""Label issues and near-duplicates across splits, with pandas and NumPy.

Arguments: a cache, and a folder of runs that `train --folds` made of it. Prints {issues: [[path, label, suggested]], the
lowest margin first; pairs: [[distance, path, path]], nearest first}.

Label issues: Northcutt, Jiang and Chuang 2021, *Confident Learning*, equations 1 and 2, without rows whose label is the likeliest
class, ordered by normalised margin.
"""

import json
import pathlib
import sys

import numpy as np
import pandas as pd

cache, runs = sys.argv[1:]
folds = [pd.read_parquet(path) for path in sorted(pathlib.Path(runs).glob("*/predictions.parquet"))]
predictions = pd.concat(folds)
predictions = predictions[(predictions.split == "test") & (predictions.variant == "none")]
classes = np.array(sorted(set(predictions["label"]), key=lambda name: name.encode()))
probabilities = np.stack(predictions["probabilities"].to_numpy()).astype(np.float64)
labels = np.searchsorted(classes, predictions["label"].to_numpy(dtype=object))
thresholds = np.array([probabilities[labels == c, c].mean() for c in range(len(classes))])
confident = np.where(probabilities >= thresholds, probabilities, -1)
suggested = confident.argmax(axis=1)
rows = np.arange(len(labels))
is_issue = (confident.max(axis=1) >= 0) & (suggested != labels) & (probabilities.argmax(axis=1) != labels)
others = np.where(np.arange(len(classes)) == labels[:, None], -1, probabilities)
margin = probabilities[rows, labels] - others.max(axis=1)
order = [i for i in np.argsort(margin, kind="stable") if is_issue[i]]
issues = [[predictions["path"].iloc[i], classes[labels[i]], classes[suggested[i]]] for i in order]

features = pd.read_parquet(f"{cache}/features")
samples = pd.read_parquet(f"{cache}/samples.parquet").drop_duplicates("image_sha256")
plain = features[features.variant == "none"].merge(samples, on="image_sha256").sort_values("path")
matrix = np.stack(plain["embedding"].to_numpy()).astype(np.float64)
matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
split, path = (plain[name].to_numpy(dtype=object) for name in ("split", "path"))
one, other = np.triu_indices(len(plain), 1)
apart = split[one] != split[other]
one, other = one[apart], other[apart]
distances = 1 - (matrix[one] * matrix[other]).sum(axis=1)
nearest = np.argsort(distances, kind="stable")[:12]
pairs = [[float(distances[i]), *sorted([path[one[i]], path[other[i]]])] for i in nearest]
print(json.dumps({"issues": issues, "pairs": pairs}))
