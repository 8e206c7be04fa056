"""Fits the same penalised softmax regression with scikit-learn and compares: python lbfgs.py RUN CACHE. The run was
fitted with L-BFGS. Ours: mean weighted cross entropy + l2/2 |W|^2; scikit-learn's: C sum weighted cross entropy
+ 1/2 |W|^2; equal for C = 1 / (l2 n). The bias is determined up to a constant shift, so it is centred. All of it is float64:
their search begins anew where it ended until the gradient is as good as zero."""

import json
import pathlib
import sys

import numpy as np
from heads import load_cache, load_head, scaling
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

run, cache = map(pathlib.Path, sys.argv[1:])
config = json.loads((run / "run.json").read_text())["config"]
assert config["solver"].startswith("lbfgs")
weight, bias, classes = load_head(run)
parts = load_cache(cache, classes)
_, x, y = parts["train"]
x = x.astype(np.float64)
mean, scale = scaling(x, config.get("standardize", False))
smoothing, balanced = config.get("label_smoothing", 0.0), config.get("class_weights", "none") == "balanced"
sample_weight = compute_sample_weight("balanced", y) if balanced else np.ones(len(y))
z, k = (x - mean) / scale, len(classes)
target = (1 - smoothing) * np.eye(k)[y] + smoothing / k


def loss(flat):
    w = flat.reshape(k, -1)
    logits = z @ w[:, :-1].T + w[:, -1]
    logits -= logits.max(1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    share = sample_weight / len(y)
    delta = (np.exp(log_p) - target) * share[:, None]
    gradient = np.c_[delta.T @ z + config["l2"] * w[:, :-1], delta.sum(0)]
    value = -(share[:, None] * target * log_p).sum() + config["l2"] / 2 * (w[:, :-1] ** 2).sum()
    return value, gradient.ravel()


if smoothing == 0:
    model = LogisticRegression(C=1 / (config["l2"] * len(y)), tol=1e-9, max_iter=20000)
    model.fit(z, y, sample_weight=sample_weight)
    flat = np.c_[model.coef_, model.intercept_].ravel()
else:
    flat = np.zeros(k * (z.shape[1] + 1))
for _ in range(20):
    flat = minimize(loss, flat, jac=True, method="L-BFGS-B",
                    options={"maxiter": 20000, "maxfun": 40000, "ftol": 0, "gtol": 1e-12, "maxcor": 50}).x
w = flat.reshape(k, -1)
coef = w[:, :-1] / scale
intercept = w[:, -1] - coef @ mean
_, tx, ty = parts["test"]
ours = (tx @ weight.T.astype(np.float64) + bias).argmax(1)
centred = [b - b.mean() for b in (bias.astype(np.float64), intercept)]
# Distances are measured where the penalty is: on the weights of the scaled features.
print(json.dumps({
    "rows": len(y),
    "gradient": float(np.linalg.norm(loss(flat)[1])),
    "largest_coefficient": float(np.abs(coef).max()),
    "largest_difference": float(np.abs(weight - coef).max()),
    "relative_distance": float(np.linalg.norm((weight - coef) * scale) / np.linalg.norm(coef * scale)),
    "largest_bias_difference": float(np.abs(centred[0] - centred[1]).max()),
    "accuracy": float((ours == ty).mean()),
    "their_accuracy": float(((tx @ coef.T + intercept).argmax(1) == ty).mean()),
}))
