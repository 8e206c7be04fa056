"""One fit of scikit-learn to a norm of the gradient: python optimum.py CACHE RUN SOLVER DTYPE L2 GOAL LIMIT TOLERANCE. For the
solver `head` it prints the norm of the gradient at the head of RUN instead, and the bound on the relative distance of its
weights from the optimum that follows: the loss is strongly convex in them with modulus L2. Everything but the fit itself is
float64.

The tolerance of scikit-learn is the largest entry of the gradient, GOAL its Euclidean norm. So the fit is made anew with
smaller and smaller tolerances, from TOLERANCE on, until GOAL is reached, two of them in a row change nothing, because the
solver gives up on its own, or a fit takes longer than LIMIT seconds. What is printed is of the fit that came nearest. Its
passes are products of all rows with weights, or with their gradient's transpose: a loss takes one, a gradient or a product
with the Hessian two."""

import collections
import json
import pathlib
import signal
import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model._linear_loss import LinearModelLoss

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/oracle"))
from data import load  # noqa: E402
from heads import load_head  # noqa: E402

warnings.simplefilter("ignore")
cache, run, solver, dtype, *numbers = sys.argv[1:]
l2, goal, limit, tolerance = map(float, numbers)
weight, bias, classes = load_head(pathlib.Path(run))
(x, y), _ = load(cache)


def gradient(coef, intercept):
    """Norm of the gradient of mean cross entropy + l2/2 |W|^2, and its largest entry."""
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
    whole = np.append(total + l2 * coef, bias)
    return float(np.linalg.norm(whole)), float(np.abs(whole).max())


if solver == "head":
    norm, _ = gradient(weight, bias.astype(np.float64))
    print(json.dumps({"gradient": norm, "distance": norm / (l2 * float(np.linalg.norm(weight.astype(np.float64))))}))
    sys.exit()


def count_passes():
    """Makes scikit-learn's losses count them in `passes`."""
    def counted(inner, cost):
        def call(self, *args, **kwargs):
            passes["gradients"] += cost
            return inner(self, *args, **kwargs)
        return call

    for name, cost in (("loss", 1), ("gradient", 2), ("loss_gradient", 2)):
        setattr(LinearModelLoss, name, counted(getattr(LinearModelLoss, name), cost))
    inner = counted(LinearModelLoss.gradient_hessian_product, 2)

    def both(self, *args, **kwargs):
        gradient, product = inner(self, *args, **kwargs)

        def one(vector):
            passes["hessian"] += 2
            return product(vector)

        return gradient, one

    LinearModelLoss.gradient_hessian_product = both


def fitted(features, tolerance):
    """The fit with this tolerance, or None where it takes too long."""
    model = LogisticRegression(C=1 / (l2 * len(y)), solver=solver, tol=tolerance, max_iter=20000)
    passes.clear()
    started = time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        model.fit(features, y)
    except TimeoutError:
        return None, None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    seconds = time.perf_counter() - started
    norm, largest = gradient(model.coef_, model.intercept_)
    found = {"seconds": seconds, "gradient": norm, "reached": norm <= goal, "tolerance": tolerance,
             "iterations": int(model.n_iter_.max()), "passes": sum(passes.values()), "passes_of_the_hessian": passes["hessian"]}
    return found, largest


def ring(*_):
    raise TimeoutError


passes = collections.Counter()
count_passes()
signal.signal(signal.SIGALRM, ring)
features = np.ascontiguousarray(x.astype(dtype))
best, idle, over = None, 0, False
while idle < 2:
    found, largest = fitted(features, tolerance)
    if found is None:
        over = True
        break
    # A solver that steps over a tolerance by more than a third makes the same fit again with the next one.
    idle = 0 if best is None or found["gradient"] < 0.9 * best["gradient"] else idle + 1
    if idle == 0:
        best = found
    if best["reached"]:
        break
    tolerance = min(tolerance / 3, 0.9 * largest)
print(json.dumps({"reached": False, "over_limit": over} | (best or {})))
