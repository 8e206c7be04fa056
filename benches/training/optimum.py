"""One fit of scikit-learn to a norm of the gradient: python optimum.py CACHE RUN SOLVER DTYPE L2 GOAL. For the solver `head`
it prints the norm of the gradient at the head of RUN instead, and the bound on the relative distance of its weights from the
optimum that follows: the loss is strongly convex in them with modulus L2. Everything but the fit itself is float64."""

import json
import pathlib
import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/oracle"))
from data import load  # noqa: E402
from heads import load_head  # noqa: E402

warnings.simplefilter("ignore")
cache, run, solver, dtype, l2, goal = sys.argv[1:]
l2, goal = float(l2), float(goal)
weight, bias, classes = load_head(pathlib.Path(run))
(x, y), _ = load(cache)


def gradient(coef, intercept):
    """Norm of the gradient of mean cross entropy + l2/2 |W|^2."""
    coef, total = coef.astype(np.float64), np.zeros(coef.shape)
    bias = np.zeros(len(coef))
    for start in range(0, len(y), 4096):
        block, target = x[start:start + 4096].astype(np.float64), y[start:start + 4096]
        logits = block @ coef.T + intercept
        logits -= logits.max(1, keepdims=True)
        p = np.exp(logits)
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(target)), target] -= 1
        total += p.T @ block / len(y)
        bias += p.sum(0) / len(y)
    return float(np.sqrt(((total + l2 * coef) ** 2).sum() + (bias ** 2).sum()))


if solver == "head":
    norm = gradient(weight, bias.astype(np.float64))
    print(json.dumps({"gradient": norm, "distance": norm / (l2 * float(np.linalg.norm(weight.astype(np.float64))))}))
    sys.exit()
features = np.ascontiguousarray(x.astype(dtype))
# A largest entry of the goal is the least that can suffice; where a third of a tolerance no longer helps, the goal is out of reach.
tolerance, best = goal, float("inf")
while True:
    model = LogisticRegression(C=1 / (l2 * len(y)), solver=solver, tol=tolerance, max_iter=20000)
    started = time.perf_counter()
    model.fit(features, y)
    seconds = time.perf_counter() - started
    left = gradient(model.coef_, model.intercept_)
    found = {"seconds": seconds, "gradient": left, "reached": left <= goal, "tolerance": tolerance,
             "iterations": int(model.n_iter_.max())}
    if found["reached"] or left > 0.9 * best:
        break
    tolerance, best = tolerance / 3, left
print(json.dumps(found))
