"""Fits the same penalised softmax regression with scikit-learn and compares: python lbfgs.py RUN CACHE. The run was
fitted with L-BFGS on the plain features. Ours: mean cross entropy + l2/2 |W|^2; scikit-learn's: C sum cross entropy
+ 1/2 |W|^2; equal for C = 1 / (l2 n). The bias is determined up to a constant shift, so it is centred."""

import json
import pathlib
import sys

import numpy as np
from heads import load_cache, load_head
from sklearn.linear_model import LogisticRegression

run, cache = map(pathlib.Path, sys.argv[1:])
record = json.loads((run / "run.json").read_text())
assert record["config"]["solver"] == "lbfgs" and record["variants"] == ["none"]
weight, bias, classes = load_head(run)
parts = load_cache(cache, classes)
_, x, y = parts["train"]
model = LogisticRegression(C=1 / (record["config"]["l2"] * len(y)), tol=1e-9, max_iter=20000).fit(x, y)
_, tx, ty = parts["test"]
ours = (tx @ weight.T.astype(np.float64) + bias).argmax(1)
centred = [b - b.mean() for b in (bias.astype(np.float64), model.intercept_)]
print(json.dumps({
    "rows": len(y),
    "iterations": int(model.n_iter_[0]),
    "largest_coefficient": float(np.abs(model.coef_).max()),
    "largest_difference": float(np.abs(weight - model.coef_).max()),
    "largest_bias_difference": float(np.abs(centred[0] - centred[1]).max()),
    "accuracy": float((ours == ty).mean()),
    "their_accuracy": float((model.predict(tx) == ty).mean()),
}))
