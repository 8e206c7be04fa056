"""How many passes over the features each search takes: python products.py CACHE L2 GOAL [SOLVER...].

A pass multiplies all rows by weights, or by their gradient's transpose; a loss takes one, a gradient or a product with the Hessian
two. Counts those of scikit-learn's lbfgs and newton-cg (float64) to a norm of the gradient of at most GOAL. headstart's L-BFGS takes
two an iteration, whatever its line search evaluates: multiply the iterations that `headstart train --json` prints."""

import collections
import json
import pathlib
import sys
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model._linear_loss import LinearModelLoss

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from data import load  # noqa: E402

warnings.simplefilter("ignore")
passes = collections.Counter()


def counted(name, cost):
    inner = getattr(LinearModelLoss, name)

    def call(self, *args, **kwargs):
        passes[name] += cost
        return inner(self, *args, **kwargs)

    setattr(LinearModelLoss, name, call)


def count_hessian_products():
    inner = LinearModelLoss.gradient_hessian_product

    def call(self, *args, **kwargs):
        gradient, product = inner(self, *args, **kwargs)
        passes["gradient"] += 2

        def one(vector):
            passes["hessian_product"] += 2
            return product(vector)

        return gradient, one

    LinearModelLoss.gradient_hessian_product = call


for name, cost in (("loss", 1), ("gradient", 2), ("loss_gradient", 2)):
    counted(name, cost)
count_hessian_products()
cache, l2, goal = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
(x, y), _ = load(cache)
x = x.astype(np.float64)


def gradient_norm(model):
    logits = x @ model.coef_.T + model.intercept_
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    weights = p.T @ x / len(y) + l2 * model.coef_
    return float(np.sqrt((weights**2).sum() + ((p.sum(0) / len(y)) ** 2).sum()))


for solver in sys.argv[4:] or ["lbfgs", "newton-cg"]:
    tolerance, best = goal, float("inf")
    while True:
        passes.clear()
        model = LogisticRegression(C=1 / (l2 * len(y)), solver=solver, tol=tolerance, max_iter=20000).fit(x, y)
        left, counts = gradient_norm(model), dict(passes)
        if left <= goal or left > 0.9 * best:
            break
        tolerance, best = tolerance / 3, left
    print(json.dumps({"solver": solver, "rows": len(y), "classes": len(model.classes_), "iterations": int(model.n_iter_.max()),
                      "passes": counts, "total": sum(counts.values()), "gradient": left, "reached": left <= goal}), flush=True)
